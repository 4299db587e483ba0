#!/usr/bin/env python3
"""Random trees, random options, random pairings: does ocsync do what rsync 3.5.0 does in its place?

    tests/differential.py [--binary PATH] [--cases N] [--seed S] [--first I] [--only I]... [--jobs N] [--prune] [--keep] [-v]

Compared: exit code, itemized output, stderr and every attribute of the resulting trees. Case I of a seed is always the same;
a failing one prints how to run it alone, and --prune takes away what it does not need and prints the rest as a case for
tests/cases. What is drawn is decided in tests/support/dice.py; what may vary in tests/support/running.py.

What counts as a difference although rsync's own runs vary is decided in tests/run_cases.py.
"""
import argparse
import concurrent.futures
import os
import random
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import run_cases  # noqa: E402
from support import dice, running, trees  # noqa: E402
from support.running import NEW, OLD, OURS, Way  # noqa: E402


def leads_back(line):
    """Is it a symlink to the directory it stands in, or to one above that?"""
    if not line.startswith("symlink "):
        return False
    link = trees.Line(line)
    above = os.path.dirname(link.name)
    to = os.path.normpath(os.path.join(above, link.target))
    return to == b"." or (above + b"/").startswith(to + b"/")


class Drawn(run_cases.Case):
    """A case made from dice instead of a file."""

    def __init__(self, seed, number, programs, root):
        rng = random.Random(f"{seed}/{number}")
        self.name, self.number, self.about = f"seed {seed} case {number}", number, ""
        self.needs, self.env, self.umask, self.timeout = set(), {}, rng.choice([0o022, 0o022, 0o022, 0o077, 0o002]), 60
        self.loose, self.then, self.stdin, self.codes, self.protocols = set(), [], None, set(), []
        draw = dice.Trees(rng, root)
        source = dice.buildable(draw.fresh())
        dest = dice.buildable(draw.related(source)) if rng.random() < 0.75 else []
        command = dice.Command(rng, draw, source)
        if {"--inplace", "--append", "--append-verify"} & set(command.words) and "-H" not in command.words:
            # Two names of one file: whether the second is found old or new depends on how far rsync's receiver has come.
            dest = [line for line in dest if not line.startswith("hard ")]
        if any("K" in w for w in command.words[1:] if w[:1] == "-" and w[:2] != "--"):
            # Through a link to where it stands each file has many names, and how far rsync's receiver has come decides what the
            # generator finds under the next one: ten runs of rsync 3.5.0 gave ten outputs.
            dest = [line for line in dest if not leads_back(line)]
        if any(w.startswith("--backup-dir=.bak") for w in command.words):
            # Whether the file of that name or the directory for backups is there first depends on how far the receiver has come.
            source = [line for line in source if trees.Line(line).name.split(b"/")[0] != b".bak"]
            source = dice.buildable(source)
            # Where it leads nowhere rsync's receiver ends with 11, who knows how far its generator has come.
            dest = [line for line in dest if not (line.startswith("symlink ") and trees.Line(line).name == b".bak")]
        if any(w.startswith("--partial-dir=.p") for w in command.words):
            # A directory that has the name of a partial file: below protocol 29 rsync's receiver takes it for the basis, and ends with 2.
            dest = dice.buildable([line for line in dest if b".p" not in trees.Line(line).name.split(b"/")[:-1]])
        if "-b" in command.words and not any(w.startswith("--backup-dir") for w in command.words):
            # The same of a directory that has the name of a backup; where it cannot make way rsync ends with 11, who knows how far.
            plain = lambda lines: dice.buildable([x for x in lines if not any(part.endswith(b"~") for part in trees.Line(x).name.split(b"/"))])
            source, dest = plain(source), plain(dest)
        if "--remove-source-files" in command.words and any(w in ("-L", "-k", "-kK", "-LK") for w in command.words):
            # The same at the source: which of a file's names finds it removed.
            source = [line for line in source if not leads_back(line)]
        if "-H" in command.words and any(w in ("-L", "-k", "-kK", "-LK") for w in command.words):
            # And which name is the last of its group, so that it is sent, depends on how much of the lists rsync has in its buffers then.
            source = [line for line in source if not leads_back(line)]
        if any(w.startswith("-f-x") for w in command.words):
            # ACLs travel as attributes then: whether a directory's default is taken away before or after something is made in it is chance.
            dest = [re.sub(r" acl=d:\S+", "", line) for line in dest]
        if any(w.startswith("-T") and w.endswith("nowhere") for w in command.words):
            # The receiver ends with 11: how many links without an end the sender has told of by then is chance.
            source = [line for line in source if not line.startswith("symlink ")]
        if "--remove-source-files" in command.words and any(w == "--no-R" for w in command.words):
            # And so with names in --files-from for what lies in a directory that is named there as well.
            command.words.remove("--remove-source-files")
        self.words = command.words
        self.twice = rng.random() < 0.3
        if root and rng.random() < 0.2:
            self.needs.add("user")
        kept, dir_times = command.words[0], not {"-O", "--no-t"} & set(command.words)
        short = [w for w in command.words if w[:1] == "-" and w[:2] not in ("--", "-f", "-T")]
        if "-H" in command.words and any("A" in w for w in short):
            # Of a directory that a hard link took the place of rsync asks for a default ACL, and fails as it is none any more.
            links = [trees.Line(x) for x in source if x.startswith("hard ")]
            names = {link.name for link in links} | {link.target for link in links}
            dest = dice.buildable([x for x in dest if not (x.startswith("dir ") and trees.Line(x).name in names)])
        if "-H" in command.words and "user" in self.needs:
            # rsync never asks for the other names of a file whose first one could not be opened.
            shut = {trees.Line(x).name for x in source if x.startswith("file ") and " mode=0000" in x}
            source = dice.buildable([x for x in source if not (x.startswith("hard ") and trees.Line(x).target in shut)])
        xattrs = any("X" in w for w in short)
        if xattrs and "-H" not in command.words:
            # Two names of one file: rsync's receiver sets its long attributes, and the generator may have come to the other name before.
            dest = [line for line in dest if not line.startswith("hard ")]
        if ("user" in self.needs or not root) and (xattrs or not (dir_times and set("at") & set(kept) and "O" not in kept)):
            # rsync then takes the right to write away before the second directory in a read-only one was made, and loses it; with
            # -X its other process does so as soon as the directory's attributes have come, and its files are lost.
            source = [line.replace(" mode=0555", "") for line in source]
        self.lines = [("src/", x) for x in source] + [("dst/", x) for x in dest] + command.beside
        # rsync writes out the holes of what it copies from an alternate tree although -S asks for them; ours keep them.
        if any(w.startswith("-S") for w in self.words) and not any(w.startswith(("--copy-dest", "--link-dest", "--compare-dest")) for w in self.words):
            self.loose.add("holes")
        if any(w.startswith(("-v", "--info", "-H")) for w in self.words):
            self.loose.add("order")  # who overtakes whom shows: links wait for their leader, messages have several writers
        pairs = [(OURS, OURS), (OURS, NEW), (NEW, OURS)] + ([(OURS, OLD), (OLD, OURS)] if programs.has(OLD) else [])
        kind = rng.choice(["local", "push", "push", "pull", "pull"])
        client, server = rng.choice(pairs)
        protocol = rng.choice([None] * 5 + [32, 31, 30, 29, 28, 27])
        if OLD in (client, server) and protocol == 32:
            protocol = None
        if kind == "local" and any(w.startswith(("--files-from", "--append")) for w in self.words):
            # With -M the other half of a local rsync 3.5.0 reads its options anew: it loses the list then and ends with 2, or
            # finds the -W that local runs imply beside --append and ends with 1.
            self.words = [w for w in self.words if not w.startswith("-M")]
        if protocol and protocol < 30:
            # rsync ends with 2 where an old list lacks the parent of a name; how many of the lines before that get out is chance.
            self.words = [w for w in self.words if w != "--no-implied-dirs"]
        self.way = Way("local", OURS) if kind == "local" else Way(kind, client, server, protocol)
        if kind != "local" and random.Random(f"{seed}/{number}/daemon").random() < 0.3 and not self.shuns_daemons(kind):
            self.way.kind = {"push": "upload", "pull": "download"}[kind]
        if "-H" in self.words and ((self.way.protocol or 30) < 30 or "--no-inc-recursive" in self.words):
            # rsync loses names that have no file there when the last name of their group is left in the alternate tree.
            self.words = [w for w in self.words if not w.startswith("--compare-dest")]
        if "user" in self.needs and kind == "pull":
            # A puller's --chmod makes rsync think that what it deletes may be written to, and it does not see to that.
            self.words = [w for w in self.words if not w.startswith("--chmod")]
        self.settle()

    def shuns_daemons(self, kind):
        """Whether words of the case have a far side of their own, or are what rsync's daemon cannot do (see Case.suits_daemons())."""
        listed = any("files-from" in w for w in self.words)
        if listed and kind == "push" and any(prefix == "src/" and line.startswith("symlink ") and b"/" not in trees.Line(line).name and ".." in line for prefix, line in self.lines):
            # A module's links may not lead above the destination; rsync takes the depth of the name before for that of one in no directory.
            return True
        if kind == "push" and ("--list-only" in self.words or not any(prefix == "dst/" for prefix, line in self.lines)) and any(re.match("--(compare|copy|link)-dest=[.][.]", w) for w in self.words):
            # Where nothing is sent rsync looks for these from where the daemon stands, as there is no destination.
            return True
        return any(w.startswith("-M") or "far:" in w or (kind == "pull" and listed) for w in self.words)

    def settle(self):
        """Makes the steps from lines and words; called again after either was pruned."""
        self.steps = []
        for prefix, text in self.lines:
            entry = trees.Line(text)
            entry.name = prefix.encode() + entry.name
            if entry.kind == "hard":
                entry.target = prefix.encode() + entry.target
            if "user" in self.needs:
                if entry.kind == "device":
                    continue
                entry.owner = None
                entry.xattrs = {k: v for k, v in entry.xattrs.items() if k.startswith("user.")}
            self.steps.append(("make", entry))
        words = [trees.unquote('"' + w.replace('"', '\\"') + '"') for w in self.words]
        for _ in range(2 if self.twice else 1):
            self.steps.append(("run", {"words": words, "prints": None, "exit": None}))

    def text(self):
        """As a file for tests/cases."""
        out = ["about   TODO"] + [f"needs   {x}" for x in sorted(self.needs)] + ([f"umask   {self.umask:03o}"] if self.umask != 0o022 else [])
        out += [f"loose   {x}" for x in sorted(self.loose)]
        for prefix, line in self.lines:
            kind, rest = line.split(" ", 1)
            if prefix in ("src/", "dst/"):
                out.append(f"{prefix[:3]}     {line}")
            else:
                words = trees.tokens(rest)
                words[0] = f'"{prefix}{words[0][1:-1]}"'
                if kind == "hard":
                    words[2] = f'"{prefix}{words[2][1:-1]}"'
                out.append(f"in      {kind} {' '.join(words)}")
        out += ["run     " + " ".join(f"'{w}'" if set(w) & set(" *!'\"~[$;&|<>()#") else w for w in self.words)] * (2 if self.twice else 1)
        return "\n".join(out)


