"""What the daemon writes into its log, line by line beside rsync's daemon, for the same clients; into a file and to syslog."""
import difflib
import os
import re
import signal
import socket
import subprocess

from interop.daemons import Daemon
from interop.lab import Skip, Wrong, journey
from interop.wire import Liar
from support import running, trees
from support.running import NEW, OURS

# Every escape of "log format" that does not tell a time, a process or a number of bytes that both ends of rsync choose freely.
FORMAT = "F:%o:%h:%a:%m:%u:%t:%i:%n:%f:%L:%l:%P:%M:%B:%U:%G:%C:%'''l:%10n:%-20nE:%%:%z:"

TREE = ["file from/f1 10 bytes seed=1 mtime=1000000000", "file from/sub/f2 200000 bytes seed=2 mtime=1000000001 mode=0640", "symlink from/sub/link -> f2",
        "file from/sub/deep/empty 0 bytes mtime=1000000003", r'file "from/a name" 30 bytes seed=4 mtime=1000000004', "hard from/sub/twin = from/sub/f2",
        "file to/sub/f2 100000 bytes seed=2 mtime=900000000", "file to/old/gone 5 bytes seed=6", "dir back"]


def modules(folder, chroot):
    return f"""transfer logging = yes
use chroot = {chroot}
[get]
path = {folder}/from
comment = to fetch
[put]
path = {folder}/to
read only = no
[form]
path = {folder}/from
log format = {FORMAT}
[form-in]
path = {folder}/to
read only = no
log format = {FORMAT}
[silent]
path = {folder}/from
transfer logging = no
[guarded]
path = {folder}/from
auth users = joe, bill:deny, jim:ro
secrets file = {folder}/secrets
[strict]
path = {folder}/from
auth users = joe
auth digest = sha512
secrets file = {folder}/open-secrets
[picky]
path = {folder}/to
read only = no
refuse options = delete compress nonsense
[limited]
path = {folder}/from
hosts allow = 10.0.0.1
[unlisted]
path = {folder}/from
list = no
hosts deny = *
[hooked]
path = {folder}/from
pre-xfer exec = exit 3
[early]
path = {folder}/from
early exec = exit 3
[full]
path = {folder}/from
max connections = -1
[blind]
path = {folder}/from
write only = yes
[missing]
path = {folder}/nowhere
[user]
path = {folder}/from
uid = no-such-user
[group]
path = {folder}/from
gid = no-such-group
[chmod]
path = {folder}/from
outgoing chmod = nonsense
[own]
path = {folder}/from
log file = {folder}/own.log
[filtered]
path = {folder}/from
exclude from = {folder}/no-rules
[placed]
path = {folder}/from
max verbosity = 0
"""


# What each client says. URL, JOE (a login), SRC, BACK are filled in.
CLIENTS = {
    "list": ["URL/"],
    "pull": ["-aH", "URL/get/", "BACK/"],
    "pull, nothing to do": ["-aH", "URL/get/", "BACK/"],
    "pull, dry": ["-an", "URL/get/", "BACK2/"],
    "pull of two": ["-a", "URL/get/f1", "URL/get/sub/f2", "BACK3/"],
    "pull of a wildcard": ["-a", "URL/get/f*", "BACK3/"],
    "pull of a name with a blank": ["-a", "URL/get/a name", "BACK3/"],
    "pull of what is not there": ["-a", "URL/get/nothing", "BACK3/"],
    "listing of files": ["-r", "URL/get/"],
    "push": ["-aH", "SRC/", "URL/put/"],
    "push that deletes": ["-aH", "--delete", "SRC/", "URL/put/"],
    "pull, talkative": ["-av", "--delete", "URL/get/", "BACK11/"],
    "push, talkative": ["-avH", "--delete", "SRC/", "URL/put/new2/"],
    "push, more talkative": ["-avvH", "SRC/", "URL/put/new2/"],
    "push, itemized": ["-aiH", "SRC/", "URL/put/new3/"],
    "push, dry": ["-anv", "SRC/sub", "URL/put/new/"],
    "pull in a form": ["-aH", "URL/form/", "BACK4/"],
    "push in a form": ["-aH", "--delete", "--no-W", "SRC/", "URL/form-in/"],
    "push of nothing in a form": ["-aH", "SRC/", "URL/form-in/"],
    "pull, not logged": ["-a", "URL/silent/", "BACK5/"],
    "login": ["-a", "JOE/guarded/", "BACK6/"],
    "wrong password": ["-a", "JOE/guarded/", "BACK7/"],
    "nobody by that name": ["-a", "ANN/guarded/", "BACK7/"],
    "user who is denied": ["-a", "BILL/guarded/", "BACK7/"],
    "user who may only read": ["-a", "JIM/guarded/f1", "BACK7/"],
    "secrets that all may read": ["-a", "JOE/strict/", "BACK7/"],
    "refused option": ["-a", "--delete", "SRC/", "URL/picky/"],
    "refused letter": ["-az", "SRC/", "URL/picky/"],
    "unknown module": ["-a", "URL/none/", "BACK7/"],
    "unknown module with an odd name": ["-a", "URL/n\tone%n/", "BACK7/"],
    "denied host": ["-a", "URL/limited/", "BACK7/"],
    "denied host, unlisted module": ["-a", "URL/unlisted/", "BACK7/"],
    "failing hook": ["-a", "URL/hooked/", "BACK7/"],
    "failing early hook": ["-a", "URL/early/", "BACK7/"],
    "no connection left": ["-a", "URL/full/", "BACK7/"],
    "read-only module": ["-a", "SRC/", "URL/get/"],
    "write-only module": ["-a", "URL/blind/", "BACK7/"],
    "path that is not there": ["-a", "URL/missing/", "BACK7/"],
    "unknown user": ["-a", "URL/user/", "BACK7/"],
    "unknown group": ["-a", "URL/group/", "BACK7/"],
    "chmod that means nothing": ["-a", "URL/chmod/f1", "BACK7/"],
    "log of its own": ["-a", "URL/own/", "BACK8/"],
    "rules that are not there": ["-a", "URL/filtered/", "BACK7/"],
    "no verbosity": ["-avv", "URL/placed/f1", "BACK9/"],
    "destination whose parent is not there": ["-a", "SRC/", "URL/put/x/y/z/"],
    "older protocol": ["-a", "--protocol=29", "URL/get/", "BACK10/"],
}

