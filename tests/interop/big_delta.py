"""A large file with scattered edits: rebuilt exactly, and with as little literal data as rsync sends."""
import filecmp
import os
import random
import re

from interop.lab import Skip, Wrong, expect_code, journey
from support.running import NEW

MIB = 1 << 20


def write_pair(old, new, mib, edits=True):
    """Two versions: same-length splices, insertions and cuts at places that follow from the seed."""
    rng = random.Random(4711)
    with open(old, "wb") as a, open(new, "wb") as b:
        for i in range(mib):
            piece = random.Random(i).randbytes(MIB)
            a.write(piece)
            if edits and rng.random() < 0.3:
                data, at, size = bytearray(piece), rng.randrange(MIB - 5000), rng.randrange(1, 5000)
                kind = rng.randrange(3)
                if kind == 0:
                    data[at:at + size] = rng.randbytes(size)
                elif kind == 1:
                    data[at:at] = rng.randbytes(size)
                else:
                    del data[at:at + size]
                piece = bytes(data)
            b.write(piece)
    os.utime(old, (1000, 1000))
    os.utime(new, (2000, 2000))


def literal(outcome):
    match = re.search(rb"^Literal data: ([\d,]+) bytes", outcome.out, re.M)
    if not match:
        raise Wrong(f"no literal data in the statistics: {outcome.out[-300:]!r}")
    return int(match.group(1).replace(b",", b""))


@journey
def big_delta(lab):
    mib = 1024 if lab.full else 128
    folder = lab.folder()
    room = os.statvfs(folder)
    if room.f_bavail * room.f_frsize < 4 * mib * MIB:
        def skipped():
            raise Skip(f"less than {4 * mib} MiB free")
        yield "big delta", skipped
        return
    write_pair(folder + "/old", folder + "/new", mib)
    expected = {}

    def run(client, server, push, options):
        work = lab.folder()
        os.link(folder + "/new", work + "/big")
        os.mkdir(work + "/dst")
        with open(folder + "/old", "rb") as a, open(work + "/dst/big", "wb") as b:
            while piece := a.read(MIB):
                b.write(piece)
        os.utime(work + "/dst/big", (1000, 1000))
        far = server is not None
        words = ["-t", "--no-W", "--stats"] + options + [("far:" if far and not push else "") + "big", ("far:" if far and push else "") + "dst/"]
        got = lab.rsync(client, server, words, work, timeout=900)
        expect_code(got, {0}, "delta")
        if not filecmp.cmp(work + "/big", work + "/dst/big", shallow=False):
            raise Wrong("the rebuilt file differs from the source")
        os.unlink(work + "/dst/big")
        return literal(got)

    def compared(client, server, push, options):
        key = tuple(options)
        if key not in expected:
            expected[key] = run(NEW, NEW, True, options)
        ours, theirs = run(client, server, push, options), expected[key]
        if ours > theirs * 1.02:
            raise Wrong(f"{ours} bytes of literal data, rsync sends {theirs}")

    def all_ways():
        # One after the other: these want the machine for themselves.
        for options in ([], ["--inplace"], ["-z"]) if lab.full else ([], ["--inplace"]):
            compared("ocsync", None, True, options)
            for client, server in lab.pairs():
                for push in (True, False):
                    compared(client, server, push, options)
    yield f"big delta: {mib} MiB, every pairing", all_ways
