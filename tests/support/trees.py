"""Directory trees as text: building them from lines of a case, and describing what lies on disk.

A line names one entry; names may be quoted with Python escapes ("a\\nb", "\\xff") and may contain rep(TEXT,N):

    file NAME [SIZE bytes] [seed=N] [text="..."] [EDIT...] [ATTR...]     content is random but follows from the seed
    dir NAME [ATTR...]          symlink NAME -> TARGET [ATTR...]          hard NAME = EARLIER-NAME
    fifo NAME [ATTR...]         socket NAME [ATTR...]                     device NAME b|c MAJOR MINOR [ATTR...]
    many NAME COUNT SIZE bytes [ATTR...]                                  COUNT files in directories of 100
    rm NAME

    EDIT: splice=OFFSET:LENGTH:SEED  insert=OFFSET:LENGTH:SEED  cut=OFFSET:LENGTH  zeros=OFFSET:LENGTH  sparse
    ATTR: mtime=SECONDS[.NANOSECONDS]  mode=OCTAL  owner=UID:GID  user.NAME=VALUE (an xattr)  acl=SPEC

Every access goes through directory descriptors, so paths may be longer than the kernel takes in one piece.
"""
import ast
import hashlib
import os
import random
import re
import stat
import subprocess

DEFAULT_MTIME = 1_500_000_000 * 10**9 + 123_456_789


class BadLine(Exception):
    pass


def unquote(token):
    """A name as bytes: quoted with escapes or bare; rep(TEXT,N) repeats."""
    if token.startswith('"'):
        raw = ast.literal_eval("b" + token)
    else:
        raw = os.fsencode(token)
    return re.sub(rb"rep\(([^,]*),(\d+)\)", lambda m: m.group(1) * int(m.group(2)), raw)


