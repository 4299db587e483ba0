#!/usr/bin/env python3
"""Runs the journeys in tests/cases/*.case: each for every way of travelling, compared with what rsync 3.5.0 does.

    tests/run_cases.py [--binary PATH] [--only TEXT]... [--way WAY]... [--quick|--sampled] [--jobs N] [--keep] [--list] [-v]

A case is a list of lines, obeyed in order:

    about     one sentence
    needs     root | user | acl         skip otherwise; "user" runs as nobody when root starts it
    ways      local push pull           which kinds make sense (all unless said); push stands for upload to a daemon, too, and pull
                                        for download from one, unless words of the case name a far side of their own
    except    push:3.2.7>ocsync ...     these ways (or kinds: upload) make none, and why in a comment
    protocols 27 28 ...                 repeat push and pull with these versions forced
    env       NAME=VALUE
    umask     077
    timeout   SECONDS                   for one run (60)
    stdin     TEXT
    loose     stderr | stdout | order | holes | OTHER   what of the output is not compared, and why in "about";
              "holes" instead also compares whether files have holes
    src, dst  an entry of the tree below src/ or dst/ (see tests/support/trees.py)
    in        an entry next to them
    srcs, dsts  NAME                    every entry of tests/cases/NAME.tree, below src/ or dst/
    run       the words after the program's name; SRC and DST stand for the two trees, @SHELL@ for the fake remote shell
    prints    a line the last run prints; "(nothing)" for none. Without it the output is compared with rsync's only
    then      an entry that dst holds in the end; if any is given, nothing else may be there
    codes     exit codes of which any is right, because rsync's depends on who notices first
    exit      the last run's exit code (rsync's unless said)

The expected result of a way is what rsync 3.5.0 does in our place on an identical copy, so a case need not state it:
exit code, output and every attribute of every entry are compared. What may vary is in tests/support/running.py.

Now and then two runs of rsync itself differ: its roles are processes that overtake each other. Therefore a difference
counts only if no repetition of rsync's run shows the same as ours. Ours must be right the first time, except in the text
of stderr, where either end may or may not get its last words out: there it is repeated, too. Both are counted aloud.
"""
import argparse
import concurrent.futures
import difflib
import glob
import os
import random
import re
import shlex
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from support import running, trees  # noqa: E402
from support.running import NEW, OLD, OURS, Way  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
RSYNC_REPETITIONS, OUR_REPETITIONS = 5, 3


