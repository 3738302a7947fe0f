#!/usr/bin/env python3
"""The other side of the politeness test: one process that is every name server and web server, and writes down what it sees.

Usage: polite_servers.py world FOLDER      writes names.json and the target lists
       polite_servers.py serve FOLDER      serves until killed; events go to FOLDER/events

One event a line, in the order in which the kernel has them: `c ID TIME ADDRESS` a connection, `r ID TIME HOST METHOD PATH`
a request, `x ID TIME` the client's end of a connection, `q TIME SERVER NAME TYPE` a query. Of what is ready at one moment,
ends are written before beginnings, and of each listener one connection is taken: so two connections overlap here only if they did.
"""
import json, select, socket, ssl, struct, sys, time

ZONE = "polite.test"
RESOLVERS = ("198.18.53.1", "198.18.53.2")
AUTHORITY = "198.18.53.9"
ANCHORS = 5
DRIPPING = 200
SO_TIMESTAMPNS = 35  # Linux; Python has no name for it


def names():
    """Every name with its addresses, by kind (its first letter)."""
    found = {}

    def add(kind, number, v4, v6):
        found[f"{kind}{number}.{ZONE}"] = (v4, v6)

    for i in range(500):
        add("a", i, "198.18.10.1", "2001:db8:a1::1")  # one address
        add("b", i, f"198.19.{i // 2}.{1 + i % 2}", f"2001:db8:{0x1000 + i:x}::1")  # networks of their own
    for i in range(200):
        add("c", i, f"198.18.20.{1 + i}", f"2001:db8:c0::{1 + i:x}")  # one /64 and one /24
        add("d", i, f"198.18.21.{1 + i}", f"2001:db8:c1:{i:x}::1")  # one /48 and one /24
    for i in range(100):
        add("e", i, f"198.18.{100 + i}.1", f"2001:db8:{0x3000 + i:x}::1")  # all lead to one victim
        add("n", i, f"198.18.{100 + i}.2", None)  # their absence is asked of the name server
    for i in range(20):
        add("f", i, f"198.18.{200 + i}.1", f"2001:db8:{0x4000 + i:x}::1")  # an error over IPv6: looked at twice
        add("v", i, f"198.18.{200 + i}.2", f"2001:db8:{0x5000 + i:x}::1")  # another page each time
        add("w", i, f"198.18.{200 + i}.3", f"2001:db8:{0x6000 + i:x}::1")  # ask to wait a second, once
    for i in range(DRIPPING):
        add("s", i, f"198.18.{100 + i % 100}.{9 + i // 100}", f"2001:db8:{0x8000 + i:x}::1")  # pages that come byte by byte
    found[f"victim.{ZONE}"] = ("198.18.30.1", "2001:db8:e1::1")
    for i in range(ANCHORS):
        found[f"anchor{i}.{ZONE}"] = (f"198.18.{40 + i}.1", f"2001:db8:{0x7000 + i:x}::1")
    return found


def write_world(folder):
    known = names()
    with open(f"{folder}/names.json", "w") as out:
        json.dump(known, out)
    listed = [name for name in known if not name.startswith(("victim", "anchor", "s"))]

    def write(file, chosen, prefix=""):
        with open(f"{folder}/{file}", "w") as out:
            out.write("学校,网站\n")
            out.writelines(f"第{i}中学,{prefix}{name}\n" for i, name in enumerate(chosen))

    write("all.csv", listed)
    write("alone.csv", [name for name in listed if name[0] == "b"], "http://")
    write("beside.csv", [name for name in listed if name[0] in "ab"], "http://")
    write("few.csv", [name for name in listed if name[0] in "ac"][::10])
    # Lists of the test of faults: no name is in two of them, so that what the servers saw can be told apart.
    def part(**ranges):
        return [f"{kind}{i}.{ZONE}" for kind, numbers in ranges.items() for i in numbers]

    write("faults.csv", part(b=range(120), f=range(10), n=range(30)))
    write("kills.csv", part(b=range(120, 240), f=range(10, 16), n=range(30, 60)))
    for half in range(2):
        write(f"drip{half}.csv", part(s=range(half, DRIPPING, 2), b=range(240 + half, 400, 2), f=range(16 + half, 20, 2)))
    print(len(listed))


