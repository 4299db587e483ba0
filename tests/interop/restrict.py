"""Restricted ssh keys: what ocsync-restrict gives a server to do, beside rrsync; and transfers through a real sshd."""
import os
import re
import shutil
import stat
import subprocess
import sys
import time

from interop.lab import Skip, Wrong, expect_code, expect_same_tree, journey
from interop.over_ssh import Sshd
from support import running, trees
from support.running import NEW, OLD, OURS

RRSYNC = "/usr/bin/rrsync"

# Stands in for the server: says its words, with what each held descriptor really is.
TELLER = """#!/bin/sh
for word; do
  case $word in
    *proc/self/fd/*)
      after=${word#*/proc/self/fd/} number=${after%%/*}
      printf '%s\\n' "${word%%/proc/self/fd/*}{$(readlink "/proc/$$/fd/$number")}${after#"$number"}" ;;
    *) printf '%s\\n' "$word" ;;
  esac
done
"""

# Exchanges a directory for a symlink, for ever.
FLIPPER = """
import ctypes
exchange = ctypes.CDLL(None, use_errno=True).renameat2
while True:
    exchange(-100, b"dir", -100, b"evil", 2)
"""

TREE = """
    file f1 4 bytes seed=1
    file sub/deep/f2 5 bytes seed=2
    file sub/f3 6 bytes seed=3
    file "with space" 7 bytes seed=4
    file .hidden 3 bytes seed=5
    file "[odd]" 3 bytes seed=6
    symlink alias -> sub/deep
    symlink goodlink -> f1
    symlink dangling -> missing
    symlink outlink -> ../outside
    symlink outnew -> /nowhere/at/all
    symlink loop -> loop
    fifo pipe
    dir inbox
    dir backups/old
"""

