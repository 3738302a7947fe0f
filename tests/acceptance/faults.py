#!/usr/bin/env python3
"""The checks of `faults`, which starts this in the scanner's network namespace, with mounts of its own.

Usage: faults.py WORLD PROGRAM [CHECK...]

Every check prints its n. The last line is `N passed, M failed`; the exit code is 1 if a check failed or ended early.
"""
import collections, concurrent.futures, email, email.policy, glob, hashlib, http.server, json, os, random, re, shutil, signal, socketserver, sqlite3
import subprocess, sys, threading, time, traceback

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
PRINTING = threading.Lock()


def verdict(good, name, text):
    word = "ok  " if good else "FAIL"
    with PRINTING:
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

    def start(self, *more, command=None, environment=None, **options):
        """A scan as a process; its messages go to `out`."""
        self.out = f"{self.folder}/out"
        with open(self.out, "wb") as out:
            return subprocess.Popen(command or self.scan("--quiet", *more), stdout=out, stderr=out, env={**ENVIRONMENT, **(environment or {})}, **options)

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
        """Until so many sites are stored. False: the process ended before, or a minute is over."""
        until = time.monotonic() + 60
        while self.rows() < wanted:
            if process.poll() is not None or time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def verdicts(self, run="latest"):
        code, out, err = self.ask("judge", "--run", run, "--json")
        if code != 0:
            raise RuntimeError(f"judge ended with {code}: {err}")
        assessments = [json.loads(line) for line in out.splitlines()]
        return {each["site"]: (each["readiness"], each["reason"]) for each in assessments}


def listed(place):
    """The names of a place's list."""
    with open(place.lists) as lists:
        return {line.strip().split(",")[1] for line in lists} - {"网站"}


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
    """A run that nothing happened to: its place and its verdicts. Made once for each list."""
    with CALM.setdefault(lists, threading.Lock()):
        if lists not in MADE:
            place, began = Place(f"calm-{lists}", lists), time.monotonic()
            code = place.run()
            took = time.monotonic() - began
            if code != 0:
                raise RuntimeError(f"an undisturbed scan ended with {code}: {place.said()[-500:]}")
            MADE[lists] = (place, place.verdicts())
            words = collections.Counter(readiness for readiness, _ in MADE[lists][1].values())
            print(f"     (undisturbed: {lists}, {len(MADE[lists][1])} sites in {took:.1f} s: {dict(words)})", flush=True)
    return MADE[lists]


CALM, MADE = {}, {}


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
    names = listed(place)
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


def scheduled(place):
    """A schedule that has a start to make up for, so that it begins at once."""
    with open(f"{calm()[0].store}.ledger") as file:
        ledger = json.load(file)
    ledger["attempt"]["began"] = int(time.time() * 1000) - 3600_000
    with open(f"{place.store}.ledger", "w") as file:
        json.dump(ledger, file)
    # Few at once, so that much is left when it is told to stop.
    return place.start(environment={"V6READY_PACE_SLOW_JOBS": "0"},
                       command=place.command("schedule", place.lists, "--cron", "0 * * * *", "--config", f"{WORLD}/v6ready.toml",
                                             "--reports", place.reports, "--jobs", "1", "--quiet"))


