#!/usr/bin/env python3
"""Listen where nobody should ever connect, and write down whoever does.

usage: canary.py listen FILE          TCP 80, 443, 8080, 53 and UDP 53 on every address of this host; a line per visit
       canary.py visit ADDRESS...     one visit to each of them: proves that the listeners would have noticed
"""
import selectors
import socket
import sys

TCP, UDP = [80, 443, 8080, 53], [53]
FAMILY = {False: socket.AF_INET, True: socket.AF_INET6}


def listen(path):
    ready = selectors.DefaultSelector()
    for six in (False, True):
        for kind, ports in ((socket.SOCK_STREAM, TCP), (socket.SOCK_DGRAM, UDP)):
            for port in ports:
                s = socket.socket(FAMILY[six], kind)
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if six:
                    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                s.bind(("::" if six else "0.0.0.0", port))
                if kind == socket.SOCK_STREAM:
                    s.listen(64)
                ready.register(s, selectors.EVENT_READ)
    with open(path, "w", buffering=1) as log:
        log.write("listening\n")
        while True:
            for key, _ in ready.select():
                s = key.fileobj
                if s.type == socket.SOCK_STREAM:
                    c, peer = s.accept()
                    log.write(f"tcp {c.getsockname()[0]} {s.getsockname()[1]} from {peer[0]}\n")
                    c.close()
                else:
                    _, peer = s.recvfrom(4096)
                    log.write(f"udp {s.getsockname()[0]} {s.getsockname()[1]} from {peer[0]}\n")


def visit(addresses):
    visits = 0
    for address in addresses:
        family = FAMILY[":" in address]
        for port in TCP:
            socket.create_connection((address, port), 2).close()
            visits += 1
        for port in UDP:
            with socket.socket(family, socket.SOCK_DGRAM) as s:
                s.sendto(b"x", (address, port))
                visits += 1
    print(visits)


if sys.argv[1] == "listen":
    listen(sys.argv[2])
else:
    visit(sys.argv[2:])
