#!/usr/bin/env python3
"""Journeys through a daemon: rsync's and our client against our daemon, and our client against rsync's.

daemon_journeys.py OCSYNC [RSYNC]     (binds 127.0.0.1 only, on free ports; ends everything it starts)
"""
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VERSIONS = (27, 28, 29, 30, 31, 32)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def content(root):
    """Every name below root with what stands there."""
    found = {}
    for path in sorted(Path(root).rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = "link " + os.readlink(path)
        elif path.is_dir():
            found[name] = "dir"
        else:
            found[name] = path.read_bytes()
    return found


class Daemon:
    def __init__(self, program, lab, name):
        self.lab, self.port = lab, free_port()
        self.log = lab / f"{name}.log"
        conf = lab / f"{name}.conf"
        ids = "uid = 0\ngid = 0\n" if os.geteuid() == 0 else ""
        conf.write_text(f"""{ids}use chroot = no
log file = {self.log}
motd file = {lab}/motd
[pull]
path = {lab}/from
comment = things to fetch
munge symlinks = no
[push]
path = {lab}/to
read only = no
munge symlinks = no
[guarded]
path = {lab}/from
auth users = joe
secrets file = {lab}/secrets
[hiding]
path = {lab}/to
read only = no
exclude = secret*
[picky]
path = {lab}/to
read only = no
refuse options = delete compress
[limited]
path = {lab}/from
hosts allow = 10.0.0.1
[hooked]
path = {lab}/from
pre-xfer exec = test "$RSYNC_MODULE_NAME" = hooked && echo no such luck && exit 3
[unlisted]
path = {lab}/from
list = no
""")
        self.process = subprocess.Popen([program, "--daemon", "--no-detach", f"--config={conf}", f"--port={self.port}",
                                         "--address=127.0.0.1"], stdin=subprocess.DEVNULL)
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{program}: the daemon does not listen")

    def url(self, path="", user=""):
        return f"rsync://{user}127.0.0.1:{self.port}/{path}"

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


class Run:
    failures = 0
    checks = 0

    def __init__(self, client, who):
        self.client, self.who = client, who

    def __call__(self, *words, password=None):
        env = dict(os.environ, LC_ALL="C")
        if password is not None:
            env["RSYNC_PASSWORD"] = password
        return subprocess.run([self.client, *map(str, words)], capture_output=True, text=True, timeout=60, env=env)

    def check(self, what, holds, detail=""):
        Run.checks += 1
        if not holds:
            Run.failures += 1
            print(f"FAILED  {self.who}: {what}  {detail}")


def journeys(run, daemon, lab):
    tree, to, back = lab / "from", lab / "to", lab / "back"

    def clear(*places):
        for place in places:
            subprocess.run(["rm", "-rf", place], check=True)
        to.mkdir(exist_ok=True)

    listing = run(daemon.url())
    run.check("the list shows motd, modules and comments, and not the unlisted one",
              listing.returncode == 0 and "hello there" in listing.stdout and "things to fetch" in listing.stdout
              and "unlisted" not in listing.stdout, listing)
    run.check("--no-motd shows nothing of it", run("--no-motd", daemon.url()).stdout == "")

    for version in VERSIONS:
        clear(to, back)
        pulled = run("-a", f"--protocol={version}", daemon.url("pull/"), f"{back}/")
        run.check(f"pull, protocol {version}", pulled.returncode == 0 and content(back) == content(tree), pulled)
        pushed = run("-a", f"--protocol={version}", f"{tree}/", daemon.url("push/new/"))
        run.check(f"push, protocol {version}", pushed.returncode == 0 and content(to / "new") == content(tree), pushed)

    clear(to, back)
    secluded = run("-as", daemon.url("pull/a name"), f"{back}/")
    run.check("secluded arguments keep blanks", secluded.returncode == 0 and (back / "a name").is_file(), secluded)
    clear(back)
    wild = run("-a", daemon.url("pull/a*"), f"{back}/")
    run.check("wildcards are the daemon's", wild.returncode == 0 and (back / "a name").is_file() and not (back / "sub").exists(), wild)

    clear(back)
    entered = run("-a", daemon.url("guarded/", "joe@"), f"{back}/", password="pass word")
    run.check("the right password", entered.returncode == 0 and content(back) == content(tree), entered)
    wrong = run("-a", daemon.url("guarded/", "joe@"), f"{back}/", password="guess")
    run.check("a wrong password ends with 5", wrong.returncode == 5 and "@ERROR: auth failed on module guarded" in wrong.stderr, wrong)

    for path, code, text in (("nowhere/", 5, "@ERROR: Unknown module 'nowhere'"), ("limited/", 5, "@ERROR: access denied to limited from"),
                             ("hooked/", 4, "pre-xfer exec returned failure (768):\nno such luck")):
        told = run("-a", daemon.url(path), f"{back}/")
        # rsync's daemon closes at once after a hook's refusal: who still writes may then end with a socket's code.
        codes = (code, 10) if code == 4 and "rsync --daemon" in run.who.replace("ocsync --daemon", "") else (code,)
        run.check(f"{path} is refused", told.returncode in codes and text in told.stderr, told)
    readonly = run("-a", f"{tree}/", daemon.url("pull/"))
    run.check("a read-only module takes nothing", readonly.returncode == 1 and "ERROR: module is read only" in readonly.stderr, readonly)
    for option in ("--delete", "-z"):
        refused = run("-a", option, f"{tree}/", daemon.url("picky/"))
        run.check(f"{option} is refused", refused.returncode == 4 and "The server is configured to refuse" in refused.stderr, refused)

    clear(to)
    (to / "secret1").write_text("hidden")
    (to / "open").write_text("seen")
    shown = run("-r", daemon.url("hiding/"))
    run.check("what a module excludes is not listed", "open" in shown.stdout and "secret1" not in shown.stdout, shown)
    asked = run("-a", daemon.url("hiding/secret1"), f"{back}/")
    run.check("nor given to who asks for it", asked.returncode == 23 and not (back / "secret1").exists(), asked)
    over = run("-a", "--include=secret1", "--delete", f"{tree}/", daemon.url("hiding/"))
    run.check("nor deleted by who pushes", (to / "secret1").read_text() == "hidden", over)

    clear(to, back)
    (lab / "outside").mkdir(exist_ok=True)
    (lab / "outside" / "file").write_text("not yours")
    (to / "out").symlink_to("../outside")
    for way in ("push/out/file", "push/../outside/file", "push/out/"):
        run("-rL", daemon.url(way), f"{back}/")
        run.check(f"{way} gives nothing from outside the module", "not yours" not in
                  [c.decode() for c in content(back).values() if isinstance(c, bytes)] if back.exists() else True)
    run("-r", f"{tree}/", daemon.url("push/out/"))
    run.check("nothing lands outside the module", content(lab / "outside") == {"file": b"not yours"})


def main():
    ours = os.path.abspath(sys.argv[1])
    theirs = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else "/usr/bin/rsync"
    with tempfile.TemporaryDirectory(prefix="daemon-journeys-") as name:
        lab = Path(name)
        lab.chmod(0o755)
        (lab / "from/sub/deeper").mkdir(parents=True)
        (lab / "to").mkdir()
        (lab / "from/a name").write_text("blank")
        (lab / "from/sub/big").write_bytes(bytes(range(256)) * 2000)
        (lab / "from/sub/deeper/link").symlink_to("../big")
        (lab / "motd").write_text("hello there\n")
        (lab / "secrets").write_text("joe:pass word\n")
        (lab / "secrets").chmod(0o600)
        for server, clients in ((ours, (theirs, ours)), (theirs, (ours,))):
            daemon = Daemon(server, lab, "ours" if server == ours else "theirs")
            try:
                for client in clients:
                    journeys(Run(client, f"{Path(client).name} -> {Path(server).name} --daemon"), daemon, lab)
            finally:
                code = daemon.end()
            if server == ours:
                Run(ours, "daemon").check("SIGTERM ends it well", code == 0, code)
    print(f"{Run.checks} checks, {Run.failures} failed")
    return 1 if Run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