def check_scheduled():
    wrong, took, place = [], [], Place("scheduled")
    for moment in ("gate", "run", "run gone on with", "waiting"):
        before, stopped = len(rounds(place)), time.monotonic() + 60
        process = scheduled(place)
        if moment == "gate":
            while "missed" not in place.said():
                time.sleep(0.02)
            time.sleep(0.3)
        elif moment == "waiting":
            while "the scan ended with exit code" not in place.said() and process.poll() is None:
                time.sleep(0.1)
        else:
            while len(rounds(place)) == before and process.poll() is None and time.monotonic() < stopped:
                time.sleep(0.02)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
        took.append(time.monotonic() - asked)
        # While the gate is made there is nothing to store: the signal itself ends it.
        if code != (-signal.SIGTERM if moment == "gate" else 0) or took[-1] > 10:
            wrong.append(f"{moment}: exit code {code} after {took[-1]:.1f} s: {place.said()[-300:]}")
    with sqlite3.connect(f"file:{place.store}?mode=ro", uri=True) as database:
        runs = database.execute("SELECT id, state FROM runs ORDER BY id").fetchall()
    if any(state != "complete" or place.verdicts(run) != calm()[1] for run, state in runs) or not runs:
        wrong.append(f"{runs}, or other verdicts")
    verdict(not wrong, "SIGTERM to a schedule", f"n=4, at the gate, twice in the midst of a run, and while it waits: ends within {max(took):.1f} s, its run goes on "
            f"with the next start to the same verdicts; wrong {len(wrong)} {wrong}")


NOBODY = {"user": 65534, "group": 65534, "extra_groups": []}


def report_into(place, reports, run="latest", **options):
    """Exit code and messages of `report`, and the files of the run's folder."""
    code, out, err = place.ask("report", "--run", run, "--reports", reports, **options)
    made = [folder for folder in glob.glob(f"{reports}/2*")]
    return code, err, files(made[0]) if made else {}


def bad_folder(kind):
    """A whole scan whose reports folder is no good. What is wrong."""
    place, options = Place(f"folder-{kind}"), {}
    shutil.rmtree(place.reports, ignore_errors=True)
    if kind == "read-only":
        disk = Disk(place.reports, ROOMY)
        subprocess.run(["mount", "-o", "remount,ro", place.reports], check=True)
    elif kind == "missing-in-read-only":
        disk = Disk(f"{place.folder}/disk", ROOMY)
        subprocess.run(["mount", "-o", "remount,ro", disk.folder], check=True)
        place.reports = f"{disk.folder}/reports"
    elif kind == "file":
        with open(place.reports, "w") as file:
            file.write("precious")
    elif kind == "link-to-nowhere":
        os.symlink("/nowhere/at/all", place.reports)
    elif kind == "others":
        os.mkdir(place.reports, 0o755)
        os.chmod(place.folder, 0o777)
        options = NOBODY
    code, wrong = place.run(**options), []
    said = place.said()
    if code != 73 or panicked(said) or "v6ready report" not in said:
        wrong.append(f"{kind}: exit code {code}: {said[-300:]}")
    if kind == "file" and open(place.reports).read() != "precious":
        wrong.append("file: it was changed")
    if place.verdicts() != calm()[1]:
        wrong.append(f"{kind}: other verdicts")
    first = report_into(place, f"{place.folder}/good", **options)
    again = report_into(place, f"{place.folder}/better", **options)
    if first[0] != 0 or first[2] != again[2] or set(first[2]) != set(files(f"{calm()[0].reports}/latest")):
        wrong.append(f"{kind}: `report` ended with {first[0]}: {first[1][-300:]}")
    return wrong


def check_folders():
    place = calm()[0]
    published = files(glob.glob(f"{place.reports}/2*")[0])
    code, err, later = report_into(place, f"{WORLD}/later")
    differ = [name for name in published if published[name] != later.get(name)]
    verdict(code == 0 and not differ and len(published) == len(later), "reports that are written later",
            f"n={len(later)} files, {len(differ)} other than those that the scan itself wrote {differ} {err}")
    kinds = ["read-only", "missing-in-read-only", "file", "link-to-nowhere", "others"]
    wrong = sum(in_parallel(bad_folder, kinds), [])
    verdict(not wrong, "a reports folder that is no good", f"n={len(kinds)} ({', '.join(kinds)}): exit code 73, the run is stored, `report` "
            f"writes it into another folder, the same twice; wrong {len(wrong)} {wrong}")


PAGE = 4096