def tokens(line):
    return re.findall(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+', line)


class Opened:
    """The directory that holds a path, and the path's last name."""

    def __init__(self, root, path, create=False):
        parts = [p for p in path.split(b"/") if p not in (b"", b".")]
        self.fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        for part in parts[:-1]:
            try:
                fd = os.open(part, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.fd)
            except FileNotFoundError:
                if not create:
                    raise
                os.mkdir(part, 0o755, dir_fd=self.fd)
                fd = os.open(part, os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.fd)
            os.close(self.fd)
            self.fd = fd
        self.name = parts[-1] if parts else b"."

    def __enter__(self):
        return self.fd, self.name

    def __exit__(self, *_):
        os.close(self.fd)


def content(size, seed, edits, text):
    data = bytearray(text if text is not None else random.Random(seed).randbytes(size))
    for kind, numbers in edits:
        if kind == "splice":
            at, length, other = numbers
            data[at:at + length] = random.Random(other).randbytes(length)
        elif kind == "insert":
            at, length, other = numbers
            data[at:at] = random.Random(other).randbytes(length)
        elif kind == "cut":
            at, length = numbers
            del data[at:at + length]
        elif kind == "zeros":
            at, length = numbers
            data[at:at + length] = bytes(length)
    return bytes(data)


def write_sparse(fd, data):
    step = 4096
    for at in range(0, len(data), step):
        piece = data[at:at + step]
        if piece.strip(b"\0"):
            os.pwrite(fd, piece, at)
    os.ftruncate(fd, len(data))


def nanoseconds(text):
    whole, _, fraction = text.partition(".")
    nsec = int((fraction + "0" * 9)[:9]) if fraction else 0
    return int(whole) * 10**9 + nsec


class Line:
    """One parsed entry line."""

    def __init__(self, line):
        words = tokens(line)
        if len(words) < 2:
            raise BadLine(line)
        self.line, self.kind, self.name = line, words[0], unquote(words[1])
        self.size = self.seed = self.text = self.mtime = self.mode = self.owner = self.target = self.device = self.acl = None
        self.count, self.edits, self.sparse, self.xattrs = 0, [], False, {}
        rest = words[2:]
        if self.kind == "symlink":
            self.target = unquote(rest[1])
            rest = rest[2:]
        elif self.kind == "hard":
            self.target = unquote(rest[1])
            rest = rest[2:]
        elif self.kind == "device":
            self.device = (rest[0], int(rest[1]), int(rest[2]))
            rest = rest[3:]
        elif self.kind == "many":
            self.count = int(rest[0])
            rest = rest[1:]
        while rest:
            word, rest = rest[0], rest[1:]
            key, _, value = word.partition("=")
            if word.isdigit() and rest and rest[0] in ("bytes", "byte"):
                self.size, rest = int(word), rest[1:]
            elif key == "seed":
                self.seed = int(value)
            elif key == "text":
                self.text = unquote(value)
            elif key == "mtime":
                self.mtime = nanoseconds(value)
            elif key == "mode":
                self.mode = int(value, 8)
            elif key == "owner":
                self.owner = tuple(int(x) for x in value.split(":"))
            elif key in ("splice", "insert", "cut", "zeros"):
                self.edits.append((key, [int(x) for x in value.split(":")]))
            elif key == "sparse":
                self.sparse = True
            elif key == "acl":
                self.acl = value
            elif key.startswith(("user.", "trusted.", "security.")):
                self.xattrs[key] = unquote(value)
            else:
                raise BadLine(f"{word!r} in {line!r}")

    def data(self):
        return content(self.size or 0, self.seed or 0, self.edits, self.text)


def build(root, lines, default_owner=None):
    """Makes the entries; directory attributes are set last, because filling a directory would change them again.

    Directories that no line names get a fixed time too: nothing may depend on the second in which a test began.
    """
    late, parents = [], set()
    for line in lines:
        entry = line if isinstance(line, Line) else Line(line)
        if entry.kind == "rm":
            remove(root, entry.name)
            continue
        if entry.kind == "many":
            build(root, [Line(f'file "{os.fsdecode(entry.name)}/{i // 100:03}/f{i:05}" {entry.size} bytes seed={i} '
                              f'mtime={(entry.mtime or DEFAULT_MTIME) // 10**9}') for i in range(entry.count)], default_owner)
            continue
        parts = [p for p in entry.name.split(b"/") if p]
        parents.update(b"/".join(parts[:n]) for n in range(1, len(parts)))
        with Opened(root, entry.name, create=True) as (fd, name):
            make(root, fd, name, entry)
            if entry.kind == "dir":
                late.append(entry)
            else:
                set_attributes(fd, name, entry, default_owner)
    for path in sorted(parents, reverse=True):
        with Opened(root, path) as (fd, name):
            mtime = DEFAULT_MTIME - (10**12 if path.split(b"/")[0] == b"dst" else 0)
            os.utime(name, ns=(mtime, mtime), dir_fd=fd)
            if default_owner:
                os.chown(name, *default_owner, dir_fd=fd)
    for entry in reversed(late):
        with Opened(root, entry.name) as (fd, name):
            set_attributes(fd, name, entry, default_owner)


def make(root, fd, name, entry):
    if entry.kind == "dir":
        try:
            os.mkdir(name, 0o755, dir_fd=fd)
        except FileExistsError:
            pass
        return
    if name != b".":
        try:
            os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            pass
    if entry.kind == "file":
        out = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=fd)
        try:
            data = entry.data()
            if entry.sparse:
                write_sparse(out, data)
            else:
                done = 0
                while done < len(data):
                    done += os.write(out, data[done:])
            os.fchmod(out, 0o644)
        finally:
            os.close(out)
    elif entry.kind == "symlink":
        os.symlink(entry.target, name, dir_fd=fd)
    elif entry.kind == "hard":
        with Opened(root, entry.target) as (other, other_name):
            os.link(other_name, name, src_dir_fd=other, dst_dir_fd=fd, follow_symlinks=False)
    elif entry.kind == "fifo":
        os.mkfifo(name, 0o644, dir_fd=fd)
    elif entry.kind == "socket":
        os.mknod(name, 0o644 | stat.S_IFSOCK, dir_fd=fd)
    elif entry.kind == "device":
        kind = stat.S_IFBLK if entry.device[0] == "b" else stat.S_IFCHR
        os.mknod(name, 0o644 | kind, os.makedev(*entry.device[1:]), dir_fd=fd)
    else:
        raise BadLine(entry.line)


