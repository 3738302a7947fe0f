#!/usr/bin/env python3
"""What somebody would write in an afternoon: the other side of `tests/acceptance/run cost`.

usage: peer.py NAMES OUT.csv RESOLVER CA.pem

Asks for A, AAAA and NS of each name, fetches https://NAME/ over each family that has an address, at that address and with a
connection of its own, compares the hashes of the bodies and writes a line. No second look, no evidence, no report.
"""
import asyncio
import csv
import hashlib
import socket
import ssl
import sys

import aiodns
import aiohttp
from aiohttp.abc import AbstractResolver

AT_ONCE = 500
FAMILIES = {socket.AF_INET: "A", socket.AF_INET6: "AAAA"}


class Given(AbstractResolver):
    """Answers with the addresses that were looked up already."""

    def __init__(self):
        self.addresses = {}

    async def resolve(self, host, port=0, family=socket.AF_INET):
        return [
            {"hostname": host, "host": address, "port": port, "family": family, "proto": 0, "flags": socket.AI_NUMERICHOST}
            for address in self.addresses[host]
        ]

    async def close(self):
        pass


async def ask(resolver, name, rtype):
    try:
        return [record.host for record in await resolver.query(name, rtype)]
    except aiodns.error.DNSError:
        return []


async def fetch(session, given, name, addresses):
    """Status and hash of the body, or what went wrong."""
    if not addresses:
        return "none", None
    given.addresses[name] = addresses
    try:
        async with session.get(f"https://{name}/", allow_redirects=False) as response:
            return response.status, hashlib.sha256(await response.read()).digest()
    except (aiohttp.ClientError, asyncio.TimeoutError, OSError) as error:
        return type(error).__name__, None
    finally:
        del given.addresses[name]


async def main(names_path, out_path, nameserver, roots):
    resolver = aiodns.DNSResolver(nameservers=[nameserver], timeout=2, tries=2)
    context = ssl.create_default_context(cafile=roots)
    limits = aiohttp.ClientTimeout(total=10, sock_connect=2)
    given = {family: Given() for family in FAMILIES}
    sessions = {
        family: aiohttp.ClientSession(
            timeout=limits,
            connector=aiohttp.TCPConnector(
                family=family, ssl=context, limit=0, force_close=True, use_dns_cache=False, resolver=given[family]
            ),
        )
        for family in FAMILIES
    }
    with open(names_path) as names, open(out_path, "w", newline="") as out:
        waiting, lines = iter(names.read().split()), csv.writer(out)

        async def worker():
            for name in waiting:
                *found, servers = await asyncio.gather(*(ask(resolver, name, rtype) for rtype in (*FAMILIES.values(), "NS")))
                (v4, body4), (v6, body6) = await asyncio.gather(
                    *(fetch(sessions[f], given[f], name, found[at]) for at, f in enumerate(FAMILIES))
                )
                lines.writerow([name, v4, v6, len(servers), body4 is not None and body4 == body6])

        await asyncio.gather(*(worker() for _ in range(AT_ONCE)))
    for session in sessions.values():
        await session.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