class Dns:
    """Just enough of DNS (RFC 1035): one name a question, no compression but of the question."""

    TYPES = {1: "A", 2: "NS", 6: "SOA", 28: "AAAA"}

    def __init__(self, known):
        self.known = known

    @staticmethod
    def encode(name):
        return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"

    def soa(self, owner):
        data = self.encode(f"ns.{ZONE}") + self.encode(f"x.{ZONE}") + struct.pack(">5I", 1, 3600, 600, 86400, 60)
        return self.encode(owner) + struct.pack(">HHIH", 6, 1, 60, len(data)) + data

    def answer(self, query, authoritative):
        """The reply, the name and the type."""
        at, labels = 12, []
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace").lower())
            at += 1 + query[at]
        question, name = query[12 : at + 5], ".".join(labels)
        (number,) = struct.unpack(">H", query[at + 1 : at + 3])
        rtype = self.TYPES.get(number, str(number))
        records, authority, code = [], [], 0
        apex = ZONE if name == ZONE or name.endswith("." + ZONE) else name.split(".", name.count("."))[-1]
        if name == ZONE and rtype == "SOA":
            records.append(self.soa(ZONE))
        elif name == ZONE and rtype == "NS":
            data = self.encode(f"ns.{ZONE}")
            records.append(b"\xc0\x0c" + struct.pack(">HHIH", 2, 1, 60, len(data)) + data)
        else:
            v4, v6 = self.known.get(name, (None, None))
            if name == f"ns.{ZONE}":
                v4 = AUTHORITY
            elif name == "ipv4only.arpa":
                v4, apex = "192.0.0.170", "ipv4only.arpa"
            elif v4 is None and name != ZONE:
                code = 3
            for wanted, address, family in (("A", v4, socket.AF_INET), ("AAAA", v6, socket.AF_INET6)):
                if rtype == wanted and address:
                    data = socket.inet_pton(family, address)
                    records.append(b"\xc0\x0c" + struct.pack(">HHIH", number, 1, 60, len(data)) + data)
        # The resolvers say less than they should of some names, so that the name server itself is asked.
        mute = name[:1] == "n" and name[1:2].isdigit() and rtype == "AAAA" and not authoritative
        if not records and not mute:
            authority.append(self.soa(apex))
        flags = 0x8400 if authoritative else 0x8180
        header = query[:2] + struct.pack(">5H", flags | code, 1, len(records), len(authority), 0)
        return header + question + b"".join(records + authority), name, rtype


class Client:
    def __init__(self, number, sock, host_address, tls):
        self.number, self.sock, self.address, self.tls = number, sock, host_address, tls
        self.ready, self.head, self.out, self.done, self.slow, self.drips = not tls, b"", b"", False, False, False


