#!/usr/bin/env python3
"""What the servers of the politeness test saw, held against the limits that the scanner was given.

Usage: polite_verify.py limits EVENTS INTERVAL_MS    one `ok` or `FAIL` line a limit, each with its maximum and its n
       polite_verify.py last EVENTS KIND             seconds from the first event to the last request to names of this kind
"""
import collections, ipaddress, sys

RESOLVERS = ("198.18.53.1", "198.18.53.2")
QPS = {"resolver": 50, "authority": 10}


class Connection:
    def __init__(self, address):
        self.address = ipaddress.ip_address(address)
        self.host = self.at = None


def read(path):
    """Events in their order: kind, time, and what it is about."""
    connections, found = {}, []
    for line in open(path):
        kind, *words = line.split()
        if kind == "q":
            found.append((kind, float(words[0]), (words[1], words[2], words[3])))
            continue
        number = words[0]
        if kind == "c":
            connections[number] = Connection(words[2])
        connection = connections[number]
        if kind == "r":
            connection.host = words[2]
            connection.method, connection.path = words[3], words[4]
        found.append((kind, float(words[1]), connection))
    return found


def network(address, v4, v6):
    return ipaddress.ip_network((address, v4 if address.version == 4 else v6), strict=False)


def at_once(events, key):
    """Most connections open at one time with the same key. None as a key: not counted."""
    open_now, most, n = collections.Counter(), 0, 0
    for kind, _, connection in events:
        if kind in "cx" and (its := key(connection)) is not None:
            open_now[its] += 1 if kind == "c" else -1
            most, n = max(most, open_now[its]), n + (kind == "c")
    return most, n


def distances(events, key):
    """The least time between two requests with the same key, in milliseconds."""
    last, least, n = {}, float("inf"), 0
    for kind, at, connection in events:
        if kind == "r":
            its = key(connection)
            if its in last:
                least, n = min(least, at - last[its]), n + 1
            last[its] = at
    return least * 1000, n


def in_a_second(events, servers):
    """Most queries to one server in any second."""
    most, n, recent = 0, 0, collections.defaultdict(collections.deque)
    for kind, at, about in events:
        if kind == "q" and (about[0] in RESOLVERS) == servers:
            queue = recent[about[0]]
            queue.append(at)
            while queue[0] <= at - 1:
                queue.popleft()
            most, n = max(most, len(queue)), n + 1
    return most, n


def limits(path, interval):
    events = read(path)
    good = True

    def line(name, holds, text):
        nonlocal good
        good = good and holds
        print(f"{'ok  ' if holds else 'FAIL'} {name}: {text}")

    def most(name, limit, found, least):
        # Less than this would mean that the limit was not tried.
        line(name, least <= found[0] <= limit, f"at most {found[0]} (limit {limit}), n={found[1]} connections")

    most("connections at once to one name", 1, at_once(events, lambda c: c.host), 1)
    most("connections at once to one IPv4 address or IPv6 /64", 2, at_once(events, lambda c: network(c.address, 32, 64)), 2)
    # Four at once take a machine that is quick enough: more than one address can have is what counts.
    most("connections at once to one IPv4 /24 or IPv6 /48", 4, at_once(events, lambda c: network(c.address, 24, 48)), 3)
    for name, key in (("name, over both families", lambda c: c.host), ("address, for all names", lambda c: c.address)):
        least, n = distances(events, key)
        line(f"between two requests to one {name}", least >= interval and n > 0, f"at least {least:.1f} ms (limit {interval}), n={n}")
    for role, limit in QPS.items():
        found, n = in_a_second(events, role == "resolver")
        line(f"queries a second to one {role}", 0 < found <= limit, f"at most {found} (limit {limit}), n={n}")
    requests = [connection for kind, _, connection in events if kind == "r"]
    other = sum(c.method != "GET" for c in requests)
    line("GET and nothing else", other == 0, f"{other} others, n={len(requests)} requests")
    deeper = sum(c.path != "/" for c in requests)
    line("the home page and nothing else", deeper == 0, f"{deeper} others, n={len(requests)} requests")
    healthy = [c for c in requests if c.host[0] in "abcd" and c.host[1].isdigit()]
    times = collections.Counter((c.host, c.address.version, 0) for c in healthy)
    line("requests to a healthy name over one family", max(times.values()) <= 2, f"at most {max(times.values())} (by http and by https), n={len(times)}")
    kinds = collections.Counter(c.host[0] if c.host[1].isdigit() else c.host.rstrip("0123456789.").split(".")[0].rstrip("0123456789") for c in requests)
    print("     requests by kind of name:", ", ".join(f"{kind} {count}" for kind, count in sorted(kinds.items())))
    return good


def last(path, kind):
    events = read(path)
    begin = next(at for what, at, _ in events if what == "q")
    return max(at for what, at, c in events if what == "r" and c.host[0] == kind and c.host[1].isdigit()) - begin


if sys.argv[1] == "limits":
    sys.exit(0 if limits(sys.argv[2], float(sys.argv[3])) else 1)
print(f"{last(sys.argv[2], sys.argv[3]):.2f}")
