"""Places that overlap: a source that is its own destination or lies in it, other names of the same files, backups and partial files
that go where files are, links on the way. Nothing may be lost here that rsync keeps."""
import os
import re
import subprocess

from interop.lab import Skip, Wrong, expect_same_tree, journey, tail
from support import running, trees
from support.running import NEW, OURS

TREE = [
    "file a/f 600 bytes seed=1", "file a/z 0 bytes", "file a/sub 20 bytes seed=2", "file a/b/g 30 bytes seed=3", "dir a/b/e",
    "symlink a/lo -> ../out", "symlink a/lb -> b", "file out 8 bytes seed=4",
    "file d/f 3 bytes seed=5", "file d/sub/x 1 bytes seed=6", "file d/sub/s2/y 1 bytes seed=7", "file d/extra 1 bytes seed=8",
    "file d/b/g 30 bytes seed=3", "file d/f~ 2 bytes seed=9", "symlink d/lo -> ../out", "symlink d/lb -> sub",
    "hard hl/f = a/f", "hard hl/z = a/z", "hard hl/b/g = a/b/g", "symlink dl -> d", "symlink al -> a", "file f2 5 bytes seed=10",
]
COMMANDS = """
-a --remove-source-files a/ a/
-a --remove-source-files -I a/ a/
-a --remove-source-files --no-W -I a/ a/
-a --remove-source-files --inplace -I a/ a/
-a --remove-source-files a/ al/
-aH --remove-source-files a/ a/
-a --remove-source-files a/b/ a/
-a --remove-source-files hl/ a/
-a --remove-source-files --inplace hl/ a/
-a --remove-source-files a/f a/f
-a --remove-source-files a/f a/f d/
-a --remove-source-files -L a/lo d/
-a --remove-source-files -L a/lb/ d/
-a --remove-source-files --copy-unsafe-links a/ d/
-a --remove-source-files --link-dest=../a a/ d/
-a --remove-source-files --compare-dest=../a a/ d/
-a --remove-source-files --existing --ignore-existing a/ d/
-a --remove-source-files a/f nowhere/x/y
-a -I --inplace a/ a/
-a -I --inplace --no-W a/ a/
-a -I --append-verify hl/ a/
-a -I -b a/ a/
-aH -I --inplace hl/ a/
-a a/b/ a/
-a --delete a/b/ a/
-a --delete d/ a/
-a --link-dest=. a/ d/
-a --link-dest=../d -I a/ d/
-aI --link-dest=../hl --inplace a/ d/
-a -b --backup-dir=. a/ d/
-a -b --backup-dir=../d a/ d/
-a -b --backup-dir=../a a/ d/
-a -b --backup-dir=extra --delete a/ d/
-a -b --backup-dir=lo --delete a/ d/
-a -b --backup-dir=f --delete a/ d/
-a -b --suffix= a/ d/
-a -b --delete --suffix=~ a/ d/
-a --partial-dir=. a/ d/
-a --partial-dir=sub a/ d/
-a --partial-dir=f a/ d/
-a --partial-dir=lo --delay-updates a/ d/
-a -T. a/ d/
-a --delete nope/ a/ d/
-a --delete a/nope d/
-a --delete --force nope/ a/ d/
-aK --delete a/ dl/
-a --delete a/ dl
-a --delete al d/
-aL --delete d/ a/
-a a/f d/lo
-a --inplace a/f d/lo
-a --append a/f d/lo
-a f2 a/lo
-a f2 a
-a a f2
-a --delete a f2
-a a/f a/z f2
-aR a/b/../f d/
-aR --delete a/b/../b/ d/
""".strip().split("\n")


@journey
def odd_places(lab):
    def same(command):
        folders = {}
        codes = {}
        for program in (NEW, OURS):
            work = folders[program] = lab.folder()
            trees.build(work, TREE)
            got = lab.rsync(program, None, command.split(), work, 30)
            if got.hung:
                raise Wrong(f"{program} HUNG")
            codes[program] = got.code
        if codes[OURS] != codes[NEW]:
            raise Wrong(f"exit code {codes[OURS]}, rsync's is {codes[NEW]}: {tail(got)}")
        expect_same_tree(folders[NEW], folders[OURS], command, ignore=("mtime",))

    for command in COMMANDS:
        yield f"odd places: {command}", lambda c=command: same(c)


