#!/usr/bin/env python3
"""Write one invented province: what is true of every name, and the configuration of the servers that make it true.

usage: make_world.py FOLDER [TIMES]     TIMES: so many times as many schools of each kind (1)

A pure function of this file and of TIMES: no randomness, no clock. Everything below the tables is plumbing; what a kind of site is, how
its servers behave over each family, and what the scanner must say of it stands in KINDS. The words of the last columns come
from the method (docs/method), not from what the program happens to answer.
"""
import csv
import os
import sys

OUT = sys.argv[1]
TIMES = int(sys.argv[2]) if len(sys.argv) > 2 else 1
CITIES = ["lanxi", "yunqi", "beiling", "shiqiao"]  # school zones, all on the two good name servers
REGION = {"lanxi": "990100", "yunqi": "990200", "beiling": "990300", "shiqiao": "990400"}
REFUSING, FAILING = "guhe", "maolin"  # delegated zones that the servers refuse (lame), or cannot load
CLIENT4, CLIENT6 = "198.18.0.1", "2001:db8:0:1::1"  # the scanner's own addresses
RESOLVERS = ["198.18.53.1", "2001:db8:53::1"]
RESOLVER4_2 = "198.18.53.2"
ROOT4, ROOT6 = "198.18.54.1", "2001:db8:54::1"
NS = {"ns1": ("198.18.54.11", "2001:db8:54::11"), "ns2": ("198.18.54.12", "2001:db8:54::12")}

# Where an address lies decides how the network treats it (run: network_up). IPv4 first two or three bytes, IPv6 third group.
NET4 = {"open": "198.19.{}.{}", "no443": "198.18.64.{1}", "no80": "198.18.65.{1}", "closed": "198.18.66.{1}", "drop": "198.18.67.{1}"}
NET6 = {
    "open": "a", "closed": "b", "no443": "c", "drop": "d", "no80": "f", "hole": "dead",
    "prohibited": "e1", "hostless": "e2", "routeless": "e3", "drop443": "d4", "narrow": "e4", "lossy": "e5",
}

# How a virtual host behaves. {www} etc. are nginx variables.
DO = {
    "page": "location / { try_files /$host.html =404; }",
    "gbk": "charset gbk; location / { try_files /$host.gbk.html =404; }",
    "lite": "location / { try_files /$host.lite.html =404; }",
    "other": "location / { try_files /other.html =404; }",
    "filing": "location / { try_files /filing.html =404; }",
    "https": "return 301 https://$host$request_uri;",
    "chain": "location = / { return 302 /index.htm; } location = /index.htm { return 302 https://www-$host/portal/; }",
    "to-old": "return 302 https://old-$host/;",
    "loop": "location / { return 302 https://$host/; }",
    "404": "return 404;", "403": "return 403;", "500": "return 500;", "503": "return 503;",
    "502": "location / { proxy_pass http://127.0.0.1:9; }",
    "401": 'location / { add_header WWW-Authenticate "Basic realm=x" always; return 401; }',
    "hangup": "return 444;",
    "to-loop6": "return 302 http://[::1]/;",
    "refresh": 'location / { try_files /$host.html =404; }',
}


def web(http4, https4, http6=None, https6=None, cert4="good", cert6=None):
    """Behaviour over (IPv4 http, IPv4 https, IPv6 http, IPv6 https); IPv6 as IPv4 unless said otherwise. None: no such host."""
    http6 = http4 if http6 is None else http6
    https6 = https4 if https6 is None else https6
    return {(4, 80): http4, (4, 443): https4, (6, 80): http6, (6, 443): https6, "cert": {4: cert4, 6: cert6 or cert4}}


BOTH = web("https", "page")  # http leads to https, https shows the page
BARE = web("page", "page")  # both show the page