def mutate(path, generator):
    """Damages a file as disks do, in one of four ways: its name."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    pages = len(content) // PAGE
    kind = generator.choice(["bits", "zeroed page", "truncated", "swapped pages"])
    if kind == "bits":
        for _ in range(generator.choice([1, 2, 8])):
            content[generator.randrange(len(content))] ^= 1 << generator.randrange(8)
    elif kind == "zeroed page":
        at = PAGE * generator.randrange(pages)
        content[at : at + PAGE] = bytes(PAGE)
    elif kind == "truncated":
        del content[generator.randrange(1, len(content)) :]
    else:
        one, other = (PAGE * page for page in generator.sample(range(pages), 2))
        content[one : one + PAGE], content[other : other + PAGE] = content[other : other + PAGE], content[one : one + PAGE]
    with open(path, "wb") as file:
        file.write(content)
    return kind


def damaged(number):
    """One mutation, and what every reader says of it: kind, outcomes, what is wrong."""
    generator, source, place = random.Random(SEED + number), calm()[0], Place(f"damaged-{number}")
    shutil.copy(source.store, place.store)
    kind, wrong, refused = mutate(place.store, generator), [], 0
    expected = calm()[1]
    some = generator.choice(sorted(expected))
    outcomes = {
        "runs": place.ask("runs", "--json"),
        "show": place.ask("show", "latest", some, "--json"),
        "report": place.ask("report", "--run", "latest", "--reports", place.reports),
        "judge": place.ask("judge", "--run", "latest", "--json"),
    }
    for name, (code, out, err) in outcomes.items():
        if code < 0 or panicked(err):
            wrong.append(f"{kind} {number}: {name} ended with {code}: {err[-200:]}")
        if code != 0:
            refused += 1
            if out and name != "show":
                wrong.append(f"{kind} {number}: {name} failed and printed {out[:100]}")
            # What was destroyed beyond recognition is no history, or holds no run; otherwise there is a way back.
            if not re.search("backup|not a history|no run|no history", err):
                wrong.append(f"{kind} {number}: {name} does not say what to do: {err[-300:]}")
    code, out, _ = outcomes["judge"]
    if code == 0:
        found = {each["site"]: (each["readiness"], each["reason"]) for each in map(json.loads, out.splitlines())}
        if found != expected:
            wrong.append(f"{kind} {number}: judge gave {len(found)} verdicts, {sum(expected.get(k) != v for k, v in found.items())} of them wrong")
    if outcomes["show"][0] == 0 and json.loads(outcomes["show"][1])["assessment"]["readiness"] != expected[some][0]:
        wrong.append(f"{kind} {number}: show gave another verdict")
    if outcomes["runs"][0] == 0 and json.loads(outcomes["runs"][1])["sites"] != len(expected):
        wrong.append(f"{kind} {number}: runs gave {outcomes['runs'][1]}")
    if outcomes["report"][0] == 0:
        made, wanted = files(f"{place.reports}/latest"), files(f"{source.reports}/latest")
        if made != wanted:
            wrong.append(f"{kind} {number}: report wrote {[name for name in wanted if made.get(name) != wanted[name]]}")
    shutil.rmtree(place.folder)
    return kind, refused, wrong


def set_aside(number):
    """A scan of a damaged file. What is wrong; None: it was not damaged where a scan looks."""
    place = Place(f"aside-{number}")
    shutil.copy(calm()[0].store, place.store)
    with open(place.store, "r+b") as file:
        file.seek(PAGE * (1 + number))
        file.write(b"\xa5" * PAGE * 3)
    with open(place.store, "rb") as file:
        before = file.read()
    if place.run() != 0:
        return f"{number}: the scan did not go on: {place.said()[-300:]}"
    aside = [path for path in glob.glob(f"{place.store}.damaged-*Z")]
    if len(aside) != 1 or open(aside[0], "rb").read() != before or "history import" not in place.said():
        return f"{number}: {aside}: {place.said()[:300]}"
    return None if place.verdicts() == calm()[1] else f"{number}: other verdicts"


def check_corrupt():
    calm()
    found = in_parallel(damaged, range(int(os.environ.get("MUTATIONS", 100))))
    wrong, kinds = sum((each[2] for each in found), []), [each[0] for each in found]
    verdict(not wrong, "a damaged history", f"n={len(found)} mutations ({', '.join(f'{kinds.count(kind)} {kind}' for kind in sorted(set(kinds)))}), "
            f"{4 * len(found)} commands, {sum(each[1] for each in found)} of which refused: 0 panics, 0 wrong verdicts; wrong {len(wrong)}")
    for each in wrong[:20]:
        print("   ", each)
    wrong = [each for each in in_parallel(set_aside, range(3)) if each]
    verdict(not wrong, "a scan sets a damaged history aside", f"n=3, nothing of it lost, a message that names the way back; wrong {wrong}")
    source, place = calm()[0], Place("imported")
    exported = f"{source.reports}/latest/evidence.jsonl.zst"
    code, _, err = place.ask("history", "import", exported)
    _, _, made = report_into(place, place.reports)
    wanted = files(f"{source.reports}/latest")
    differ = [name for name in wanted if made.get(name) != wanted[name]]
    verdict(code == 0 and not differ and wanted, "a history that is made again from a report's evidence", f"n={len(wanted)} files of its report, {len(differ)} differ {differ} {err}")


def check_readers():
    """Readers of a report that is made again and again, in two languages in turn, and killed in the midst of it."""
    place, reports = calm()[0], f"{WORLD}/read"
    known = {}
    for lang in ("en", "zh"):
        subprocess.run([PROGRAM, "--lang", lang, "report", "--run", "latest", "--store", place.store, "--reports", reports], capture_output=True, check=True)
        for name, digest in files(f"{reports}/latest").items():
            known.setdefault(name, set()).add(digest)
    names, stop, reads, wrong = sorted(known), threading.Event(), [0, 0, 0, 0], []

    def read(reader):
        generator = random.Random(SEED + reader)
        while not stop.is_set() or reads[reader] < 2500:
            name = generator.choice(names)
            reads[reader] += 1
            try:
                with open(f"{reports}/latest/{name}", "rb") as file:
                    if hashlib.sha256(file.read()).hexdigest() not in known[name]:
                        wrong.append(f"{name} in part")
            except OSError as error:
                wrong.append(f"{name}: {error}")
            time.sleep(0.002)

    readers = [threading.Thread(target=read, args=(reader,)) for reader in range(4)]
    for reader in readers:
        reader.start()

    def regenerate(number, kill=None):
        command = [PROGRAM, "--lang", ("en", "zh")[number % 2], "report", "--run", "latest", "--store", place.store, "--reports", reports]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if kill is not None:
            time.sleep(kill)
            process.kill()
        err = process.communicate()[1]
        return process.returncode, err

    began = time.monotonic()
    for number in range(200):
        code, err = regenerate(number)
        if code != 0:
            wrong.append(f"report ended with {code}: {err}")
    each = (time.monotonic() - began) / 200
    hidden, killed, generator = 0, 0, random.Random(SEED)
    for number in range(40):
        killed += regenerate(number, kill=generator.uniform(0, each))[0] == -signal.SIGKILL
        left = [name for name in os.listdir(reports) if name.startswith(".")]
        hidden = max(hidden, len(left))
        if len({tuple(sorted(files(f"{reports}/latest")))}) != 1 or set(files(f"{reports}/latest")) != set(names):
            wrong.append("after a kill the set is not whole")
    regenerate(0)
    left = [name for name in os.listdir(reports) if name.startswith(".")]
    stop.set()
    for reader in readers:
        reader.join()
    verdict(not wrong and not left and killed >= 20 and hidden <= 2, "readers of a report", f"n={sum(reads)} reads during 200 regenerations and "
            f"{killed} kills in the midst of one: {len(wrong)} partial or missing {wrong[:3]}; at most {hidden} hidden folders at a time, {len(left)} in the end")


def requests(names, since, until):
    """How often each of these names was asked for a page in this time."""
    count = dict.fromkeys(names, 0)
    for words in events():
        if words[0] == "r" and words[3] in count and since <= float(words[2]) <= until:
            count[words[3]] += 1
    return count


def rounds(place):
    """Rounds of evidence, of all runs."""
    try:
        with sqlite3.connect(f"file:{place.store}?mode=ro", uri=True, timeout=1) as database:
            return set(database.execute("SELECT site_key, round FROM evidence"))
    except sqlite3.Error:
        return set()


def ended(place):
    """Runs that have come to their end."""
    try:
        with sqlite3.connect(f"file:{place.store}?mode=ro", uri=True, timeout=1) as database:
            return database.execute("SELECT count(*) FROM runs WHERE state = 'complete'").fetchone()[0]
    except sqlite3.Error:
        return 0


def killed(number, wanted, expected, clean):
    """One run that is killed at random moments until it is over, or so many times: kills, requests, how many are allowed, what is wrong."""
    place, generator = Place(f"kills-{number}", "kills.csv"), random.Random(SEED + number)
    names, undisturbed = set(clean), calm("kills.csv")[0]
    began, kills, flying, most = time.monotonic(), 0, 0, max(clean.values())
    while kills < wanted and ended(place) == 0:
        attempt, before = time.monotonic(), rounds(place)
        process = place.start("--resume")
        while process.poll() is None and time.monotonic() < attempt + 20 and rounds(place) == before and generator.random() > 0.01:
            time.sleep(0.05)
        time.sleep(generator.uniform(0, 0.3))
        if process.poll() is not None:
            break  # the run is over
        process.kill()
        process.wait()
        kills += 1
        # In flight, as the servers know it: asked for since this start, and no round of it stored since.
        asked = set(first_asked(names, attempt, time.monotonic()))
        flying += len(asked - {key.split("://")[-1].split(":")[0] for key, _ in rounds(place) - before})
    # A run that was over when its process was killed is not gone on with: another would begin.
    code = place.run("--resume") if ended(place) == 0 else 0
    total, extra = sum(requests(names, began, time.monotonic()).values()), max(0, len(rounds(place)) - len(rounds(undisturbed)))
    with sqlite3.connect(f"file:{place.store}?mode=ro", uri=True) as database:
        runs = database.execute("SELECT count(*) FROM runs").fetchone()[0]
        twice = database.execute("SELECT count(*) - count(DISTINCT run || ' ' || site_key || ' ' || round) FROM evidence").fetchone()[0]
        sound = database.execute("PRAGMA integrity_check").fetchone()[0]
    # A failure that nothing proved when its process was killed is looked at anew: a round of its own, which is stored.
    allowed = sum(clean.values()) + most * (flying + extra)
    found = place.verdicts()
    differ = {site: (expected.get(site), found.get(site)) for site in expected.keys() | found.keys() if expected.get(site) != found.get(site)}
    good = code == 0 and not differ and runs == 1 and twice == 0 and sound == "ok" and total <= allowed
    if good:
        shutil.rmtree(place.folder)
        return kills, total, allowed, []
    return kills, total, allowed, [f"run {number}: exit code {code}, {len(differ)} verdicts differ {dict(sorted(differ.items())[:5])}, {runs} runs, "
                                   f"{twice} rows twice, {sound}, {total} of {allowed} requests"]


def check_kills():
    """Kills at random moments, one after another, in one run after another; what the servers saw is held against an undisturbed run."""
    began = time.monotonic()
    undisturbed, expected = calm("kills.csv")
    clean = requests(listed(undisturbed), began, time.monotonic())
    wanted, kills, number, wrong, most = int(os.environ.get("KILLS", 25)), 0, 0, [], []
    while kills < wanted and not wrong:
        more, total, allowed, wrong = killed(number, wanted - kills, expected, clean)
        kills, number = kills + more, number + 1
        most.append((total / allowed, f"{total} requests, {sum(clean.values())} undisturbed, at most {allowed}"))
    verdict(not wrong, "kill -9 at random moments", f"n={kills} kills of {number} runs of {len(clean)} names: the same verdicts, one run and no row twice in each; "
            f"where most were made: {max(most)[1]} {wrong}")


POINTS = [
    "lock-taken", "migration-before-commit", "migration-after-commit:2", "run-before-commit", "run-after-commit", "evidence-before-commit:2",
    "evidence-after-commit:3", "progress-before-commit:2", "progress-after-commit:2", "verdicts-before-commit", "verdicts-after-commit",
    "report-file-written:3", "report-before-rename", "report-exchanged", "report-before-latest", "report-after-latest", "before-checkpoint",
]


def die_at(point):
    """A scan that dies at this point and is gone on with. What is wrong."""
    place, wrong = Place(f"point-{point.replace(':', '-')}"), []
    mortal = [os.environ["V6READY_FAIL_POINTS_BIN"], *place.scan("--quiet", "--resume")[1:]]
    if point == "report-exchanged":
        # There has to be a report to change places with: of the same run, whose verdicts are made again.
        shutil.copytree(calm()[0].reports, place.reports, symlinks=True)
        shutil.copy(calm()[0].store, place.store)
        mortal = [mortal[0], *place.command("report", "--run", "latest", "--reports", place.reports)[1:]]
    with open(f"{place.folder}/mortal", "wb") as out:
        code = subprocess.run(mortal, stdout=out, stderr=out, env={**ENVIRONMENT, "V6READY_FAIL_POINT": point}, timeout=120).returncode
    if code != -signal.SIGKILL:
        return [f"{point}: it did not die there, exit code {code}: {open(f'{place.folder}/mortal').read()[-200:]}"]
    code, said = 0, ""
    if point != "report-exchanged":
        code = place.run("--resume")
        said = place.said()
    again = report_into(place, place.reports)
    if code != 0 or again[0] != 0 or place.verdicts() != calm()[1]:
        wrong.append(f"{point}: exit codes {code} and {again[0]}, or other verdicts: {said[-300:]}")
    left = [name for name in os.listdir(place.reports) if name.startswith(".")]
    whole = {name.split("/")[-1] for name in files(f"{place.reports}/latest")} == {name.split("/")[-1] for name in files(f"{calm()[0].reports}/latest")}
    if left or not whole:
        wrong.append(f"{point}: left {left}, latest is whole {whole}")
    with sqlite3.connect(f"file:{place.store}?mode=ro", uri=True) as database:
        if database.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            wrong.append(f"{point}: the history is damaged")
    return wrong


def check_points():
    calm()
    wrong = sum(in_parallel(die_at, POINTS), [])
    verdict(not wrong, "kill -9 at named points", f"n={len(POINTS)} ({', '.join(POINTS)}): gone on with to the same verdicts, reports whole, nothing "
            f"left behind; wrong {len(wrong)} {wrong}")


def check_prune():
    place = Place("pruned")
    for _ in range(2):
        code = place.run()
        if code != 0:
            raise RuntimeError(f"a scan ended with {code}: {place.said()[-300:]}")
    runs = [json.loads(line) for line in place.ask("runs", "--json")[1].splitlines()]
    first, second = (run["id"] for run in runs)
    before, size = place.verdicts(second), os.path.getsize(place.store)
    report = report_into(place, f"{WORLD}/before-pruning", second)
    looked = place.ask("history", "prune", "--keep", "1", "--dry-run")
    done = place.ask("history", "prune", "--keep", "1")
    with sqlite3.connect(f"file:{place.store}?mode=ro", uri=True) as database:
        kept = {run: database.execute("SELECT (SELECT count(*) FROM evidence WHERE run = ?1), (SELECT count(*) FROM verdicts WHERE run = ?1)", (run,)).fetchone()
                for run in (first, second)}
        sound = database.execute("PRAGMA integrity_check").fetchone()[0]
    refused = place.ask("report", "--run", first, "--reports", f"{WORLD}/of-pruned")
    good = (looked[0] == done[0] == 0 and first in looked[1] and kept[first] == (0, len(before)) and kept[second][1] == len(before) and kept[second][0] > 0
            and sound == "ok" and refused[0] == 3 and "removed" in refused[2] and not os.path.exists(f"{WORLD}/of-pruned")
            and os.path.getsize(place.store) < size and place.verdicts(second) == before)
    after = report_into(place, f"{WORLD}/after-pruning", second)
    differ = [name for name in report[2] if report[2][name] != after[2].get(name)]
    verdict(good and not differ, "history prune", f"n=2 runs: of the first {kept[first][0]} rounds and {kept[first][1]} verdicts are left, of the second {kept[second][0]} and "
            f"{kept[second][1]}; {size >> 10} KiB became {os.path.getsize(place.store) >> 10}; {len(differ)} of {len(report[2])} files of the second's report differ; "
            f"`report` of the first ends with {refused[0]}: {refused[2].strip()}")


class Told:
    """A bot and a mail server on loopback, and what both were told since last asked."""

    def __init__(self):
        posts, letters = [], []
        self.posts, self.letters = posts, letters

        class Bot(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                posts.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Mail(socketserver.StreamRequestHandler):
            def handle(self):
                self.wfile.write(b"220 mail.example ESMTP\r\n")
                letter = None
                for line in self.rfile:
                    if letter is not None and line != b".\r\n":
                        letter.append(line[1:] if line.startswith(b".") else line)
                        continue
                    if letter is not None:
                        letters.append(email.message_from_bytes(b"".join(letter), policy=email.policy.default))
                        letter, answer = None, b"250 taken"
                    elif line.upper().startswith(b"DATA"):
                        letter, answer = [], b"354 go on"
                    else:
                        answer = b"221 bye" if line.upper().startswith(b"QUIT") else b"250 good"
                    self.wfile.write(answer + b"\r\n")

        self.bot = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Bot)
        self.mail = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
        for server in (self.bot, self.mail):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def take(self):
        taken = list(self.posts), list(self.letters)
        self.posts.clear()
        self.letters.clear()
        return taken


def tells(posts, letters, summary):
    """Whether one message by each way says what the published summary says; for a failure (summary: None), that it was one."""
    if len(posts) != 1 or len(letters) != 1:
        return f"{len(posts)} messages and {len(letters)} letters instead of one each"
    post, letter = posts[0], letters[0]
    body, figures, wrong = letter.get_content().replace("\r\n", "\n"), post["figures"], []
    if post["text"] not in body or post["title"] != letter["subject"]:
        wrong.append(f"the letter says {letter['subject']!r} {body!r}, the message {post}")
    if summary is None:
        return wrong or (None if figures["event"] == "failure" and figures["exit"] != 0 and not figures["complete"] else f"no failure: {figures}")
    total, changes, known = summary["total"], summary["changes"], not summary["changes"]["first_run"]
    expected = {"event": "run", "run": summary["run"]["id"], "listed": total["listed"], "judged": total["judged"], "ready": total["ready"],
                "not_judged": total["inconclusive"], "gained": changes["gained"] if known else None, "lost": changes["lost"] if known else None,
                "complete": summary["run"]["end"] == "complete"}
    wrong += [f"{key} is {figures.get(key)!r}, and {value!r} in summary.json" for key, value in expected.items() if figures.get(key) != value]
    percent = f"{total['rate'] * 100:.2f} %"
    said = [f"{total['listed']} schools listed", f"{total['judged']} judged", f"{total['ready']} of them ready", percent, f"{total['inconclusive']} not judged"]
    wrong += [f"{part!r} is not in {post['text']!r}" for part in said if part not in post["text"]]
    if post["link"] != f"https://reports.example/v6/{summary['run']['id']}/index.html" or post["link"] not in body:
        wrong.append(f"link {post['link']}")
    return wrong or None


def check_notices():
    """Each event is told once by each way, with the numbers of the report."""
    told, place = Told(), Place("notices")
    config = f"{place.folder}/v6ready.toml"
    with open(f"{WORLD}/v6ready.toml") as base, open(config, "w") as out:
        out.write(base.read() + f"""
