#!/usr/bin/env python3
"""Random trees, random options, random pairings: does ocsync do what rsync 3.5.0 does in its place?

    tests/differential.py [--binary PATH] [--cases N] [--seed S] [--first I] [--jobs N] [--keep] [-v]

Compared: exit code, itemized output, stderr and every attribute of the resulting tree. Case I of a seed is always the same;
a failing one prints how to run it alone. Uses the runner of tests/run_cases.py, so what may vary is decided there.
"""
import argparse
import concurrent.futures
import os
import random
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run_cases  # noqa: E402
from support import running, trees  # noqa: E402
from support.running import NEW, OLD, OURS, Way  # noqa: E402

# (probability, choices): from each row at most one is added. A choice may be several words.
OPTIONS = [
    (1.0, ["-a", "-a", "-a", "-r", "-rt", "-rlptgoD", "-rl", "-rp", "-dt", "-ad --no-r", "-rlt", "-aO", "-aJ"]),
    (0.35, ["--delete", "--delete-before", "--delete-during", "--delete-delay", "--delete-after", "--delete --force", "--delete-excluded"]),
    (0.2, ["-c", "-I", "--size-only", "-u", "--existing", "--ignore-existing", "--ignore-existing --existing"]),
    (0.2, ["-H", "-H --no-inc-recursive"]),
    (0.15, ["--no-inc-recursive"]),
    (0.2, ["-W", "--no-W", "--no-W -B 700", "--inplace", "--inplace --no-W", "-S", "-S --no-W"]),
    (0.15, ["-n"]),
    (0.15, ["-b", "-b --suffix=.old", "-b --backup-dir=.bak"]),
    (0.15, ["-L", "-k", "--copy-unsafe-links", "--safe-links", "--munge-links", "-K", "--no-l"]),
    (0.1, ["--no-p", "--no-t", "-E --no-p", "--chmod=Dg+s,Fo-rwx", "--no-o --no-g", "--numeric-ids", "--chown=1:2"]),
    (0.2, ["--exclude=*1*", "--exclude=d*/", "--include=*/ --include=*a* --exclude=*", "--exclude=/d0", "-f-_b*", "--exclude=d0/**/f*", "-m --exclude=f*"]),
    (0.1, ["--max-size=5000", "--min-size=10", "--max-size=70000b"]),
    (0.15, ["-z", "--zc=zlib", "--zc=zlibx", "--zc=zstd", "--zc=lz4", "-z --skip-compress=c"]),
    (0.1, ["--cc=md5", "--cc=md4", "--cc=xxh64", "--cc=sha1"]),
    (0.1, ["-R", "-R --no-implied-dirs"]),
    (0.1, ["--partial", "--partial-dir=.p", "--delay-updates", "-T /tmp"]),
    (0.1, ["-y", "-m", "--remove-source-files", "--prune-empty-dirs"]),
    (0.1, ["--modify-window=2", "--modify-window=-1", "--ignore-errors"]),
    (0.1, ["--max-delete=2 --delete", "--max-delete=0 --delete"]),
    (0.08, ["-v", "--stats", "--out-format=%i_%n%L_%l"]),
    (0.1, ["-D --no-l", "--no-D", "--devices --no-specials"]),
]
LEAVES = ["a", "b", "c", "d0", "d1", "d2", "f1", "f2", "fa", "zz", "B", "f.txt", "sp ace", ".hid", "x-y", "\\xc3\\xa4", "\\xff", "n\\nl", "f1~"]
SIZES = [0, 0, 1, 5, 100, 699, 700, 701, 1400, 5000, 32768, 70000, 200000]


def some_tree(rng, root):
    """Entry lines of a random tree."""
    lines, taken, dirs, files = [], set(), [""], []
    for _ in range(rng.randrange(0, 26)):
        name = rng.choice(dirs) + rng.choice(LEAVES)
        if name in taken:
            continue
        taken.add(name)
        mtime = f" mtime={rng.choice([1000000000, 1000000001, 1000000002, 1000000005, 1300000000])}{rng.choice(['', '', '.5', '.25'])}"
        mode = rng.choice(["", "", " mode=0600", " mode=0755", " mode=0444"])
        owner = rng.choice(["", "", " owner=1:1", " owner=12345:1000"]) if root else ""
        kind = rng.choices(["file", "dir", "symlink", "hard", "fifo", "device"], [50, 25, 12, 8, 3, 2 if root else 0])[0]
        if kind == "dir":
            lines.append(f'dir "{name}"{mtime}{rng.choice(["", " mode=0700", " mode=0755", " mode=2775"])}{owner}')
            dirs.append(name + "/")
        elif kind == "symlink":
            lines.append(f'symlink "{name}" -> "{rng.choice(["a", "b", "../a", "d0", "/no/such/place", "nowhere", "../../../x"])}"{mtime}{owner}')
        elif kind == "hard" and files:
            lines.append(f'hard "{name}" = "{rng.choice(files)}"')
        elif kind == "fifo":
            lines.append(f'fifo "{name}"{mtime}{mode}{owner}')
        elif kind == "device":
            lines.append(f'device "{name}" c {rng.choice([1, 5])} {rng.randrange(9)}{mtime}{owner}')
        else:
            size = rng.choice(SIZES)
            lines.append(f'file "{name}" {size} bytes seed={rng.randrange(4)}{mtime}{mode}{owner}')
            files.append(name)
    return lines