# kind: number, IPv4 network, IPv6 networks or literal addresses, behaviour, readiness, reason, findings that must be there
KINDS = [
    # served over both
    ("dual-redirect", 24, "open", ["open"], BOTH, "READY", "", ""),
    ("dual-both-ports", 8, "open", ["open"], BARE, "READY", "", ""),
    ("dual-https-only", 6, "no80", ["no80"], BOTH, "READY", "", ""),
    ("dual-http-only", 6, "no443", ["no443"], BARE, "READY", "", ""),
    ("redirect-chain", 4, "open", ["open"], web("https", "chain"), "READY", "", ""),
    ("meta-refresh", 2, "open", ["open"], BOTH, "READY", "", ""),
    ("login-both", 2, "open", ["open"], web("https", "401"), "READY", "", "AUTH_REQUIRED"),
    ("two-aaaa", 4, "open", ["open", "open"], BOTH, "READY", "", ""),
    ("tls12", 2, "open", ["open"], BOTH, "READY", "", ""),
    ("tls13", 2, "open", ["open"], BOTH, "READY", "", ""),
    ("gbk-utf8", 6, "open", ["open"], web("https", "gbk", None, "page"), "READY", "", ""),
    ("v6-only", 6, None, ["open"], BOTH, "READY", "", "V6_ONLY"),
    ("v4-dead-v6-good", 3, "closed", ["open"], BOTH, "READY", "", "V4_BROKEN"),
    ("cname-dual", 6, "open", ["open"], BOTH, "READY", "", ""),
    ("www-sibling-judged", 4, None, [], BOTH, "READY", "", "SIBLING_HAS_SITE"),
    # certificates: the same fault on both sides is parity, on IPv6 only a defect
    ("cert-expired-both", 5, "open", ["open"], web("https", "page", cert4="expired"), "READY", "", "CERT_BOTH"),
    ("cert-unknown-both", 5, "open", ["open"], web("https", "page", cert4="unknown"), "READY", "", "CERT_BOTH"),
    ("cert-name-v6", 5, "open", ["open"], web("https", "page", cert6="wrong"), "READY_DEFECT", "cert_v6", "CERT_V6"),
    ("cert-expired-v6", 3, "open", ["open"], web("https", "page", cert6="expired"), "READY_DEFECT", "cert_v6", "CERT_V6"),
    ("cert-name-v4", 2, "open", ["open"], web("https", "page", cert4="wrong", cert6="good"), "READY", "", "CERT_V4"),
    # served over IPv6 with other defects
    ("v6-no443-bare", 5, "open", ["no443"], BARE, "READY_DEFECT", "port_diff", "PORT_DIFF"),
    ("v6-no80", 5, "open", ["no80"], BOTH, "READY_DEFECT", "port_diff", "PORT_DIFF"),
    ("v6-lite-page", 6, "open", ["open"], web("https", "page", None, "lite"), "READY_DEFECT", "content_diff", "CONTENT_DIFF"),
    ("one-aaaa-refused", 4, "open", ["open", "closed"], BOTH, "READY_DEFECT", "some_addresses_dead", "SOME_ADDRESSES_DEAD"),
    ("one-aaaa-dropped", 4, "open", ["open", "drop"], BOTH, "READY_DEFECT", "some_addresses_dead", "SOME_ADDRESSES_DEAD"),
    ("one-aaaa-ula", 3, "open", ["open", "fd12:3456:789a::{:x}"], BOTH, "READY_DEFECT", "address", "ADDR_SPECIAL"),
    # no usable AAAA
    ("v4-only", 24, "open", [], BOTH, "ABSENT", "", "AAAA_ABSENT"),
    ("aaaa-ula", 4, "open", ["fd00:1::{:x}"], BOTH, "ABSENT", "", "ADDR_SPECIAL"),
    ("aaaa-mapped", 4, "open", ["mapped"], BOTH, "ABSENT", "", "ADDR_MAPPED"),
    ("aaaa-documentation", 4, "open", ["3fff:12::{:x}"], BOTH, "ABSENT", "", "ADDR_SPECIAL"),
    ("aaaa-loopback", 2, "open", ["::1"], BOTH, "ABSENT", "", "ADDR_SPECIAL"),
    ("aaaa-6to4", 2, "open", ["2002:c612:1::{:x}"], BOTH, "ABSENT", "", "ADDR_SPECIAL"),
    ("aaaa-nat64", 2, "open", ["64:ff9b::c613:{:x}"], BOTH, "ABSENT", "", "ADDR_TRANSLATED"),
    ("cname-v4only", 6, "open", [], BOTH, "ABSENT", "", "CNAME_TARGET_V4ONLY"),
    ("www-has-v6", 3, "open", [], BOTH, "ABSENT", "", "WWW_HAS_V6"),
    ("aaaa-own-network", 2, "open", [CLIENT6], BOTH, "INCONCLUSIVE", "policy", "ADDR_LOCAL"),
    # a usable AAAA behind which the service is not
    ("v6-refused", 8, "open", ["closed"], BOTH, "BROKEN", "refused", "V6_REFUSED"),
    ("v6-dropped", 5, "open", ["drop"], BOTH, "BROKEN", "timeout", "V6_TIMEOUT"),
    ("v6-blackhole", 4, "open", ["hole"], BOTH, "BROKEN", "timeout", "V6_TIMEOUT"),
    ("v6-prohibited", 4, "open", ["prohibited"], BOTH, "BROKEN", "unreachable", "V6_UNREACHABLE"),
    ("v6-no-host", 3, "open", ["hostless"], BOTH, "BROKEN", "unreachable", "V6_UNREACHABLE"),
    ("v6-no-route", 3, "open", ["routeless"], BOTH, "BROKEN", "unreachable", "V6_UNREACHABLE"),
    ("v6-no443-https", 4, "open", ["no443"], BOTH, "BROKEN", "refused", "V6_REFUSED"),
    ("v6-drop443-https", 3, "open", ["drop443"], BOTH, "BROKEN", "timeout", "V6_TIMEOUT"),
    ("v6-narrow", 3, "open", ["narrow"], BOTH, "BROKEN", "pmtu_blackhole", "PMTU_BLACKHOLE"),
    ("v6-narrow-http", 2, "no443", ["narrow"], web("page", "page"), "BROKEN", "pmtu_blackhole", "PMTU_BLACKHOLE"),
    ("v6-two-dead", 2, "open", ["closed", "closed"], BOTH, "BROKEN", "refused", "V6_REFUSED"),
    ("v6-502", 4, "open", ["open"], web("https", "page", None, "502"), "BROKEN", "status", "V6_STATUS"),
    ("v6-503", 4, "open", ["open"], web("https", "page", None, "503"), "BROKEN", "status", "V6_STATUS"),
    ("v6-404", 3, "open", ["open"], web("https", "page", None, "404"), "BROKEN", "status", "V6_STATUS"),
    ("v6-default-page", 5, "open", ["open"], web("https", "page", False, False), "BROKEN", "wrong_vhost", "WRONG_VHOST"),
    ("v6-other-vhost", 3, "open", ["open"], web("https", "page", "other", "other", cert6="wrong"), "BROKEN", "wrong_vhost", "WRONG_VHOST"),
    ("v6-filing-page", 3, "open", ["open"], web("https", "page", "filing", "filing"), "BROKEN", "wrong_vhost", "WRONG_VHOST"),
    ("v6-to-v4only", 4, "open", ["open"], web("https", "page", None, "to-old"), "BROKEN", "redirect_v4only", "REDIRECT_V4ONLY"),
    ("both-to-v4only", 3, "open", ["open"], web("https", "to-old"), "BROKEN", "redirect_v4only", "REDIRECT_V4ONLY"),
    ("v6-loop", 2, "open", ["open"], web("https", "page", None, "loop"), "BROKEN", "redirect_endless", "REDIRECT_ENDLESS"),
    ("v6-to-loopback", 2, "open", ["open"], web("https", "page", "to-loop6", "to-loop6"), "BROKEN", "redirect_internal", "REDIRECT_INTERNAL"),
    ("v6-tls-alert", 3, "open", ["open"], web("https", "page", cert6="reject"), "BROKEN", "tls_alert", "V6_TLS"),
    ("v6-hangup", 2, "open", ["open"], web("https", "page", None, "hangup"), "BROKEN", "http_eof", "V6_HTTP"),
    # no site, or no working site
    ("nxdomain", 8, "", [], None, "NO_NAME", "", "NAME_NXDOMAIN"),
    ("404-both", 4, "open", ["open"], web("https", "404"), "DOWN", "site_error", "SITE_ERROR"),
    ("500-both", 3, "open", ["open"], web("500", "500"), "DOWN", "site_error", "SITE_ERROR"),
    ("404-v4only", 2, "open", [], web("404", "404"), "DOWN", "site_error", "SITE_ERROR"),
    ("refused-both", 4, "closed", ["closed"], None, "DOWN", "unreachable", "BOTH_FAIL"),
    ("dropped-both", 3, "drop", ["drop"], None, "DOWN", "unreachable", "BOTH_FAIL"),
    ("refused-v4only", 3, "closed", [], None, "DOWN", "unreachable", "BOTH_FAIL"),
    ("zone-refused", 4, "", [], None, "DOWN", "dns", "DNS_UNRESOLVABLE"),
    ("zone-servfail", 4, "", [], None, "DOWN", "dns", "DNS_UNRESOLVABLE"),
]

