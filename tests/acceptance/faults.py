#!/usr/bin/env python3
"""The checks of `faults`, which starts this in the scanner's network namespace, with mounts of its own.

Usage: faults.py WORLD PROGRAM [CHECK...]

Every check prints its n. The last line is `N passed, M failed`; the exit code is 1 if a check failed or ended early.
"""
import concurrent.futures, glob, hashlib, json, os, random, re, shutil, signal, sqlite3, subprocess, sys, threading, time, traceback

WORLD, PROGRAM = sys.argv[1], os.path.abspath(sys.argv[2])
SEED = 20261128
# Faults fall in the midst of a run, so it is not to take long; what is measured stays the same.
ENVIRONMENT = {
    **os.environ,
    "V6READY_PACE_RESOLVER_QPS": "0",
    "V6READY_PACE_AUTHORITY_QPS": "0",
    "V6READY_DEADLINES_FETCH": "1s",
    "V6READY_DEADLINES_FIRST_BYTE": "1s",
    "V6READY_DEADLINES_TLS": "1s",
    "V6READY_ATTEMPTS_PER_ADDRESS": "2",
    "V6READY_ATTEMPTS_SECOND_ROUND_AFTER": "1s",
}
results = {"ok  ": 0, "FAIL": 0}


def verdict(good, name, text):
    word = "ok  " if good else "FAIL"
    results[word] += 1
    print(f"{word} {name}: {text}", flush=True)


class Place:
    """A folder with a history and its reports."""

    def __init__(self, name, lists="faults.csv", jobs=20):
        self.folder = f"{WORLD}/{name}"
        os.makedirs(self.folder, exist_ok=True)
        self.store, self.reports = f"{self.folder}/history.db", f"{self.folder}/reports"
        self.lists, self.jobs = f"{WORLD}/{lists}", jobs

    def command(self, *more, program=PROGRAM):
        return [program, "--lang", "en", *more, "--store", self.store]

    def scan(self, *more):
        return self.command("scan", self.lists, "--config", f"{WORLD}/v6ready.toml", "--reports", self.reports, "--jobs", str(self.jobs), *more)

    def start(self, *more, command=None, **options):
        """A scan as a process; its messages go to `out`."""
        self.out = f"{self.folder}/out"
        with open(self.out, "wb") as out:
            return subprocess.Popen(command or self.scan("--quiet", *more), stdout=out, stderr=out, env=ENVIRONMENT, **options)

    def run(self, *more, **options):
        """A scan until its end: the exit code."""
        return self.start(*more, **options).wait(300)

    def said(self):
        with open(self.out, errors="replace") as out:
            return out.read()

    def ask(self, *arguments, **options):
        """Another command on the same history: exit code, standard output, standard error."""
        done = subprocess.run(self.command(*arguments), capture_output=True, text=True, env=ENVIRONMENT, timeout=120, **options)
        return done.returncode, done.stdout, done.stderr

    def rows(self):
        """Sites with evidence, so far."""
        try:
            with sqlite3.connect(f"file:{self.store}?mode=ro", uri=True, timeout=1) as database:
                return database.execute("SELECT count(DISTINCT site_key) FROM evidence").fetchone()[0]
        except sqlite3.Error:
            return 0

    def wait_for_rows(self, process, wanted):
        """Until so many sites are stored. False: the process ended before."""
        while self.rows() < wanted:
            if process.poll() is not None:
                return False
            time.sleep(0.02)
        return True

    def verdicts(self, run="latest"):
        code, out, err = self.ask("judge", "--run", run, "--json")
        if code != 0:
            raise RuntimeError(f"judge ended with {code}: {err}")
        assessments = [json.loads(line) for line in out.splitlines()]
        return {each["site"]: (each["readiness"], each["reason"]) for each in assessments}


def files(folder):
    """Every file of a folder with the hash of its bytes."""
    found = {}
    for path in glob.glob(f"{folder}/**", recursive=True):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found[os.path.relpath(path, folder)] = hashlib.sha256(file.read()).hexdigest()
    return found


def panicked(text):
    return "panicked" in text or "RUST_BACKTRACE" in text


