"""Running a synchroniser for a test: which programs there are, how they reach each other, and what of their output may
vary between two right answers.

A way is written KIND:CLIENT>SERVER[@PROTOCOL], for example local:ocsync, push:ocsync>3.2.7, pull:3.5.0>ocsync@29. "upload" and
"download" are the same to and from a daemon, whose one module holds both trees.
"""
import os
import re
import select
import shutil
import signal
import stat
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OURS, NEW, OLD = "ocsync", "3.5.0", "3.2.7"
DAEMON_WAYS = ("upload", "download")

# Like ssh: options and host are dropped, the words are joined, a shell takes them apart again.
FAR_SHELL = """#!/bin/sh
while :; do
  case $1 in
    -l|-p|-o|-i|-F|-J) shift 2 ;;
    -*) shift ;;
    *) break ;;
  esac
done
shift
exec /bin/sh -c "$*"
"""


class Unavailable(Exception):
    pass


def version_text(path):
    try:
        out = subprocess.run([path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return out.decode(errors="replace")


def program_version(path):
    match = re.match(r"\S+\s+version (\S+)\s+protocol version (\d+)", version_text(path))
    return match.group(1) if match else None


def is_ours(path):
    """Whether the program at `path` is ocsync, whatever it is called: where it has replaced rsync, it must not be its own measure."""
    return "ocsync" in version_text(path)


def write_program(path, text):
    """Writes a script that can be run at once.

    A process of its own writes it: a thread that forks while we held it open for writing would keep it so, and running it would fail (ETXTBSY).
    """
    subprocess.run(["sh", "-c", 'cat >"$1" && chmod 755 "$1"', "sh", path], input=text.encode(), check=True)


class Programs:
    """The programs under test, copied to one public folder so that other users reach them and rebuilding does no harm."""

    def __init__(self, ours, home):
        self.paths, self.notes = {}, []
        candidates = {
            OURS: [ours],
            NEW: [os.environ.get("OCSYNC_TEST_RSYNC"), "/usr/bin/rsync", "/usr/local/bin/rsync"],
            OLD: [os.environ.get("OCSYNC_TEST_OLD_RSYNC"), os.path.join(ROOT, "build/old-rsync/usr/bin/rsync")],
        }
        for label, paths in candidates.items():
            for path in filter(None, paths):
                version = program_version(path) if os.path.exists(path) else None
                if label != OURS and is_ours(path):
                    self.notes.append(f"{path} is ocsync, not rsync: nothing can be measured by it")
                    continue
                if version is None or (label == NEW and not version.startswith("3.5")) or (label == OLD and not version.startswith("3.2")):
                    continue
                folder = os.path.join(home, "bin", label)
                os.makedirs(folder, mode=0o755)
                self.paths[label] = os.path.join(folder, "ocsync" if label == OURS else "rsync")
                shutil.copyfile(path, self.paths[label])
                os.chmod(self.paths[label], 0o755)
                break
            else:
                self.notes.append(f"no usable {label} ({', '.join(filter(None, paths))}): everything that needs it is SKIPPED")
        self.shell = os.path.join(home, "bin", "far-shell")
        write_program(self.shell, FAR_SHELL)

    def __getitem__(self, label):
        if label not in self.paths:
            raise Unavailable(label)
        return self.paths[label]

    def has(self, label):
        return label in self.paths


class Way:
    def __init__(self, kind, client, server=None, protocol=None):
        self.kind, self.client, self.server, self.protocol = kind, client, server, protocol

    @staticmethod
    def parse(text):
        match = re.fullmatch(r"(local|push|pull|upload|download):([^>@]+)(?:>([^@]+))?(?:@(\d+))?", text)
        if not match:
            raise ValueError(f"{text!r} is no way: KIND:CLIENT>SERVER[@PROTOCOL]")
        return Way(match.group(1), match.group(2), match.group(3), int(match.group(4)) if match.group(4) else None)

    def __str__(self):
        return f"{self.kind}:{self.client}" + (f">{self.server}" if self.server else "") + (f"@{self.protocol}" if self.protocol else "")

    @property
    def receives(self):
        """Whether the client is the receiving side."""
        return self.kind in ("pull", "download")

    def oracle(self):
        """The same way with rsync 3.5.0 in our place."""
        swap = lambda label: NEW if label == OURS else label
        return Way(self.kind, swap(self.client), self.server and swap(self.server), self.protocol)


class Outcome:
    def __init__(self, code, out, err, seconds):
        self.code, self.out, self.err, self.seconds = code, out, err, seconds

    @property
    def hung(self):
        return self.code is None


def command(way, programs, words):
    """The argument vector for a case's words: SRC and DST become operands, on the far side where the way says so."""
    far = {"push": b"DST", "pull": b"SRC", "upload": b"DST", "download": b"SRC"}.get(way.kind)
    argv = [os.fsencode(programs[way.client])]
    if far:
        programs[way.server]  # skip early when it is not there
        if way.kind not in DAEMON_WAYS:
            argv.append(b"--rsync-path=" + os.fsencode(programs[way.server]))
        if way.protocol:
            argv.append(b"--protocol=%d" % way.protocol)
    host = b"far::m/" if way.kind in DAEMON_WAYS else b"far:"
    for word in words:
        for name, folder in ((b"SRC", b"src"), (b"DST", b"dst")):
            if word == name or word.startswith(name + b"/") or word.startswith(name + b"-"):
                word = (host if far == name else b"") + folder + word[3:]
                break
        word = word.replace(b"@SHELL@", os.fsencode(programs.shell))
        argv.append(word)
    return argv


# What of a case's words names a place where files arrive: with a daemon there, "WORK" is its module.
AT_RECEIVER = re.compile(rb"^(--(?:backup|partial|temp)-dir=|--(?:compare|copy|link)-dest=|-T)WORK(?=/)")


def daemon_at(way, programs, work, words):
    """What a client with these words runs instead of connecting to a daemon (RSYNC_CONNECT_PROG); its configuration lies beside `work`."""
    charset = "".join(f"charset={w.decode().split('=')[1].split(',')[-1]}\n" for w in words if w.startswith(b"--iconv="))
    owner = "uid=0\ngid=0\n" if is_root() else ""
    with open(work + ".conf", "w", encoding="utf-8") as f:
        f.write(f"use chroot=no\nlog file=/dev/null\n{owner}[m]\npath={work}\nread only=no\nmunge symlinks=no\n{charset}")
    return f"exec {programs[way.server]} --daemon --config={work}.conf"


def environment(programs, home, extra=None):
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": home, "LC_ALL": "C.UTF-8", "TZ": "UTC", "COLUMNS": "80",
           "RSYNC_RSH": programs.shell, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0:exitcode=99", "UBSAN_OPTIONS": "halt_on_error=1:exitcode=99",
           "TSAN_OPTIONS": "exitcode=99:halt_on_error=0", "USER": "tester", "LOGNAME": "tester"}
    env.update(extra or {})
    return env


def as_user(argv, uid=65534, gid=65534):
    return [b"setpriv", b"--reuid=%d" % uid, b"--regid=%d" % gid, b"--clear-groups", b"--"] + argv


def run(argv, cwd, env, timeout=60, umask=0o022, stdin=subprocess.DEVNULL, all_of_it=False):
    """Runs to the end or kills the whole process group; never leaves a process behind. `all_of_it`: the end of whatever it started, too."""
    start = time.monotonic()
    alive, held = os.pipe() if all_of_it else (None, None)  # held by all of them: its other end is over when they are
    # Appended to: both ends write to the same stderr, and nothing may be lost when they do at the same moment.
    with tempfile.TemporaryFile("a+b") as out, tempfile.TemporaryFile("a+b") as err:
        child = subprocess.Popen(argv, cwd=cwd, env=env, stdin=stdin, stdout=out, stderr=err, start_new_session=True, umask=umask,
                                 pass_fds=(held,) if all_of_it else ())
        if all_of_it:
            os.close(held)
        try:
            code = child.wait(timeout)
            if all_of_it and not select.select([alive], [], [], timeout)[0]:
                code = None
        except subprocess.TimeoutExpired:
            code = None
        try:
            if code is None:
                os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        child.wait()
        if all_of_it:
            os.close(alive)
        out.seek(0)
        err.seek(0)
        return Outcome(code, out.read(), err.read(), time.monotonic() - start)


NUMBER = rb"[\d,.]+[KMGTP]?"
VARIES = [
    (re.compile(rb"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[\d+\] )", re.M), b""),
    # What depends on clocks, on how bytes were framed, or on where a message was written in the source.
    (re.compile(rb"^(sent ).*( bytes  received ).*( bytes  ).* bytes/sec$", re.M), rb"\1N\2N\3N bytes/sec"),
    (re.compile(rb"^(sent )\S+( bytes  received )\S+( bytes  total size )", re.M), rb"\1N\2N\3"),
    (re.compile(rb"/\S+/bin/[\w.]+/(?:ocsync|rsync)\b"), b"PROGRAM"),
    (re.compile(rb"(\(\d+ args\) \()\d+ bytes\)"), rb"\1N bytes)"),
    (re.compile(rb"(connection unexpectedly closed \()\d+( bytes received so far\))"), rb"\1N\2"),
    (re.compile(rb"^(total size is \S+  speedup is )" + NUMBER, re.M), rb"\1N"),
    (re.compile(rb"^(Total bytes (?:sent|received): |File list size: )" + NUMBER, re.M), rb"\1N"),
    (re.compile(rb"^(File list (?:generation|transfer) time: )[\d.]+", re.M), rb"\1N"),
    # The last words of a child of rsync's that its other process ends; ours has threads, which end silently.
    (re.compile(rb"^rsync error: received SIGUSR1 \(code 19\) at [^\n]*\n", re.M), b""),
    (re.compile(rb" at [\w./-]+\.(?:c|cpp|h)\(\d+\)"), b""),
    # Whether an end still writes when the other has given up is a race; the reason itself is printed apart from it.
    (re.compile(rb"^\w+: \[\w+\] write error: Broken pipe \(32\)\n", re.M), b""),
    (re.compile(rb"^\w+: \[\w+\] safe_write failed to write \d+ bytes to socket: Broken pipe \(32\)\n"
                rb"(?:rsync error: error in rsync protocol data stream \(code 12\) \[\w+=[\w.]+\]\n)?", re.M), b""),
    (re.compile(rb"\[(\w+)=[\w.]+\]"), rb"[\1=V]"),
    # Nor does everybody learn in the same way that a daemon has closed its socket while there was something to be read.
    (re.compile(rb"^\w+: \[\w+\] (?:read|write) error: Connection reset by peer \(104\)\n"
                rb"(?:rsync error: error in socket IO \(code 10\) \[\w+=[\w.]+\]\n)?", re.M), b""),
    # Which host it was, and what was being done: said beside rsync's own words, which do not tell.
    (re.compile(rb"^ocsync: host \"[^\"]*\", .*\n", re.M), b""),
    (re.compile(rb"^ocsync( error)?: ", re.M), rb"rsync\1: "),
    (re.compile(rb"\.[A-Za-z0-9]{6}(?=\")"), b".XXXXXX"),
    (re.compile(rb"(/\.[^\"/]+)\.\d+(?=\")"), rb"\1.PID"),
    (re.compile(rb"( *" + NUMBER + rb" +\d+%) +[\d.]+[kMGT]?B/s +\d+:\d\d:\d\d"), rb"\1 RATE"),
    (re.compile(rb"\b(ir|to)-chk=\d+/\d+"), b"chk=N"),
]


def normal(text, work):
    """Output with only that smoothed over which legitimately varies."""
    text = text.replace(os.fsencode(work), b"WORK")
    # A terminal sees only what stands after the last return; how often progress was redrawn depends on the clock.
    text = b"\n".join(line.rsplit(b"\r", 1)[-1] for line in text.split(b"\n"))
    for pattern, replacement in VARIES:
        text = pattern.sub(replacement, text)
    return text


def remove_tree(path):
    """Removes anything, also what cases made hard to remove."""
    from . import trees
    try:
        os.chmod(path, 0o700)
    except OSError:
        pass
    parent, name = os.path.split(path.rstrip("/"))
    try:
        trees.remove(parent, os.fsencode(name))
    except OSError:
        subprocess.run(["rm", "-rf", "--", path], stderr=subprocess.DEVNULL)


class Scratch:
    """A temporary home for a whole test run; reachable by other users; gone at the end."""

    def __init__(self, name, base=None):
        base = base or os.environ.get("OCSYNC_TEST_DIR") or None
        self.path = tempfile.mkdtemp(prefix=f"ocsync-{name}-", dir=base)
        os.chmod(self.path, 0o755)

    def __enter__(self):
        return self.path

    def __exit__(self, *_):
        remove_tree(self.path)


def find_ours(given):
    """The program under test: as given, or the newest build."""
    if given:
        return os.path.abspath(shutil.which(given) or given)
    built = [os.path.join(ROOT, "build", preset, "ocsync") for preset in ("release", "dev")]
    built = [b for b in built if os.path.exists(b)]
    return max(built, key=os.path.getmtime) if built else os.path.join(ROOT, "build/release/ocsync")


def is_root():
    return os.geteuid() == 0


def is_executable(path):
    try:
        return stat.S_ISREG(os.stat(path).st_mode) and os.access(path, os.X_OK)
    except OSError:
        return False