LETTERS = "-logDtpre.iLsfxCIvu"
PUSH = "rsync --server " + LETTERS
PULL = "rsync --server --sender " + LETTERS
# What clients say; each is given to rrsync and to us, under each set of rules that is written before it.
COMMANDS = [
    ("", f"{PUSH} . inbox/"), ("", f"{PUSH} . inbox"), ("", f"{PUSH} . new"), ("", f"{PUSH} . new/"), ("", f"{PUSH} . inbox/new"), ("", f"{PUSH} . ."),
    ("", f"{PUSH} ."), ("", f"{PUSH} . /inbox"), ("", f"{PUSH} . //inbox//"), ("", f"{PUSH} . ./inbox"), ("", f"{PUSH} . alias/"), ("", f"{PUSH} . alias"),
    ("", f"{PUSH} . outlink/"), ("", f"{PUSH} . outlink/x"), ("", f"{PUSH} . outnew"), ("", f"{PUSH} . loop/x"), ("", f"{PUSH} . dangling"),
    ("", f"{PUSH} . ../outside"), ("", f"{PUSH} . sub/../f1"), ("", f"{PUSH} . sub/.."), ("", f"{PUSH} . ..x"),
    ("", f"{PULL} . f1"), ("", f"{PULL} . sub/deep/f2"), ("", f"{PULL} . sub"), ("", f"{PULL} . sub/"), ("", f"{PULL} . sub/."), ("", f"{PULL} . ."),
    ("", f"{PULL} . f1 sub/f3 missing"), ("", f"{PULL} . missing"), ("", f"{PULL} . f1 sub/deep/f2"), ("", f"{PULL} . alias/f2"), ("", f"{PULL} . alias"), ("", f"{PULL} . alias/"),
    ("", f"{PULL} . goodlink"), ("", f"{PULL} . dangling"), ("", f"{PULL} . pipe"), ("", f"{PULL} . outlink"), ("", f"{PULL} . outlink/"), ("", f"{PULL} . outlink/secret"),
    ("", f"{PULL} . with\\ space"), ("", f"{PULL} . sub/*"), ("", f"{PULL} . f?"), ("", f"{PULL} . nothing*"), ("", f"{PULL} . \\[odd\\]"), ("", f"{PULL} . -x"), ("", f"{PULL} . --config=x"),
    ("", f"rsync --server --sender -Re.LsfxCIvu . sub/deep/f2"), ("", "rsync --server --sender -Re.LsfxCIvu . sub/./deep/f2"), ("", "rsync --server --sender -Re.LsfxCIvu . sub/./"),
    ("", "rsync --server --sender -Re.LsfxCIvu . sub/./."), ("", "rsync --server --sender -Re.LsfxCIvu . alias/./f2"), ("", "rsync --server --sender -Re.LsfxCIvu . sub/"),
    ("", "rsync --server --sender -Re.LsfxCIvu --no-implied-dirs . sub/deep/f2"), ("", "rsync --server --sender -R --no-relative . sub/f3"),
    ("", f"{PULL} --files-from=- --from0 . ."), ("", f"{PULL} --files-from=f1 . ."), ("", f"{PULL} --files-from=missing . ."), ("", f"{PULL} --files-from=/../f1 . ."), ("", f"{PULL} --files-from outlink/secret . ."),
    ("", f"{PUSH} --files-from=f1 . inbox"), ("-wo", f"{PUSH} --files-from=f1 . inbox"), ("-wo", f"{PUSH} --files-from=- . inbox"),
    ("", f"{PUSH} --backup-dir=backups/old . inbox"), ("", f"{PUSH} --backup-dir backups/new/er . inbox"), ("", f"{PUSH} --backup-dir=outlink/x . inbox"), ("", f"{PUSH} --partial-dir=.part . inbox"),
    ("", f"{PUSH} --temp-dir=sub . inbox"), ("", f"{PUSH} --temp-dir=none . inbox"), ("", f"{PUSH} --log-file=new.log . inbox"), ("", f"{PUSH} --log-file=f1 . inbox"), ("", f"{PUSH} --log-file=outlink/l . inbox"),
    ("", f"{PUSH} --link-dest=sub . inbox"), ("", f"{PUSH} --link-dest=none . inbox"), ("", f"{PUSH} --copy-dest=../outside . inbox"), ("", f"{PUSH} --compare-dest=/sub/deep . inbox"), ("", f"{PULL} --link-dest=anything . f1"), ("", f"{PULL} --temp-dir=../x . f1"),
    ("", f"{PUSH} --suffix=.\\*x --bwlimit=10 --usermap=a:b --groupmap=\\*:c . inbox"), ("", f"{PUSH} --max-size=7K -B700 -@2 --iconv=utf8 . inbox"), ("", f"{PUSH} -@x . inbox"), ("", f"{PUSH} -Bx . inbox"), ("", f"{PUSH} -B . inbox"),
    ("-munge", f"{PUSH} . inbox"), ("-munge -ro", f"{PULL} . f1"), ("", f"{PUSH} --munge-links . inbox"), ("", f"{PUSH} --no-munge-links . inbox"), ("-no-overwrite", f"{PUSH} . inbox"),
    ("-no-overwrite", f"{PUSH} --log-file=x . inbox"), ("-no-overwrite", f"{PUSH} --partial-dir=x . inbox"), ("-no-overwrite", f"{PUSH} --delay-updates . inbox"), ("-no-overwrite", f"{PUSH} --backup-dir=x . inbox"),
    ("-no-overwrite", "rsync --server -vbe.iLsfxC . inbox"), ("-ro", f"{PUSH} . inbox"), ("-wo", f"{PULL} . f1"), ("-ro", f"{PULL} --log-file=f1 . f1"), ("-ro", f"{PULL} --remove-source-files . f1"), ("-ro", f"{PULL} . f1"),
    ("-no-del", f"{PUSH} --delete-during . inbox"), ("-no-del", f"{PUSH} --delete . inbox"), ("-no-del", f"{PULL} --remove-sent-files . f1"), ("-no-del", f"{PUSH} --ignore-errors --force . inbox"), ("", f"{PUSH} --delete-excluded --max-delete=3 . inbox"),
    ("", f"{PUSH} --sender . inbox"), ("", "rsync --server --sender"), ("", "rsync --server"), ("", "rsync --server . "), ("", "rsync --daemon --server ."), ("", "rsync --server --daemon ."), ("", "rsync  --server . x"),
    ("", "sh -c id"), ("", "rsync; id"), ("", ""), ("", "true"), ("", f"{PUSH} --debug=ALL . inbox"), ("", f"{PUSH} --info=all . inbox"), ("", f"{PUSH} --write-devices . inbox"), ("", f"{PULL} --copy-devices . f1"),
    ("", f"{PULL} --copy-unsafe-links . f1"), ("", f"{PULL} --safe-links . f1"), ("", f"{PULL} --insecure-links . f1"), ("", f"{PULL} --copy-as=root . f1"), ("", f"{PULL} --confine-root=/ . f1"), ("", f"{PULL} -M--foo . f1"),
    ("", "rsync --server --sender -Le.LsfxC . f1"), ("", "rsync --server --sender -vke.LsfxC . f1"), ("", "rsync --server -Ke.LsfxC . inbox"), ("", "rsync --server -se.LsfxC ."), ("", "rsync --server -a . inbox"), ("", "rsync --server -T sub . inbox"),
    ("", "rsync --server -vvve31.14 . inbox"), ("", "rsync --server -e.i;d . inbox"), ("", "rsync --server -ve . inbox"), ("", "rsync --server - . inbox"), ("", "rsync --server -- . inbox"), ("", "rsync --server inbox ."),
    ("", f"{PUSH} --acls . inbox"), ("", f"{PUSH} --recursive --no-r --no-W --no-specials --old-compress --new-compress --numeric-ids . inbox"), ("", f"{PUSH} --no-recursive . inbox"), ("", f"{PUSH} --log-format=%i --stats . inbox"),
    ("-absolute", f"{PULL} . ROOT/sub/f3"), ("-absolute", f"{PULL} . ROOT"), ("-absolute", f"{PUSH} . ROOT/inbox"), ("-absolute", f"{PUSH} . ROOT/../outside"), ("", f"{PULL} . ROOT/f1"), ("-absolute", f"{PULL} . /f1"), ("-absolute", f"{PULL} . ROOTX/f1"),
]


