"""Every parameter of rsyncd.conf: a transfer with rsync's client and one with ours, through our daemon and through rsync's,
which must end alike. COVERED must name each parameter of libsync/daemon/config.cpp, or the first test fails; and each must
make a difference: with rsync's daemon, the same visit ends otherwise without it (but for the few in UNSEEN).
"""
import os
import re
import shutil
import subprocess
import sys
import time

from interop.lab import Skip, Wrong, journey
from support import running, trees
from support.ports import free_port, listened_on
from support.running import NEW, OURS, ROOT

PULL, PUSH, LIST = ["-a", "URL/m/", "BACK/"], ["-a", "SRC/", "URL/m/"], ["URL/"]



class Case:
    """Lines of the global part and of module [m]; what the client says; and what is looked at besides code and trees (`told`:
    what is made of the client's output)."""

    def __init__(self, words, module="", glob="", look=None, root=False, env=None, password=None, told=None, before=None):
        self.words, self.module, self.glob, self.look, self.root = words, module, glob, look, root
        self.env, self.password, self.told, self.before = env or {}, password, told, before

    def without(self, name):
        strip = lambda text: re.sub(rf"(?m)^{re.escape(name)} = .*\n?", "", text)
        return Case(self.words, strip(self.module), strip(self.glob), self.look, self.root, self.env, self.password, self.told, self.before)


def file_of(name):
    """Waits a little for what a hook or a closing connection writes."""
    def look(lab):
        for _ in range(100):
            try:
                with open(f"{lab}/{name}", encoding="utf-8", errors="replace") as f:
                    text = f.read()
                if text.endswith("\n"):
                    return text.replace(lab, "LAB")
            except OSError:
                pass
            time.sleep(0.05)
        return "nothing"
    return look


def lines_of_log(name):
    def look(lab):
        kept = [re.sub(r"^\S+ \S+ \[\d+\] ", "", line) for line in file_of(name)(lab).splitlines()]
        return sorted(line for line in kept if line.startswith("L:"))
    return look


log_of = lines_of_log("log")


def everything(out):
    return out


def many_bytes(out):
    """Whether about 50 kB came, not what they compress to."""
    found = re.search(rb"Total bytes received: ([\d,]+)", out)
    return found and int(found.group(1).replace(b",", b"")) > 40000


