#!/usr/bin/env python3
"""Compare what the scanner wrote with what is true. Each command prints one line of figures, more if something is wrong,
and ends with 1 if something is.

  truth TRUTH SCHOOLS.CSV         readiness, reason and the finding that must be there, for every name of the table
  same A.CSV B.CSV                readiness, reason and findings of every name in B are those in A
  verdicts A.CSV B.CSV            readiness and reason are
  servers TRUTH LOG               what the web servers saw agrees with the table
  without-ipv6 TRUTH FULL.CSV SCHOOLS.CSV  nothing that needs IPv6 was claimed
  outage FULL-FOLDER FOLDER LINE           an outage of the vantage makes no other verdict, and the report tells of it
  rows STORE                      runs, finished sites and verdicts in the history
  only VERDICTS NAMES SCHOOLS.CSV  every name has one of these verdicts, given with commas
  secrets FOLDER KNOWN SECRET...  no file below the folder holds a secret, however it is packed; KNOWN must be found in every packing
  served LIST SCHOOLS.CSV         none of these names is called ready unless IPv6 really served it (list: domain,leads)
"""
import collections
import csv
import glob
import json
import os
import sqlite3
import subprocess
import sys
import zipfile
import zlib


def table(path):
    with open(path, encoding="utf-8-sig", newline="") as f:
        return {row["domain"]: row for row in csv.DictReader(f)}


def verdict(row):
    return row["readiness"] + (f"({row['reason']})" if row["reason"] else "")


def finish(line, wrong):
    print(line)
    for item in wrong[:40]:
        print("   ", item)
    sys.exit(1 if wrong else 0)


def truth(truth_path, found_path):
    want, got = table(truth_path), table(found_path)
    wrong, kinds = [], set()
    for name, row in want.items():
        kinds.add(row["kind"])
        if name not in got:
            wrong.append(f"{name} {row['kind']}: no row")
            continue
        found = got[name]
        codes = found["findings"].replace(",", " ").replace(";", " ").split()
        if verdict(found) != verdict(row) or (row["finding"] and row["finding"] not in codes):
            wrong.append(f"{name} {row['kind']}: want {verdict(row)} {row['finding']}, got {verdict(found)} {' '.join(codes)}")
    extra = set(got) - set(want)
    wrong += [f"{name}: a row that nobody asked for" for name in extra]
    by_verdict = collections.Counter(row["readiness"] for row in want.values())
    counts = ", ".join(f"{n} {word}" for word, n in by_verdict.most_common())
    finish(f"n={len(want)} names of {len(kinds)} kinds ({counts}), wrong {len(wrong)}", wrong)


def verdicts(a_path, b_path):
    same(a_path, b_path, ("readiness", "reason"))


def same(a_path, b_path, what=("readiness", "reason", "stack", "findings")):
    a, b = table(a_path), table(b_path)
    wrong = [f"{n}: {[a.get(n, {}).get(k) for k in what]} and {[r[k] for k in what]}" for n, r in b.items()
             if n not in a or any(a[n][k] != r[k] for k in what)]
    finish(f"n={len(b)} names, different {len(wrong)}", wrong + ([] if b else ["no rows"]))


def only(verdicts, names_path, found_path):
    got = table(found_path)
    with open(names_path, encoding="utf-8") as f:
        names = f.read().split()
    counts = collections.Counter(verdict(got[n]) if n in got else "no row" for n in names)
    wrong = [f"{n}: {verdict(got[n]) if n in got else 'no row'}" for n in names
             if n not in got or got[n]["readiness"] not in verdicts.split(",")]
    finish(f"n={len(names)} names ({', '.join(f'{n} {word}' for word, n in counts.most_common())}), wrong {len(wrong)}",
           wrong + ([] if names else ["no names"]))


def servers(truth_path, log_path):
    want = table(truth_path)
    seen = {4: collections.Counter(), 6: collections.Counter()}
    methods = collections.Counter()
    with open(log_path, encoding="utf-8") as f:
        for line in f:
            address, _, host, _, method, *_ = line.split(" ")
            seen[6 if ":" in address else 4][host] += 1
            methods[method] += 1
    wrong, ready, quiet = [], 0, 0
    for name, row in want.items():
        hosts = {name, f"www.{name}"} if "sibling" in row["kind"] else {name}
        over6 = sum(seen[6][h] for h in hosts)
        if row["readiness"].startswith("READY"):
            ready += 1
            if not over6:
                wrong.append(f"{name} {row['kind']}: ready, but no request came over IPv6")
        # Nothing may come over IPv6 to a name without usable AAAA, or behind a closed door.
        elif row["readiness"] in ("ABSENT", "NO_NAME", "INCONCLUSIVE") or row["reason"] in ("refused", "timeout", "unreachable", "dns"):
            if row["kind"] in ("v6-no443-https", "v6-drop443-https"):
                continue
            quiet += 1
            if over6:
                wrong.append(f"{name} {row['kind']}: {over6} requests over IPv6")
    wrong += [f"{n} requests with {m}" for m, n in methods.items() if m != "GET"]
    busiest = max((n for s in seen.values() for n in s.values()), default=0)
    finish(f"n={sum(methods.values())} requests; {ready} ready names asked over IPv6, {quiet} others never; "
           f"at most {busiest} requests for one name and family; contradictions {len(wrong)}", wrong)


