"""Many clients at once, many one after the other, and ends at random moments: what the daemon keeps count of stays right."""
import concurrent.futures
import contextlib
import os
import random
import signal
import subprocess
import time

from interop.daemons import Daemon
from interop.kills import Scene
from interop.lab import Wrong, journey
from interop.wire import Liar
from support.running import NEW, OURS


def same_content(a, b):
    return subprocess.run(["diff", "-r", a, b], capture_output=True, check=False).returncode == 0


class Crowd:
    """One daemon, a tree to fetch, and clients of every kind. Honest ones are checked, the others only have to end."""

    KINDS = ("pull", "push", "list", "wrong password", "silent", "noise")

    def __init__(self, lab):
        self.lab, self.folder = lab, lab.folder()
        os.makedirs(f"{self.folder}/tree/sub")
        os.mkdir(f"{self.folder}/in")
        for i in range(20):
            with open(f"{self.folder}/tree/{'sub/' if i % 2 else ''}f{i}", "wb") as f:
                f.write(random.Random(i).randbytes(i * 3000))
        with open(f"{self.folder}/secrets", "w", encoding="ascii") as f:
            f.write("joe:secret\n")
        os.chmod(f"{self.folder}/secrets", 0o600)
        self.daemon = Daemon(lab.programs[OURS], self.folder, f"[tree]\npath={self.folder}/tree\ncomment=a tree\n[in]\npath={self.folder}/in\n"
                             f"read only=no\n[guarded]\npath={self.folder}/tree\nauth users=joe\nsecrets file={self.folder}/secrets\n",
                             extra="listen backlog = 200\n")
        self.open = []

    def one(self, number):
        kind = self.KINDS[number % len(self.KINDS)]
        client = OURS if number // len(self.KINDS) % 2 else NEW
        url, run = self.daemon.url, lambda *words, **extra: self.lab.rsync(client, None, list(words), self.folder, timeout=300, **extra)
        if kind == "pull":
            back = f"{self.folder}/back{number}"
            done = run("-a", url("tree/"), back + "/")
            good = done.code == 0 and same_content(f"{self.folder}/tree", back)
        elif kind == "push":
            done = run("-a", f"{self.folder}/tree/", url(f"in/{number}/"))
            good = done.code == 0 and same_content(f"{self.folder}/tree", f"{self.folder}/in/{number}")
        elif kind == "list":
            done = run(url())
            good = done.code == 0 and done.out.count(b"\n") == 3 and b"a tree" in done.out
        elif kind == "wrong password":
            done = run("-a", url("guarded/", "joe@"), f"{self.folder}/no{number}/", RSYNC_PASSWORD="guess")
            good = done.code == 5 and b"auth failed on module guarded" in done.err
        else:
            liar = Liar(self.daemon.port, patience=300)
            self.open.append(liar)
            if kind == "noise":
                try:
                    liar.send(os.urandom(5000))
                except ConnectionError:
                    pass
            return
        if not good:
            raise Wrong(f"client {number} ({client}, {kind}): exit code {done.code}, {done.out[-200:]!r} {done.err[-300:]!r}")

    def everybody_leaves(self):
        for liar in self.open:
            liar.socket.close()
        self.open.clear()
        self.daemon.wait_for(lambda: not self.daemon.children(), "every process of the daemon has ended and was taken leave of")


@journey
def crowd(lab):
    def together():
        scene = Crowd(lab)
        try:
            scene.one(0)  # what the first visitor leaves open for good does not count
            scene.everybody_leaves()
            before = scene.daemon.descriptors()
            count = 200 if lab.full else 48
            with concurrent.futures.ThreadPoolExecutor(count) as pool:
                for done in [pool.submit(scene.one, i) for i in range(1, count + 1)]:
                    done.result()
            scene.everybody_leaves()
            scene.daemon.wait_for(lambda: scene.daemon.descriptors() == before, f"the daemon has {before} descriptors open again")
        finally:
            scene.daemon.end()

    def one_after_the_other():
        scene = Crowd(lab)

        def visits(count):
            for _ in range(count):
                with Liar(scene.daemon.port) as liar:
                    liar.greet()
                    liar.send(b"#list\n")
                    liar.hear_end()
        try:
            visits(100)
            scene.everybody_leaves()
            memory, descriptors = scene.daemon.resident_kib(), scene.daemon.descriptors()
            visits(10000 if lab.full else 150)
            scene.everybody_leaves()
            scene.daemon.wait_for(lambda: scene.daemon.descriptors() == descriptors, f"the daemon has {descriptors} descriptors open again")
            # A page table may grow by a page or so; a leak of a hundred bytes for each visitor would be a megabyte.
            if scene.daemon.resident_kib() > memory + 256:
                raise Wrong(f"{memory} KiB have become {scene.daemon.resident_kib()} KiB")
        finally:
            scene.daemon.end()
    yield "daemon crowd at once", together
    yield "daemon visitors one after the other", one_after_the_other