class Case:
    def __init__(self, path):
        self.name = os.path.splitext(os.path.basename(path))[0]
        self.about, self.needs, self.ways, self.protocols = "", set(), {"local", "push", "pull"}, []
        self.exceptions = set()
        self.env, self.umask, self.timeout, self.loose = {}, 0o022, 60, set()
        self.codes = set()
        self.steps, self.then, self.stdin = [], [], None
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                line = line.rstrip("\n")
                if line.strip() and not line.startswith("#"):
                    try:
                        self._line(line)
                    except Exception as e:
                        raise SystemExit(f"{path}:{number}: {line!r}: {e!r}")
        if not any(kind == "run" for kind, _ in self.steps):
            raise SystemExit(f"{path}: no run line")

    def _line(self, line):
        key, _, rest = line.partition(" ")
        plain, rest = rest, rest.strip()
        if key == "about":
            self.about = (self.about + " " + rest).strip()
        elif key == "needs":
            self.needs |= set(rest.split())
        elif key == "ways":
            self.ways = set(rest.split())
        elif key == "except":
            self.exceptions = set(rest.split())
        elif key == "protocols":
            self.protocols = [int(p) for p in rest.split()]
        elif key == "env":
            name, _, value = rest.partition("=")
            self.env[name] = value
        elif key == "codes":
            self.codes = {int(c) for c in rest.split()}
        elif key == "umask":
            self.umask = int(rest, 8)
        elif key == "timeout":
            self.timeout = float(rest)
        elif key == "loose":
            self.loose |= set(rest.split())
        elif key in ("srcs", "dsts"):
            with open(os.path.join(HERE, "cases", rest + ".tree"), encoding="utf-8") as f:
                for line in f:
                    if line.strip() and not line.startswith("#"):
                        self._line(f"{key[:3]} {line.strip()}")
        elif key in ("src", "dst", "in"):
            entry = trees.Line(rest)
            prefix = {"src": b"src/", "dst": b"dst/", "in": b""}[key]
            entry.name = prefix + entry.name
            if entry.kind == "hard":
                entry.target = prefix + entry.target
            self.steps.append(("make", entry))
        elif key == "run":
            words = [trees.unquote('"' + w.replace('"', '\\"') + '"') for w in shlex.split(rest.replace("\\", "\\\\"))]
            self.steps.append(("run", {"words": words, "prints": None, "exit": None}))
        elif key == "prints":
            step = self.last_run()
            step["prints"] = step["prints"] or []
            if rest != "(nothing)":
                step["prints"].append(re.sub(r"^ {1,7}", "", plain) if plain.strip() else "")
        elif key == "exit":
            self.last_run()["exit"] = int(rest)
        elif key == "then":
            self.then.append(rest)
        else:
            raise ValueError("unknown key")

    def last_run(self):
        return next(step for kind, step in reversed(self.steps) if kind == "run")

    def why_skipped(self):
        if "root" in self.needs and not running.is_root():
            return "needs root"
        return None

    def all_ways(self, extent):
        out, rest, daemons = [], [], []
        if "local" in self.ways:
            out.append(Way("local", OURS))
        for kind in ("push", "pull"):
            if kind not in self.ways:
                continue
            pairs = [(OURS, OURS), (OURS, NEW), (NEW, OURS)]
            out += [Way(kind, c, s) for c, s in pairs]
            rest += [Way(kind, c, s) for c, s in [(OURS, OLD), (OLD, OURS)]]
            for protocol in self.protocols:
                rest += [Way(kind, c, s, protocol) for c, s in [(OURS, OURS), (OURS, NEW), (NEW, OURS)]]
            if self.suits_daemons(kind):
                daemons += [Way({"push": "upload", "pull": "download"}[kind], c, s) for c, s in pairs]
        rest, daemons = ([way for way in ways if not {str(way), way.kind} & self.exceptions] for ways in (rest, daemons))
        if extent == "sampled":
            drawn = random.Random(self.name)
            rest = drawn.sample(rest, min(1, len(rest)))
            # Of the pairings with today's rsync, those in which it is the client, or those in which ours is: ours sends and receives in either.
            client = drawn.choice([OURS, NEW])
            out = [way for way in out if way.kind == "local" or way.client == way.server or way.client == client]
            daemons = drawn.sample(daemons, min(1, len(daemons)))
        return out if extent == "quick" else out + rest + daemons

    def suits_daemons(self, kind):
        words = [word for key, step in self.steps if key == "run" for word in step["words"]]
        if kind == "pull" and any(b"--files-from" in w for w in words):
            return False  # rsync 3.5.0's daemon says of each name that it has vanished, unless it can change its root
        return not any(b"far:" in w or b"@SHELL@" in w or w.startswith((b"--rsync-path", b"--rsh", b"-e")) for w in words)


class Result:
    """What one way led to: per run the exit code and output, and the tree in the end."""

    def __init__(self):
        self.runs, self.tree, self.start_ns, self.commands = [], {}, 0, []