def set_attributes(fd, name, entry, default_owner):
    if entry.kind == "hard":
        return
    owner = entry.owner if entry.owner and os.geteuid() == 0 else default_owner
    if owner:
        os.chown(name, *owner, dir_fd=fd, follow_symlinks=False)
    path = b"/proc/self/fd/%d/%s" % (fd, name)
    for key, value in entry.xattrs.items():
        os.setxattr(path, key, value, follow_symlinks=False)
    if entry.acl:
        subprocess.run(["setfacl", "-m", entry.acl, path], check=True, pass_fds=[fd])
    if entry.mode is not None and entry.kind != "symlink":
        os.chmod(name, entry.mode, dir_fd=fd)
    mtime = entry.mtime if entry.mtime is not None else DEFAULT_MTIME
    os.utime(name, ns=(mtime, mtime), dir_fd=fd, follow_symlinks=False)


def remove(root, path):
    try:
        with Opened(root, path) as (fd, name):
            _remove_at(fd, name)
    except FileNotFoundError:
        pass


class Place:
    """A directory held open that moves down and up. Holds one descriptor, however deep: copied loops of links go down to
    the longest path that the kernel takes."""

    def __init__(self, fd):
        self.fd = os.dup(fd)

    def move(self, name):
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=self.fd)
        os.close(self.fd)
        self.fd = fd

    def names(self):
        return sorted(map(os.fsencode, os.listdir(self.fd)), reverse=True)

    def close(self):
        os.close(self.fd)


def _remove_at(fd, name):
    here, todo = Place(fd), [[name]]  # per level: names still to be removed; the last one is next
    try:
        while todo:
            if not todo[-1]:
                todo.pop()
                if todo:
                    here.move("..")
                    os.rmdir(todo[-1].pop(), dir_fd=here.fd)
                continue
            child = todo[-1][-1]
            info = os.stat(child, dir_fd=here.fd, follow_symlinks=False)
            if stat.S_ISDIR(info.st_mode):
                if info.st_mode & 0o700 != 0o700:
                    try:
                        os.chmod(child, 0o700, dir_fd=here.fd)
                    except OSError:
                        pass
                here.move(child)
                todo.append(here.names())
            else:
                os.unlink(todo[-1].pop(), dir_fd=here.fd)
    finally:
        here.close()


def show(raw):
    """A name for people: printable, unambiguous, short."""
    text = ascii(os.fsdecode(raw))[1:-1]
    return text if len(text) < 90 else f"{text[:40]}...{text[-30:]} ({len(raw)} bytes)"


KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink", stat.S_IFIFO: "fifo", stat.S_IFSOCK: "socket",
         stat.S_IFBLK: "block", stat.S_IFCHR: "char"}


def describe(root, now_ns, skip=(), holes=False):
    """{path: {fact: value}} of everything below root; times not before now_ns read "now", because they vary by nature."""
    found, groups = {}, {}
    top = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    here = Place(top)
    os.close(top)
    try:
        todo = [(b"", here.names())]  # per level: the path in front, and names still to be described
        while todo:
            prefix, names = todo[-1]
            if not names:
                todo.pop()
                if todo:
                    here.move("..")
                continue
            child = names.pop()
            if prefix + child not in skip and _describe(here.fd, child, prefix + child, now_ns, holes, found, groups):
                here.move(child)
                todo.append((prefix + child + b"/", here.names()))
    finally:
        here.close()
    for members in groups.values():
        if len(members) > 1:
            first = min(members)
            for member in members:
                found[member]["hard"] = show(first)
    return found


