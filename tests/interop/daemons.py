"""A daemon for a journey: started on a free port of 127.0.0.1, looked at from outside, ended by its process id."""
import os
import resource
import signal
import subprocess
import time

from support.ports import free_port, listened_on


class Daemon:
    """`modules`: the text behind the global part. `memory`: address space that each of its processes may have."""

    def __init__(self, program, folder, modules, name="daemon", memory=None, extra=""):
        self.program, self.folder, self.port = program, str(folder), free_port()
        self.log, self.conf = f"{folder}/{name}.log", f"{folder}/{name}.conf"
        ids = "uid = 0\ngid = 0\n" if os.geteuid() == 0 else ""
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(f"{ids}use chroot = no\nreverse lookup = no\nmunge symlinks = no\nlog file = {self.log}\n{extra}{modules}")
        self.memory = memory
        self.start()

    def start(self):
        def limit():
            if self.memory:
                resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))
        self.process = subprocess.Popen([self.program, "--daemon", "--no-detach", f"--config={self.conf}", f"--port={self.port}",
                                         "--address=127.0.0.1"], stdin=subprocess.DEVNULL, preexec_fn=limit)
        self.wait_for(lambda: self.listens() or self.process.poll() is not None, "the daemon listens")
        if self.process.poll() is not None:
            raise AssertionError(f"the daemon ended with {self.process.returncode}")

    def listens(self):
        return listened_on(self.port)

    @staticmethod
    def wait_for(condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"it never came to be that {what}")
            time.sleep(0.02)

    def url(self, path="", user=""):
        return f"rsync://{user}127.0.0.1:{self.port}/{path}"

    def children(self):
        """{pid: state} of the processes it has started and not yet taken leave of."""
        found = {}
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            try:
                with open(f"/proc/{name}/stat", encoding="latin-1") as f:
                    fields = f.read().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == self.process.pid:
                found[int(name)] = fields[0]
        return found

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def resident_kib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))

    def log_text(self):
        with open(self.log, encoding="utf-8", errors="replace") as f:
            return f.read()

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)