@journey
def mounts(lab):
    """Other file systems in what is deleted: -x keeps out of them, nothing else does; what is in the way of a backup is cleared alike."""
    def after(client, server, words, work):
        trees.build(work, ["file src/f 4 bytes seed=1", "file dst/f 5 bytes seed=2", "dir dst/extra/m", "dir dst/f~/m", "file dst/f~/o/x 1 bytes seed=3"])
        mounted = []
        try:
            for place in ("extra/m", "f~/m"):
                path = f"{work}/dst/{place}"
                if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", path], stderr=subprocess.PIPE, check=False).returncode != 0:
                    raise Skip("no file system can be mounted here")
                mounted.append(path)
                with open(path + "/keep", "w", encoding="ascii") as f:
                    f.write("precious")
            got = lab.rsync(client, server, words, work, 60)
            if got.hung:
                raise Wrong("HUNG")
            left = sorted(os.path.relpath(os.path.join(top, name), work) for top, dirs, files in os.walk(work + "/dst") for name in dirs + files)
            return got.code, left
        finally:
            for path in mounted:
                subprocess.run(["umount", path], check=True)

    def same(words):
        if not running.is_root():
            raise Skip("only root can mount a file system")
        expected = after(NEW, NEW, words, lab.folder())
        have = after(OURS, OURS, words, lab.folder())
        if have != expected:
            raise Wrong(f"{' '.join(words)}: exit code and what is left are {have}, rsync's are {expected}")

    for options in ("-a --delete", "-ax --delete", "-axx --delete", "-ax --delete-delay", "-ab", "-abx --delete", "-ax --delete --force"):
        for far in ("", "far:"):
            words = options.split() + ["src/", far + "dst/"]
            yield f"mounts: {' '.join(words)}", lambda w=words: same(w)


# A remote shell whose far side believes that its client knows nothing of errors at the end of lists, as receivers before 3.0.7.
OLD_RECEIVER = """#!/bin/bash
shift
words=()
for word; do
  case $word in -*e.*f*) word=${word/f/} ;; esac
  words+=("$word")
done
exec "${words[@]}"
"""


@journey
def unsafe_lists(lab):
    """Such a receiver deletes by lists that are not complete: a sender that knows ends the run."""
    def after(client, server, words):
        work = lab.folder()
        trees.build(work, ["symlink src/d/broken -> nowhere", "file dst/d/gone 5 bytes seed=1", "file dst/gone 5 bytes seed=2"])
        shell = f"{work}/shell"
        with open(shell, "w", encoding="ascii") as f:
            f.write(OLD_RECEIVER)
        os.chmod(shell, 0o755)
        got = lab.rsync(client, server, ["--protocol=30", "-rL", "-i", *words, "src/", "far:dst/"], work, 60, RSYNC_RSH=shell)
        if got.hung:
            raise Wrong("HUNG")
        said = [line for line in got.err.decode().split("\n") if "FATAL" in line or "deletion" in line]
        # The root's own list is complete: whether its deletion is done when a later list ends the run is a race, with rsync too.
        kept_of_root = None if got.code == 4 else os.path.exists(f"{work}/dst/gone")
        return got.code, said, kept_of_root, os.path.exists(f"{work}/dst/d/gone")

    def same(words, server):
        expected, have = after(NEW, NEW, words), after(OURS, server, words)
        if have != expected:
            raise Wrong(f"exit code, messages and whether the files are there are {have}, rsync's are {expected}")

    for words in ("--delete", "--delete-delay", "--delete-after", "--delete-before", "--delete --ignore-errors", "--delete --no-i-r"):
        for server in (NEW, OURS):
            yield f"unsafe lists: {words} to {server}", lambda w=words, s=server: same(w.split(), s)


@journey
def counted_bytes(lab):
    """What counts as sent and received: all but the handshake and what follows the statistics. Frames may be cut otherwise."""
    def counted(client, server, words):
        work = lab.folder()
        trees.build(work, ["file src/f 70000 bytes seed=1", "file src/d/g 3 bytes seed=2"])
        with open(f"{work}/conf", "w", encoding="ascii") as f:
            f.write(f"use chroot=no\nlog file=/dev/null\n[m]\npath={work}\nread only=no\n" + ("uid=0\ngid=0\n" if running.is_root() else ""))
        program = f"{lab.programs[server]} --daemon --config={work}/conf"
        got = lab.rsync(client, server, ["-av", *words], work, 60, RSYNC_CONNECT_PROG=program)
        said = re.search(rb"^sent ([\d,]+) bytes  received ([\d,]+) bytes", got.out, re.M)
        if got.code != 0 or not said:
            raise Wrong(f"exit code {got.code}: {tail(got)}")
        return [int(n.replace(b",", b"")) for n in said.groups()]

    def same(client, server, words):
        expected, have = counted(NEW, NEW, words), counted(client, server, words)
        if any(abs(a - b) > 24 for a, b in zip(expected, have)):
            raise Wrong(f"sent and received are {have}, rsync's are {expected}")

    for words in ("src/ far:dst/", "far:src/ dst/", "src/ far::m/dst/", "far::m/src/ dst/", "-n src/ far::m/dst/", "--protocol=29 src/ far::m/dst/"):
        for client, server in ((OURS, OURS), (OURS, NEW), (NEW, OURS)):
            yield f"counted bytes: {client} to {server}, {words}", lambda w=words, c=client, s=server: same(c, s, w.split())
