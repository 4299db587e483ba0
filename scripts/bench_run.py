# How scripts/compare_upstream runs programs: measured by tests/bench/launch.c, through a pipe or with a daemon, and once
# more through a relay that counts the bytes of both directions.
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
from support.ports import free_port, listened_on  # noqa: E402

LAUNCH = Path(__file__).resolve().parent.parent / "tests/bench/launch.c"
TICK = os.sysconf("SC_CLK_TCK")

# Drops the host's name (and what comes before it); with BENCH_COUNT, counts what passes.
SHELL = """#!/bin/sh
while [ "${1#-}" != "$1" ]; do
  case $1 in -l|-p) shift;; esac
  shift
done
shift
[ -z "$BENCH_COUNT" ] || exec "%s" "%s" "$BENCH_COUNT" "$*"
exec sh -c "$*"
"""


@dataclass
class Run:
    wall: float   # seconds
    cpu: float    # of all processes at both ends
    peak: float   # MiB of the largest process
    code: int


class Launcher:
    def __init__(self, scratch):
        self.program, self.report = scratch / "launch", scratch / "report"
        subprocess.run(["cc", "-O1", "-static", "-o", str(self.program), str(LAUNCH)], check=True)

    def run(self, argv, env=None):
        subprocess.run([str(self.program), str(self.report), *argv], check=True, env=env)
        wall, user, system, peak, code = self.report.read_text().split()
        return Run(int(wall) / 1e6, (int(user) + int(system)) / 1e6, int(peak) / 1024, int(code))


def remote_shell(root):
    path = Path(root) / "pipe-shell"
    path.write_text(SHELL % (sys.executable, Path(__file__).resolve()))
    path.chmod(0o755)
    return path


class Daemon:
    """A real daemon on loopback with one module over all of `root`."""

    def __init__(self, program, root, scratch):
        self.port = free_port()
        config = scratch / f"daemon-{self.port}.conf"
        config.write_text(f"use chroot = no\nuid = {os.getuid()}\ngid = {os.getgid()}\npid file = {config}.pid\n"
                          f"log file = {config}.log\n[all]\npath = {root}\nread only = no\n")
        self.process = subprocess.Popen([program, "--daemon", "--no-detach", f"--config={config}", f"--port={self.port}",
                                         "--address=127.0.0.1"], stdin=subprocess.DEVNULL)
        for _ in range(200):
            if listened_on(self.port):
                break
            time.sleep(0.02)
        else:
            raise SystemExit(f"the daemon of {program} does not answer")

    def cpu(self):
        """Seconds of itself and of its finished children."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return sum(int(fields[i]) for i in (11, 12, 13, 14)) / TICK

    def settled_cpu(self):
        """The same, once the child of the last connection is gone."""
        task = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        for _ in range(500):
            if not task.read_text().split():
                break
            time.sleep(0.002)
        return self.cpu()

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Relay:
    """Counts the bytes of connections to `port` that come through its own port."""

    def __init__(self, port):
        self.to, self.bytes = port, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.to))
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self.pump, args=(a, b), daemon=True).start()

    def pump(self, a, b):
        try:
            while data := a.recv(1 << 18):
                self.bytes += len(data)
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.close()


def drop_caches():
    os.sync()
    Path("/proc/sys/vm/drop_caches").write_text("3\n")
    # A guest hands free memory back to its host some two seconds later, and then pays for every page that it touches. Who
    # ran at once would find some still there, and others not: all are to meet the same.
    time.sleep(4)


def file_system(path):
    return subprocess.run(["stat", "-f", "-c", "%T", str(path)], capture_output=True, text=True).stdout.strip()


def syscalls(argv, scratch):
    """How many system calls the run makes, all its processes together; None without strace."""
    if not shutil.which("strace"):
        return None
    report = scratch / "strace"
    subprocess.run(["strace", "-f", "-c", "-o", str(report), *argv], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    for line in report.read_text().splitlines():
        if line.endswith(" total"):
            return int(line.split()[3 if len(line.split()) > 4 else 2])
    return None


def count_pipe(where, command):
    """The far side of a counted pipe: runs `command` and writes down how much passed."""
    child = subprocess.Popen(["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    total = [0, 0]

    def pump(i, source, sink):
        try:
            while data := os.read(source, 1 << 18):
                total[i] += len(data)
                while data:
                    data = data[os.write(sink, data):]
            os.close(sink)
        except OSError:
            pass

    # The client keeps its end open until we are gone: what it sent is complete when the child has ended.
    threading.Thread(target=pump, args=(0, 0, os.dup(child.stdin.fileno())), daemon=True).start()
    child.stdin.close()
    back = threading.Thread(target=pump, args=(1, child.stdout.fileno(), 1))
    back.start()
    back.join()
    code = child.wait()
    Path(where).write_text(str(sum(total)))
    return code


if __name__ == "__main__":
    os._exit(count_pipe(sys.argv[1], sys.argv[2]))
