"""Push and pull through a real sshd on loopback, every pairing, and what ssh does when it fails."""
import os
import shutil
import subprocess
import time

from interop.lab import Skip, Wrong, expect_code, expect_same_tree, journey
from support import running, trees
from support.ports import free_port
from support.running import NEW, OURS


class Sshd:
    """An sshd of our own: own keys, own configuration, a free port on 127.0.0.1; ended with stop()."""

    def __init__(self, folder):
        self.folder, self.child = folder, None
        for tool in ("ssh", "ssh-keygen"):
            if not shutil.which(tool):
                raise Skip(f"{tool} is not installed")
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
        if not sshd:
            raise Skip("sshd is not installed")
        for key in ("host", "user"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}"], check=True)
        shutil.copy(f"{folder}/user.pub", f"{folder}/authorized")
        if running.is_root():
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.port = free_port()
        with open(f"{folder}/sshd.conf", "w", encoding="ascii") as f:
            f.write(f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\nUsePAM no\nStrictModes no\n"
                    f"AuthorizedKeysFile {folder}/authorized\nPasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 100:30:200\n")
        with open(f"{folder}/ssh.conf", "w", encoding="ascii") as f:
            f.write(f"Host far\n HostName 127.0.0.1\n Port {self.port}\n IdentityFile {folder}/user\n StrictHostKeyChecking no\n"
                    " UserKnownHostsFile /dev/null\n LogLevel ERROR\n BatchMode yes\n")
        self.log = open(f"{folder}/sshd.log", "wb")
        self.child = subprocess.Popen([sshd, "-D", "-e", "-f", f"{folder}/sshd.conf"], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.shell = f"ssh -F {folder}/ssh.conf"
        for _ in range(100):
            if self.child.poll() is not None:
                break
            done = subprocess.run(self.shell.split() + ["far", "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            if done.returncode == 0:
                return
            time.sleep(0.1)
        self.stop()
        with open(f"{folder}/sshd.log", encoding="utf-8", errors="replace") as f:
            raise Skip(f"no login through a private sshd: {f.read()[-400:]!r}")

    def stop(self):
        if self.child and self.child.poll() is None:
            self.child.terminate()
            self.child.wait(10)
        self.log.close()


MIXED = """
    file a 100000 bytes seed=1 mtime=1000000001.25
    hard d/again = a
    dir d/e/f mtime=1000000009 mode=0710
    file d/e/g 3 bytes seed=2 mode=0400 mtime=1
    file "new\\nline" 30 bytes seed=3
    file "sp ace" 30 bytes seed=4
    symlink s -> nowhere mtime=1000000005
    fifo p mode=0600
    file big 3000000 bytes seed=5 mtime=1000000006
    many lots 300 200 bytes
"""
OLDER = """
    file a 100000 bytes seed=1 splice=5000:10:9 mtime=900000001
    file gone/x 3 bytes seed=2
    file big 3000000 bytes seed=5 splice=1000000:10:9 insert=2000000:55:3 mtime=900000006
"""


@journey
def through_ssh(lab):
    folder = lab.folder()
    try:
        sshd = Sshd(folder)
    except Skip as e:
        reason = str(e)

        def skipped():
            raise Skip(reason)
        yield "ssh: all pairings", skipped
        return
    lab.at_end.append(sshd.stop)
    source = folder + "/source"
    os.mkdir(source)
    trees.build(source, [x for x in MIXED.splitlines() if x.strip()])

    def transfer(client, server, push, options):
        work = lab.folder()
        os.mkdir(work + "/dst")
        trees.build(work + "/dst", [x for x in OLDER.splitlines() if x.strip()])
        src, dst = (source + "/", f"far:{work}/dst/") if push else (f"far:{source}/", work + "/dst/")
        for turn in ("update", "no-op"):
            got = lab.rsync(client, server, options + ["--delete", "-i", src, dst], work, RSYNC_RSH=sshd.shell)
            expect_code(got, {0}, turn)
        if got.out:
            raise Wrong(f"the second run was not quiet: {got.out[:300]!r}")
        expect_same_tree(source, work + "/dst", "after the transfer")

    for client, server in lab.pairs():
        for push in (True, False):
            for options in (["-aH"], ["-aHz"], ["-aHc", "--no-inc-recursive"]):
                name = f"ssh: {'push' if push else 'pull'} {client}>{server} {' '.join(options)}"
                yield name, lambda c=client, s=server, p=push, o=options: transfer(c, s, p, o)

    def same_code(words, either=(), **extra):
        """either: codes of which rsync gives one or the other, depending on who notices first."""
        codes = {}
        for client in (NEW, OURS):
            work = lab.folder()
            trees.build(work, ["file src/a 3 bytes seed=1", "dir dst"])
            extra.setdefault("RSYNC_RSH", sshd.shell)
            got = lab.rsync(client, None, [w.replace("WORK", work) for w in words], work, **extra)
            if got.hung:
                raise Wrong("HUNG")
            codes[client] = got
        if codes[NEW].code != codes[OURS].code and not {codes[NEW].code, codes[OURS].code} <= set(either):
            raise Wrong(f"exit code {codes[OURS].code}, rsync's is {codes[NEW].code}: {tail_of(codes[OURS])}")

    far = "--rsync-path=" + lab.programs[OURS]
    yield "ssh: host not known", lambda: same_code(["-a", far, "src/", "no-such-host.invalid:WORK/dst/"], either=(12, 255))
    yield "ssh: program not there, push", lambda: same_code(["-a", "--rsync-path=/no/such/program", "src/", "far:WORK/dst/"], (12, 127))
    yield "ssh: program not there, pull", lambda: same_code(["-a", "--rsync-path=/no/such/program", "far:WORK/src/", "dst/"], (12, 127))
    yield "ssh: noisy login, push", lambda: same_code(["-a", f"--rsync-path=echo Welcome aboard; {lab.programs[OURS]}", "src/", "far:WORK/dst/"])
    yield "ssh: noisy login, pull", lambda: same_code(["-a", f"--rsync-path=echo Welcome aboard; {lab.programs[OURS]}", "far:WORK/src/", "dst/"])
    yield "ssh: program that says nothing", lambda: same_code(["-a", "--rsync-path=true", "src/", "far:WORK/dst/"])
    yield "ssh: program that dies", lambda: same_code(
        ["-a", "--rsync-path=sh -c 'kill -9 $$' x", "src/", "far:WORK/dst/"], either=(12, 255))


def tail_of(outcome):
    return (outcome.err or outcome.out)[-300:].decode(errors="backslashreplace")