def ours_beside(lab):
    """ocsync-restrict next to the program under test, or rrsync where rsync checks itself."""
    if lab.ours_is_rsync():
        return RRSYNC if os.access(RRSYNC, os.X_OK) else None
    program = os.path.join(os.path.dirname(lab.original), "ocsync-restrict")
    return program if os.access(program, os.X_OK) else None


def rrsync_running(program, folder):
    """A copy of rrsync that runs another server, or nothing if there is none of this version."""
    try:
        with open(RRSYNC, encoding="utf-8") as f:
            text = f.read()
    except OSError:
        return None
    text, count = re.subn(r"(?m)^RSYNC\s*=.*$", lambda _: f"RSYNC = {program!r}", text)
    if count != 1 or "confine-root" not in text:
        return None
    path = os.path.join(folder, "rrsync")
    running.write_program(path, text)
    return path


def laid_out(folder):
    os.mkdir(f"{folder}/root")
    trees.build(f"{folder}/root", [x for x in TREE.splitlines() if x.strip()])
    os.mkdir(f"{folder}/outside")
    with open(f"{folder}/outside/secret", "w", encoding="ascii") as f:
        f.write("not yours\n")


@journey
def beside_rrsync(lab):
    program = ours_beside(lab)

    def compare(rules, command):
        if not program:
            raise Skip("no ocsync-restrict beside the program under test")
        answers = []
        for which in ("theirs", "ours"):
            folder = lab.folder()
            laid_out(folder)
            teller = f"{folder}/teller"
            running.write_program(teller, TELLER)
            argv = [rrsync_running(teller, folder)] if which == "theirs" else [program, "-program", teller]
            if argv[0] is None:
                raise Skip("no rrsync of 3.5 here")
            if lab.ours_is_rsync():
                argv = [rrsync_running(teller, folder)]
            env = {"PATH": os.environ["PATH"], "HOME": folder, "SSH_ORIGINAL_COMMAND": command.replace("ROOT", f"{folder}/root")}
            got = subprocess.run(argv + rules.split() + [f"{folder}/root"], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120)
            tree = sorted(os.path.join(at, name)[len(folder):] for at, dirs, files in os.walk(f"{folder}/root") for name in dirs + files)
            said = got.stderr.decode().replace(argv[0], "PROGRAM").replace(folder, "")
            words = re.sub(r"\.rrsync-empty-basis\.\d+", "EMPTY", got.stdout.decode().replace(folder, ""))
            before, dot, paths = words.partition("\n.\n")
            # The order in which wildcards match is the file system's, and lists are sorted later.
            answers.append((got.returncode, said, before + dot + "\n".join(sorted(paths.split("\n"))), tree))
        if answers[0] != answers[1]:
            raise Wrong("\n        ".join(f"{who}: {a[:3]!r}" + ("" if answers[0][3] == answers[1][3] else f" {a[3]}")
                                          for who, a in zip(("rrsync", "ours  "), answers)))

    for rules, command in COMMANDS:
        yield f"restrict: {rules + ' | ' if rules else ''}{command or '(nothing)'}", lambda r=rules, c=command: compare(r, c)