def write(name, text, mode=0o644):
    def before(lab):
        with open(f"{lab}/{name}", "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(f"{lab}/{name}", mode)
    return before


def converter(lab):
    running.write_program(f"{lab}/converter", "#!/bin/sh\nwhile read what value; do case $what in uid|gid) echo name$value ;; usr|grp) echo ${value#name} ;; *) echo ;; esac; done\n")


SECRETS = write("secrets", "joe:word\n", 0o600)
LOGIN = "auth users = joe\nsecrets file = LAB/secrets"

COVERED = {
    "address": Case(PULL, glob="address = 127.0.0.1"),
    "auth digest": Case(["-a", "JOE/m/", "BACK/"], f"{LOGIN}\nauth digest = none-such", password="word", before=SECRETS),
    "auth users": Case(["-a", "JOE/m/", "BACK/"], f"{LOGIN}\nauth users = joe:deny, *", password="word", before=SECRETS),
    "charset": Case(["-a", "--iconv=UTF-8", "URL/m/", "BACK/"], "charset = ISO-8859-1", before=lambda lab: open(os.fsencode(lab) + b"/mod/gr\xfcn", "w").close()),
    "comment": Case(LIST, "comment = a word about it", told=everything),
    "daemon chroot": Case(PULL, "path = /mod", "daemon chroot = LAB", root=True),
    "daemon gid": Case(PULL, glob="daemon gid = nogroup\ndaemon uid = nobody\nuse chroot = no", root=True, before=lambda lab: (os.chown(f"{lab}/mod/f1", 0, 65534), os.chmod(f"{lab}/mod/f1", 0o040))),
    "daemon uid": Case(PUSH, "read only = no", "daemon uid = nobody\nuse chroot = no", root=True),
    "dont compress": Case(["-az", "--zc=zlib", "--stats", "URL/m/", "BACK/"], "dont compress = *", told=many_bytes, before=write("mod/long", "a" * 50000)),
    "early exec": Case(PULL, "early exec = echo \"$RSYNC_MODULE_NAME $RSYNC_USER_NAME\" > LAB/early", look=file_of("early")),
    "exclude": Case(PULL, "exclude = /sub *.x"),
    "exclude from": Case(PULL, "exclude from = LAB/rules", before=write("rules", "sub/\n")),
    "fake super": Case(["-a", "--chown=12:13", "SRC/", "URL/m/"], "read only = no\nfake super = yes"),
    "filter": Case(PULL, "filter = - /sub/f2 + *"),
    "forward lookup": Case(PULL, "hosts allow = localhost\nforward lookup = no", "reverse lookup = no"),
    "gid": Case(["-r", "SRC/", "URL/m/"], "read only = no\ngid = 13", root=True, before=lambda lab: os.chmod(f"{lab}/mod", 0o777)),
    "hosts allow": Case(PULL, "hosts allow = 10.0.0.0/8"),
    "hosts deny": Case(PULL, "hosts deny = 127.0.0.0/255.0.0.0"),
    "ignore errors": Case(["-aL", "--delete", "SRC/", "URL/m/"], "read only = no\nignore errors = yes", before=lambda lab: os.symlink("nowhere", f"{lab}/src/broken")),
    "ignore nonreadable": Case(PULL, "uid = nobody\nignore nonreadable = yes", root=True, before=lambda lab: os.chmod(f"{lab}/mod/f1", 0)),
    "include": Case(PULL, "include = /sub /sub/f2\nexclude = /sub/* f1"),
    "include from": Case(PULL, "include from = LAB/rules\nexclude = *", before=write("rules", "f1\n")),
    "incoming chmod": Case(PUSH, "read only = no\nincoming chmod = Dg-w,Fo-r,F700"),
    "insecure links": Case(["-a", "URL/m/out/", "BACK/"], "insecure links = yes\nuse chroot = no", before=lambda lab: os.symlink("../src", f"{lab}/mod/out")),
    "list": Case(LIST, "list = no", told=everything),
    "listen backlog": Case(PULL, glob="listen backlog = 3"),
    "lock file": Case(PULL, "max connections = 1\nlock file = LAB/lock", look=lambda lab: os.path.exists(f"{lab}/lock")),
    "log file": Case(PULL, "log file = LAB/own.log\ntransfer logging = yes\nlog format = L:%f", look=lines_of_log("own.log")),
    "log format": Case(PUSH, "read only = no\ntransfer logging = yes\nlog format = L:%o:%m:%u:%f:%l:%a:%i", look=log_of),
    "max connections": Case(PULL, "max connections = -1\nlock file = LAB/lock"),
    "max verbosity": Case(["-avv", "SRC/", "URL/m/"], "read only = no\nmax verbosity = 2", told=lambda out: b"delta-transmission" in out),
    "motd file": Case(LIST, glob="motd file = LAB/motd", told=everything, before=write("motd", "good day\n")),
    "munge symlinks": Case(PUSH, "read only = no\nmunge symlinks = no"),
    "name": Case(PULL, "name = other\ntransfer logging = yes\nlog format = L:%m", look=log_of),
    "name converter": Case(["-a", "--usermap=name12:14", "URL/m/", "BACK/"], "uid = 0\ngid = 0\nnumeric ids = no\nname converter = LAB/converter", root=True,
                           before=lambda lab: (converter(lab), os.chown(f"{lab}/mod/f1", 12, 13))),
    "numeric ids": Case(["-a", "--usermap=daemon:14", "URL/m/", "BACK/"], "numeric ids = yes", root=True, before=lambda lab: os.chown(f"{lab}/mod/f1", 1, 1)),
    "open noatime": Case(PULL, "open noatime = yes", look=lambda lab: int(os.stat(f"{lab}/mod/f1").st_atime) == 5, before=lambda lab: os.utime(f"{lab}/mod/f1", (5, 1000000000))),
    "outgoing chmod": Case(PULL, "outgoing chmod = F400,Du+rwx"),
    "path": Case(PULL, "path = LAB/mod/sub/"),
    "pid file": Case(PULL, glob="pid file = LAB/pid", look=lambda lab: file_of("pid")(lab).strip().isdigit()),
    "port": Case(PULL, glob="port = PORT"),
    "post-xfer exec": Case(PULL, "post-xfer exec = echo \"$RSYNC_MODULE_NAME $RSYNC_EXIT_STATUS $RSYNC_RAW_STATUS $RSYNC_MODULE_PATH\" > LAB/post", look=file_of("post")),
    "pre-xfer exec": Case(PULL, "pre-xfer exec = echo \"$RSYNC_MODULE_NAME $RSYNC_REQUEST $RSYNC_ARG0\" > LAB/pre", look=file_of("pre")),
    "proxy protocol": Case(PULL, "hosts allow = 10.9.8.7", "proxy protocol = yes\nproxy protocol hosts = 127.0.0.1", env={"RSYNC_CONNECT_PROG": "PROXY"}),
    "proxy protocol hosts": Case(PULL, "hosts allow = 10.9.8.7", "proxy protocol = yes\nproxy protocol hosts = 127.0.0.1", env={"RSYNC_CONNECT_PROG": "PROXY"}),
    "read only": Case(PUSH, "read only = no"),
    "refuse options": Case(["-a", "--delete", "SRC/", "URL/m/"], "read only = no\nrefuse options = delete"),
    "reverse lookup": Case(PULL, "hosts allow = localhost\nforward lookup = no", "reverse lookup = no"),
    "secrets file": Case(["-a", "JOE/m/", "BACK/"], LOGIN, password="word", before=SECRETS),
    "socket options": Case(PULL, glob="socket options = TCP_NODELAY,SO_KEEPALIVE"),
    "strict modes": Case(["-a", "JOE/m/", "BACK/"], f"{LOGIN}\nstrict modes = no", password="word", before=write("secrets", "joe:word\n", 0o644)),
    "syslog facility": Case(PULL, "syslog facility = local5"),
    "syslog tag": Case(PULL, "syslog tag = tag-%RSYNC_MODULE_NAME%"),
    "temp dir": Case(PUSH, "read only = no\ntemp dir = nowhere"),
    "timeout": Case(PULL, "timeout = 20"),
    "transfer logging": Case(PULL, "transfer logging = yes\nlog format = L:%f", look=log_of),
    "uid": Case(["-r", "SRC/", "URL/m/"], "read only = no\nuid = 12", root=True, before=lambda lab: os.chmod(f"{lab}/mod", 0o777)),
    "use chroot": Case(["-rL", "URL/m/", "BACK/"], "use chroot = yes", root=True, before=lambda lab: os.symlink("/sub", f"{lab}/mod/absolute")),
    "write only": Case(PULL, "write only = yes"),
}

# The same parameters seen otherwise: names that travel the other way, and the module in a chroot, where no table of
# characters and no program is within reach any more.
def latin(lab):
    open(os.fsencode(lab) + b"/mod/gr\xfcn", "w").close()
    os.symlink(b"gr\xfcn", os.fsencode(lab) + b"/mod/link")
    open(f"{lab}/src/gr\u00fcn", "w").close()
    os.symlink("gr\u00fcn", f"{lab}/src/odd-link")


def closed(lab):
    os.chmod(f"{lab}/mod/f1", 0)
    os.chmod(f"{lab}/mod/sub", 0)


MORE = {
    "charset, pull": Case(["-rl", "--iconv=UTF-8", "URL/m/", "BACK/"], "charset = ISO-8859-1", before=latin),
    "charset, push": Case(["-rl", "--iconv=UTF-8", "SRC/", "URL/m/"], "charset = ISO-8859-1\nread only = no", before=latin),
    "charset, not asked for": Case(["-rl", "URL/m/", "BACK/"], "charset = ISO-8859-1", before=latin),
    "ignore nonreadable, a directory": Case(["-r", "URL/m/", "BACK/"], "uid = nobody\ngid = nogroup\nignore nonreadable = yes", root=True, before=closed),
    "name converter, push": Case(["-a", "--usermap=0:name14", "--groupmap=0:name15", "SRC/", "URL/m/"], "uid = 0\ngid = 0\nread only = no\nnumeric ids = no\nname converter = LAB/converter",
                                 root=True, before=converter),
}
for name, case in [*MORE.items(), ("name converter", COVERED["name converter"])]:
    MORE[f"{name}, in a chroot"] = Case(case.words, case.module + "\nuse chroot = yes", case.glob, root=True, before=case.before)

# What a single transfer cannot show, and why.
UNSEEN = {
    "address": "without it the daemon listens there, too",
    "listen backlog": "it takes a crowd (daemon_crowd)",
    "port": "without it nobody would find the daemon",
    "socket options": "they are the kernel's affair",
    "syslog facility": "there is a log file here (daemon_logs)",
    "syslog tag": "there is a log file here (daemon_logs)",
    "timeout": "it takes a client that says nothing (upstream's daemon-handshake-timeout)",
}

# Values for a file in which everything is set at once.
VALUES = {"yes": "kBool kBool3", "7": "kInteger", "local3": "kFacility", "/tmp": "kPath", "word": "kString"}


def table():
    """Name, type and kind (global or not) of every parameter, read from the source."""
    with open(os.path.join(ROOT, "libsync/daemon/config.cpp"), encoding="utf-8") as f:
        return re.findall(r'\{P::k\w+, "([^"]+)", (?:nullptr|"[^"]+"), T::(k\w+), (true|false)', f.read())


CONNECT = """import os, socket, sys, threading
far = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
far.sendall(b"PROXY TCP4 10.9.8.7 10.0.0.1 5 873\\r\\n")
def back():
    try:
        while data := far.recv(65536):
            while data: data = data[os.write(1, data):]
    finally:
        os._exit(0)
threading.Thread(target=back, daemon=True).start()
while True:
    data = os.read(0, 65536)
    if not data: break
    far.sendall(data)
far.shutdown(socket.SHUT_WR)
threading.Event().wait(20)
"""


def one_run(lab, case, name, server, client):
    folder = lab.folder()
    os.chmod(folder, 0o755)
    trees.build(folder, ["file mod/f1 10 bytes seed=1 mtime=1000000000", "file mod/sub/f2 20 bytes seed=2 mtime=1000000001", "file mod/a.x 30 bytes seed=3 mtime=1000000002",
                         "file src/new 40 bytes seed=4 mtime=1000000003", "symlink src/link -> new", "dir back"])
    os.chmod(f"{folder}/mod/sub", 0o777)
    if case.before:
        case.before(folder)
    port = free_port()
    with open(f"{folder}/connect.py", "w", encoding="ascii") as f:
        f.write(CONNECT)
    fill = lambda text: text.replace("LAB", folder).replace("PORT", str(port)).replace("PROXY", f"{sys.executable} {folder}/connect.py {port}").replace(
        "URL", f"rsync://127.0.0.1:{port}").replace("JOE", f"rsync://joe@127.0.0.1:{port}").replace("SRC", f"{folder}/src").replace("BACK", f"{folder}/back")
    plain = f"log file = {folder}/log\n" if name != "daemon chroot" else ""
    ids = "uid = 0\ngid = 0\n" if running.is_root() and "daemon uid" not in case.glob else ""
    conf = f"{folder}/conf"
    with open(conf, "w", encoding="ascii") as f:
        f.write(plain + ids + fill(case.glob) + f"\n[m]\npath = {folder}/mod\n" + ("" if "chroot" in case.module + case.glob else "use chroot = no\n")
                + ("" if name == "munge symlinks" else "munge symlinks = no\n") + fill(case.module) + "\n")
    if name == "daemon chroot":
        os.makedirs(folder + folder, exist_ok=True)
        shutil.copy(conf, folder + conf)
    argv = [lab.programs[server], "--daemon", "--no-detach", f"--config={conf}"]
    argv += [] if name == "port" else [f"--port={port}"]
    argv += [] if name == "address" else ["--address=127.0.0.1"]
    with open(f"{folder}/daemon.out", "wb") as said:
        daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=said, stderr=said, cwd=folder)
    try:
        for _ in range(400):
            if daemon.poll() is not None:
                with open(f"{folder}/daemon.out", encoding="utf-8", errors="replace") as f:
                    raise Wrong(f"{server}'s daemon ended with {daemon.returncode}: {f.read()}")
            if listened_on(port):
                break
            time.sleep(0.05)
        else:
            raise Wrong(f"{server}'s daemon does not listen")
        env = {k: fill(v) for k, v in case.env.items()}
        if case.password:
            env["RSYNC_PASSWORD"] = case.password
        got = running.run([lab.programs[client]] + [fill(w) for w in case.words], folder, lab.env(folder, **env), 60)
        answer = {"code": got.code}
        if got.hung:
            raise Wrong(f"{client} with {server}'s daemon: HUNG")
        if case.told:
            answer["told"] = case.told(got.out)
        if case.look:
            answer["looked"] = case.look(folder)
        for place in ("mod", "back"):
            answer[place] = {path: {k: v for k, v in facts.items() if "time" not in k} for path, facts in trees.describe(f"{folder}/{place}", 1 << 62).items()}
        return answer
    finally:
        daemon.terminate()
        try:
            daemon.wait(20)
        except subprocess.TimeoutExpired:
            daemon.kill()
            daemon.wait()


