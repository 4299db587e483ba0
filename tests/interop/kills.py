"""Killed or stopped at random moments: each target is old or new, never mixed; the next run completes."""
import hashlib
import os
import random
import signal
import subprocess
import tempfile
import time

from interop.lab import Wrong, expect_code, expect_same_tree, journey
from support import running
from support.running import NEW, OURS

NAMES = [f"{'big' if i % 10 == 0 else 'small'}{i:02}" for i in range(40)]


def content(name, version):
    size = (4 << 20) if name.startswith("big") else 50_000
    base = bytearray(random.Random(name).randbytes(size))
    if version == "new":
        for i in range(0, size, size // 7):
            base[i:i + 100] = random.Random(f"{name}{i}").randbytes(100)
        base[size // 2:size // 2] = b"inserted"
    return bytes(base)


class Scene:
    """A source and a destination that can be set back to the old state."""

    def __init__(self, folder):
        self.folder, self.old, self.sums = folder, {}, {}
        for sub in ("src/d", "dst/d"):
            os.makedirs(f"{folder}/{sub}")
        for i, name in enumerate(NAMES):
            path = ("d/" if i % 2 else "") + name
            self.old[path] = content(name, "old")
            new = content(name, "new")
            self.sums[path] = {hashlib.sha1(self.old[path]).digest(): "old", hashlib.sha1(new).digest(): "new"}
            with open(f"{folder}/src/{path}", "wb") as f:
                f.write(new)
            os.utime(f"{folder}/src/{path}", (2_000_000, 2_000_000))
        self.reset()

    def reset(self):
        for extra in self.leftovers():
            os.unlink(extra)
        for path, data in self.old.items():
            name = f"{self.folder}/dst/{path}"
            if not os.path.exists(name) or self.state(path) != "old":
                if os.path.exists(name):
                    os.unlink(name)
                with open(name, "wb") as f:
                    f.write(data)
            os.utime(name, (1_000_000, 1_000_000))

    def state(self, path):
        with open(f"{self.folder}/dst/{path}", "rb") as f:
            return self.sums[path].get(hashlib.sha1(f.read()).digest(), "MIXED")

    def leftovers(self):
        out = []
        for top, _, names in os.walk(f"{self.folder}/dst"):
            for name in names:
                full = os.path.join(top, name)
                if os.path.relpath(full, f"{self.folder}/dst") not in self.old:
                    out.append(full)
        return out

    def judge(self, what):
        for path in self.old:
            if not os.path.exists(f"{self.folder}/dst/{path}"):
                raise Wrong(f"{what}: {path} is gone")
            if self.state(path) == "MIXED":
                raise Wrong(f"{what}: {path} is neither the old nor the new version")


def words_of(lab, way, server):
    src, dst = "src/", "dst/"
    if way == "push":
        dst = "far:" + dst
    if way == "pull":
        src = "far:" + src
    return [lab.programs[OURS], "--rsync-path=" + lab.programs[server], "-rt", "--no-W", src, dst]


def gone(pgid, seconds):
    """Waits for every process of the session's group to end; true when they did."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(pgid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.01)
    return False


def strike(lab, scene, argv, delay, sig, whole_group):
    """Starts, waits, strikes; returns the exit code and whether everything ended by itself."""
    with tempfile.TemporaryFile() as err:
        child = subprocess.Popen(argv, cwd=scene.folder, env=lab.env(scene.folder), stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                                 start_new_session=True)
        time.sleep(delay)
        if child.poll() is None:
            if whole_group:
                os.killpg(child.pid, sig)
            else:
                child.send_signal(sig)
        try:
            code = child.wait(30)
        except subprocess.TimeoutExpired:
            code = None
        ended = gone(child.pid, 20)
        if code is None or not ended:
            try:
                os.killpg(child.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            child.wait()
        return code, ended


@journey
def kill_points(lab):
    rounds = 200 if lab.full else 60
    signals = 60 if lab.full else 18

    def duration(scene, argv):
        best = 10.0
        for _ in range(3):
            scene.reset()
            best = min(best, running.run(argv, scene.folder, lab.env(scene.folder)).seconds)
        return best

    def killed(way, server, count, seed):
        scene = Scene(lab.folder())
        argv = words_of(lab, way, server)
        whole = duration(scene, argv)
        rng, seen = random.Random(seed), {"old": 0, "new": 0}
        for i in range(count):
            scene.reset()
            delay, group = rng.uniform(0, whole * 1.1), rng.random() < 0.5
            what = f"seed {seed} round {i}: SIGKILL of {'everything' if group else 'the client'} after {delay:.3f} s"
            code, ended = strike(lab, scene, argv, delay, signal.SIGKILL, group)
            if not ended:
                raise Wrong(f"{what}: the far side lived on for 20 s")
            scene.judge(what)
            for path in scene.old:
                seen[scene.state(path)] += 1
            again = running.run(argv, scene.folder, lab.env(scene.folder), 120)
            expect_code(again, {0}, f"{what}: the next run")
            for path in scene.old:
                if scene.state(path) != "new":
                    raise Wrong(f"{what}: {path} is not new after the next run")
        # A loop that always came too early or too late has tested nothing.
        if count >= 20 and (seen["new"] == 0 or seen["old"] == 0):
            raise Wrong(f"no kill fell into the transfer ({seen}, a run takes {whole:.3f} s)")

    def stopped(way, server, count, seed):
        scene = Scene(lab.folder())
        argv = words_of(lab, way, server)
        whole = duration(scene, argv)
        rng, codes = random.Random(seed), []
        for i in range(count):
            scene.reset()
            sig = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)[i % 3]
            delay = rng.uniform(whole * 0.1, whole)
            what = f"seed {seed} round {i}: {sig.name} after {delay:.3f} s"
            code, ended = strike(lab, scene, argv, delay, sig, False)
            codes.append(code)
            if not ended:
                raise Wrong(f"{what}: something lived on for 20 s")
            # Until the program has set up its handlers the signal simply ends it; at the very end it is too late to matter.
            if code not in (20, 0, -sig):
                raise Wrong(f"{what}: exit code {code}, expected 20")
            scene.judge(what)
            left = scene.leftovers()
            if left and code != -sig:
                raise Wrong(f"{what}: temporaries remain: {[os.path.basename(x) for x in left[:3]]}")
        if count >= 6 and 20 not in codes:
            raise Wrong(f"no signal fell into a run: codes {codes}")

    for n, (way, server) in enumerate([("local", OURS), ("push", OURS), ("pull", OURS), ("push", NEW), ("pull", NEW)]):
        if not lab.programs.has(server):
            continue
        yield f"kill: {way} {OURS}>{server}, {rounds // 5} points", lambda w=way, s=server, n=n: killed(w, s, rounds // 5, 100 + n)
        if way == "local" or server == OURS:
            yield f"signals: {way} {OURS}>{server}, {signals // 3} points", lambda w=way, s=server, n=n: stopped(w, s, signals // 3, 200 + n)
