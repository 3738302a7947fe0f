"""Feeds the examples of the wording tables to the programs they are for. See `remedies`.

An example is made of parts; a part begins with a heading, a comment line of its own (`# nginx`, `; zone file`). The heading says whom
the part is for. Packet filters and zone records are known by their first word instead. Python 3.11 or later (tomllib).
"""

import os
import re
import subprocess
import sys
import tempfile
import tomllib
import xml.dom.minidom
import xml.parsers.expat

# What every part must be found at least, over both languages: a check that finds nothing proves nothing.
AT_LEAST = {"nginx": 8, "apache": 2, "tomcat": 2, "nft": 12, "ip6tables": 4, "zone": 8, "named": 4, "shell": 80, "tcpdump": 4}

# What a server has already, and the other names that an example stands for.
SAMPLES = {
    "host": "www.example.edu.cn",
    "hosts": "cdn.example.com",
    "sibling": "example.edu.cn",
    "zone": "example.edu.cn",
    "address": "2001:db8::10",
    "port": "443",
    "server": "ns1.example.edu.cn",
}

passed, failed, seen = 0, 0, dict.fromkeys(AT_LEAST, 0)


def run(what, command, **more):
    """One check: the program must be content."""
    global passed, failed
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, **more)
    if done.returncode == 0:
        passed += 1
        print(f"ok   {what}")
    else:
        failed += 1
        print(f"FAIL {what}: {' '.join(command)}\n{done.stdout}{done.stderr}")


def parts(example):
    """Heading and lines of each part."""
    heading, lines = "", []
    for line in example.splitlines():
        if line.startswith(("# ", "; ", "// ")):
            if lines:
                yield heading, lines
            heading, lines = line.lstrip("#;/ ").lower(), []
        elif line.strip():
            lines.append(line)
    if lines:
        yield heading, lines


def write(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def nginx(folder, what, lines):
    body = "\n".join(lines)
    if not body.lstrip().startswith("server"):
        body = f"server {{\n{body}\n}}"
    run(what, ["nginx", "-t", "-e", os.path.join(folder, "error.log"), "-c", write(folder, "nginx.conf", f"""
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    ssl_certificate {folder}/cert.pem;
    ssl_certificate_key {folder}/key.pem;
    {body}
}}
""")])


def apache(folder, what, lines):
    modules = "/usr/lib/apache2/modules"
    loaded = "\n".join(
        f"LoadModule {name}_module {modules}/mod_{name}.so" for name in ("mpm_event", "authz_core")
    )
    body = "\n".join(lines)
    run(what, ["apache2", "-t", "-f", write(folder, "apache.conf", f"""
ServerRoot {folder}
ServerName www.example.edu.cn
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ErrorLog {folder}/apache.log
{loaded}
{body}
""")])


def tomcat(what, text):
    """Tomcat itself is large: its file must be XML at least, and must not bind to IPv4."""
    global passed, failed
    try:
        good = "address" not in xml.dom.minidom.parseString(text).documentElement.attributes
    except xml.parsers.expat.ExpatError:
        good = False
    passed, failed = passed + good, failed + (not good)
    print(f"{'ok  ' if good else 'FAIL'} {what}")


def zone(folder, what, lines):
    apex = "example.edu.cn"
    records = "\n".join(lines)
    path = write(folder, "zone", f"""$ORIGIN {apex}.
$TTL 600
@ IN SOA ns1.{apex}. hostmaster.{apex}. 1 3600 600 86400 600
@ IN NS ns1.{apex}.
ns1.{apex}. IN A 192.0.2.53
{records}
""")
    run(what, ["named-checkzone", "-i", "none", apex, path])
    run(what, ["nsd-checkzone", apex, path])


def filters(what, lines, set_up):
    """Loads rules one after another into an empty filter of a namespace that ends with the shell."""
    script = "\n".join(["set -e", *set_up, *lines])
    run(what, ["unshare", "--net", "bash", "-c", script])


def commands(what, example):
    """What is pasted into a shell must be whole lines of its language, and filters of packets must compile."""
    lines = [line for line in example.splitlines() if re.match(r"(curl|dig|delv|ip|ss|for|openssl|tcpdump|traceroute|tracepath) ", line)]
    for line in lines:
        seen["shell"] += 1
        run(f"{what} shell", ["bash", "-n", "-c", line])
        if line.startswith("tcpdump "):
            seen["tcpdump"] += 1
            run(f"{what} tcpdump", ["tcpdump", "-y", "EN10MB", "-d", line.split("'")[1]])


def one_example(folder, what, example):
    commands(what, example)
    for heading, lines in parts(example):
        # Two examples begin without a heading.
        if "nginx" in heading or lines[0].startswith(("server {", "proxy_set_header ")):
            seen["nginx"] += 1
            nginx(folder, f"{what} nginx", lines)
        elif "apache" in heading:
            seen["apache"] += 1
            apache(folder, f"{what} apache", lines)
        elif "tomcat" in heading:
            seen["tomcat"] += 1
            tomcat(f"{what} tomcat", "\n".join(lines))
        elif lines[0].startswith("view "):
            seen["named"] += 1
            run(f"{what} named", ["named-checkconf", write(folder, "named.conf", "\n".join(lines))])
        elif "bind" in heading and "named.conf" in heading:
            seen["named"] += 1
            body = "\n".join(lines)
            run(f"{what} named", ["named-checkconf", write(folder, "named.conf", f"options {{\n{body}\n}};\n")])
    nft = [line for line in example.splitlines() if line.startswith("nft ")]
    if nft:
        seen["nft"] += len(nft)
        chains = [f"nft add chain inet filter {hook} '{{ type filter hook {hook} priority 0; }}'" for hook in ("input", "forward")]
        filters(f"{what} nft", nft, ["nft add table inet filter", *chains])
    tables = [line for line in example.splitlines() if line.startswith("ip6tables ")]
    if tables:
        seen["ip6tables"] += len(tables)
        filters(f"{what} ip6tables", tables, [])
    records = [line for line in example.splitlines() if re.match(r"\S+\.\s+(\d+\s+)?IN\s+A", line)]
    if records:
        seen["zone"] += len(records)
        zone(folder, f"{what} zone", records)


def main():
    global failed
    tables = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        key = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
               "-subj", "/CN=www.example.edu.cn", "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem"]
        subprocess.run(key, check=True, capture_output=True)
        for language in ("zh", "en"):
            with open(os.path.join(tables, f"{language}.findings.toml"), "rb") as file:
                findings = tomllib.load(file)
            for code, wording in findings.items():
                example = wording["example"].strip("\n")
                for name, value in SAMPLES.items():
                    example = example.replace("{" + name + "}", value)
                one_example(folder, f"{language} {code}", example)
    for kind, least in AT_LEAST.items():
        if seen[kind] < least:
            failed += 1
            print(f"FAIL only {seen[kind]} examples of {kind}, at least {least} are expected")
    print("examples:", ", ".join(f"{kind} {count}" for kind, count in seen.items()))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