class Judge:
    def __init__(self, runner):
        self.runner = runner
        self.endless = 0  # cases that rsync itself did not finish in time

    def wrong(self, case):
        """Sentences; empty if any of rsync's own results is what ours is."""
        expected = self.runner.perform(case, case.way.oracle())
        if any(code is None for code, _, _ in expected.runs):
            self.endless += 1  # links that lead into each other: rsync would walk them for days
            return []
        return self.runner.against_rsync(case, case.way, expected)[0]

    def prune(self, case):
        """Takes away lines and words as long as something of the same sort stays wrong."""
        sort = lambda sentences: {s.split(" ")[0] if s.split(" ")[0] in ("exit", "stdout", "stderr", "run") else s.split(":")[-1].split(" is ")[0] for s in sentences if s[:1] != " "}
        wanted = sort(self.wrong(case))

        def still():
            try:
                case.settle()
                return bool(sort(self.wrong(case)) & wanted)
            except Exception:
                return False

        if case.twice:
            case.twice = False
            if not still():
                case.twice = True
        shrunk = True
        while shrunk:
            shrunk = False
            for size in (8, 4, 2, 1):
                at = 0
                while at < len(case.lines):
                    kept = case.lines
                    case.lines = kept[:at] + kept[at + size:]
                    if still():
                        shrunk = True
                    else:
                        case.lines = kept
                        at += size
            for at in reversed(range(len(case.words))):
                if case.words[at].startswith(("DST", "SRC")):
                    continue
                kept = case.words
                case.words = kept[:at] + kept[at + 1:]
                if still():
                    shrunk = True
                else:
                    case.words = kept
        case.settle()
        return case.text()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary")
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", type=int, action="append", help="just these cases of the seed")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--prune", action="store_true", help="print the smallest form of each failing case")
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
        judge = Judge(run_cases.Runner(programs, scratch.path, options.keep))

        def attempt(number):
            case = Drawn(options.seed, number, programs, running.is_root())
            command = " ".join(case.words)
            try:
                wrong = judge.wrong(case)
                if wrong and options.prune:
                    wrong += ["pruned:"] + ["    " + line for line in judge.prune(case).split("\n")]
            except Exception as e:
                wrong = [f"the test itself broke: {e!r}"]
            return case, command, wrong

        passed = failed = 0
        numbers = options.only or range(options.first, options.first + options.cases)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for case, command, wrong in pool.map(attempt, numbers):
                passed += not wrong
                failed += bool(wrong)
                if wrong:
                    print(f"FAIL  {case.name}  {case.way}{' as nobody' if case.needs else ''}:  {command}")
                    for line in wrong:
                        print(f"      {line}")
                    print(f"      again: tests/differential.py --keep --seed {options.seed} --only {case.number}", flush=True)
                elif options.verbose:
                    print(f"ok    {case.name}  {case.way}:  {command}", flush=True)
        print(f"differential: {passed} passed, {failed} failed ({time.monotonic() - started:.0f} s; {judge.runner.races()}; rsync did not end in {judge.endless})")
        return 1 if failed else 0
    finally:
        if not options.keep:
            scratch.__exit__()


if __name__ == "__main__":
    sys.exit(main())
