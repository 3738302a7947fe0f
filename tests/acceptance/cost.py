#!/usr/bin/env python3
"""What a site costs, beside a script in Python that does some of the same (peer.py).

usage: cost.py WORLD NAMESPACE PROGRAM ROUNDS

Both sides run in every round, one after another on one processor, so that whatever else the machine does touches both. A figure
is the median of the rounds; CPU is user and system time of the client alone, and what counts is the ratio.
"""
import csv
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WORLD, NAMESPACE, PROGRAM, ROUNDS = sys.argv[1:]
AT_ONCE = "500"
# As the peer: no pause before what is looked at again, no listening for a second reply.
PLAIN = {"V6READY_DNS_SECOND_REPLY": "0s", "V6READY_ATTEMPTS_SECOND_ROUND_AFTER": "0s"}


def measure(label, command, environment=None):
    """CPU in seconds, peak memory in MiB, wall time in seconds."""
    command = ["ip", "netns", "exec", NAMESPACE, "taskset", "-c", "0", *command]
    with open(f"{WORLD}/{label}.cost.out", "w") as out:
        begun = time.monotonic()
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, env={**os.environ, **(environment or {})})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{label}: exit code {process.returncode}, see {out.name}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, time.monotonic() - begun


def scan(label, names, at, options):
    home = f"{WORLD}/cost-{label}-{at}"
    command = [PROGRAM, "--lang", "en", "scan", names, "--config", f"{WORLD}/v6ready.toml", "--store", f"{home}/history.db"]
    os.makedirs(home)
    return measure(label, [*command, "--reports", home, "--jobs", AT_ONCE, "--quiet", *options], PLAIN)


with open(f"{WORLD}/truth.csv", newline="") as file:
    sites = [row["domain"] for row in csv.DictReader(file)]
for path, before in (("cost-names.txt", ""), ("cost-https.txt", "https://")):
    with open(f"{WORLD}/{path}", "w") as file:
        file.writelines(f"{before}{name}\n" for name in sites)

SIDES = {
    "peer": lambda at: measure(
        "peer",
        ["/usr/bin/python3", f"{HERE}/peer.py", f"{WORLD}/cost-names.txt", f"{WORLD}/peer.csv", "198.18.53.1", f"{WORLD}/ca/root.crt"],
    ),
    # https://NAME/ alone, no zones, one table: what the peer does, with evidence, second looks and verdicts.
    "same": lambda at: scan("same", f"{WORLD}/cost-https.txt", at, ["--profile", "quick", "--formats", "csv"]),
    "whole": lambda at: scan("whole", f"{WORLD}/cost-names.txt", at, []),
}
figures = {side: [] for side in SIDES}
for at in range(int(ROUNDS)):
    for side, run in SIDES.items():
        figures[side].append(run(at))
        cpu, memory, wall = figures[side][-1]
        print(f"     round {at + 1}  {side:<6} {cpu:6.2f} CPU s  {memory:4.0f} MiB  {wall:5.1f} s", flush=True)

middle = {side: [statistics.median(column) for column in zip(*of)] for side, of in figures.items()}
for side, (cpu, memory, _) in middle.items():
    share, room = cpu / middle["peer"][0], memory / middle["peer"][1]
    print(f"     {side:<6} {1000 * cpu / len(sites):5.2f} CPU s per 1,000 sites, ratio {share:.2f}; {memory:4.0f} MiB, ratio {room:.2f}")
print(f"n={len(sites)} sites, {ROUNDS} rounds: {middle['same'][0] / middle['peer'][0]:.2f} of the peer's CPU for the same, {middle['whole'][0] / middle['peer'][0]:.2f} for everything")