# Names that lead to the scanner itself. kind: A, AAAA, where its page or redirect points
SELF = ["127.0.0.1", "127.9.8.7", "0.0.0.0", CLIENT4]
SELF6 = ["::1", "::", "::ffff:127.0.0.1", "::ffff:" + CLIENT4, CLIENT6, "64:ff9b::7f00:1", "fe80::1", "::127.0.0.1"]
URLS = [
    "http://127.0.0.1/", "https://127.0.0.1/", "http://127.0.0.1:443/", "http://localhost/", "http://[::1]/", "https://[::1]/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/",
    "http://127.1/", "http://0.0.0.0/", "http://[::]/", "http://u:p@127.0.0.1/", "//127.0.0.1/", "http://127.0.0.1:8080/",
    f"http://{CLIENT4}/", f"https://{CLIENT4}/", f"http://[{CLIENT6}]/", f"https://[{CLIENT6}]/", f"http://[::ffff:{CLIENT4}]/",
    "http://inside.lanxi.test/", "https://inside.lanxi.test/", "http://own.lanxi.test/", "https://own.lanxi.test/",
    "http://alias.lanxi.test/", "http://127.0.0.1.lanxi.test/",
]

WORDS = ("通知公告 招生简章 校园新闻 党建工作 教师风采 德育活动 课程改革 家校共育 图书馆藏 食堂菜谱 运动会 "
         "艺术节 科技创新 心理健康 安全教育 学籍管理 教研组 年级动态 毕业典礼 校史馆").split()