def related_tree(rng, lines, root):
    """What an earlier copy of a tree may look like: lines dropped, changed, replaced, and others added."""
    out = []
    for line in lines:
        kind, chance = line.split(" ", 1)[0], rng.random()
        if chance < 0.25:
            continue
        if chance < 0.5 and kind == "file":
            line = line.replace("mtime=1000000000", "mtime=1000000001", 1) if rng.random() < 0.5 else line + " splice=300:20:77"
        elif chance < 0.6 and kind != "hard":
            line = rng.choice(["file", "file", "fifo"]) + " " + trees.tokens(line)[1]
        out.append(line)
    names = {trees.Line(x).name for x in out}
    extra = [x for x in some_tree(rng, root) if trees.Line(x).name not in names][:rng.randrange(1, 8)]
    return out + extra


def buildable(lines):
    """Drops lines whose parents turned into something else, or that link to what is gone."""
    kinds, out = {}, []
    for text in lines:
        line = trees.Line(text)
        parts = line.name.split(b"/")
        parents = [b"/".join(parts[:n]) for n in range(1, len(parts))]
        if line.name in kinds or any(kinds.get(p, "dir") != "dir" for p in parents):
            continue
        if line.kind == "hard" and kinds.get(line.target) != "file":
            continue
        kinds.update({p: "dir" for p in parents})
        kinds[line.name] = line.kind
        out.append(text)
    return out


class Drawn(run_cases.Case):
    """A case made from dice instead of a file."""

    def __init__(self, seed, number, programs, root):
        rng = random.Random(f"{seed}/{number}")
        self.name, self.about = f"seed {seed} case {number}", ""
        self.needs, self.env, self.umask, self.timeout = set(), {}, rng.choice([0o022, 0o022, 0o077]), 60
        self.loose, self.then, self.stdin, self.codes, self.steps, self.protocols = set(), [], None, set(), [], []
        source = buildable(some_tree(rng, root))
        self.source, self.dest = source, buildable(related_tree(rng, source, root)) if rng.random() < 0.75 else []
        for prefix, lines in (("src/", self.source), ("dst/", self.dest)):
            for text in lines:
                entry = trees.Line(text)
                entry.name = prefix.encode() + entry.name
                if entry.kind == "hard":
                    entry.target = prefix.encode() + entry.target
                self.steps.append(("make", entry))
        if root and rng.random() < 0.2:
            self.needs.add("user")
            self.steps = [s for s in self.steps if s[1].kind != "device"]
            for _, entry in self.steps:
                entry.owner = None
        words = []
        for chance, choices in OPTIONS:
            if rng.random() < chance:
                words += [w.replace("-f-_", "-f- ") for w in rng.choice(choices).split()]
        words += [rng.choice(["-i", "-i", "-i", "-ii"]), rng.choice(["SRC/", "SRC/", "SRC/", "SRC"]), "DST/"]
        for _ in range(2 if rng.random() < 0.3 else 1):
            self.steps.append(("run", {"words": [w.encode() for w in words], "prints": None, "exit": None}))
        self.words = words
        pairs = [(OURS, OURS), (OURS, NEW), (NEW, OURS)] + ([(OURS, OLD), (OLD, OURS)] if programs.has(OLD) else [])
        kind = rng.choice(["local", "push", "push", "pull", "pull"])
        client, server = rng.choice(pairs)
        protocol = rng.choice([None, None, None, None, 30, 31, 29, 28, 27]) if OLD not in (client, server) else None
        self.way = Way("local", OURS) if kind == "local" else Way(kind, client, server, protocol)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()
    ours = running.find_ours(options.binary)
    if not running.is_executable(ours):
        print(f"differential: no program to test at {ours}; scripts/build release makes it", file=sys.stderr)
        return 2
    scratch, started = running.Scratch("differential"), time.monotonic()
    try:
        programs = running.Programs(ours, scratch.path)
        for note in programs.notes:
            print(f"differential: {note}", file=sys.stderr)
        if not programs.has(OURS) or not programs.has(NEW):
            return 2
        runner = run_cases.Runner(programs, scratch.path, options.keep)

        def attempt(number):
            case = Drawn(options.seed, number, programs, running.is_root())
            try:
                return case, runner.judge(case, case.way)
            except Exception as e:
                return case, [f"the test itself broke: {e!r}"]
            finally:
                with runner.lock:
                    runner.oracles.clear()

        passed = failed = 0
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for case, wrong in pool.map(attempt, range(options.first, options.first + options.cases)):
                passed += not wrong
                failed += bool(wrong)
                if wrong:
                    print(f"FAIL  {case.name}  {case.way}{' as nobody' if case.needs else ''}:  {' '.join(case.words)}")
                    for line in wrong:
                        print(f"      {line}")
                    print(f"      again: tests/differential.py --keep --seed {options.seed} --first {case.name.split()[-1]} --cases 1", flush=True)
                elif options.verbose:
                    print(f"ok    {case.name}  {case.way}:  {' '.join(case.words)}")
        print(f"differential: {passed} passed, {failed} failed ({time.monotonic() - started:.0f} s)")
        return 1 if failed else 0
    finally:
        if not options.keep:
            scratch.__exit__()


if __name__ == "__main__":
    sys.exit(main())