class Server:
    def __init__(self, folder):
        with open(f"{folder}/names.json") as file:
            self.dns = Dns(json.load(file))
        self.log = open(f"{folder}/events", "w", buffering=1 << 16)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
        self.context.num_tickets = 0
        self.epoll, self.handlers, self.number, self.waited = select.epoll(), {}, 0, set()
        self.dripping = []  # clients whose page comes byte by byte
        self.later = []  # answers that take their time, as real ones do: they make connections overlap where they may
        for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            for port in (80, 443):
                self.listen(family, any_address, port, self.accept)
        for address in (*RESOLVERS, AUTHORITY):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            sock.bind((address, 53))
            self.add(sock, lambda sock, _: self.datagram(sock), select.EPOLLIN)
            self.listen(socket.AF_INET, address, 53, self.dns_over_tcp)

    def listen(self, family, address, port, handler):
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        sock.listen(1024)
        self.add(sock, lambda sock, _: handler(sock), select.EPOLLIN)

    def add(self, sock, handler, events):
        sock.setblocking(False)
        self.handlers[sock.fileno()] = (sock, handler)
        self.epoll.register(sock.fileno(), events)

    def write(self, *words):
        self.log.write(" ".join(map(str, words)) + "\n")

    def datagram(self, sock):
        query, control, _, client = sock.recvmsg(4096, 256)
        server = sock.getsockname()[0]
        reply, name, rtype = self.dns.answer(query, server == AUTHORITY)
        self.write("q", self.received(control), server, name, rtype)
        sock.sendto(reply, client)

    def received(self, control):
        """When the kernel had the datagram: this process may have been busy with others since."""
        for level, kind, data in control:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = struct.unpack("qq", data[:16])
                return seconds + nanoseconds / 1e9 - time.time() + time.monotonic()
        raise OSError("no time stamp from the kernel")

    def dns_over_tcp(self, listener):
        sock, _ = listener.accept()
        # A query over TCP is short and comes at once.
        sock.settimeout(2)
        try:
            (length,) = struct.unpack(">H", sock.recv(2))
            reply, name, rtype = self.dns.answer(sock.recv(length), sock.getsockname()[0] == AUTHORITY)
            self.write("q", time.monotonic(), sock.getsockname()[0], name, rtype)
            sock.sendall(struct.pack(">H", len(reply)) + reply)
        except (OSError, struct.error):
            pass
        sock.close()

    def accept(self, listener):
        try:
            sock, _ = listener.accept()
        except OSError:
            return
        address, port = sock.getsockname()[:2]
        self.number += 1
        self.write("c", self.number, time.monotonic(), address)
        sock.setblocking(False)
        if port == 443:
            sock = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        client = Client(self.number, sock, address, port == 443)
        self.add(sock, lambda _, events: self.serve(client, events), select.EPOLLIN | select.EPOLLRDHUP)

    def leave(self, client):
        self.write("x", client.number, time.monotonic())
        fileno = client.sock.fileno()
        self.epoll.unregister(fileno)
        del self.handlers[fileno]
        client.sock.close()

    def serve(self, client, events):
        if events & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
            return self.leave(client)
        try:
            if not client.ready:
                client.sock.do_handshake()
                client.ready = True
            while not client.done and b"\r\n\r\n" not in client.head:
                part = client.sock.recv(8192)
                if not part:
                    return None
                client.head += part
            if not client.done:
                client.done = True
                client.out = self.respond(client)
                if client.slow:
                    client.slow = False
                    self.later.append((time.monotonic() + 0.04, client))
                    return None
            elif not client.out:
                client.sock.recv(8192)
            if client.drips and client not in self.dripping:
                self.dripping.append(client)
            while client.out:
                client.out = client.out[client.sock.send(client.out[:1] if client.drips else client.out) :]
                if client.drips:
                    return None
            self.epoll.modify(client.sock.fileno(), select.EPOLLIN | select.EPOLLRDHUP)
        except (ssl.SSLWantReadError, BlockingIOError):
            if client.out:
                self.epoll.modify(client.sock.fileno(), select.EPOLLOUT | select.EPOLLRDHUP)
        except ssl.SSLWantWriteError:
            self.epoll.modify(client.sock.fileno(), select.EPOLLOUT | select.EPOLLRDHUP)
        except (OSError, ssl.SSLError):
            self.leave(client)
        return None

    def respond(self, client):
        lines = client.head.decode("latin-1").split("\r\n")
        method, path = lines[0].split(" ")[:2]
        host = next((line[5:].strip() for line in lines if line.lower().startswith("host:")), "")
        self.write("r", client.number, time.monotonic(), host, method, path)
        status, extra, text = "200 OK", "", f"<html><title>{host}</title><body><p>{host} " + "school " * 50
        kind = host[0] if host[1:2].isdigit() else ""
        client.slow = kind in ("c", "d")
        if kind == "e":
            status, extra = "302 Found", f"Location: {'https' if client.tls else 'http'}://victim.{ZONE}/\r\n"
        elif kind == "f" and ":" in client.address:
            status, text = "500 Internal Server Error", "no"
        elif kind == "v":
            text += f"<a href=/{self.number}>{self.number * 7919}</a>"
        elif kind == "w" and (host, client.tls, client.address) not in self.waited:
            self.waited.add((host, client.tls, client.address))
            status, extra = "429 Too Many Requests", "Retry-After: 1\r\n"
        elif host.startswith("anchor0"):
            text += "news " * 15000
        client.drips = kind == "s"
        body = text.encode()
        return f"HTTP/1.1 {status}\r\nContent-Type: text/html\r\n{extra}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body

    def run(self):
        flushed = time.monotonic()
        while True:
            ready = self.epoll.poll(0.005 if self.later else 0.5, 65536)
            ends = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
            for fileno, events in sorted(ready, key=lambda each: not each[1] & ends):
                if fileno in self.handlers:
                    sock, handler = self.handlers[fileno]
                    handler(sock, events)
            while self.later and self.later[0][0] <= time.monotonic():
                _, client = self.later.pop(0)
                if client.sock.fileno() >= 0:
                    self.serve(client, 0)
            if time.monotonic() - flushed > 0.2:
                self.log.flush()
                flushed = time.monotonic()
                self.dripping = [client for client in self.dripping if client.sock.fileno() >= 0]
                for client in list(self.dripping):
                    self.serve(client, 0)


if sys.argv[1] == "world":
    write_world(sys.argv[2])
else:
    Server(sys.argv[2]).run()