# Two of the receiving side's roles write into the log here: nothing says who is first.
UNORDERED = {"push, talkative", "push, more talkative"}
PASSWORDS = {"wrong password": "guess"}


def masked(text, folder, port):
    """Without what differs between two runs of one program: times, process ids, ports, places in the source."""
    lines = []
    for line in text.replace(folder, "LAB").replace(str(port), "PORT").splitlines():
        line = re.sub(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\d+\] ", "", line)
        line = re.sub(r":\d{4}/\d\d/\d\d \d\d:\d\d:\d\d:", ":TIME:", line)
        line = re.sub(r" at [\w./-]+\(\d+\) ", " at PLACE ", line)
        # What travels besides content is each program's own affair.
        line = re.sub(r"\b(sent|received) [\d,]+ bytes", r"\1 N bytes", line)
        lines.append(line)
    return lines


def set_up(lab):
    folder = lab.folder()
    os.chmod(folder, 0o755)
    trees.build(folder, TREE)
    with open(os.fsencode(folder) + b"/from/\xe9\tx\\#012", "wb") as f:
        f.write(b"odd")
    os.utime(os.fsencode(folder) + b"/from/\xe9\tx\\#012", (1000000005, 1000000005))
    for name in ("from", "from/sub", "from/sub/deep"):
        os.utime(f"{folder}/{name}", (1000000007, 1000000007))
    for name, mode in (("secrets", 0o600), ("open-secrets", 0o644)):
        with open(f"{folder}/{name}", "w", encoding="ascii") as f:
            f.write("joe:word\nbill:word\njim:word\n")
        os.chmod(f"{folder}/{name}", mode)
    return folder


def visit(lab, daemon, folder, client, what):
    """`what`: the name of one of CLIENTS, or its words."""
    name, line = (what, CLIENTS[what]) if isinstance(what, str) else ("", what)
    url = f"127.0.0.1:{daemon.port}"
    words = []
    for word in line:
        for key, value in (("URL", f"rsync://{url}"), ("JOE", f"rsync://joe@{url}"), ("ANN", f"rsync://ann@{url}"), ("BILL", f"rsync://bill@{url}"),
                           ("JIM", f"rsync://jim@{url}"), ("SRC", f"{folder}/from"), ("BACK", f"{folder}/back")):
            word = word.replace(key, value)
        words.append(word)
    done = lab.rsync(client, None, words, folder, RSYNC_PASSWORD=PASSWORDS.get(name, "word"))
    daemon.wait_for(lambda: not daemon.children(), f"after {what!r} the daemon's process ends")
    return done


def written(lab, server, client, chroot):
    """The lines of each visit, then those of the end."""
    folder = set_up(lab)
    daemon = Daemon(lab.programs[server], folder, modules(folder, chroot))
    found, seen = {}, 0
    try:
        daemon.wait_for(lambda: "listening on port" in daemon.log_text(), "the log tells of the start")
        for name in CLIENTS:
            seen = len(daemon.log_text())
            visit(lab, daemon, folder, client, name)
            found[name] = masked(daemon.log_text()[seen:], folder, daemon.port)
            if name in UNORDERED:
                found[name].sort()
        found["its own log"] = masked(open(f"{folder}/own.log", encoding="utf-8", errors="replace").read(), folder, daemon.port)
        for name, act in RAW.items():
            seen = len(daemon.log_text())
            with Liar(daemon.port) as liar:
                try:
                    act(liar)
                    liar.socket.shutdown(socket.SHUT_WR)
                    liar.hear_end()
                except (EOFError, ConnectionError):
                    pass
            daemon.wait_for(lambda: not daemon.children(), f"after {name!r} the daemon's process ends")
            found[name] = masked(daemon.log_text()[seen:], folder, daemon.port)
    finally:
        daemon.end(signal.SIGTERM)
    found["start"] = masked(daemon.log_text(), folder, daemon.port)[:1]
    return found