def calm(lists="faults.csv"):
    """A run that nothing happened to: its place, verdicts and duration. Made once for each list."""
    if lists not in calm.made:
        place = Place(f"calm-{lists}", lists)
        began = time.monotonic()
        code = place.run()
        took = time.monotonic() - began
        if code != 0:
            raise RuntimeError(f"an undisturbed scan ended with {code}: {place.said()[-500:]}")
        calm.made[lists] = (place, place.verdicts(), took)
        words = {}
        for readiness, _ in calm.made[lists][1].values():
            words[readiness] = words.get(readiness, 0) + 1
        print(f"     (undisturbed: {lists}, {len(calm.made[lists][1])} sites in {took:.1f} s: {words})", flush=True)
    return calm.made[lists]


calm.made = {}


class Disk:
    """A small file system of its own."""

    def __init__(self, folder, size):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=1777", "tmpfs", folder], check=True)

    def resize(self, size):
        subprocess.run(["mount", "-o", f"remount,size={size}", self.folder], check=True)

    def used(self):
        found = os.statvfs(self.folder)
        return (found.f_blocks - found.f_bfree) * found.f_frsize

    def free(self):
        found = os.statvfs(self.folder)
        return found.f_bavail * found.f_frsize

    def gone(self):
        subprocess.run(["umount", "-l", self.folder], check=True)


def in_parallel(work, items, workers=4):
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(work, items))


ROOMY = 64 << 20


def fill_history(slack):
    """The disk of the history has so many bytes left once 40 sites are stored. None: as it should be, else what is wrong."""
    place = Place(f"disk-history-{slack}")
    disk = Disk(f"{place.folder}/disk", ROOMY)
    place.store = f"{disk.folder}/history.db"
    process = place.start()
    if not place.wait_for_rows(process, 40):
        return f"ended before the disk was full: {place.said()[-300:]}"
    disk.resize(disk.used() + slack)
    full = None
    while process.poll() is None:
        # A page is the least that anything takes.
        if full is None and disk.free() < 4096:
            full = time.monotonic()
        time.sleep(0.01)
    if full is None:
        return f"the disk was never full: {place.said()[-300:]}"
    took = time.monotonic() - full
    return after_full(place, disk, process.returncode, took)


def fill_reports(size):
    """The disk of the reports has so many bytes, and a history of its own the room that it wants."""
    place = Place(f"disk-reports-{size}")
    disk = Disk(f"{place.folder}/disk", ROOMY)
    place.reports = f"{disk.folder}/reports"
    process = place.start()
    if not place.wait_for_rows(process, 40):
        return f"ended before the disk was full: {place.said()[-300:]}"
    disk.resize(size)
    process.wait(120)
    return after_full(place, disk, process.returncode, 0)


def after_full(place, disk, code, took):
    said, wrong = place.said(), []
    if code != 74 or took > 10:
        wrong.append(f"exit code {code}, {took:.1f} s after the last page was taken")
    if panicked(said) or not re.search("No space left|no space left|is full", said):
        wrong.append(f"said: {said[-300:]}")
    if not re.search("scan --resume|v6ready report", said):
        wrong.append(f"no remedy: {said[-300:]}")
    listed, _, err = place.ask("runs")
    if listed != 0:
        wrong.append(f"`runs` ended with {listed}: {err}")
    disk.resize(ROOMY)
    if disk.folder in place.store:
        code, said = place.run("--resume"), place.said()
    else:
        # The run itself was complete.
        code, _, said = place.ask("report", "--run", "latest", "--reports", place.reports)
    if code != 0 or not os.path.exists(f"{place.reports}/latest/index.html"):
        wrong.append(f"with room again exit code {code}: {said[-300:]}")
    elif place.verdicts() != calm()[1]:
        wrong.append("other verdicts")
    disk.gone()
    FULL.append(took)
    return "; ".join(wrong) or None


FULL = []