class KeyedSshd(Sshd):
    """An sshd with one key for each forced command; shell(NAME) logs in with that key."""

    def __init__(self, folder, commands):
        super().__init__(folder)
        with open(f"{folder}/authorized", "a", encoding="ascii") as keys, open(f"{folder}/ssh.conf", "r+", encoding="ascii") as conf:
            general = conf.read()
            for name, command in commands.items():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/key-{name}"], check=True)
                with open(f"{folder}/key-{name}.pub", encoding="ascii") as f:
                    keys.write(f'command="{command}" {f.read()}')
                conf.write(general.replace("Host far", f"Host {name}").replace(f"{folder}/user", f"{folder}/key-{name}"))


@journey
def with_forced_commands(lab):
    program = ours_beside(lab)
    try:
        if not program:
            raise Skip("no ocsync-restrict beside the program under test")
        folder = lab.folder()
        laid_out(folder)
        root = f"{folder}/root"
        rules = {"both": "-no-lock", "ro": "-ro", "wo": "-wo -no-lock", "munge": "-munge -no-lock", "nodel": "-no-del -no-lock",
                 "nooverwrite": "-no-overwrite -no-lock", "locked": ""}
        commands = {name: f"{program} {words} {root}" for name, words in rules.items()}
        sshd = KeyedSshd(folder, commands)
    except Skip as e:
        reason = str(e)

        def skipped():
            raise Skip(reason)
        yield "restrict: forced commands", skipped
        return
    lab.at_end.append(sshd.stop)
    clients = [c for c in (OURS, NEW, OLD) if lab.programs.has(c)]

    def run(client, words, work, code=(0,), says=""):
        got = lab.rsync(client, None, words, work, RSYNC_RSH=sshd.shell)
        expect_code(got, set(code), " ".join(words))
        if says and says.encode() not in got.err + got.out:
            raise Wrong(f"{words}: expected {says!r} in {got.err + got.out!r}")
        return got

    def pull(client):
        work = lab.folder()
        run(client, ["-a", "ro:sub", "ro:alias/f2", "ro:goodlink", f"{work}/dst/"], work)
        got = sorted(os.path.relpath(os.path.join(at, n), f"{work}/dst") for at, dirs, files in os.walk(f"{work}/dst") for n in dirs + files)
        if got != ["f2", "goodlink", "sub", "sub/deep", "sub/deep/f2", "sub/f3"] or not os.path.islink(f"{work}/dst/goodlink"):
            raise Wrong(f"arrived: {got}")
        for path in ("outlink/secret", "outlink/", "../outside/secret"):
            run(client, ["-a", f"ro:{path}", f"{work}/stolen/"], work, code=(12,))
        run(client, ["-aL", "ro:sub", f"{work}/stolen/"], work, code=(12,), says="option -L has been disabled on this server.")
        if os.path.exists(f"{work}/stolen/secret"):
            raise Wrong("a file from outside was given away")
        listed = run(client, ["-r", "ro:"], work)
        if b"sub/deep/f2" not in listed.out or b"not yours" in listed.out:
            raise Wrong(f"the listing: {listed.out!r}")

    def push(client):
        work = lab.folder()
        trees.build(work, ["file src/a/b 100000 bytes seed=7", "symlink src/away -> /etc/passwd", "fifo src/pipe", "file src/new 5 bytes seed=8"])
        name = f"got-{client}"
        run(client, ["-a", f"{work}/src/", f"wo:{name}"], work)
        run(client, ["-a", f"{work}/src/", f"wo:{name}/"], work)
        if os.path.exists(f"{root}/{name}/pipe"):
            raise Wrong("a fifo was made")
        os.unlink(f"{work}/src/pipe")
        expect_same_tree(f"{work}/src", f"{root}/{name}", "what was pushed")
        run(client, ["-a", f"{work}/src/new", f"wo:{name}/away"], work, code=(12,), says="unsafe arg")
        run(client, ["-a", f"{work}/src/new", "wo:../outside/secret"], work, code=(12,), says="do not use ..")
        run(client, ["-a", f"wo:{name}/new", f"{work}/x"], work, code=(12,), says="reading from write-only server is not allowed")
        run(client, ["-a", f"{work}/src/new", "ro:x"], work, code=(12,), says="sending to read-only server is not allowed")
        run(client, ["-a", f"{work}/src/new", f"wo:{name}/new"], work)
        with open(f"{folder}/outside/secret", encoding="ascii") as f:
            if f.read() != "not yours\n":
                raise Wrong("a file outside was changed")

    def rules_of_keys(client):
        work = lab.folder()
        trees.build(work, ["file src/a 10 bytes seed=7 mtime=1000000000", "symlink src/away -> /etc/passwd"])
        name = f"rules-{client}"
        run(client, ["-a", f"{work}/src/", f"munge:{name}"], work)
        if not os.readlink(f"{root}/{name}/away").startswith("/rsyncd-munged/"):
            raise Wrong(f"the symlink is {os.readlink(f'{root}/{name}/away')!r}")
        run(client, ["-a", f"munge:{name}/", f"{work}/back/"], work)
        if os.readlink(f"{work}/back/away") != "/etc/passwd":
            raise Wrong("the munged symlink did not come back as it was")
        run(client, ["-a", "--delete", f"{work}/src/", f"nodel:{name}"], work, code=(12,), says="has been disabled on this server.")
        trees.build(work, ["file other/a 20 bytes seed=9 mtime=1100000000", "file other/new 3 bytes seed=10"])
        run(client, ["-a", f"{work}/other/", f"nooverwrite:{name}"], work)
        if os.path.getsize(f"{root}/{name}/a") != 10 or not os.path.exists(f"{root}/{name}/new"):
            raise Wrong("-no-overwrite replaced a file, or made no new one")

    def merge_files(client):
        """A rule that travels names a file outside: it must not be read, and one inside must."""
        work = lab.folder()
        name = f"merge-{client}"
        trees.build(f"{root}", [f"file {name}/secretword 3 bytes seed=1", f"file {name}/kept 3 bytes seed=1"])
        with open(f"{folder}/{name}-list", "w", encoding="ascii") as f:
            f.write("secretword\n")
        with open(f"{root}/{name}/inside", "w", encoding="ascii") as f:
            f.write("kept\n")
        run(client, ["-r", f"--filter=:-s ../../{name}-list", f"ro:{name}/", f"{work}/dst/"], work)
        if not os.path.exists(f"{work}/dst/secretword"):
            raise Wrong("a file outside was read as filter rules")
        run(client, ["-r", "--filter=:-s inside", f"ro:{name}/", f"{work}/dst2/"], work)
        if os.path.exists(f"{work}/dst2/kept") or not os.path.exists(f"{work}/dst2/secretword"):
            raise Wrong("a merge file inside was not obeyed")

    def basis_and_backup(client):
        work = lab.folder()
        name = f"basis-{client}"
        trees.build(work, ["file src/a 3000 bytes seed=7 mtime=1000000000"])
        run(client, ["-a", "--link-dest=/none-yet", f"{work}/src/", f"both:{name}-1"], work)
        run(client, ["-a", f"--link-dest=/{name}-1", f"{work}/src/", f"both:{name}-2"], work)
        if os.stat(f"{root}/{name}-1/a").st_ino != os.stat(f"{root}/{name}-2/a").st_ino:
            raise Wrong("--link-dest made no hard link")
        trees.build(work, ["file next/a 3100 bytes seed=8 mtime=1100000000"])
        run(client, ["-ab", f"--backup-dir=/{name}/old/er", "--partial-dir=/.part", f"{work}/next/", f"both:{name}-1"], work)
        if os.path.getsize(f"{root}/{name}/old/er/a") != 3000 or os.path.getsize(f"{root}/{name}-1/a") != 3100:
            raise Wrong("no backup, or no update")
        if stat.S_IMODE(os.stat(f"{root}/.part").st_mode) != 0o700:
            raise Wrong("the partial directory is open to others")

    def lock():
        held = subprocess.Popen(["flock", "--no-fork", "-x", root, "sleep", "60"])
        try:
            for _ in range(200):
                if subprocess.run(["flock", "-n", root, "true"]).returncode:
                    break
                time.sleep(0.05)
            else:
                raise Wrong("the lock could not be taken")
            work = lab.folder()
            run(OURS, ["-r", "locked:sub", f"{work}/dst"], work, code=(12,), says="is already accessing this directory")
        finally:
            held.terminate()
            held.wait()
        run(OURS, ["-r", "locked:sub", f"{work}/dst"], work)

    def log():
        """The log is the user's file rrsync.log, appended to only where it exists and is no symlink."""
        work = lab.folder()
        argv = [program, "-ro", root]
        env = dict(os.environ, SSH_ORIGINAL_COMMAND="rsync --server --sender -vlogDtpre.iLsfxCIvu . missing-it's", SSH_CONNECTION="::ffff:10.1.2.3 5 10.0.0.1 22")
        good = dict(env, SSH_ORIGINAL_COMMAND="rsync --server --sender -vlogDtpre.iLsfxCIvu . .")
        once = lambda e: subprocess.run(argv, cwd=work, env=e, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60)
        once(good)
        if os.path.exists(f"{work}/rrsync.log"):
            raise Wrong("a log was made that nobody asked for")
        with open(f"{work}/rrsync.log", "w", encoding="ascii"):
            pass
        once(good)
        once(env)
        with open(f"{work}/rrsync.log", encoding="ascii") as f:
            lines = f.read().splitlines()
        if len(lines) != 1 or not re.fullmatch(r"\d\d:\d\d:\d\d 10\.1\.2\.3         \('.*', '--server', '--sender', '-vlogDtpre\.iLsfxCIvu', '--confine-root=.*', '--', '\.', '\.'\)", lines[0]):
            raise Wrong(f"the log: {lines}")
        os.rename(f"{work}/rrsync.log", f"{work}/elsewhere")
        os.symlink("elsewhere", f"{work}/rrsync.log")
        once(good)
        with open(f"{work}/elsewhere", encoding="ascii") as f:
            if len(f.read().splitlines()) != 1:
                raise Wrong("a symlink was followed to the log")

    def raced(client, source):
        """A directory of the path is exchanged for a symlink that leads out, again and again."""
        work = lab.folder()
        own = f"{work}/own"
        os.makedirs(f"{own}/dir")
        with open(f"{own}/dir/secret", "w", encoding="ascii") as f:
            f.write("inside\n")
        os.mkdir(f"{work}/outside")
        with open(f"{work}/outside/secret", "w", encoding="ascii") as f:
            f.write("not yours\n")
        os.symlink("../outside", f"{own}/evil")
        running.write_program(f"{work}/rsh", f'#!/bin/sh\nshift\nSSH_ORIGINAL_COMMAND="$*" exec {program} -no-lock {own}\n')
        flipper = subprocess.Popen([sys.executable, "-c", FLIPPER], cwd=own)
        try:
            for i in range(40):
                shutil.rmtree(f"{work}/dst", ignore_errors=True)
                with open(f"{work}/up", "w", encoding="ascii") as f:
                    f.write("pushed\n")
                for words in ([f"any:{source}", f"{work}/dst/"], [f"{work}/up", f"any:{source}"]):
                    if words[1].endswith("secret"):
                        continue
                    subprocess.run([lab.programs[client], "-a", "-e", f"{work}/rsh", *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, timeout=120)
                for at, _, files in os.walk(f"{work}/dst"):
                    for name in files:
                        path = os.path.join(at, name)
                        if not os.path.islink(path):
                            with open(path, encoding="ascii") as f:
                                if "not yours" in f.read():
                                    raise Wrong(f"run {i} gave away a file from outside")
                if os.listdir(f"{work}/outside") != ["secret"]:
                    raise Wrong(f"run {i} wrote outside")
        finally:
            flipper.kill()
            flipper.wait()

    for client in clients:
        yield f"restrict: pull through sshd, {client}", lambda c=client: pull(c)
        yield f"restrict: push through sshd, {client}", lambda c=client: push(c)
        yield f"restrict: the rules of the key, {client}", lambda c=client: rules_of_keys(c)
        yield f"restrict: merge files stay inside, {client}", lambda c=client: merge_files(c)
        yield f"restrict: basis, backup and partial directories, {client}", lambda c=client: basis_and_backup(c)
    for source in ("dir/secret", "dir/", "dir"):
        yield f"restrict: {source} while dir is exchanged", lambda s=source: raced(OURS, s)
    yield "restrict: one transfer at a time", lock
    yield "restrict: the log", log