RAW = {
    "no greeting": lambda liar: liar.send(b"GET / HTTP/1.0\n\n"),
    "a greeting without digests": lambda liar: liar.send(b"@RSYNCD: 31.0\n"),
    "an unknown command": lambda liar: (liar.greet(), liar.send(b"#nonsense\n")),
    "an empty request": lambda liar: (liar.greet(), liar.send(b"\n")),
    "nonsense for a response": lambda liar: (liar.greet(), liar.send(b"guarded\n"), liar.send(b"joe\n")),
    "no arguments": lambda liar: (liar.greet(), liar.module("get"), liar.send(b"\0")),
    "unknown option": lambda liar: (liar.greet(), liar.module("get"), liar.arguments("--server", "--sender", "--nonsense", ".", "get/")),
}


def compare(expected, got, what):
    wrong = []
    for name, lines in expected.items():
        if got.get(name) != lines:
            marked = [line for line in difflib.ndiff(lines, got.get(name, [])) if line[0] in "-+"]
            wrong.append(f"{name} (-: rsync, +: here):\n    " + "\n    ".join(marked))
    if wrong:
        raise Wrong(what + " differs for " + "\n  ".join(wrong))


SYSLOG_MODULES = """[plain]
path = {folder}/from
[tagged]
path = {folder}/from
read only = no
transfer logging = yes
syslog facility = local3
syslog tag = tag-%RSYNC_MODULE_NAME%
auth users = joe
secrets file = {folder}/secrets
"""
SYSLOG_CLIENTS = (["URL/"], ["-a", "URL/plain/", "BACK/"], ["-a", "JOE/tagged/", "BACK2/"], ["-a", "SRC/", "JOE/tagged/new/"], ["-a", "URL/plain/nothing", "BACK3/"], ["URL/none/"])

# The daemon sees a /dev of its own, in which the system's log is our socket.
APART = """#!/bin/sh
exec unshare --mount --propagation private sh -c '
    mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && mknod -m 666 /dev/zero c 1 5 && mknod -m 666 /dev/urandom c 1 9 &&
    ln -s {folder}/system-log /dev/log && exec "$@"' sh {program} "$@"
"""


def written_to_syslog(lab, server, chroot):
    folder = set_up(lab)
    wrapper = f"{folder}/apart"
    running.write_program(wrapper, APART.format(folder=folder, program=lab.programs[server]))
    lines = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(f"{folder}/system-log")
        os.chmod(f"{folder}/system-log", 0o666)
        heard.settimeout(0.3)
        daemon = Daemon(wrapper, folder, SYSLOG_MODULES.format(folder=folder), extra=f"log file =\nuse chroot = {chroot}\n")
        try:
            for words in SYSLOG_CLIENTS:
                visit(lab, daemon, folder, NEW, words)
                try:
                    while True:
                        lines.append(heard.recv(4096).decode("utf-8", "replace"))
                except TimeoutError:
                    pass
        finally:
            daemon.end()
    found = []
    for line in lines:
        priority, _, text = line.partition(">")
        text = re.sub(r"^\w{3} [ \d]\d \d\d:\d\d:\d\d ", "", text.rstrip("\0"))
        found += [f"{priority}> {one}" for one in masked(re.sub(r"\[\d+\]", "[PID]", text), folder, daemon.port)]
    return {"syslog": found}


@journey
def logs(lab):
    def to_file(client, chroot):
        if chroot == "yes" and not running.is_root():
            raise Skip("needs root: chroot")
        compare(written(lab, NEW, client, chroot), written(lab, OURS, client, chroot), "the log")

    def to_syslog(chroot):
        if not running.is_root() or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
            raise Skip("needs root and a mount namespace")
        theirs, ours = (written_to_syslog(lab, server, chroot) for server in (NEW, OURS))
        if len(theirs["syslog"]) < 20:
            raise Wrong(f"rsync's daemon said too little: {theirs}")
        compare(theirs, ours, "what syslog hears")
    for client, chroot in ((NEW, "no"), (OURS, "no"), (NEW, "yes")):
        yield f"daemon log: a file, {client}'s clients, chroot {chroot}", lambda client=client, chroot=chroot: to_file(client, chroot)
    for chroot in ("no", "yes"):
        yield f"daemon log: syslog, chroot {chroot}", lambda chroot=chroot: to_syslog(chroot)