def check_disk():
    calm()
    wrong = in_parallel(fill_history, [0, 4096, 16384, 65536, 196608])
    wrong += in_parallel(fill_reports, [4096, 65536, 524288])
    wrong = [each for each in wrong if each]
    verdict(not wrong, "a full disk", f"n=8 sizes (5 of the history's disk, 3 of the reports'): exit code 74 at most {max(FULL):.1f} s after the "
            f"last page, the history opens, with room again the same verdicts; wrong {len(wrong)} {wrong}")
    # Before anything is measured.
    place = Place("disk-small")
    disk = Disk(f"{place.folder}/disk", 4 << 20)
    place.store, place.reports = f"{disk.folder}/history.db", f"{disk.folder}/reports"
    code = place.run()
    good = code == 74 and "make room" in place.said() and not os.path.exists(place.store)
    verdict(good, "too little room to begin", f"exit code {code}, nothing made: {place.said().strip().splitlines()[-1]}")
    disk.gone()
    # Temporary files of workbooks.
    disk = Disk(f"{WORLD}/temporary", 4096)
    with open(f"{disk.folder}/filler", "wb") as filler:
        filler.write(b"x" * 4096)
    place, usual = calm()[0], f"{WORLD}/usual"
    outcome = {}
    for reports, temporary in ((usual, "/tmp"), (f"{WORLD}/without-temporary", disk.folder)):
        done = subprocess.run(place.command("report", "--run", "latest", "--reports", reports), capture_output=True, text=True,
                              env={**ENVIRONMENT, "TMPDIR": temporary})
        outcome[reports] = (done.returncode, panicked(done.stderr), files(glob.glob(f"{reports}/2*")[0]))
    (code, panic, made), (_, _, wanted) = outcome[f"{WORLD}/without-temporary"], outcome[usual]
    books = sum(name.endswith(".xlsx") for name in made)
    same = sum(made.get(name) == digest for name, digest in wanted.items() if not name.endswith((".xlsx", "manifest.json")))
    verdict(code == 0 and not panic and set(made) == set(wanted) and same >= 5,
            "no room for temporary files of workbooks", f"exit code {code}, n={books} workbooks made, {same} other files the same, no panic")
    disk.gone()


def events():
    """What the servers have seen so far, as lists of words."""
    time.sleep(0.5)  # the servers' log
    with open(f"{WORLD}/events") as log:
        return [line.split() for line in log if line.endswith("\n")]


def first_asked(names, since, until):
    """When each of these names was first asked for in this time, by the kernel's clock."""
    first = {}
    for words in events():
        if words[0] == "q" and words[3] in names and since <= float(words[1]) <= until:
            first.setdefault(words[3], float(words[1]))
    return first


def stop_once(place, names, generator, early):
    """One scan, gone on with, that is asked to stop at a random moment. What was wrong, and whether it had ended before."""
    began = time.monotonic()
    with open(f"{place.folder}/events", "wb") as told, open(f"{place.folder}/out", "wb") as out:
        process = subprocess.Popen(place.scan("--json", "--resume"), stdout=told, stderr=out, env=ENVIRONMENT)
    place.out = f"{place.folder}/out"

    def probed():
        with open(f"{place.folder}/events") as told:
            lines = [json.loads(line) for line in told if line.endswith("}\n")]
        return {(line["site"], line["round"]) for line in lines if line.get("event") == "probed"}

    if not early:
        while process.poll() is None and not probed():
            time.sleep(0.02)
    time.sleep(generator.uniform(0, 2 if early else 4))
    if process.poll() is not None:
        return [f"ended with {process.returncode}: {place.said()[-300:]}"] if process.returncode != 0 else [], True
    asked, twice = time.monotonic(), generator.random() < 0.25
    process.send_signal(signal.SIGTERM)
    if twice:
        time.sleep(generator.uniform(0.05, 0.5))
        second = time.monotonic()
        process.send_signal(signal.SIGTERM)
    code = process.wait(60)
    ended = time.monotonic()
    STOPS.append((ended - asked, ended - second if twice else 0, code))
    wrong = []
    if code == 0 and not twice:
        return [], True  # it was over at that very moment
    if code not in (5, -signal.SIGTERM):
        wrong.append(f"exit code {code}: {place.said()[-300:]}")
    if ended - asked > 10 or (twice and ended - second > 1):
        wrong.append(f"ended after {ended - asked:.1f} s, twice {twice}")
    late = [name for name, at in first_asked(names, began, ended).items() if at > asked + 0.1]
    if late:
        wrong.append(f"begun after the signal: {late[:5]} of {len(late)}")
    with sqlite3.connect(f"file:{place.store}?mode=ro", uri=True) as database:
        stored = set(database.execute("SELECT site_key, round FROM evidence WHERE run = (SELECT max(id) FROM runs)"))
    lost = probed() - stored
    if lost:
        wrong.append(f"finished and not stored: {sorted(lost)[:5]} of {len(lost)}")
    return wrong, False