class Slots:
    """A module with few connections: how many are free can be asked from outside, by taking them all."""

    MOST = 3

    def __init__(self, lab):
        self.lab, self.folder = lab, lab.folder()
        self.scene = Scene(self.folder)
        self.daemon = Daemon(lab.programs[OURS], self.folder, f"[in]\npath={self.folder}/dst\nread only=no\nmax connections={self.MOST}\n"
                             f"lock file={self.folder}/lock\n")

    def free(self):
        held, answer = [], ""
        try:
            for _ in range(self.MOST + 1):
                liar = Liar(self.daemon.port)
                held.append(liar)
                liar.greet()
                answer = liar.module("in")
                if answer != "@RSYNCD: OK":
                    break
            if not answer.startswith(f"@ERROR: max connections ({self.MOST}) reached"):
                raise Wrong(f"more than {self.MOST} connections, or another answer: {answer}")
            return len(held) - 1
        finally:
            for liar in held:
                liar.socket.close()

    def workers_end(self):
        self.daemon.wait_for(lambda: not self.daemon.children(), "the daemon's processes end")


@journey
def ends(lab):
    def at_random():
        slots = Slots(lab)
        chance = random.Random(7)
        try:
            for number in range(200 if lab.full else 12):
                slots.scene.reset()
                client = subprocess.Popen([lab.programs[OURS], "-rt", "--no-W", f"{slots.folder}/src/", slots.daemon.url("in/")],
                                          stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(chance.random() * 0.25)
                victim = ("client", "worker", "parent")[number % 3]
                workers = list(slots.daemon.children())
                if victim == "client":
                    client.kill()
                elif victim == "worker":
                    for pid in workers[:1]:
                        with contextlib.suppress(ProcessLookupError):  # it may have done its work by now
                            os.kill(pid, signal.SIGKILL)
                else:
                    # Its workers go on by themselves; another parent counts with the same lock file.
                    slots.daemon.end(signal.SIGKILL)
                    slots.daemon.start()
                client.wait(120)
                slots.workers_end()
                slots.daemon.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers), "orphans end")
                what = f"round {number}, {victim} killed"
                slots.scene.judge(what)
                free = slots.free()
                slots.workers_end()
                if free != Slots.MOST:
                    raise Wrong(f"{what}: {free} of {Slots.MOST} connections are free")
            last = lab.rsync(OURS, None, ["-rt", f"{slots.folder}/src/", slots.daemon.url("in/")], slots.folder)
            if last.code != 0 or not same_content(f"{slots.folder}/src", f"{slots.folder}/dst") and not slots.scene.leftovers():
                raise Wrong(f"the run after all of them: {last.code} {last.err!r}")
        finally:
            slots.daemon.end()

    def told_to_end():
        slots = Slots(lab)
        try:
            slots.scene.reset()
            # 18 MB at 6 MB a second: long enough to be met at work on a busy machine.
            client = subprocess.Popen([lab.programs[OURS], "-rtW", "--bwlimit=6000", f"{slots.folder}/src/", slots.daemon.url("in/")],
                                      stdin=subprocess.DEVNULL)
            slots.daemon.wait_for(slots.daemon.children, "the transfer has begun")
            slots.daemon.process.send_signal(signal.SIGTERM)
            slots.daemon.wait_for(lambda: not slots.daemon.listens(), "nobody is let in any more")
            if client.wait(120) != 0 or not same_content(f"{slots.folder}/src", f"{slots.folder}/dst"):
                raise Wrong("SIGTERM broke a transfer that ran")
            if slots.daemon.process.wait(60) != 0:
                raise Wrong("the daemon did not end well")
        finally:
            slots.daemon.end()

    def broken_reload():
        slots = Slots(lab)
        try:
            with open(slots.daemon.conf, encoding="utf-8") as f:
                good = f.read()
            with open(slots.daemon.conf, "w", encoding="utf-8") as f:
                f.write(good + "[broken\n")
            slots.daemon.process.send_signal(signal.SIGHUP)
            slots.daemon.wait_for(lambda: "the old settings stay in force" in slots.daemon.log_text(), "the log tells of the broken file")
            if slots.free() != Slots.MOST:
                raise Wrong("the old settings are not in force")
            slots.workers_end()
            with open(slots.daemon.conf, "w", encoding="utf-8") as f:
                f.write(good.replace(f"max connections={Slots.MOST}", "max connections=1"))
            slots.daemon.process.send_signal(signal.SIGHUP)
            slots.daemon.wait_for(lambda: "configuration read again" in slots.daemon.log_text(), "the log tells of the mended file")
        finally:
            slots.daemon.end()
    yield "daemon ends at random moments", at_random
    yield "daemon told to end lets transfers finish", told_to_end
    yield "daemon keeps its settings when the file is broken", broken_reload
