"""The daemon under a service manager: passed sockets, readiness, its pid file, inetd's way, both families, its end."""
import os
import signal
import socket
import subprocess
import threading
import time

from interop.daemons import Daemon
from interop.lab import Skip, Wrong, journey
from support.ports import free_port, listened_on
from support.running import NEW, OURS

MODULES = "[tree]\npath = {folder}/tree\n"


def check(what, holds, *seen):
    if not holds:
        raise Wrong(f"{what}: " + " | ".join(map(str, seen))[:2000])


class Scene:
    def __init__(self, lab):
        self.lab, self.folder = lab, lab.folder()
        os.mkdir(f"{self.folder}/tree")
        with open(f"{self.folder}/tree/file", "w", encoding="utf-8") as f:
            f.write("content")
        self.ours = lab.programs[OURS]

    def conf(self, extra=""):
        ids = "uid = 0\ngid = 0\n" if os.geteuid() == 0 else ""
        path = f"{self.folder}/conf"
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"{ids}use chroot = no\nreverse lookup = no\nlog file = {self.folder}/log\n{extra}" + MODULES.format(folder=self.folder))
        return path

    def listing(self, host, port, client=NEW):
        return subprocess.run([self.lab.programs[client], f"rsync://{host}:{port}/tree/"], capture_output=True, text=True, timeout=60,
                              env=self.lab.env(self.folder))


@journey
def daemon_service(lab):
    def passed_sockets():
        scene = Scene(lab)
        with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
            ports = [first.getsockname()[1], second.getsockname()[1]]
            heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            heard.bind(f"{scene.folder}/notify")
            heard.settimeout(60)
            # The manager's protocol: descriptors from 3 on, the number of them, and whose they are.
            script = 'exec 3<&"$1" 4<&"$2"; LISTEN_PID=$$ LISTEN_FDS=2 exec "$3" --daemon "--config=$4"'
            daemon = subprocess.Popen(["bash", "-c", script, "sh", str(first.fileno()), str(second.fileno()), scene.ours, scene.conf()],
                                      pass_fds=(first.fileno(), second.fileno()), stdin=subprocess.DEVNULL,
                                      env={**lab.env(scene.folder), "NOTIFY_SOCKET": f"{scene.folder}/notify"})
            try:
                check("it says that it is ready", heard.recv(100) == b"READY=1")
                for port in ports:
                    told = scene.listing("127.0.0.1", port)
                    check("a passed socket answers", told.returncode == 0 and "file" in told.stdout, told)
                check("and it stays in the foreground", daemon.poll() is None)
                daemon.send_signal(signal.SIGTERM)
                check("it says that it stops", heard.recv(100) == b"STOPPING=1")
                check("and ends well", daemon.wait(60) == 0)
            finally:
                if daemon.poll() is None:
                    daemon.kill()
                    daemon.wait()
                heard.close()
    yield "service: passed sockets and readiness", passed_sockets

    def pid_file():
        scene = Scene(lab)
        path = f"{scene.folder}/pid"
        daemon = Daemon(scene.ours, scene.folder, MODULES.format(folder=scene.folder), extra=f"pid file = {path}\n")
        try:
            with open(path, encoding="ascii") as f:
                check("the file holds the daemon's number", f.read() == f"{daemon.process.pid}\n")
            second = subprocess.run([scene.ours, "--daemon", "--no-detach", f"--config={daemon.conf}", f"--port={free_port()}",
                                     "--address=127.0.0.1"], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
            check("a second daemon with the same file is refused", second.returncode == 11 and path in second.stderr, second)
        finally:
            daemon.end()
        check("the file goes with the daemon", not os.path.exists(path))
    yield "service: the pid file", pid_file

    def inetd():
        scene = Scene(lab)
        with socket.create_server(("127.0.0.1", 0)) as server:
            def serve():
                caller, _ = server.accept()
                with caller:
                    subprocess.run([scene.ours, "--daemon", f"--config={scene.conf()}"], stdin=caller, timeout=60, check=False)
            thread = threading.Thread(target=serve)
            thread.start()
            told = scene.listing("127.0.0.1", server.getsockname()[1])
            thread.join()
        check("a socket on standard input is served", told.returncode == 0 and "file" in told.stdout, told)
    yield "service: a super-server's socket", inetd

    def both_families():
        try:
            with socket.create_server(("::1", 0), family=socket.AF_INET6):
                pass
        except OSError as error:
            raise Skip(f"no IPv6 on the loopback interface ({error})") from error
        # Only the loopback interface is listened on; its name may stand for both families.
        names = {info[4][0] for info in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
        for address, places in (("127.0.0.1", ["127.0.0.1"]), ("::1", ["::1"]), ("localhost", sorted(names))):
            scene = Scene(lab)
            port = free_port()
            daemon = subprocess.Popen([scene.ours, "--daemon", "--no-detach", f"--config={scene.conf()}", f"--port={port}",
                                       f"--address={address}"], stdin=subprocess.DEVNULL)
            try:
                for at in places:
                    Daemon.wait_for(lambda at=at, port=port: listened_on(port, at), f"{at} is listened on")
                    told = scene.listing(f"[{at}]" if ":" in at else at, port)
                    check(f"{at} answers", told.returncode == 0 and "file" in told.stdout, told)
            finally:
                daemon.terminate()
                daemon.wait(60)
    yield "service: both families", both_families

    def ends():
        scene = Scene(lab)
        daemon = Daemon(scene.ours, scene.folder, MODULES.format(folder=scene.folder))
        # A caller who says nothing holds a worker.
        with socket.create_connection(("127.0.0.1", daemon.port)) as silent:
            check("it is greeted", silent.recv(100).startswith(b"@RSYNCD: "))
            worker = list(daemon.children())
            check("by a process of its own", len(worker) == 1, worker)
            daemon.process.send_signal(signal.SIGTERM)
            Daemon.wait_for(lambda: not daemon.listens(), "nobody new is let in")
            time.sleep(0.3)
            check("who is being served is waited for", daemon.process.poll() is None)
            daemon.process.send_signal(signal.SIGTERM)
            check("unless it is told again", daemon.process.wait(60) == 0)
            Daemon.wait_for(lambda: not os.path.exists(f"/proc/{worker[0]}"), "the worker ends, too")
    yield "service: told to end, and told again", ends

    def reload():
        scene = Scene(lab)
        daemon = Daemon(scene.ours, scene.folder, MODULES.format(folder=scene.folder))
        try:
            daemon.process.send_signal(signal.SIGHUP)
            Daemon.wait_for(lambda: "configuration read again" in daemon.log_text(), "the log tells of the reload")
            told = scene.listing("127.0.0.1", daemon.port, OURS)
            check("and it goes on serving", told.returncode == 0, told)
        finally:
            check("it ends well", daemon.end() == 0)
    yield "service: told to read its configuration again", reload