STOPS = []


def stop_often(half):
    """Ten stops of runs over one half of the names. What was wrong."""
    generator, place = random.Random(SEED + half), Place(f"stops-{half}", f"drip{half}.csv", jobs=150)
    with open(place.lists) as lists:
        names = {line.strip().split(",")[1] for line in lists} - {"网站"}
    expected, wrong, stops = calm(f"drip{half}.csv")[1], [], 0
    while stops < 10:
        found, over = stop_once(place, names, generator, early=stops % 5 == 4)
        wrong += found
        stops += not over
        if over and place.verdicts() != expected:
            wrong.append("other verdicts")
    code = place.run("--resume")
    if code != 0 or place.verdicts() != expected:
        got = place.verdicts()
        wrong.append(f"gone on with: exit code {code}, other verdicts: {[(k, v, got.get(k)) for k, v in expected.items() if got.get(k) != v][:5]}")
    return wrong


def check_signals():
    in_parallel(calm, ["drip0.csv", "drip1.csv"])
    wrong = sum(in_parallel(stop_often, [0, 1]), [])
    codes = {code: sum(each[2] == code for each in STOPS) for code in sorted({each[2] for each in STOPS})}
    verdict(not wrong, "SIGTERM", f"n={len(STOPS)} at random moments with 100 dripping sites in flight, {sum(each[1] > 0 for each in STOPS)} of them "
            f"twice: ends within {max(each[0] for each in STOPS):.1f} s, after a second signal within {max(each[1] for each in STOPS):.2f} s, "
            f"no site begun later than 100 ms, what is finished is stored, gone on with to the same verdicts; exit codes {codes}; wrong {len(wrong)} {wrong}")
    check_scheduled()


def scheduled(place):
    """A schedule that has a start to make up for, so that it begins at once."""
    with open(f"{calm()[0].store}.ledger") as file:
        ledger = json.load(file)
    ledger["attempt"]["began"] = int(time.time() * 1000) - 3600_000
    with open(f"{place.store}.ledger", "w") as file:
        json.dump(ledger, file)
    return place.start(command=place.command("schedule", place.lists, "--cron", "0 * * * *", "--config", f"{WORLD}/v6ready.toml",
                                             "--reports", place.reports, "--jobs", "10", "--quiet"))


def check_scheduled():
    wrong, took, place = [], [], Place("scheduled", jobs=10)
    for moment in ("gate", "sites", "more sites", "to the end"):
        process = scheduled(place)
        if moment == "gate":
            while "missed" not in place.said():
                time.sleep(0.02)
            time.sleep(0.3)
        elif moment == "to the end":
            while "the scan ended with exit code" not in place.said():
                time.sleep(0.1)
        elif not place.wait_for_rows(process, place.rows() + 20):
            wrong.append(f"{moment}: ended before: {place.said()[-300:]}")
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        took.append(time.monotonic() - asked)
        # While the gate is made there is nothing to store: the signal itself ends it.
        if code != (-signal.SIGTERM if moment == "gate" else 0) or took[-1] > 10:
            wrong.append(f"{moment}: exit code {code} after {took[-1]:.1f} s: {place.said()[-300:]}")
    with sqlite3.connect(f"file:{place.store}?mode=ro", uri=True) as database:
        runs = database.execute("SELECT count(*) FROM runs").fetchone()[0]
    if runs != 1 or place.verdicts() != calm()[1]:
        wrong.append(f"{runs} runs, or other verdicts")
    verdict(not wrong, "SIGTERM to a schedule", f"n=4, at the gate, twice among sites, and while it waits: ends within {max(took):.1f} s, its run goes on "
            f"with the next start to the same verdicts; wrong {len(wrong)} {wrong}")


CHECKS = {
    "disk": check_disk,
    "signals": check_signals,
}


def main():
    time.sleep(1)  # the servers begin to listen
    for name in sys.argv[3:] or list(CHECKS):
        try:
            CHECKS[name]()
        except Exception:
            traceback.print_exc()
            verdict(False, name, "ended early")
    print(f"{results['ok  ']} passed, {results['FAIL']} failed")
    sys.exit(1 if results["FAIL"] else 0)


main()
