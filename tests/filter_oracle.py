#!/usr/bin/env python3
"""Compares filter rules with rsync: random trees, random rules, the same selection and the same deletions.

filter_oracle.py WALK [--rsync PROGRAM] [--seed N] [--cases N] [--keep]

WALK is the filter_walk program of the tests. Everything follows from the seed; a difference prints the command line
and leaves the tree behind, and the run ends with 1. Without an rsync 3.5 it ends with 77.
"""
import argparse
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

NAMES = ["a", "b", "foo", "foo.o", "bar", "bar.c", "core", "x~", "[z]", "a b", ".svn", "foobar", "A", "d1", "d2", "b\\k"]
DIRS = ["d1", "d2", "foo", "bar", "a", "CVS", "d 3", "tmp"]
MERGES = [".f", ".rules", ".cvsignore", ".rsync-filter"]


def pattern(rng):
    pieces = ["a", "b", "foo", "foo.o", "bar", "*", "*.o", "*.c", "**", "***", "?", "f*", "*o", "[ab]", "[!a]*", "[^f]oo",
              "[[:alpha:]]", "[a-f]*", "d1", "d2", "d*", "fo?", "\\[z\\]", "[z]", "core", "tmp", "*~", "b\\k", "b\\\\k*", "[[]*",
              "[]a]", "f**", "**o", "d?", "*a*", ".*", "A", "a b", "bar*", "[a", "[[:foo:]]*", "d1**", "[b-]", "[\\a-c]"]
    count = rng.choice([1, 1, 1, 2, 2, 3])
    text = "/".join(rng.choice(pieces) for _ in range(count))
    if rng.random() < 0.25:
        text = "/" + text
    if rng.random() < 0.2:
        text += "/"
    if rng.random() < 0.08:
        text += "/***"
    if rng.random() < 0.05:
        text = "**/" + text
    return text


def modifiers(rng, side, merge, root):
    """Returns the modifiers and whether '/' is among them."""
    mods = ""
    if rng.random() < 0.12 and not merge:
        mods += "!"
    if rng.random() < 0.15:
        mods += "p"
    if side and rng.random() < 0.25:
        mods += rng.choice(["s", "r", "sr"])
    if merge:
        if rng.random() < 0.15:
            mods += "n"
        if rng.random() < 0.15:
            mods += "e"
        if rng.random() < 0.1:
            mods += "w"
    return mods


def rule(rng, tree, depth, allow_sides=True, in_file=False):
    """One rule as text; may write merge files into the tree's folder of rule files."""
    kind = rng.random()
    if kind < 0.62 or depth > 2:
        sided = allow_sides and rng.random() < 0.2
        short = rng.choice("HSPR") if sided else rng.choice("-+--")
        mods = modifiers(rng, allow_sides and not sided, False, tree)
        text = pattern(rng)
        if rng.random() < 0.08:
            mods += "/"
            if rng.random() < 0.7:
                text = tree.root + "/" + text.lstrip("/")
        if rng.random() < 0.2:
            word = {"-": "exclude", "+": "include", "H": "hide", "S": "show", "P": "protect", "R": "risk"}[short]
            return word + ("," + mods if mods else "") + rng.choice(" _") + text
        return short + rng.choice(["", "", ","] if mods else [""]) + mods + rng.choice("  _") + text
    if kind < 0.66:
        return rng.choice(["!", "clear"])
    if kind < 0.70:
        return rng.choice(["-C", "- *.bak", ":C"])
    mods = modifiers(rng, allow_sides, True, tree)
    sided = "s" in mods or "r" in mods
    words = "w" in mods
    if kind < 0.82:
        if rng.random() < 0.3 and not words:
            mods += rng.choice("-+")
        name = tree.write_rules(rng, depth + 1, not sided and allow_sides, words, "-" in mods or "+" in mods)
        return "." + mods + " " + name
    if rng.random() < 0.25:
        mods += rng.choice("-+")
    name = rng.choice(MERGES)
    where = rng.random()
    if where < 0.1:
        name = "/" + name
    elif where < 0.2:
        name = tree.root + "/" + name
    elif where < 0.25:
        name = "../" + name
    tree.merges.append((os.path.basename(name), "-" in mods or "+" in mods, words, sided))
    return ":" + mods + " " + name