def _describe(fd, child, path, now_ns, holes, found, groups):
    """Adds one entry; says whether it is a directory."""
    info = os.stat(child, dir_fd=fd, follow_symlinks=False)
    kind = stat.S_IFMT(info.st_mode)
    facts = {"kind": KINDS[kind], "mode": "%04o" % stat.S_IMODE(info.st_mode), "owner": f"{info.st_uid}:{info.st_gid}",
             "mtime": "now" if info.st_mtime_ns >= now_ns else info.st_mtime_ns}
    found[path] = facts
    if kind == stat.S_IFREG:
        facts["size"] = info.st_size
        try:
            inner = os.open(child, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
        except PermissionError:
            facts["content"] = "(unreadable for the tests)"
            return False
        try:
            if path.endswith(b".batch"):
                del facts["size"]  # seed and times; what it is worth shows when it is replayed
            elif path.endswith((b".log", b".batch.sh")):
                with open(inner, "rb", closefd=False) as f:
                    facts["log"] = f.read()
                    del facts["size"]
            else:
                digest = hashlib.blake2b(digest_size=12)
                while piece := os.read(inner, 1 << 20):
                    digest.update(piece)
                facts["content"] = digest.hexdigest()
                if holes:
                    facts["holes"] = info.st_blocks * 512 < info.st_size // 2
        finally:
            os.close(inner)
    elif kind == stat.S_IFLNK:
        facts["target"] = show(os.readlink(child, dir_fd=fd))
        facts.pop("mode")
    elif kind in (stat.S_IFBLK, stat.S_IFCHR):
        facts["device"] = f"{os.major(info.st_rdev)},{os.minor(info.st_rdev)}"
    if kind != stat.S_IFDIR and info.st_nlink > 1:
        groups.setdefault(info.st_ino, []).append(path)
    proc = b"/proc/self/fd/%d/%s" % (fd, child)
    try:
        for key in sorted(os.listxattr(proc, follow_symlinks=False)):
            if not key.startswith("security."):
                facts[key] = os.getxattr(proc, key, follow_symlinks=False).hex()
    except OSError:
        pass
    return kind == stat.S_IFDIR


def differences(expected, got, limit=8):
    """Sentences on how two descriptions differ; empty when they do not."""
    out = []
    for path in sorted(expected.keys() | got.keys()):
        if path not in got:
            out.append(f"{show(path)}: missing ({expected[path]['kind']} expected)")
        elif path not in expected:
            out.append(f"{show(path)}: should not be there ({got[path]['kind']})")
        else:
            for key in sorted(expected[path].keys() | got[path].keys()):
                a, b = expected[path].get(key), got[path].get(key)
                if a != b and key != "log":
                    out.append(f"{show(path)}: {key} is {b}, expected {a}")
    if len(out) > limit:
        out[limit:] = [f"... and {len(out) - limit} more differences"]
    return out


def check_then(lines, found, prefix, now_ns):
    """Compares what a case says about its destination with what is there; says nothing about unnamed attributes."""
    out, named = [], set()
    for line in lines:
        want = Line(line)
        path = prefix + want.name
        named.add(path)
        facts = found.get(path)
        if facts is None:
            out.append(f"{show(path)}: missing, the case says {line!r}")
            continue
        kind = {"hard": "file", "device": "block" if want.device and want.device[0] == "b" else "char"}.get(want.kind, want.kind)
        if facts["kind"] != kind:
            out.append(f"{show(path)}: a {facts['kind']}, the case says {kind}")
            continue
        if want.kind == "file" and (want.size is not None or want.text is not None):
            if facts.get("content") != hashlib.blake2b(want.data(), digest_size=12).hexdigest():
                out.append(f"{show(path)}: other content than the case says")
        if want.kind == "symlink" and facts["target"] != show(want.target):
            out.append(f"{show(path)}: points to {facts['target']}, the case says {show(want.target)}")
        if want.kind == "hard" and facts.get("hard") != found.get(prefix + want.target, {}).get("hard", "nothing"):
            out.append(f"{show(path)}: not the same file as {show(want.target)}")
        if want.mtime is not None and facts["mtime"] != want.mtime:
            out.append(f"{show(path)}: mtime {facts['mtime']}, the case says {want.mtime}")
        if want.mode is not None and int(facts.get("mode", "0"), 8) != want.mode:
            out.append(f"{show(path)}: mode {facts.get('mode')}, the case says {want.mode:04o}")
        if want.owner is not None and facts["owner"] != "%d:%d" % want.owner:
            out.append(f"{show(path)}: owner {facts['owner']}, the case says {want.owner}")
    for path in found:
        if path.startswith(prefix) and path not in named and not any(n.startswith(path + b"/") for n in named):
            out.append(f"{show(path)}: there, but the case does not name it")
    return out