class Runner:
    def __init__(self, programs, home, keep):
        self.programs, self.home, self.keep = programs, home, keep
        self.oracles, self.lock, self.counter = {}, threading.Lock(), 0
        self.varying = self.last_words = 0  # judged right by a repetition: of rsync's run, of ours

    def perform(self, case, way):
        with self.lock:
            self.counter += 1
            work = os.path.join(self.home, f"case-{self.counter:06}")  # equal lengths: messages may wrap or cut
        os.mkdir(work, 0o755)
        lower = "user" in case.needs and running.is_root()
        owner = (65534, 65534) if lower else None
        result = Result()
        try:
            os.mkdir(work + "/src")
            os.utime(work + "/src", ns=(trees.DEFAULT_MTIME,) * 2)
            if owner:
                os.chown(work, *owner)
                os.chown(work + "/src", *owner)
            pending = []
            # Everything younger than the tests' own start is "now"; entries of a tree are always older.
            result.start_ns = time.time_ns() - 3 * 10**9
            for kind, step in case.steps:
                if kind == "make":
                    pending.append(step)
                    continue
                trees.build(work, pending, owner)
                pending = []
                words = step["words"]
                if way.kind == "upload":
                    words = [running.AT_RECEIVER.sub(rb"\1", w) for w in words]
                words = [w.replace(b"WORK", os.fsencode(work)) for w in words]
                argv = running.command(way, self.programs, words)
                if lower:
                    argv = running.as_user(argv)
                env = running.environment(self.programs, work, {k: v.replace("WORK", work) for k, v in case.env.items()})
                if way.kind in running.DAEMON_WAYS:
                    env["RSYNC_CONNECT_PROG"] = running.daemon_at(way, self.programs, work, words)
                outcome = running.run(argv, work, env, case.timeout, case.umask, all_of_it=True)
                result.commands.append(argv)
                result.runs.append((outcome.code, running.normal(outcome.out, work), running.normal(outcome.err, work)))
                if outcome.hung:
                    break
            result.tree = trees.describe(work, result.start_ns, holes="holes" in case.loose)
            for facts in result.tree.values():
                if "log" in facts:
                    facts["log"] = running.normal(facts["log"], work)
        finally:
            if not self.keep:
                running.remove_tree(work)
            else:
                result.work = work
            if way.kind in running.DAEMON_WAYS and not self.keep:
                running.remove_tree(work + ".conf")
        return result

    def oracle(self, case, way):
        """Performed once per case and way, by whoever asks first."""
        key = (case.name, str(way))
        with self.lock:
            slot = self.oracles.setdefault(key, {"lock": threading.Lock(), "result": None})
        with slot["lock"]:
            if slot["result"] is None:
                slot["result"] = self.perform(case, way)
            return slot["result"]

    def judge(self, case, way):
        """Sentences on what is wrong; empty when nothing is."""
        wrong, got, expected = self.against_rsync(case, way, self.oracle(case, way.oracle()))
        if way.kind in running.DAEMON_WAYS:
            return wrong  # what a case states holds for runs that no daemon confines
        wrong = wrong + self.check_statements(case, got, "")
        if not wrong:
            wrong += self.check_statements(case, expected, "rsync itself: ")
        return wrong

    def against_rsync(self, case, way, expected):
        """Sentences on how our run differs from all of rsync's, our run, and the one of rsync's it is like."""
        got = self.perform(case, way)
        first = self.compare(case, way, expected, got)
        if not first:
            return [], got, expected
        theirs = [expected]
        for _ in range(RSYNC_REPETITIONS):
            theirs.append(self.perform(case, way.oracle()))
            if not self.compare(case, way, theirs[-1], got):
                self.varying += 1
                return [], got, theirs[-1]
        firmly_right = lambda have: any(not self.compare(case, way, want, have, but={"stderr"}) for want in theirs)
        for attempt in range(OUR_REPETITIONS + 1):
            again = got if attempt == 0 else self.perform(case, way)
            if not firmly_right(again):
                return self.compare(case, way, expected, again), again, expected
            for want in theirs:
                if not self.compare(case, way, want, again):
                    self.last_words += 1
                    return [], again, want
        return first, got, expected

    def races(self):
        """For the summary."""
        return f"rsync's own result varied in {self.varying}, our last words in {self.last_words}"

    def compare(self, case, way, expected, got, but=frozenset()):
        """Sentences on how one result differs from another, in everything a case does not call loose."""
        wrong, loose = [], case.loose | but
        for i, (want, have) in enumerate(zip(expected.runs, got.runs)):
            name = f"run {i + 1}: " if len(expected.runs) > 1 else ""
            if have[0] is None:
                wrong.append(f"{name}HUNG (killed after {case.timeout:.0f} s)")
            elif want[0] != have[0] and not {want[0], have[0]} <= case.codes and not socket_died(way, want[0], have[0]):
                wrong.append(f"{name}exit code {have[0]}, rsync's is {want[0]}")
            for which, a, b in (("stdout", want[1], have[1]), ("stderr", want[2], have[2])):
                # Which of a daemon's processes gets to say what before the socket is gone is chance; and ours names no place outside.
                if which in loose or (which == "stderr" and way.kind in running.DAEMON_WAYS and want[0] and have[0]):
                    continue
                wrong += compare_text(f"{name}{which}", a, b, exact=which == "stdout" and not way.receives and "order" not in case.loose)
        for path in expected.tree.keys() & got.tree.keys():
            if "log" in expected.tree[path] and "log" in got.tree[path]:
                wrong += compare_text(trees.show(path), expected.tree[path]["log"], got.tree[path]["log"], exact=not way.receives)
        wrong += trees.differences(expected.tree, got.tree)
        if wrong and self.keep:
            wrong.append(f"kept: {got.work} (rsync's: {expected.work})")
        return wrong

    @staticmethod
    def check_statements(case, result, who):
        wrong = []
        runs = [step for kind, step in case.steps if kind == "run"]
        for step, (code, out, _) in zip(runs, result.runs):
            if step["exit"] is not None and code != step["exit"]:
                wrong.append(f"{who}exit code {code}, the case says {step['exit']}")
            if step["prints"] is not None:
                said = "".join(line + "\n" for line in step["prints"]).encode()
                wrong += compare_text(f"{who}stdout against the case", said, out, exact=True)
        if case.then:
            wrong += [who + w for w in trees.check_then(case.then, result.tree, b"dst/", result.start_ns)]
        return wrong


def socket_died(way, want, have):
    """Whether one of two runs that a daemon ended was told why, and the other only saw its socket die (10)."""
    return way.kind in running.DAEMON_WAYS and 10 in (want, have) and 0 not in (want, have)


