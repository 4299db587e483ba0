"""File systems that share blocks: a copy inside one takes no room, and a refusal is asked for once.

Each is made in a file and mounted; that needs root and the tools of the file system, and is skipped aloud otherwise.
"""
import os
import re
import shutil
import subprocess

from interop.lab import Skip, Wrong, expect_code, expect_same_tree, journey, tail
from support import running, trees
from support.running import OURS

KINDS = {"xfs": ["mkfs.xfs", "-q"], "btrfs": ["mkfs.btrfs", "-q"], "ext4": ["mkfs.ext4", "-q", "-F"]}
TREE = ["file src/big 30000000 bytes seed=1", "file src/middle 900000 bytes seed=2", "file src/other 700000 bytes seed=3", "file src/small 100 bytes seed=4",
        "dir dst"]
LARGE = 30000000 + 900000 + 700000


class Disk:
    """A file system of 400 MB, mounted while it lives."""

    def __init__(self, lab, kind):
        if not running.is_root():
            raise Skip("only root can mount a file system")
        if not shutil.which(KINDS[kind][0]):
            raise Skip(f"no {KINDS[kind][0]} (scripts/install-deps)")
        self.image = lab.folder() + "/image"
        self.path = self.image + ".mounted"
        os.mkdir(self.path)
        with open(self.image, "wb") as f:
            f.truncate(400_000_000)
        for argv in (KINDS[kind] + [self.image], ["mount", "-o", "loop", self.image, self.path]):
            done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            if done.returncode != 0:
                raise Skip(f"{argv[0]}: {done.stderr.decode().strip()[-200:]}")

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        subprocess.run(["umount", self.path], check=False)
        os.unlink(self.image)


def used(path):
    os.sync()
    s = os.statvfs(path)
    return (s.f_blocks - s.f_bfree) * s.f_frsize


def counted(outcome, key):
    found = re.search(rf'"{key}": (\d+)', outcome.out.decode(errors="replace"))
    if not found:
        raise Wrong(f"no {key} is told: {tail(outcome)}")
    return int(found[1])


@journey
def shared_blocks(lab):
    def shared(kind, words, expected):
        with Disk(lab, kind) as disk:
            trees.build(disk, TREE)
            before = used(disk)
            got = lab.rsync(OURS, None, ["-a", "--info=io2", *words, "src/", "dst/"], disk)
            expect_code(got, {0}, kind)
            expect_same_tree(disk + "/src", disk + "/dst", kind)
            if counted(got, "bytes_cloned") != expected:
                raise Wrong(f"{kind} {' '.join(words)}: {counted(got, 'bytes_cloned')} bytes were cloned, not {expected}")
            grown = used(disk) - before
            if (grown > LARGE // 4) == (expected > 0):
                raise Wrong(f"{kind} {' '.join(words)}: {grown} bytes more are in use")
            # A clone is a copy: what happens to one is not seen in the other.
            with open(disk + "/src/big", "r+b") as f:
                f.write(b"changed")
            with open(disk + "/dst/big", "rb") as f:
                if f.read(7) == b"changed":
                    raise Wrong("the copy changes with its source")

    def delta(kind, words, shares):
        # One edit, and an insertion of a whole block: what lies behind keeps its place among the blocks.
        with Disk(lab, kind) as disk:
            trees.build(disk, ["file src/image 60000000 bytes seed=1 splice=20000000:100:7 insert=40000960:4096:9", "file dst/image 60000000 bytes seed=1 mtime=1000000000"])
            before = used(disk)
            got = lab.rsync(OURS, OURS, ["-a", "-B", "4096", "--info=io2", "--stats", *words, "far:src/", "dst/"], disk)
            expect_code(got, {0}, kind)
            expect_same_tree(disk + "/src", disk + "/dst", kind)
            cloned, grown = counted(got, "bytes_cloned"), used(disk) - before
            if shares and (cloned < 55_000_000 or grown > 10_000_000):
                raise Wrong(f"{kind}: of a delta {cloned} bytes were shared, and {grown} more are in use")
            if not shares and cloned:
                raise Wrong(f"{kind} {' '.join(words)}: {cloned} bytes were shared")

    def refused(kind):
        if not shutil.which("strace"):
            raise Skip("no strace")
        with Disk(lab, kind) as disk:
            trees.build(disk, TREE)
            log = disk + "/../strace.log"
            env = lab.env(disk)
            done = subprocess.run(["strace", "-f", "-qq", "-e", "trace=ioctl,copy_file_range", "-o", log, lab.programs[OURS], "-a", "src/", "dst/"],
                                  cwd=disk, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            if done.returncode != 0:
                raise Wrong(f"exit code {done.returncode}: {done.stderr.decode()[-200:]}")
            expect_same_tree(disk + "/src", disk + "/dst", kind)
            with open(log, encoding="utf-8", errors="replace") as f:
                asked = sum("FICLONE" in line for line in f)
            if asked != 1:
                raise Wrong(f"a clone was asked for {asked} times where the file system has none")

    if lab.ours_is_rsync():
        return
    for kind in ("xfs", "btrfs"):
        yield f"clones: {kind} shares the blocks of larger files", lambda k=kind: shared(k, [], LARGE)
        yield f"clones: {kind}, not with --io=no-clone", lambda k=kind: shared(k, ["--io=no-clone"], 0)
        yield f"clones: {kind} shares what a delta leaves alone", lambda k=kind: delta(k, [], True)
        yield f"clones: {kind}, a delta that is compressed by an old method is written", lambda k=kind: delta(k, ["-z", "--compress-choice=zlib"], False)
        yield f"clones: {kind}, a delta with --io=no-clone is written", lambda k=kind: delta(k, ["--io=no-clone"], False)
    yield "clones: ext4 writes a delta", lambda: delta("ext4", [], False)
    yield "clones: ext4 is asked once", lambda: refused("ext4")