@journey
def every_parameter(lab):
    def none_without():
        known = {name for name, _, _ in table()}
        if len(known) < 50:
            raise Wrong("the table of parameters was not found")
        missing, unknown = sorted(known - set(COVERED)), sorted(set(COVERED) - known)
        if missing or unknown:
            raise Wrong(f"without a journey: {missing}; not a parameter: {unknown}")
        for name, case in COVERED.items():
            if not re.search(rf"(?m)^{re.escape(name)} = ", case.module + "\n" + case.glob):
                raise Wrong(f"the journey of {name!r} does not set it")

    yield "parameter: each has a journey", none_without

    def all_at_once():
        if lab.ours_is_rsync():
            raise Skip("rsync has no --check-config")
        value = {t: v for v, types in VALUES.items() for t in types.split()}
        lines = [f"{name} = {value[kind]}" for name, kind, glob in table() if glob == "true"] + ["[all]"]
        lines += [f"{name} = {value[kind]}" for name, kind, glob in table() if glob == "false"]
        path = f"{lab.folder()}/conf"
        with open(path, "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        good = subprocess.run([lab.programs[OURS], "--daemon", "--check-config", f"--config={path}"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        if good.returncode or b"ignored" in good.stdout or b"not a number" in good.stdout:
            raise Wrong(f"code {good.returncode}: {good.stdout.decode()}")

    yield "parameter: a file with all of them", all_at_once

    def sample():
        if lab.ours_is_rsync():
            raise Skip("rsync has no --check-config")
        good = subprocess.run([lab.programs[OURS], "--daemon", "--check-config", f"--config={ROOT}/packaging/rsyncd.conf.sample"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        if good.returncode or b"line" in good.stdout.lower():
            raise Wrong(f"code {good.returncode}: {good.stdout.decode()}")

    yield "parameter: the sample configuration", sample

    def alike(name, client):
        case = (COVERED | MORE)[name]
        if case.root and not running.is_root():
            raise Skip("needs root")
        ours, theirs = (one_run(lab, case, name, server, client) for server in (OURS, NEW))
        different = [key for key in theirs if ours.get(key) != theirs[key]]
        if different:
            raise Wrong("; ".join(f"{key}: {ours.get(key)!r}, with rsync's daemon {theirs[key]!r}" for key in different)[:1200])

    def makes_a_difference(name):
        case = COVERED[name]
        if case.root and not running.is_root():
            raise Skip("needs root")
        if one_run(lab, case, name, NEW, NEW) == one_run(lab, case.without(name), name, NEW, NEW):
            raise Wrong("without it the visit ends alike: its journey shows nothing")

    for name in sorted(COVERED):
        if name not in UNSEEN:
            yield f"parameter: {name} makes a difference", lambda n=name: makes_a_difference(n)
    for name in sorted(COVERED | MORE):
        for client in (NEW, OURS):
            yield f"parameter: {name}, {client}'s client", lambda n=name, c=client: alike(n, c)