def page(title, seed, size=6000, names=WORDS, charset="utf-8", head="", sections=""):
    """A home page: title, links, resources and text that depend on the seed."""
    lines = [f"<!DOCTYPE html><html lang=zh><head><meta charset={charset}><title>{title}</title>{head}",
             "<link rel=stylesheet href=/css/site.css><script src=/js/menu.js></script></head><body>",
             f"<h1>{title}</h1><img src=/images/gate-{seed}.jpg alt=校门><ul>"]
    lines += [f"<li><a href=/{n}/list-{seed}-{i}.htm>{w}</a></li>" for i, w in enumerate(names) for n in ["news"]]
    lines.append("</ul>" + sections)
    text, i = sum(len(l.encode()) for l in lines), 0
    while text < size:
        a, b, c = names[(seed + i) % len(names)], names[(seed * 3 + i * 7) % len(names)], names[(i * 5 + 1) % len(names)]
        line = f"<p>{title}第{i + 1}号简讯：{a}与{b}，详见{c}。</p>"
        lines.append(line)
        text, i = text + len(line.encode()), i + 1
    lines.append("<p>主办单位：教务处</p></body></html>")
    return "\n".join(lines)


class World:
    def __init__(self):
        self.serial = 0
        self.zones = {z: [] for z in [*CITIES, "cdn"]}
        self.blocks = {}  # (family, port, behaviour, cert, listen address) -> names
        self.truth, self.ssrf, self.schools, self.lossy = [], [], [], []
        self.extra_names = []  # names the wildcards of the certificate do not cover
        os.makedirs(f"{OUT}/pages")
        os.makedirs(f"{OUT}/zones")

    def address4(self, net):
        n = self.serial
        return NET4[net].format(n // 250, n % 250 + 1)

    def address6(self, net, index=0):
        if net == "mapped":
            return "::ffff:" + self.address4("open")
        if ":" in net:
            return net.format(self.serial)
        return f"2001:db8:{NET6[net]}:{index}::{self.serial:x}"

    def record(self, zone, owner, kind, value):
        self.zones[zone].append(f"{owner} {kind} {value}")

    def host(self, zone, owner, net4, nets6):
        a4 = self.address4(net4) if net4 else None
        a6 = [self.address6(net, i) for i, net in enumerate(nets6)]
        if a4:
            self.record(zone, owner, "A", a4)
        for a in a6:
            self.record(zone, owner, "AAAA", a)
        return a4, a6

    def serve(self, name, behaviour, only=None):
        """Puts a virtual host where it belongs. only: listen addresses of its own, by family."""
        for family in (4, 6):
            for port in (80, 443):
                do = behaviour[(family, port)]
                if do:
                    key = (family, port, do, behaviour["cert"][family], (only or {}).get(family))
                    self.blocks.setdefault(key, []).append(name)

    def write_page(self, name, **kw):
        title = kw.pop("title", None) or f"{name.split('.')[1]}实验学校{self.serial}"
        with open(f"{OUT}/pages/{name}.html", "w", encoding="utf-8") as f:
            f.write(page(title, self.serial, **kw))
        return title

    def school(self, kind, count, net4, nets6, behaviour, readiness, reason, finding):
        for i in range(count):
            self.serial += 1
            city = {"zone-refused": REFUSING, "zone-servfail": FAILING}.get(kind, CITIES[self.serial % len(CITIES)])
            owner = f"s{self.serial:04d}"
            name = f"{owner}.{city}.test"
            self.truth.append([name, kind, readiness, reason, finding])
            self.schools.append([f"{city}第{self.serial}学校", name, REGION.get(city, "990100")])
            if kind in ("nxdomain", "zone-refused", "zone-servfail"):
                continue
            if kind.startswith("cname-"):
                self.record(city, owner, "CNAME", f"{owner}-{city}.cdn.test.")
                self.host("cdn", f"{owner}-{city}", net4, nets6)
            elif kind == "www-sibling-judged":
                self.record(city, owner, "TXT", '"no address here"')
                self.host(city, f"www.{owner}", "open", ["open"])
                self.extra_names.append(f"www.{name}")
                self.serve(f"www.{name}", behaviour)
                self.write_page(f"www.{name}")
                continue
            else:
                a4, a6 = self.host(city, owner, net4, nets6)
            if kind == "www-has-v6":
                self.host(city, f"www.{owner}", "open", ["open"])
            if behaviour is None:
                continue
            only = {4: a4, 6: a6[0]} if kind in ("tls12", "tls13") else None
            if only:
                behaviour = dict(behaviour, cert={4: kind, 6: kind})
            self.serve(name, behaviour, only)
            size = 90_000 if kind == "dual-redirect" and i < 12 else 4000 + 200 * (self.serial % 40)
            if kind == "meta-refresh":
                with open(f"{OUT}/pages/{name}.html", "w", encoding="utf-8") as f:
                    f.write(f'<html><head><meta http-equiv=refresh content="0;url=https://www-{name}/"></head></html>')
            else:
                title = self.write_page(name, size=size)
            if kind in ("redirect-chain", "meta-refresh"):
                self.host(city, f"www-{owner}", "open", ["open"])
                self.serve(f"www-{name}", BOTH)
                self.write_page(f"www-{name}")
            if "to-v4only" in kind:
                self.host(city, f"old-{owner}", "open", [])
                self.serve(f"old-{name}", BOTH)
                self.write_page(f"old-{name}")
            if kind == "gbk-utf8":
                with open(f"{OUT}/pages/{name}.gbk.html", "w", encoding="gb18030") as f:
                    f.write(page(title, self.serial, size, charset="gbk"))
            if kind == "v6-lite-page":
                with open(f"{OUT}/pages/{name}.lite.html", "w", encoding="utf-8") as f:
                    f.write(page("网站正在升级改造", 7, 700, names=["联系方式", "值班电话"]))

    def self_names(self):
        """The SSRF list: addresses, redirects, page-made redirects, name servers."""
        city = "lanxi"
        self.record(city, "inside", "A", "127.0.0.1")
        self.record(city, "inside", "AAAA", "::1")
        self.record(city, "own", "A", CLIENT4)
        self.record(city, "own", "AAAA", CLIENT6)
        self.record(city, "alias", "CNAME", f"inside.{city}.test.")
        self.record(city, "127.0.0.1", "A", "127.0.0.1")

        def add(label):
            self.serial += 1
            owner = f"x{self.serial:04d}"
            name = f"{owner}.{city}.test"
            self.ssrf.append([name, label])
            return owner, name

        for a in SELF:  # IPv4 leads home, IPv6 is fine; and alone
            for nets6 in (["open"], []):
                owner, name = add(f"A {a}")
                self.record(city, owner, "A", a)
                for net in nets6:
                    self.record(city, owner, "AAAA", self.address6(net))
                self.serve(name, BARE)
                self.write_page(name)
        for a in SELF6:
            for net4 in ("open", None):
                owner, name = add(f"AAAA {a}")
                if net4:
                    self.record(city, owner, "A", self.address4(net4))
                self.record(city, owner, "AAAA", a)
                self.serve(name, BARE)
                self.write_page(name)
        for url in URLS:
            owner, name = add(f"redirect {url}")
            self.host(city, owner, "open", ["open"])
            DO[url] = f'return 302 "{url}";'
            self.serve(name, web(url, url))
            for how, head in (("refresh", f'<meta http-equiv=refresh content="0;url={url}">'), ("script", f"<script>location.href='{url}'</script>")):
                owner, name = add(f"{how} {url}")
                self.host(city, owner, "open", ["open"])
                self.serve(name, BARE)
                with open(f"{OUT}/pages/{name}.html", "w") as f:
                    f.write(f"<html><head>{head}</head><body><img src={url}><iframe src={url}></iframe><a href={url}>x</a></body></html>")
        for zone in ("homens", "ownns"):  # zones whose name servers are the scanner
            for i in range(2):
                self.ssrf.append([f"s{i}.{zone}.test", "name server"])

    def lossy_names(self):
        for i in range(20):
            self.serial += 1
            name = f"lossy{i}.{CITIES[0]}.test"
            self.host(CITIES[0], f"lossy{i}", "open", ["lossy"])
            self.serve(name, BOTH)
            self.write_page(name)
            self.lossy.append(name)

    def write(self):
        def out(name, text):
            with open(f"{OUT}/{name}", "w", encoding="utf-8") as f:
                f.write(text)

        def table(name, head, rows):
            with open(f"{OUT}/{name}", "w", encoding="utf-8", newline="") as f:
                csv.writer(f).writerows([head, *rows])

        table("truth.csv", ["domain", "kind", "readiness", "reason", "finding"], self.truth)
        table("ssrf.csv", ["domain", "leads"], self.ssrf)
        out("ssrf.txt", "".join(f"{n}\n" for n, _ in self.ssrf))
        out("lossy.txt", "".join(f"{n}\n" for n in self.lossy))
        out("narrow.txt", "".join(f"{n}\n" for n, kind, *_ in self.truth if kind.startswith("v6-narrow")))
        os.makedirs(f"{OUT}/list")
        table("list/schools.csv", ["name_zh", "domain", "region_code"], self.schools)
        regions = [["990000", "拟省", "Invented", "province", ""]]
        regions += [[code, f"{city}市", city, "prefecture-level city", "990000"] for city, code in REGION.items()]
        table("list/regions.csv", ["code", "name_zh", "name_en", "level", "parent_code"], regions)
        first = {}
        for name, kind, *_ in self.truth:
            first.setdefault(kind, name)
        out("subset.txt", "".join(f"{n}\n" for n in first.values()))
        out("pages/other.html", page("天南网络有限公司", 3, 2500, names=["主机租用", "域名注册", "企业邮箱", "关于我们"]))
        out("pages/filing.html", "<html><head><meta charset=utf-8><title>未备案提示</title></head><body>该网站未完成备案</body></html>")
        self.write_dns(out)
        self.write_nginx(out)
        self.write_config(out)
        out("names.txt", "".join(f"{n}\n" for n in self.extra_names))
        out("counts", f"{len(self.truth)} {len(KINDS)} {len(self.ssrf)}\n")

    def write_dns(self, out):
        soa = "$TTL 60\n@ SOA ns1.dns.test. hostmaster.dns.test. 1 3600 900 604800 60\n"
        good = "@ NS ns1.dns.test.\n@ NS ns2.dns.test.\n"
        glue = "".join(f"{n}.dns.test. A {a}\n{n}.dns.test. AAAA {b}\n" for n, (a, b) in NS.items())
        root = f"ns.root.test. A {ROOT4}\nns.root.test. AAAA {ROOT6}\n"
        out("zones/root", "$ORIGIN .\n" + soa + f"@ NS ns.root.test.\ntest. NS ns.root.test.\n{root}")
        delegated = [*self.zones, "dns", REFUSING, FAILING]
        test = "".join(f"{z}.test. NS ns1.dns.test.\n{z}.test. NS ns2.dns.test.\n" for z in delegated)
        test += "homens.test. NS ns.homens.test.\nns.homens.test. A 127.0.0.1\nns.homens.test. AAAA ::1\n"
        test += f"ownns.test. NS ns.ownns.test.\nns.ownns.test. A {CLIENT4}\nns.ownns.test. AAAA {CLIENT6}\n"
        out("zones/test", "$ORIGIN test.\n" + soa + "@ NS ns.root.test.\n" + root + glue + test)
        out("zones/dns", "$ORIGIN dns.test.\n" + soa + good + glue)
        for zone, records in self.zones.items():
            out(f"zones/{zone}", f"$ORIGIN {zone}.test.\n" + soa + good + "\n".join(records) + "\n")
        out("root.hints", f". 3600 NS ns.root.test.\n{root}")

        def nsd(label, addresses, zones):
            lines = ["server:", *[f" ip-address: {a}" for a in addresses], ' username: ""', f" pidfile: {OUT}/{label}.pid",
                     ' database: ""', f" zonesdir: {OUT}/zones", f" xfrdfile: {OUT}/{label}.xfrd", f" logfile: {OUT}/{label}.log",
                     f" zonelistfile: {OUT}/{label}.list", " server-count: 1", " rrl-ratelimit: 0", "remote-control:", " control-enable: no"]
            for zone, file in zones:
                lines += ["zone:", f' name: "{zone}"', f" zonefile: {file}"]
            out(f"{label}.conf", "\n".join(lines) + "\n")

        nsd("nsd-root", [ROOT4, ROOT6], [(".", "root"), ("test", "test")])
        # REFUSING is not served at all; FAILING is, but its file does not exist.
        nsd("nsd-hosting", [a for pair in NS.values() for a in pair],
            [(f"{z}.test", z) for z in [*self.zones, "dns"]] + [(f"{FAILING}.test", "missing")])
        out("unbound.conf", f"""server:
 directory: "{OUT}"
 chroot: ""
 username: ""
 pidfile: "{OUT}/unbound.pid"
 use-syslog: no
 logfile: "{OUT}/unbound.log"
 interface: {RESOLVERS[0]}
 interface: {RESOLVER4_2}
 interface: {RESOLVERS[1]}
 access-control: 0.0.0.0/0 allow
 access-control: ::/0 allow
 num-threads: 1
 module-config: "iterator"
 root-hints: "{OUT}/root.hints"
 local-zone: "test." nodefault
 outgoing-range: 512
 num-queries-per-thread: 1024
 edns-buffer-size: 1232
 infra-host-ttl: 30
remote-control:
 control-enable: no
""")

    def write_nginx(self, out):
        top = f"""worker_processes 1;
daemon off;
pid {OUT}/nginx.pid;
error_log {OUT}/nginx-error.log error;
user root;
events {{ worker_connections 4096; }}
http {{
 log_format seen '$server_addr $server_port $host $status $request_method $request_uri';
 access_log {OUT}/access.log seen;
 types {{ text/html html; }}
 default_type text/html;
 charset utf-8;
 client_body_temp_path {OUT}/t1; proxy_temp_path {OUT}/t2; fastcgi_temp_path {OUT}/t3; uwsgi_temp_path {OUT}/t4; scgi_temp_path {OUT}/t5;
 server_names_hash_max_size 131072; server_names_hash_bucket_size 128;
 ssl_protocols TLSv1.2 TLSv1.3;
 root {OUT}/pages;
"""
        # What answers for a name that nobody set up: the page that comes with the package, under the hoster's certificate.
        default = f"""ssl_certificate {OUT}/ca/wrong.pem; ssl_certificate_key {OUT}/ca/wrong.key;
   root /usr/share/nginx/html; location / {{ try_files /index.html =404; }}"""
        for listen in ("", "[::]:"):
            only = " ipv6only=on" if listen else ""
            top += f" server {{ listen {listen}80 default_server{only} backlog=4096; listen {listen}443 ssl default_server{only} backlog=4096;\n   {default} }}\n"
        for (family, port, do, cert, address), names in self.blocks.items():
            at = f"[{address or '::'}]:{port}" if family == 6 else f"{address}:{port}" if address else f"{port}"
            lines = [f"server_name {' '.join(names)};", DO[do]]
            if port == 443:
                at += " ssl"
                if cert == "reject":
                    lines.append("ssl_reject_handshake on;")
                else:
                    file = "good" if cert.startswith("tls") else cert
                    lines.append(f"ssl_certificate {OUT}/ca/{file}.pem; ssl_certificate_key {OUT}/ca/{file}.key;")
                if cert.startswith("tls"):
                    lines.append(f"ssl_protocols TLSv1.{cert[-1]};")
            top += f" server {{ listen {at}; {' '.join(lines)} }}\n"
        out("nginx.conf", top + "}\n")

    def write_config(self, out):
        anchors = [name for name, kind, *_ in self.truth if kind == "dual-redirect"][:8]
        plain = next(name for name, kind, *_ in self.truth if kind == "v4-only")
        listed = "\n".join(f'  {{ host = "{n}", network = "n{i % 4}" }},' for i, n in enumerate(anchors))
        text = f"""[vantage]
name = "acceptance"
[dns]
resolvers = ["{RESOLVERS[0]}:53", "[{RESOLVERS[1]}]:53"]
timeout = "2s"
attempts = 2
roots = ["{ROOT6}"]
[attempts]
spacing = "300ms"
second_round_after = "3s"
[deadlines]
connect = "2s"
connect_retry = "2s"
tls = "3s"
first_byte = "4s"
[pace]
jobs = 200
per_host_interval = "0s"
per_address = 0
per_prefix = 0
resolver_qps = 0
authority_qps = 0
[tls]
roots = "none"
ca_file = "{OUT}/ca/root.crt"
[lab]
public_prefixes = ["198.18.0.0/15", "2001:db8::/32"]
[gate]
dns64_names = ["{plain}"]
nxdomain_suffixes = ["lanxi.test"]
controls = ["[2001:db8:dead::1]:80", "[2001:db8:dead::2]:443"]
minimum_pass = 4
minimum_networks = 3
large_body = 60000
canary_interval = "5s"
anchors = [
{listed}
]
"""
        out("v6ready.toml", text)
        out("v6ready-v4.toml", text.replace(f'"[{RESOLVERS[1]}]:53"', f'"{RESOLVER4_2}:53"'))


world = World()
for row in KINDS:
    kind, count, *rest = row
    world.school(kind, count * TIMES, *rest)
world.self_names()
world.lossy_names()
world.write()
print(f"{len(world.truth)} schools of {len(KINDS)} kinds, {len(world.ssrf)} names that lead to the scanner")