def compare_text(what, want, have, exact):
    if want == have:
        return []
    a, b = want.split(b"\n"), have.split(b"\n")
    if sorted(a) != sorted(b):
        if not exact:
            a, b = sorted(a), sorted(b)
        return [f"{what} differs (- rsync, + ours)"] + diff(a, b)
    # rsync's receiving end is two processes, which do not agree on an order. Its sending end has one, but deletions
    # and other messages reach it on a way of their own, and overtake entries.
    if not exact or (two_orders(a) == two_orders(b)):
        return []
    return [f"{what}: same lines in another order"] + diff(a, b)


def two_orders(lines):
    deletion = re.compile(rb"\*deleting|del\.|deleting |cannot delete|skipping non-regular|IO error|rsync: |WARNING: |ERROR: ")
    return [x for x in lines if deletion.match(x)], [x for x in lines if not deletion.match(x)]


def diff(a, b):
    lines = list(difflib.unified_diff([trees.show(x) for x in a], [trees.show(x) for x in b], lineterm="", n=0))[2:]
    lines = [line for line in lines if not line.startswith("@@")]
    return ["    " + line for line in lines[:14]] + (["    ..."] if len(lines) > 14 else [])


def main():
    parser = argparse.ArgumentParser(description="Runs the journeys in tests/cases.")
    parser.add_argument("--binary", help="the ocsync to test (default: the newest build); rsync itself checks the tests")
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="cases whose name contains TEXT")
    parser.add_argument("--way", action="append", default=[], help="only these, e.g. push:ocsync>3.5.0@29, or a prefix such as local")
    parser.add_argument("--quick", dest="extent", action="store_const", const="quick", default="all",
                        help="without the older rsync and forced protocols")
    parser.add_argument("--sampled", dest="extent", action="store_const", const="sampled", help="of those one for each case, and rsync 3.5.0 as client only or as server only, drawn by the case's name")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--keep", action="store_true", help="leave the trees for inspection")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--max-shown", type=int, default=200, help="failures shown in full")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()

    cases = [Case(p) for p in sorted(glob.glob(os.path.join(HERE, "cases", "**", "*.case"), recursive=True))]
    if options.only:
        cases = [c for c in cases if any(t == c.name for t in options.only)] or [c for c in cases if any(t in c.name for t in options.only)]
    if options.list:
        for case in cases:
            print(f"{case.name:40} {case.about}")
        return 0
    ours = running.find_ours(options.binary)
    if not running.is_executable(ours):
        print(f"cases: no program to test at {ours}; scripts/build release makes it", file=sys.stderr)
        return 2
    scratch = running.Scratch("cases")
    started = time.monotonic()
    try:
        programs = running.Programs(ours, scratch.path)
        for note in programs.notes:
            print(f"cases: {note}", file=sys.stderr)
        if not programs.has(OURS) or not programs.has(NEW):
            return 2
        runner = Runner(programs, scratch.path, options.keep)
        jobs, skipped = [], 0
        for case in cases:
            reason = case.why_skipped()
            for way in case.all_ways(options.extent):
                if options.way and not any(str(way) == w or (":" not in w and str(way).startswith(w)) for w in options.way):
                    continue
                if reason or not all(programs.has(p) for p in (way.client, way.server) if p):
                    skipped += 1
                else:
                    jobs.append((case, way))
        passed, failures = 0, []
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            futures = {pool.submit(runner.judge, case, way): (case, way) for case, way in jobs}
            for future in concurrent.futures.as_completed(futures):
                case, way = futures[future]
                try:
                    wrong = future.result()
                except Exception as e:
                    wrong = [f"the test itself broke: {e!r}"]
                if not wrong:
                    passed += 1
                    if options.verbose:
                        print(f"ok    {case.name}  {way}")
                    continue
                failures.append((case.name, str(way)))
                if len(failures) <= options.max_shown:
                    print(f"FAIL  {case.name}  {way}   ({case.about})")
                    for line in wrong:
                        print(f"      {line}")
                    print(f"      again: tests/run_cases.py --keep --only {case.name} --way '{way}'", flush=True)
        if failures:
            names = {}
            for name, way in failures:
                names.setdefault(name, []).append(way)
            print("cases that failed:")
            for name in sorted(names):
                print(f"  {name}: {len(names[name])} ways, e.g. {sorted(names[name])[0]}")
        print(f"cases: {passed} passed, {len(failures)} failed, {skipped} skipped ({time.monotonic() - started:.0f} s; {runner.races()})")
        return 1 if failures else 0
    finally:
        if not options.keep:
            scratch.__exit__()


if __name__ == "__main__":
    sys.exit(main())
