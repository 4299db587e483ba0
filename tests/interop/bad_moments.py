"""Things that go wrong while a run is under way: a far side that stalls or breaks, files that change, a disk that fills."""
import os
import subprocess
import time

from interop.lab import Skip, Wrong, expect_code, expect_same_tree, journey, tail
from support import running, trees
from support.running import NEW, OURS


def both(lab, pairs, prepare, words, check=None, timeout=60, rsh=None):
    """Runs the same with rsync at both ends and with each pair; exit codes must agree."""
    codes = {}
    for client, server in [(NEW, NEW)] + pairs:
        work = lab.folder()
        prepare(work)
        extra = {"RSYNC_RSH": rsh(work)} if rsh else {}
        got = lab.rsync(client, server, [w.replace("WORK", work) for w in words], work, timeout, **extra)
        who = f"{client}>{server}"
        if got.hung:
            raise Wrong(f"{who}: HUNG")
        codes[who] = got.code
        if got.code != codes[f"{NEW}>{NEW}"]:
            raise Wrong(f"{who}: exit code {got.code}, rsync's is {codes[f'{NEW}>{NEW}']}: {tail(got)}")
        if check:
            check(work, got, who)


def ended_in(work, seconds):
    """Waits until no process is left whose current directory is `work`."""
    def left():
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                if os.readlink(f"/proc/{pid}/cwd").startswith(work):
                    return True
            except OSError:
                pass
        return False

    deadline = time.monotonic() + seconds
    while left():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@journey
def stalls(lab):
    def prepare(work):
        trees.build(work, ["file src/a 6000000 bytes seed=1", "file src/b 3 bytes seed=2", "dir dst"])

    def ends_in_30(client, server, push, action):
        if not push and lab.ours_is_rsync():
            raise Skip("rsync as a receiver takes its own keep-alives for progress and waits on")
        work = lab.folder()
        prepare(work)
        words = ["-a", "--timeout=2", "src/", "far:dst/"] if push else ["-a", "--timeout=2", "far:src/", "dst/"]
        got = lab.rsync(client, server, words, work, 40, RSYNC_RSH=lab.relay(action))
        expect_code(got, {30}, action)

    for server in (OURS, NEW):
        yield f"stall: push, at once, far {server}", lambda s=server: ends_in_30(OURS, s, True, "stall-down:0")
        yield f"stall: push, midway, far {server}", lambda s=server: ends_in_30(OURS, s, True, "stall-up:200000")
        yield f"stall: pull, midway, far {server}", lambda s=server: ends_in_30(OURS, s, False, "stall-down:200000")

    def cut(client, server, push, action):
        work = lab.folder()
        prepare(work)
        words = ["-a", "src/", "far:dst/"] if push else ["-a", "far:src/", "dst/"]
        got = lab.rsync(client, server, words, work, 40, RSYNC_RSH=lab.relay(action))
        expect_code(got, {10, 11, 12, 255, 1}, action)
        for name in os.listdir(work + "/dst"):
            if name == "a" and os.path.getsize(work + "/dst/a") != 6000000:
                raise Wrong(f"{action}: half a file under its final name")

    for n in (0, 3, 20, 150, 70000, 3000000):
        for server in (OURS, NEW):
            yield f"cut: push after {n} bytes, far {server}", lambda n=n, s=server: cut(OURS, s, True, f"cut-up:{n}")
            yield f"cut: pull after {n} bytes, far {server}", lambda n=n, s=server: cut(OURS, s, False, f"cut-down:{n}")

    # While lists come each option has its own way of waiting for them, and each must notice that none will come any more.
    def cut_lists(server, push, options):
        work = lab.folder()
        trees.build(work, [f"file src/d{d:02}/file-number-{f} {f} bytes seed={f}" for d in range(30) for f in range(10)])
        for n in (300, 900, 2000, 3500, 5000):
            words = options + (["src/", "far:dst/"] if push else ["far:src/", "dst/"])
            got = lab.rsync(OURS, server, words, work, 20, RSYNC_RSH=lab.relay(f"cut-{'up' if push else 'down'}:{n}"))
            if got.hung:
                raise Wrong(f"cut after {n} bytes: HUNG")
            expect_code(got, {10, 12, 255, 1}, f"cut after {n} bytes")
            if not ended_in(work, 20):
                raise Wrong(f"cut after {n} bytes: the far side lived on for 20 s")

    for options in (["-rtn"], ["-rtnH"], ["-rtnH", "--delete"], ["-rtn", "--delete-before"], ["-rtnH", "--no-inc-recursive"], ["-rtnm"], ["-rtn", "--delete-after"]):
        for server in (OURS, NEW):
            yield f"cut among lists: push {' '.join(options)}, far {server}", lambda o=options, s=server: cut_lists(s, True, o)
            yield f"cut among lists: pull {' '.join(options)}, far {server}", lambda o=options, s=server: cut_lists(s, False, o)