class Tree:
    def __init__(self, top, rng):
        self.top = top
        self.root = os.path.join(top, "src")
        self.rules = os.path.join(top, "rules")
        self.merges = []
        self.count = 0
        os.makedirs(self.root)
        os.makedirs(self.rules)

    def write_rules(self, rng, depth, sides, words, bare):
        self.count += 1
        path = os.path.join(self.rules, "r%d" % self.count)
        with open(path, "w") as out:
            out.write(self.lines(rng, depth, sides, words, bare))
        return path

    def lines(self, rng, depth, sides, words, bare):
        lines = []
        for _ in range(rng.randint(0, 4)):
            if words:
                lines.append(pattern(rng).replace(" ", "") if bare else "-_" + pattern(rng).replace(" ", ""))
            elif bare:
                lines.append(pattern(rng))
            else:
                lines.append(rule(rng, self, depth, sides, True))
            if rng.random() < 0.1 and not words:
                lines.append(rng.choice(["# comment", "; other", ""]))
        end = rng.choice(["\n", "\n", "\r\n", "\r"]) if not words else rng.choice([" ", "\n", "\t"])
        return end.join(lines) + (end if rng.random() < 0.8 else "")


def fill(rng, path, depth):
    for name in rng.sample(NAMES, rng.randint(2, 7)):
        if not os.path.exists(os.path.join(path, name)):
            open(os.path.join(path, name), "w").close()
    if depth < 3:
        for name in rng.sample(DIRS, rng.randint(1, 3)):
            sub = os.path.join(path, name)
            if not os.path.lexists(sub):
                os.mkdir(sub)
                fill(rng, sub, depth + 1)


def add_merge_files(rng, tree, top):
    # Kinds named by files of this very tree come too late for this loop; -C's and those of the options count.
    for folder, dirs, files in os.walk(top):
        for name, bare, words, sided in {(m[0]): m for m in tree.merges}.values():
            if rng.random() < 0.35 and not os.path.isdir(os.path.join(folder, name)):
                bare_here = bare or name == ".cvsignore"
                with open(os.path.join(folder, name), "w") as out:
                    out.write(tree.lines(rng, 3, not sided, words, bare_here))


def run(command, **kw):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, **kw)
    return done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1")


def everything(top):
    names = set()
    for folder, dirs, files in os.walk(top):
        rel = os.path.relpath(folder, top)
        names |= {os.path.normpath(os.path.join(rel, n)) for n in files}
        names |= {os.path.normpath(os.path.join(rel, n)) + "/" for n in dirs}
    return names


def placeless(text):
    """Which bad file is met first depends on the order of the directory."""
    return re.sub(r"<rule from .*>", "<rule>", text)


def plain(name):
    """Undoes rsync's quoting of a backslash that would look like an escape."""
    return name.replace("\\#134", "\\")


SHELL = """#!/bin/sh
# Stands in for a remote shell: keeps what the client sends.
shift
rm -f '%(kept)s.pipe'
mkfifo '%(kept)s.pipe'
exec 3<&0
tee '%(kept)s' <&3 >'%(kept)s.pipe' &
"$@" <'%(kept)s.pipe'
code=$?
kill $! 2>/dev/null
exit $code
"""


def sent_rules(stream, version):
    """The filter list in what a client sent: after its version, framed from 30 on."""
    at, data = 4, b""
    if version < 30:
        data = stream[at:]
    while version >= 30 and at + 4 <= len(stream):
        size = int.from_bytes(stream[at:at + 3], "little")
        if stream[at + 3] == 7:
            data += stream[at + 4:at + 4 + size]
        at += 4 + size
    rules = []
    at = 0
    while True:
        size = int.from_bytes(data[at:at + 4], "little")
        if size == 0:
            return rules
        rules.append(data[at + 4:at + 4 + size].decode("latin-1"))
        at += 4 + size


