"""What a module's parameters do to names: the same modules served by rsync's daemon and by ours, to both clients."""
import os
import subprocess

from interop.daemons import Daemon
from interop.lab import Skip, Wrong, journey
from support import running
from support.running import NEW, OURS

CONVERTER = """#!/bin/sh
while read -r what value; do case "$what $value" in
"uid 1234") echo alice ;;
"gid 1235") echo staffers ;;
"usr alice") echo 4321 ;;
"grp staffers") echo 4322 ;;
*) echo ;;
esac; done
"""


def tree(path):
    found = {}
    for top, folders, files in os.walk(os.fsencode(path)):
        for name in folders + files:
            full = os.path.join(top, name)
            st = os.lstat(full)
            found[os.path.relpath(full, os.fsencode(path))] = (st.st_mode, st.st_uid, st.st_gid, os.path.islink(full) and os.readlink(full))
    return found


def modules(folder, chroot):
    return f"""use chroot = {chroot}
[latin]
path = {folder}/tree
charset = iso-8859-1
[latin-in]
path = {folder}/in
charset = iso-8859-1
read only = no
[readable]
path = {folder}/tree
uid = nobody
gid = nogroup
ignore nonreadable = yes
[named]
path = {folder}/tree
name converter = {folder}/converter
numeric ids = no
[named-in]
path = {folder}/in
name converter = {folder}/converter
read only = no
numeric ids = no
[star]
path = {folder}/tree
dont compress = *
"""


# What is run, on whose side the result lies, and a word that tells why it is there.
RUNS = {
    "charset, pull": (["-rl", "--iconv=utf-8", "URL/latin/", "BACK/"], "back"),
    "charset, push": (["-rl", "--iconv=utf-8", "FROM/", "URL/latin-in/"], "in"),
    "charset, not asked for": (["-rl", "URL/latin/", "BACK/"], "back"),
    "ignore nonreadable": (["-r", "URL/readable/", "BACK/"], "back"),
    "name converter, pull": (["-a", "--usermap=alice:77,*:78", "--groupmap=staffers:79,*:80", "URL/named/plain", "BACK/"], "back"),
    "name converter, push": (["-a", "--usermap=0:alice", "--groupmap=0:staffers", "FROM/plain", "URL/named-in/"], "in"),
    "dont compress": (["-rz", "URL/star/", "BACK/"], "back"),
}


def outcomes(lab, server, client, chroot):
    folder = lab.folder()
    for name in ("tree/sub", "tree/closed", "in", "back", "from"):
        os.makedirs(f"{folder}/{name}")
    for name in (b"caf\xe9", b"plain", b"sub/\xfcber", b"secret"):
        with open(os.fsencode(f"{folder}/tree/") + name, "wb") as f:
            f.write(name * 300)
    os.symlink(b"caf\xe9", os.fsencode(f"{folder}/tree/link"))
    for name in ("gr\u00fcn", "plain"):
        with open(f"{folder}/from/{name}", "w", encoding="ascii") as f:
            f.write("content")
    os.symlink("gr\u00fcn", f"{folder}/from/link")
    os.chown(f"{folder}/tree/plain", 1234, 1235)
    os.chmod(f"{folder}/tree/secret", 0)
    os.chmod(f"{folder}/tree/closed", 0)
    with open(f"{folder}/converter", "w", encoding="ascii") as f:
        f.write(CONVERTER)
    os.chmod(f"{folder}/converter", 0o755)
    found = {}
    daemon = Daemon(lab.programs[server], folder, modules(folder, chroot))
    try:
        for name, (words, result) in RUNS.items():
            for place in ("in", "back"):
                subprocess.run(["rm", "-rf", f"{folder}/{place}"], check=True)
                os.mkdir(f"{folder}/{place}", 0o777)
            line = [w.replace("URL/", daemon.url()).replace("BACK", f"{folder}/back").replace("FROM", f"{folder}/from") for w in words]
            done = lab.rsync(client, None, line, folder)
            found[name] = (done.code, tree(f"{folder}/{result}"))
    finally:
        daemon.end()
    return found


@journey
def parameters(lab):
    def compare(client, chroot):
        if not running.is_root():
            raise Skip("needs root: owners and chroot")
        theirs, ours = (outcomes(lab, server, client, chroot) for server in (NEW, OURS))
        for name, expected in theirs.items():
            if not expected[1]:
                raise Wrong(f"{name}: nothing came, so nothing was compared")
            if ours[name] != expected:
                raise Wrong(f"{name}: rsync's daemon {expected}, ours {ours[name]}")
    for client in (NEW, OURS):
        for chroot in ("no", "yes"):
            yield f"daemon parameters, client {client}, chroot {chroot}", lambda client=client, chroot=chroot: compare(client, chroot)
