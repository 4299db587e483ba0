# What scripts/compare_upstream and scripts/trace_upstream measure: the rows, their trees, and how outcomes are checked.
#
# A row prepares its destination (not timed), says which command does the work, and names the trees that must be equal
# afterwards. Rows of the wire run through a pipe (a remote "shell" that only drops the host's name) or with a daemon.
import filecmp
import os
import random
import shutil
import stat
import subprocess
from dataclasses import dataclass, field
from pathlib import Path


class Sizes:
    def __init__(self, quick):
        self.files = 3000 if quick else 30000
        self.dirs = 200 if quick else 2000
        self.small_bytes = (35 if quick else 350) << 20
        self.big_bytes = (128 << 20) if quick else (1 << 30)
        self.delta_bytes = (64 << 20) if quick else (512 << 20)
        self.image_bytes = (1 << 30) if quick else (10 << 30)
        self.image_data = (10 << 20) if quick else (100 << 20)


class Trees:
    """Sources, made once below `root` and only when a row asks for them; everything comes from one seed."""

    def __init__(self, root, quick):
        self.root = Path(root)
        self.sizes = Sizes(quick)
        self.blob = random.Random(1).randbytes(1 << 20)
        self.made = {}

    def path(self, name):
        if name not in self.made:
            at = self.root / name
            at.mkdir(parents=True)
            getattr(self, "make_" + name)(at)
            for d, _, _ in os.walk(at, topdown=False):
                os.utime(d, (95e7, 95e7))  # directories made in this second would look alike in all copies
            self.made[name] = at
        return self.made[name]

    def content(self, r, size):
        start = r.randrange(len(self.blob) // 2)
        return (self.blob * (2 + size // len(self.blob)))[start:start + size]

    def make_empty(self, at):
        pass

    def make_one(self, at):
        (at / "file").write_bytes(b"one small file\n")

    def make_small(self, at):
        r, s = random.Random(5), self.sizes
        dirs = []
        for i in range(s.dirs):
            d = at / f"d{i // 50:02d}" / f"sub{i:04d}"
            d.mkdir(parents=True, exist_ok=True)
            dirs.append(d)
        for i in range(s.files):
            p = dirs[i % s.dirs] / f"file{i:05d}.dat"
            p.write_bytes(self.content(r, int(r.expovariate(s.files / s.small_bytes))))
            when = (10**9 + i) * 10**9 + 123456
            os.utime(p, ns=(when, when))

    def make_older(self, at):
        """The small tree as it was before 5 % of it changed; other files were there instead of some."""
        subprocess.run(["cp", "-a", f"{self.path('small')}/.", str(at)], check=True)
        r = random.Random(6)
        for d, _, names in sorted(os.walk(at)):
            for name in sorted(names):
                if r.random() >= 0.05:
                    continue
                p = Path(d, name)
                if r.random() < 0.2:
                    p.rename(p.with_name("gone-" + name))
                else:
                    p.write_bytes(p.read_bytes() + b"older")
                    os.utime(p, (9e8, 9e8))

    def make_big(self, at):
        self.write(at / "file", random.Random(7), self.sizes.big_bytes)

    def write(self, path, r, size):
        with open(path, "wb") as f:
            while size > 0:
                step = min(size, 4 << 20)
                f.write(r.randbytes(step))
                size -= step

    def make_image(self, at):
        r, s = random.Random(8), self.sizes
        with open(at / "image", "wb") as f:
            f.truncate(s.image_bytes)
            for _ in range(s.image_data >> 20):
                f.seek(r.randrange(s.image_bytes >> 20) << 20)
                f.write(self.blob)

    def make_delta(self, at):
        self.write(at / "file", random.Random(9), self.sizes.delta_bytes)

    def make_scattered(self, at):
        """The delta file with bytes changed, inserted and removed all over."""
        r = random.Random(10)
        with open(self.path("delta") / "file", "rb") as f, open(at / "file", "wb") as out:
            while piece := f.read(2 << 20):
                at_byte, kind = r.randrange(len(piece) - 100), r.randrange(3)
                out.write(piece[:at_byte] + (b"", b"inserted", b"changed!")[kind] + piece[at_byte + (8, 0, 8)[kind]:])

    def make_unrelated(self, at):
        self.write(at / "file", random.Random(11), self.sizes.delta_bytes)

    def make_zeros(self, at):
        """The delta file's length, zeros but for a few bytes."""
        r, size = random.Random(12), self.sizes.delta_bytes
        with open(at / "file", "wb") as f:
            for _ in range(size >> 22):
                f.write(bytes(4 << 20))
            for _ in range(40):
                f.seek(r.randrange(size - 8))
                f.write(b"not zero")

    def make_plainzeros(self, at):
        with open(at / "file", "wb") as f:
            for _ in range(self.sizes.delta_bytes >> 22):
                f.write(bytes(4 << 20))

    def make_basis(self, at):
        """A complete copy, for --link-dest."""
        subprocess.run(["cp", "-a", f"{self.path('small')}/.", str(at)], check=True)


@dataclass
class Pair:
    label: str
    client: str
    server: str | None            # None: a local run
    pull: bool = False


@dataclass
class Row:
    name: str                     # short, for --only
    about: str
    source: str                   # a tree
    options: list = field(default_factory=list)
    start: str = "empty"          # what lies at the destination: "empty" (nothing there), "same", or a tree
    keep: bool = False            # the run leaves the destination as it found it: prepared once
    whole_dir: bool = True        # copy the tree's content; otherwise its one file
    checks: bool = True           # source and destination are equal afterwards
    unit: str = "small"           # "small": syscalls are also shown per name


LOCAL = [
    Row("one", "one small file, whole run", "one", ["-a"], whole_dir=False, unit=""),
    Row("first", "first copy, many small files", "small", ["-a"]),
    Row("noop", "no-op over them", "small", ["-a"], start="same", keep=True),
    Row("update", "update of 5 %, --delete", "small", ["-a", "--delete"], start="older"),
    Row("big", "first copy of one big file", "big", ["-a"], unit=""),
    Row("dry", "dry run of the first copy", "small", ["-an"], keep=True, checks=False),
    Row("checksum", "-c no-op, many small files", "small", ["-ac"], start="same", keep=True),
    Row("bigsum", "-c no-op, one big file", "big", ["-ac"], start="same", keep=True, unit=""),
    Row("snapshot", "--link-dest snapshot, nothing changed", "small", ["-a", "--link-dest=@basis"]),
    Row("delete", "deleting all of them", "empty", ["-a", "--delete"], start="small"),
    Row("sparse", "sparse image, -S", "image", ["-aS"], unit=""),
    Row("scattered", "delta of scattered edits, --no-W", "scattered", ["-a", "--no-W"], start="delta", unit=""),
]
WIRE = [
    Row("one", "one small file", "one", ["-a"], whole_dir=False, unit=""),
    Row("first", "first copy, many small files", "small", ["-a"]),
    Row("noop", "no-op over them", "small", ["-a"], start="same", keep=True),
    Row("update", "update of 5 %, --delete", "small", ["-a", "--delete"], start="older"),
    Row("big", "first copy of one big file", "big", ["-a"], unit=""),
    Row("scattered", "delta, scattered edits", "scattered", ["-a"], start="delta", unit=""),
    Row("inplace", "the same, --inplace", "scattered", ["-a", "--inplace"], start="delta", unit=""),
    Row("unrelated", "delta, unrelated content", "unrelated", ["-a"], start="delta", unit=""),
    Row("zeros", "delta, zeros in both", "zeros", ["-a", "-I"], start="plainzeros", unit=""),
    Row("zstd", "first copy of one big file, zstd", "scattered", ["-az", "--zc=zstd"], unit=""),
]


def prepare(row, trees, target):
    """Puts what `row` starts from at `target`."""
    if target.exists():
        shutil.rmtree(target)
    if row.start == "empty":
        return
    name = row.source if row.start == "same" else row.start
    target.mkdir()
    subprocess.run(["cp", "-a", "--sparse=auto", f"{trees.path(name)}/.", str(target)], check=True)
    if row.start not in ("same", "older", "small"):
        # Other content under an older time, whatever the length.
        for p in target.iterdir():
            os.utime(p, (9e8, 9e8))


def command(row, trees, target, pair, shell, port=None):
    """The argument vector of one run. With `port` the far end is a daemon whose module "all" is the root of all trees."""
    source = str(trees.path(row.source)) + ("/" if row.whole_dir else "/file")
    where = str(target) + "/"
    options = [o if "@" not in o else o.split("@")[0] + str(trees.path(o.split("@")[1])) for o in row.options]
    if pair.server is None:
        return [pair.client, *options, source, where]
    if port is not None:
        far, far_options = f"rsync://127.0.0.1:{port}/all", []
        source, where = (far + source if pair.pull else source), (where if pair.pull else far + where)
    else:
        far_options = ["-e", str(shell), f"--rsync-path={pair.server}"]
        source, where = ("far:" + source if pair.pull else source), (where if pair.pull else "far:" + where)
    return [pair.client, *options, *far_options, source, where]


def differences(a, b, contents, out, at=""):
    """Appends to `out` what differs between two trees."""
    try:
        here, there = {e.name: e for e in os.scandir(a)}, {e.name: e for e in os.scandir(b)}
    except OSError as e:
        out.append(str(e))
        return
    for name in sorted(here.keys() | there.keys()):
        shown = f"{at}{name}"
        if name not in here or name not in there:
            out.append(f"{shown}: only on one side")
            continue
        x, y = here[name].stat(follow_symlinks=False), there[name].stat(follow_symlinks=False)
        if x.st_mode != y.st_mode or x.st_uid != y.st_uid or x.st_gid != y.st_gid:
            out.append(f"{shown}: mode or owner")
        if x.st_mtime_ns != y.st_mtime_ns:
            out.append(f"{shown}: time")
        if stat.S_ISDIR(x.st_mode):
            differences(here[name].path, there[name].path, contents, out, shown + "/")
        elif stat.S_ISREG(x.st_mode):
            if x.st_size != y.st_size:
                out.append(f"{shown}: size")
            elif contents and not filecmp.cmp(here[name].path, there[name].path, shallow=False):
                out.append(f"{shown}: content")


def verify(row, trees, target, contents):
    """Empty if the outcome is right, else what is wrong."""
    if not row.checks:
        return [] if not target.exists() else [f"{target} was made"]
    out = []
    source = trees.path(row.source)
    differences(source, target, contents, out)
    if row.name == "snapshot" and not out:
        name = next(p for p in sorted(target.rglob("*.dat")))
        if name.stat().st_nlink < 2:
            out.append(f"{name}: not linked")
    if row.name == "sparse" and not out:
        mine, theirs = (target / "image").stat().st_blocks, (source / "image").stat().st_blocks
        if mine > theirs * 1.1:
            out.append(f"image: {mine} blocks against {theirs}")
    return out[:5]