def without_ipv6(truth_path, full_path, found_path):
    want, full, got = table(truth_path), table(full_path), table(found_path)
    counts = collections.Counter(r["readiness"] for r in got.values())
    wrong = [f"{n}: {verdict(r)}" for n, r in got.items() if r["readiness"] in ("READY", "READY_DEFECT", "BROKEN")]
    # ABSENT is a statement of DNS, so it is made without IPv6 of exactly the names of which it is made with it.
    absent = {n for n, r in got.items() if r["readiness"] == "ABSENT"}
    before = {n for n, r in full.items() if r["readiness"] == "ABSENT"}
    wrong += [f"{n}: ABSENT, but {verdict(want[n])} is true" for n in sorted(absent) if want[n]["readiness"] != "ABSENT"]
    wrong += [f"{n}: {verdict(got[n]) if n in got else 'no row'}, with IPv6 {verdict(full[n])}" for n in sorted(before ^ absent)]
    wrong += [f"{n}: {r['v6_status']} over IPv6" for n, r in got.items() if r["v6_status"] not in ("", "none")]
    wrong += [f"{n}: no row" for n in want if n not in got]
    finish(f"n={len(got)} rows, {counts['READY'] + counts['READY_DEFECT']} READY, {counts['BROKEN']} BROKEN, {len(absent)} ABSENT by DNS "
           f"(with IPv6: {len(before)}), {counts['INCONCLUSIVE']} INCONCLUSIVE, wrong {len(wrong)}", wrong)


def outage(full_folder, found_folder, line):
    [full_csv], [found_csv] = (glob.glob(f"{folder}/2*/schools.csv") for folder in (full_folder, found_folder))
    full, got = table(full_csv), table(found_csv)
    with sqlite3.connect(f"file:{found_folder}/history.db?mode=ro", uri=True) as db:
        log = json.loads(db.execute("SELECT run_json FROM runs").fetchone()[0]).get("outages", [])
    [summary] = glob.glob(f"{found_folder}/2*/summary.json")
    with open(summary, encoding="utf-8") as file:
        published = json.load(file)["run"]["breaker"]
    different = [n for n in full if n in got and verdict(got[n]) != verdict(full[n])]
    failing = [n for n in different if full[n]["readiness"].startswith("READY") and not got[n]["readiness"].startswith("READY")]
    invented = [n for n in different if got[n]["readiness"] in ("ABSENT", "NO_NAME")]
    wrong = [f"{n}: undisturbed {verdict(full[n])}, disturbed {verdict(got[n])} {got[n]['findings']}" for n in different]
    wrong += [f"{n}: no row" for n in full if n not in got]
    opened = [entry for entry in log if entry["line"] == line and entry.get("opened")]
    affected, redone = (sum(entry[key] for entry in log) for key in ("quarantined", "redone"))
    # An outage that nobody felt proves nothing.
    wrong += [] if opened and affected else [f"the outage was not felt: {log}"]
    wrong += [] if affected == redone and all(entry.get("until") for entry in log) else [f"not all were measured anew: {log}"]
    wrong += [] if len(published) == len(log) else ["the report does not tell of it"]
    finish(f"n={len(full)} names, {len(failing)} turned from pass to fail, {len(invented)} to ABSENT or NO_NAME, {len(different)} differ at all; "
           f"{affected} set aside, {redone} measured anew, {len(log)} entries in the log", wrong)


def rows(path):
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            runs = db.execute("SELECT count(*) FROM runs").fetchone()[0]
            sites = db.execute("SELECT count(DISTINCT run || site_key) FROM evidence").fetchone()[0]
            verdicts = db.execute("SELECT count(*) FROM verdicts").fetchone()[0]
            print(runs, sites, verdicts)
    except sqlite3.OperationalError:
        print(0, 0, 0)


def unpacked(path):
    """What a file holds, as (packing, bytes)."""
    with open(path, "rb") as f:
        raw = f.read()
    yield "plain", raw
    if path.endswith((".xlsx", ".docx")):
        with zipfile.ZipFile(path) as z:
            yield "zip", b"\n".join(z.read(name) for name in z.namelist())
    elif path.endswith(".zst"):
        yield "zstd", subprocess.run(["zstd", "-dcq", path], check=True, capture_output=True).stdout
    elif path.endswith(".db"):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
            yield "zlib", b"\n".join(zlib.decompress(body) for body, in db.execute("SELECT body FROM evidence"))


def secrets(folder, known, *planted):
    paths = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]
    wrong, seen = [], set()
    for path in paths:
        for packing, data in unpacked(path):
            if known.encode() in data:
                seen.add(packing)
            wrong += [f"{path} ({packing}): {secret}" for secret in planted if secret.encode() in data]
    missing = {"plain", "zip", "zstd", "zlib"} - seen
    finish(f"n={len(paths)} files, {len(planted)} secrets, found {len(wrong)}", wrong + [f"{known} not found in {m}" for m in missing])


def served(list_path, found_path):
    names, got = table(list_path), table(found_path)
    counts = collections.Counter(r["readiness"] for r in got.values())
    wrong = []
    for name, row in names.items():
        if name not in got:
            wrong.append(f"{name} ({row['leads']}): no row")
        elif row["leads"].startswith(("redirect", "AAAA", "name")) and got[name]["readiness"].startswith("READY"):
            wrong.append(f"{name} ({row['leads']}): {verdict(got[name])}")
    finish(f"n={len(got)} names ({', '.join(f'{n} {w}' for w, n in counts.most_common())}), wrong {len(wrong)}", wrong)


{"truth": truth, "same": same, "verdicts": verdicts, "servers": servers, "without-ipv6": without_ipv6, "outage": outage, "rows": rows, "secrets": secrets, "served": served, "only": only}[sys.argv[1]](*sys.argv[2:])