def compare_wire(args, rng, top, options, env):
    version = rng.choice([27, 28, 29, 29, 30, 31, 32])
    way = rng.choice(["push", "pull"])
    shell, kept = os.path.join(top, "shell"), os.path.join(top, "sent")
    with open(shell, "w") as out:
        out.write(SHELL % {"kept": kept})
    os.chmod(shell, 0o755)
    src, dst = os.path.join(top, "src") + "/", os.path.join(top, "empty") + "/"
    extra = rng.choice([[], ["--delete"], ["--delete", "-b"], ["--partial-dir=.part"], ["-m"] if version >= 29 else []])
    operands = [src, "host:" + dst] if way == "push" else ["host:" + src, dst]
    code, _, err = run([args.rsync, "-rn", "--protocol=%d" % version, "--checksum-choice=md5" if version >= 30 else "-t",
                        "--rsync-path=" + args.rsync, "-e", shell] + extra + options + operands, env=env)
    ours_code, ours, _ = run([args.walk, "--%s=%d" % (way, version), "-r"] + extra + options + [src], env=env)
    mine = ours.split("\n")[:-1]
    if ours_code != 0 or "too modern" in err:
        if "filter rules are too modern" in ours and "filter rules are too modern" in err:
            return []
        return ["%s %d: rsync %d %s\nours %d %s" % (way, version, code, err, ours_code, ours)]
    with open(kept, "rb") as stream:
        sent = stream.read()
    # A pushing client that has no list to send goes on with its file list.
    wants = way == "pull" or "-m" in extra or (("--delete" in extra or "--delete-excluded" in options)
                                               and ("--delete-excluded" not in options or version >= 29))
    theirs = sent_rules(sent, version) if wants else []
    if theirs != mine:
        return ["%s %d %s: rsync sends %s\nwe send %s" % (way, version, extra, theirs, mine)]
    return []


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("walk")
    parser.add_argument("--rsync", default="rsync")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    version = run([args.rsync, "--version"])[1].split("\n")[0] if shutil.which(args.rsync) else "none"
    if " 3.5." not in version:
        print("skipped: needs rsync 3.5, found: " + version)
        return 77
    failures = refusals = 0
    env = dict(os.environ, LC_ALL="C")
    for case in range(args.seed, args.seed + args.cases):
        rng = random.Random(case)
        top = tempfile.mkdtemp(prefix="filter-oracle-")
        tree = Tree(top, rng)
        fill(rng, tree.root, 0)
        options = []
        for _ in range(rng.randint(1, 5)):
            how = rng.random()
            if how < 0.6:
                options += ["--filter=" + rule(rng, tree, 0)]
            elif how < 0.75:
                options += ["--exclude=" + pattern(rng)]
            elif how < 0.85:
                options += ["--include=" + rng.choice(["", "", "- "]) + pattern(rng)]
            elif how < 0.9:
                options += ["--exclude-from=" + tree.write_rules(rng, 3, False, False, True)]
            elif how < 0.95:
                options += ["-C"]
                tree.merges.append((".cvsignore", True, True, False))
            else:
                options += ["-F"]
                tree.merges.append((".rsync-filter", False, False, False))
        if rng.random() < 0.15:
            # First, since rsync marks only the rules that follow it as the sender's; what is let through does not depend on it.
            options.insert(0, "--delete-excluded")
        add_merge_files(rng, tree, tree.root)
        if rng.random() < 0.3:
            env["CVSIGNORE"] = rng.choice(["*.c foo", "! bar", "!", "a*\tb", "\\[z\\] d1/"])
        else:
            env.pop("CVSIGNORE", None)
        env["HOME"] = os.path.join(top, "home")
        os.mkdir(env["HOME"])
        if rng.random() < 0.3:
            with open(os.path.join(env["HOME"], ".cvsignore"), "w") as out:
                out.write(tree.lines(rng, 3, False, True, True))
        target = os.path.join(top, "dst")
        shutil.copytree(tree.root, target)
        empty = os.path.join(top, "empty")
        os.mkdir(empty)
        for folder, dirs, files in os.walk(tree.root, topdown=False):
            for name in files + dirs:
                path = os.path.join(folder, name)
                if rng.random() < 0.15 and name not in MERGES:
                    shutil.rmtree(path, ignore_errors=True) if os.path.isdir(path) else os.unlink(path)

        problems = []
        base = [args.rsync, "-rn", "--delete", "--out-format=%n"]
        code, out, err = run(base + options + [tree.root + "/", empty + "/"], env=env)
        ours_code, ours, ours_err = run([args.walk, "-r", "--delete"] + options + [tree.root + "/"], env=env)
        if code in (1, 11) or ours_code != 0:
            refusals += 1
            first = placeless(err.split("\n")[0])
            shown = placeless(ours.split("\n")[0].removeprefix("error: "))
            if code not in (1, 11) or ours_code == 0 or shown not in first:
                problems.append("rsync: %d %s\nours: %d %s %s" % (code, first, ours_code, shown, ours_err))
        else:
            names = {plain(n) for n in out.split("\n") if n and n != "./"}
            mine = {n for n in ours.split("\n") if n}
            if names != mine:
                problems.append("only rsync lists: %s\nonly we list: %s" % (sorted(names - mine), sorted(mine - names)))
            ours_code, ours, _ = run([args.walk, "-r", "--delete"] + options + [tree.root + "/", target + "/"], env=env)
            # Really deletes: a dry run also reports directories that something protected would keep.
            before = everything(target)
            code, out, err = run([args.rsync, "-r", "--delete", "--existing", "--size-only"] + options
                                 + [tree.root + "/", target + "/"], env=env)
            names = before - everything(target)
            mine = {n for n in ours.split("\n") if n}
            if code == 0 and names != mine:
                problems.append("only rsync deletes: %s\nonly we delete: %s" % (sorted(names - mine), sorted(mine - names)))
            if not problems and case % 3 == 0:
                problems += compare_wire(args, rng, top, options, env)
        if problems:
            failures += 1
            print("case %d in %s: %s" % (case, top, " ".join(repr(o) for o in options)))
            print("\n".join(problems))
        if not problems and not args.keep:
            shutil.rmtree(top)
    print("%d cases, %d refused by both, %d differences" % (args.cases, refusals, failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
