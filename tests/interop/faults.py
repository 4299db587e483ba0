"""Faults of the system under the I/O layer: calls that fail, transfers that are cut short, files that change under a map.

Whatever happens, the program must not die by a signal, must not leave a wrong byte under a final name, and must say what
is wrong in one message (or nothing is wrong and nothing is said). The faults come from outside, by a preloaded library.
"""
import errno
import os
import shutil
import subprocess
import threading
import time

from interop.lab import Skip, Wrong, journey, tail
from support import running, trees
from support.running import OURS

SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "support", "fault_preload.cpp")
_lock = threading.Lock()


def library(lab):
    with _lock:
        path = os.path.join(lab.home, "fault.so")
        if not os.path.exists(path):
            compiler = shutil.which("c++") or shutil.which("g++")
            if not compiler:
                raise Skip("no compiler for the library that makes calls fail")
            made = subprocess.run([compiler, "-std=c++20", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path + ".new", SOURCE, "-ldl"],
                                  capture_output=True)
            if made.returncode != 0:
                raise Wrong(f"the library does not compile: {made.stderr[-300:]}")
            os.rename(path + ".new", path)
        return path


TREE = ["file src/big 3000000 bytes seed=1", "file src/middle 700000 bytes seed=2"] + [
    f"file src/small{i:02} {1 + i * 777} bytes seed={i + 3}" for i in range(40)]
OLD = ["file dst/big 3000000 bytes seed=1 mtime=5", "file dst/middle 650000 bytes seed=2 mtime=5"]


def wrong_files(work, before):
    """Final names whose content is neither the source's nor what was there before."""
    out = []
    for name in os.listdir(work + "/dst"):
        path = f"{work}/dst/{name}"
        if name.startswith(".") or not os.path.isfile(path):
            continue
        with open(path, "rb") as f:
            content = f.read()
        with open(f"{work}/src/{name}", "rb") as f:
            if content != f.read() and content != before.get(name):
                out.append(name)
    return out


def check(work, got, before, what, must_end_well):
    if got.hung:
        raise Wrong(f"{what}: HUNG")
    if got.code < 0 or got.code > 127:
        raise Wrong(f"{what}: ended by a signal ({got.code}): {tail(got)}")
    bad = wrong_files(work, before)
    if bad:
        raise Wrong(f"{what}: wrong bytes in {', '.join(bad[:3])}")
    if must_end_well and got.code != 0:
        raise Wrong(f"{what}: exit code {got.code} though it could go on: {tail(got)}")
    if got.code == 0:
        left = [n for n in os.listdir(work + "/src") if not os.path.exists(f"{work}/dst/{n}")]
        if left:
            raise Wrong(f"{what}: exit code 0, but {left[0]} is missing")
    else:
        lines = [line for line in got.err.decode(errors="replace").splitlines() if line.strip()]
        if not lines:
            raise Wrong(f"{what}: exit code {got.code} and not a word")
        if len([line for line in lines if "rsync error" in line or "rsync warning" in line]) > 2:
            raise Wrong(f"{what}: more last words than ends: {' | '.join(lines)[-400:]}")


@journey
def calls_that_fail(lab):
    def attempt(way, words, fault, old, must_end_well):
        if lab.ours_is_rsync():
            raise Skip("rsync makes other calls")
        work = lab.folder()
        trees.build(work, TREE + (OLD if old else ["dir dst"]))
        before = {}
        for name in os.listdir(work + "/dst"):
            with open(f"{work}/dst/{name}", "rb") as f:
                before[name] = f.read()
        source, target = ("src/", "dst/") if way == "local" else ("src/", "far:dst/") if way == "push" else ("far:src/", "dst/")
        got = lab.rsync(OURS, None if way == "local" else OURS, ["-a", *words, source, target], work, 60,
                        LD_PRELOAD=library(lab), OCSYNC_FAULT=fault, OCSYNC_FAULT_LOG=work + "/met")
        if not os.path.exists(work + "/met"):
            raise Wrong(f"{way} {' '.join(words)} {fault}: no such call was made, so nothing was tried")
        check(work, got, before, f"{way} {' '.join(words)} {fault}", must_end_well)

    harmless = [f"read:1:{errno.EINTR}:50", "read:2:0:40", "write:1:0:40", f"write:3:{errno.EINTR}:50", "stream-write:2:0:60",
                "stream-read:3:0:60", f"stream-read:2:{errno.EAGAIN}:20", f"map:1:{errno.ENOMEM}:99", f"map:2:{errno.ENODEV}:99",
                f"ring-make:1:{errno.EPERM}", f"ring-make:1:{errno.ENOMEM}", f"ring-submit:1:{errno.EPERM}", f"ring-submit:20:{errno.EPERM}",
                f"ring-submit:40:{errno.ENOMEM}", f"nowait:1:{errno.EAGAIN}:5"]
    harmful = [f"write:{n}:{e}:{t}" for n, t in ((1, 1), (7, 1), (20, 999)) for e in (errno.ENOSPC, errno.EDQUOT, errno.EIO)]
    harmful += [f"read:{n}:{errno.EIO}:{t}" for n, t in ((1, 2), (9, 1), (30, 999))]
    harmful += [f"stream-write:{n}:{errno.EPIPE}" for n in (1, 5, 12)] + [f"stream-read:{n}:{errno.EIO}" for n in (2, 9)]

    def is_met(fault, way, words):
        """Whether such calls are made at all: a local run has no streams, and maps and rings are asked for by name."""
        kind = fault.split(":")[0]
        return way != "local" if kind.startswith("stream") else "--io=map" in words if kind == "map" else \
            "--io=ring" in words if kind.startswith("ring") else True

    for way in ("local", "push", "pull"):
        for words, old in ((["--io=auto"], False), (["--io=ring"], False), (["--io=map", "--no-W"], True)):
            both = words if way == "local" else words + ["-M" + words[0]]
            for fault in harmless:
                if is_met(fault, way, words):
                    yield f"fault: {way} {' '.join(words)}, {fault}, goes on", lambda w=way, o=both, f=fault, d=old: attempt(w, o, f, d, True)
            for fault in harmful:
                if is_met(fault, way, words):
                    yield f"fault: {way} {' '.join(words)}, {fault}", lambda w=way, o=both, f=fault, d=old: attempt(w, o, f, d, False)