[notify]
bot = "generic"
link = "https://reports.example/v6/"
[smtp]
server = "127.0.0.1:{told.mail.server_address[1]}"
security = "none"
from = "v6ready@province.example"
to = ["office@province.example"]
""")
    place.scan = lambda *more: place.command("scan", place.lists, "--config", config, "--reports", place.reports, "--jobs", "20", *more)
    url = {"V6READY_WEBHOOK_URL": f"http://127.0.0.1:{told.bot.server_address[1]}/send"}

    def summary():
        with open(f"{place.reports}/latest/summary.json") as published:
            return json.load(published)

    wrong, events = [], []

    def event(name, code, expected, of):
        posts, letters = told.take()
        fault = of(posts, letters)
        events.append(name)
        if code != expected or fault:
            wrong.append(f"{name}: exit code {code}: {fault} {place.said()[-300:]}")

    def silent(posts, letters):
        return f"told: {posts}" if posts or letters else None

    of_run = lambda posts, letters: tells(posts, letters, summary())
    of_failure = lambda posts, letters: tells(posts, letters, None)
    event("a complete run", place.run(environment=url), 0, of_run)
    event("its report again", place.ask("report", "--run", "latest", "--reports", place.reports)[0], 0, silent)
    missing = place.command("scan", f"{WORLD}/no-such-list.csv", "--config", config, "--reports", place.reports)
    event("a start that failed", place.run(environment=url, command=missing), 3, of_failure)
    event("the same failure again", place.run(environment=url, command=missing), 3, silent)

    def stored():
        with sqlite3.connect(f"file:{place.store}?mode=ro", uri=True, timeout=1) as database:
            return database.execute("SELECT count(*) FROM evidence").fetchone()[0]

    before, process = stored(), place.start(environment=url)
    while stored() < before + 40 and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    event("a run that was stopped", process.wait(60), 5, of_run)
    event("the same gone on with", place.run("--resume", environment=url), 0, of_run)
    verdict(not wrong, "notices", f"n={len(events)} ({', '.join(events)}): one message and one letter of each that is new, with the numbers of "
            f"summary.json; wrong {len(wrong)} {wrong}")


# What goes on side by side: the checks mostly wait, and those that ask the servers have names of their own.
LANES = [
    {"signals": check_signals},
    {"schedule": check_scheduled},
    {"kills": check_kills, "corrupt": check_corrupt, "readers": check_readers},
    {"disk": check_disk, "folders": check_folders, "points": check_points, "prune": check_prune, "notices": check_notices},
]


def work(lane):
    for name, check in lane.items():
        if name not in sys.argv[3:] and sys.argv[3:]:
            continue
        began = time.monotonic()
        try:
            check()
        except Exception:
            traceback.print_exc()
            verdict(False, name, "ended early")
        print(f"     ({name} took {time.monotonic() - began:.0f} s)", flush=True)


def main():
    time.sleep(1)  # the servers begin to listen
    unknown = [name for name in sys.argv[3:] if not any(name in lane for lane in LANES)]
    if unknown:
        sys.exit(f"there is no check {unknown}")
    in_parallel(work, LANES)
    print(f"{results['ok  ']} passed, {results['FAIL']} failed")
    sys.exit(1 if results["FAIL"] else 0)


main()