@journey
def changing_sources(lab):
    """The relay changes a source file once the list is on its way and before anything can have been requested."""
    names = [f"src/a-name-long-enough-to-be-seen-{i:02}" for i in range(12)]
    victim = names[5]

    def prepare(work):
        trees.build(work, [f"file {n} 300000 bytes seed={i}" for i, n in enumerate(names)] + ["dir dst"])

    def others_arrived(work, got, who):
        for name in names:
            target = os.path.join(work, "dst", os.path.basename(name))
            if name != victim and not os.path.exists(target):
                raise Wrong(f"{who}: {name} did not arrive")

    pairs = [(c, s) for c, s in lab.pairs() if "3.2.7" not in (c, s)]
    for what, script in (("vanishes", f"rm WORK/{victim}"), ("shrinks", f"truncate -s 1000 WORK/{victim}"), ("grows", f"head -c 500000 /dev/zero >> WORK/{victim}"),
                         ("becomes a directory", f"rm WORK/{victim}; mkdir WORK/{victim}"), ("becomes a symlink", f"rm WORK/{victim}; ln -s /etc/passwd WORK/{victim}")):
        for push in (True, False):
            words = ["-a", "src/", "far:dst/"] if push else ["-a", "far:src/", "dst/"]
            rsh = lambda work, script=script, push=push: lab.relay(f"sh-{'up' if push else 'down'}:250:" + script.replace("WORK", work))
            yield (f"source {what}, {'push' if push else 'pull'}",
                   lambda words=words, rsh=rsh: both(lab, pairs, prepare, words, others_arrived, rsh=rsh))


@journey
def full_disk(lab):
    pairs = [(c, s) for c, s in lab.pairs() if "3.2.7" not in (c, s)]

    def run(words, local):
        if not running.is_root():
            raise Skip("only root can mount a small disk")
        mounted = []

        def prepare(work):
            trees.build(work, ["file src/a 300000 bytes seed=1", "file src/big 5000000 bytes seed=2", "dir dst"])
            done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", work + "/dst"], stderr=subprocess.PIPE)
            if done.returncode != 0:
                raise Skip(f"mount: {done.stderr.decode().strip()}")
            mounted.append(work + "/dst")

        def check(work, got, who):
            if b"No space left" not in got.err + got.out:
                raise Wrong(f"{who}: the message does not say that the disk is full: {tail(got)}")
            if os.path.exists(work + "/dst/big"):
                raise Wrong(f"{who}: half a file under its final name")
        try:
            both(lab, [(OURS, None)] if local else pairs, prepare, words, check)
        finally:
            for path in mounted:
                subprocess.run(["umount", path], check=False)

    yield "disk full, local", lambda: run(["-a", "src/", "dst/"], True)
    yield "disk full, push", lambda: run(["-a", "src/", "far:dst/"], False)
    yield "disk full, pull", lambda: run(["-a", "far:src/", "dst/"], False)


@journey
def names_that_fail(lab):
    """The last name of a file cannot be made: the others are, and the run ends (rsync itself waits for ever here, so it is no example)."""
    def run(client, server, words):
        if lab.ours_is_rsync():
            raise Skip("rsync waits for ever")
        work = lab.folder()
        trees.build(work, ["file src/a 3000 bytes seed=1", "hard src/b = src/a", "hard src/d/last = src/a", "file dst/d 10 bytes seed=2"])
        got = lab.rsync(client, server, ["-aH", "--ignore-existing", *words], work, 60)
        expect_code(got, {23}, "a name below something that is no directory")
        first, second = (os.stat(f"{work}/dst/{name}") for name in "ab")
        if first.st_size != 3000 or first.st_ino != second.st_ino:
            raise Wrong(f"the other names: {first.st_size} bytes, the same file: {first.st_ino == second.st_ino}")

    yield "last name fails, local", lambda: run(OURS, None, ["src/", "dst/"])
    yield "last name fails, local, whole list", lambda: run(OURS, None, ["--no-i-r", "src/", "dst/"])
    yield "last name fails, push from rsync", lambda: run(NEW, OURS, ["src/", "far:dst/"])
    yield "last name fails, pull from rsync", lambda: run(OURS, NEW, ["--no-W", "far:src/", "dst/"])