@journey
def what_is_said(lab):
    def attempt(words, fault, expected, unexpected=()):
        if lab.ours_is_rsync():
            raise Skip("rsync has no such words")
        work = lab.folder()
        trees.build(work, TREE + ["dir dst"])
        got = lab.rsync(OURS, None, ["-a", *words, "src/", "dst/"], work, 60, LD_PRELOAD=library(lab), OCSYNC_FAULT=fault)
        if got.code != 0:
            raise Wrong(f"exit code {got.code}: {tail(got)}")
        text = (got.out + got.err).decode(errors="replace")
        for phrase, times in expected:
            if text.count(phrase) != times:
                raise Wrong(f"{phrase!r} stands {text.count(phrase)} times in: {text[-400:]}")
        for phrase in unexpected:
            if phrase in text:
                raise Wrong(f"{phrase!r} stands in: {text[-400:]}")

    refused = f"ring-make:1:{errno.EPERM}:99"
    yield "io: a refused ring is told in one line", lambda: attempt(["--io=ring", "--debug=io"], refused, [("io_uring is not to be had (Operation not permitted)", 1)])
    yield "io: and only to who asks", lambda: attempt(["--io=ring"], refused, [("io_uring", 0)])
    yield "io: counters are printed on request", lambda: attempt(["--stats", "--info=io"], "", [("I/O bytes by path: ", 1), ("Number of files: ", 1)])
    yield "io: and as JSON", lambda: attempt(["--info=io2"], "", [('{"io": {"bytes_plain": ', 1)])
    yield "io: ALL does not mean them", lambda: attempt(["--info=all"], "", [("total size is ", 1)], ["I/O "])


@journey
def files_that_change_under_a_map(lab):
    def attempt(way, change):
        work = lab.folder()
        trees.build(work, ["file src/big 60000000 bytes seed=1", "file src/other 5 bytes seed=2", "file dst/big 50000000 bytes seed=3 mtime=5"])
        path = work + "/src/big"
        original = open(path, "rb").read()
        words = ["-a", "--io=map", "--no-W"] + (["-M--io=map", "--bwlimit=40000"] if way != "local" else [])
        source, target = ("src/", "dst/") if way == "local" else ("src/", "far:dst/") if way == "push" else ("far:src/", "dst/")
        stop = threading.Event()

        def disturb():
            time.sleep(0.05)
            while not stop.is_set():
                if change == "cut":
                    os.truncate(path, 1000 * 4096 + 7)
                    return
                if change == "grow":
                    with open(path, "ab") as f:
                        f.write(b"more" * 1000)
                else:  # cut and put back, again and again
                    os.truncate(path, 30000001)
                    time.sleep(0.003)
                    with open(path, "r+b") as f:
                        f.seek(30000001)
                        f.write(original[30000001:])
                time.sleep(0.01)

        helper = threading.Thread(target=disturb)
        helper.start()
        try:
            got = lab.rsync(OURS, None if way == "local" else OURS, words + [source, target], work, 60)
        finally:
            stop.set()
            helper.join()
        what = f"{way}, {change}"
        if got.hung or got.code < 0 or got.code > 127:
            raise Wrong(f"{what}: {'HUNG' if got.hung else 'signal'} ({got.code}): {tail(got)}")
        if got.code not in (0, 23, 24):
            raise Wrong(f"{what}: exit code {got.code}: {tail(got)}")
        if not os.path.exists(work + "/dst/other"):
            raise Wrong(f"{what}: the run did not go on: {tail(got)}")

    if lab.ours_is_rsync():
        return
    for way in ("local", "push", "pull"):
        for change in ("cut", "grow", "shake"):
            yield f"change under a map: {way}, {change}", lambda w=way, c=change: attempt(w, c)
