"""Clients that lie to the daemon, before and after they are let in: each gets an error and costs bounded memory and time."""
import os
import random
import socket
import struct

from interop.daemons import Daemon
from interop.lab import Wrong, journey
from interop.wire import BASIS, DONE, FUZZY, TRANSFER, WHOLE_LIST, XNAME, Liar, entry, int32, varint
from support import running
from support.running import OURS

HUGE = 0x7FFFFFFF
# What a process of the daemon may have: far less than anything that is declared below.
MEMORY = 400 << 20


def pushes(liar, *more):
    liar.start("push", "--server", WHOLE_LIST, *more, ".", "push/")


def pulls(liar, *more):
    liar.start("pull", "--server", "--sender", WHOLE_LIST, *more, ".", "pull/file")


def noise(head):
    """60,000 bytes that mean nothing, the same in each run, behind the bytes that decide what they are taken for."""
    return head + random.Random("noise").randbytes(60000)


def before_login(liar):
    yield "a greeting without end", "connect from", lambda: liar.send(b"@RSYNCD: " + b"3" * 200000)
    yield "a greeting of version 2 billion", "connect from", lambda: liar.send(b"@RSYNCD: 2147483648.0\n")
    yield "a request without end", "connect from", lambda: (liar.greet(), liar.send(b"m" * 200000))
    yield "zero bytes in a request", "connect from", lambda: (liar.greet(), liar.send(b"push\0\0\n"))
    yield "early input of 2 GiB", "connect from", lambda: (liar.greet(), liar.send(b"#early_input=2147483647\n"))
    yield "early input of less than nothing", "connect from", lambda: (liar.greet(), liar.send(b"#early_input=-1\n"))
    yield "a response without end", "invalid challenge response", lambda: (liar.greet(), liar.send(b"guarded\n"), liar.send(b"joe " + b"A" * 200000))
    yield "arguments without end", "too many daemon arguments", lambda: (liar.greet(), liar.module("push"), liar.send(b"--server\0" * 20000))
    yield "binary noise", "connect from", lambda: liar.send(noise(b""))


def after_login(liar):
    def push_list(raw, *more):
        pushes(liar, *more)
        liar.say(raw)
    yield "a name of 2 GiB", "overflow: ", lambda: push_list(entry(b"f", name_length=HUGE))
    yield "a symlink's target of 2 GiB", "overflow: linkname_len", lambda: push_list(entry(b"l", mode=0o120777, target=b"x", target_length=HUGE), "-l")
    yield "a name that climbs", "ABORTING due to unsafe pathname from sender: ../up", lambda: push_list(entry(b"../up") + b"\0")
    yield "an absolute name", "ABORTING due to unsafe pathname from sender: /etc/up", lambda: push_list(entry(b"/etc/up") + b"\0")
    yield "a frame of 16 MiB", "multiplexing overflow", lambda: (pushes(liar), liar.send(struct.pack("<I", (7 + 2) << 24 | 0xFFFFFF) + b"x" * 9000))
    yield "frames of no known kind", "unexpected tag", lambda: (pushes(liar), liar.send(struct.pack("<I", 250 << 24 | 4) + b"abcd"))
    yield "a filter rule of 2 GiB", "buffer overflow", lambda: (pulls(liar), liar.say(int32(HUGE)))
    yield "a filter rule of less than nothing", "buffer overflow", lambda: (pulls(liar), liar.say(int32(-5)))

    def asks(head, *sums):
        pulls(liar)
        liar.say(int32(0) + b"\1" + struct.pack("<H", TRANSFER) + head + b"".join(sums))
    # Memory follows what comes, not what is announced.
    yield "two billion block sums that do not come", "connection unexpectedly closed", lambda: (
        asks(int32(HUGE) + int32(700) + int32(16) + int32(0), bytes(20 * 1000)), liar.socket.shutdown(socket.SHUT_WR))
    yield "a negative number of blocks", "Invalid checksum count", lambda: asks(int32(-1) + int32(700) + int32(2) + int32(0))
    yield "blocks of 2 GiB", "Invalid block length", lambda: asks(int32(1) + int32(HUGE) + int32(2) + int32(0))
    yield "blocks of no length", "Invalid zero block length", lambda: asks(int32(5) + int32(0) + int32(2) + int32(0))
    yield "sums of 2 GiB", "Invalid checksum length", lambda: asks(int32(1) + int32(700) + int32(HUGE) + int32(0))
    yield "a remainder that is longer than a block", "Invalid remainder length", lambda: asks(int32(1) + int32(700) + int32(2) + int32(701))
    yield "an index behind every list", "File-list index", lambda: (pulls(liar), liar.say(int32(0) + b"\xfe\x7f\xff" + struct.pack("<H", TRANSFER) + bytes(16)))
    yield "a negative index of no meaning", "Invalid file index", lambda: (pulls(liar), liar.say(int32(0) + b"\xff\x70" + struct.pack("<H", 0)))
    yield "attributes by the billion", "xattr count out of range", lambda: push_list(entry(b"f") + varint(0) + varint(HUGE), "-X")
    yield "an attribute's name of 2 GiB", "xattr name_len out of range", lambda: push_list(entry(b"f") + varint(0) + varint(1) + varint(HUGE) + varint(5), "-X")
    yield "an attribute of 2 GiB", "xattr datum_len exceeds per-value limit", lambda: push_list(entry(b"f") + varint(0) + varint(1) + varint(9) + varint(HUGE), "-X")
    yield "an access list of two billion users", "ACL count out of range", lambda: push_list(entry(b"f") + varint(0) + bytes([1 << 4]) + varint(HUGE), "-A")

    def answers(content):
        pushes(liar)
        liar.say(entry(b"f", size=700) + b"\0")
        request = liar.hear(3)
        liar.say(request + liar.hear(16) + content)
    # Content is written as it comes, whatever is announced.
    yield "a piece of content of 2 GiB that does not come", "connection unexpectedly closed", lambda: (answers(int32(HUGE)), liar.socket.shutdown(socket.SHUT_WR))
    yield "a block that nobody has", "Invalid block index", lambda: answers(int32(-HUGE))

    def negotiates(raw):
        liar.greet()
        liar.module("push")
        liar.arguments("--server", "-le.Lfxv", ".", "push/")
        liar.send(raw)
    yield "names of digests without end", "over-long vstring received (32767 > 255)", lambda: negotiates(b"\xff\xff" + b"x" * 32767)
    # The last byte of a frame's head is 7 and what the frame is: the same noise in each run, by what its head happens to be.
    yield "noise instead of frames", "unexpected tag", lambda: (pushes(liar), liar.send(noise(b"\x11\x5b\x02\xc8")))
    yield "noise that looks like a text of 2 MiB", "multiplexing overflow", lambda: (pushes(liar), liar.send(noise(b"\x11\x5b\x20\x09")))
    yield "noise that looks like a set of I/O errors", "invalid multi-message", lambda: (pushes(liar), liar.send(noise(b"\x11\x5b\x00\x1d")))


def tell(daemon, group, at):
    """One lie, told to the end; the connection must end by itself."""
    with Liar(daemon.port) as liar:
        name, _, act = list(group(liar))[at]
        try:
            act()
            said = liar.hear_end()
        except (EOFError, ConnectionError):
            said = b""
        except TimeoutError:
            raise Wrong(f"{name}: the daemon goes on waiting") from None
    return said


def names(group):
    """What each lie of a group is called, and what the log says of it."""
    return [(name, log) for name, log, _ in group(Liar.__new__(Liar))]


@journey
def lies(lab):
    folder = lab.folder()
    os.mkdir(f"{folder}/pull")
    os.mkdir(f"{folder}/push")
    with open(f"{folder}/pull/file", "wb") as f:
        f.write(b"content " * 1000)
    with open(f"{folder}/secrets", "w", encoding="ascii") as f:
        f.write("joe:secret\n")
    os.chmod(f"{folder}/secrets", 0o600)
    daemon = Daemon(lab.programs[OURS], folder, f"[pull]\npath={folder}/pull\n[push]\npath={folder}/push\nread only=no\n"
                    f"[guarded]\npath={folder}/pull\nauth users=joe\nsecrets file={folder}/secrets\n", memory=MEMORY)
    lab.at_end.append(daemon.end)

    def check(group, at, name, expected):
        before = len(daemon.log_text())
        tell(daemon, group, at)
        daemon.wait_for(lambda: not daemon.children(), f"{name}: its process ends")
        if daemon.process.poll() is not None:
            raise Wrong(f"{name}: the daemon itself has ended")
        if expected not in daemon.log_text()[before:]:
            raise Wrong(f"{name}: the log does not say {expected!r} but {daemon.log_text()[before:]!r}")
        if "out of memory" in daemon.log_text():
            raise Wrong(f"{name}: memory was asked for before the number was judged")
        if os.listdir(f"{folder}/push"):
            raise Wrong(f"{name}: left {os.listdir(folder + '/push')}")

    def all_of(group):
        for at, (name, expected) in enumerate(names(group)):
            check(group, at, name, expected)
        honest = lab.rsync(OURS, None, ["-a", daemon.url("pull/"), f"{folder}/back-{group.__name__}/"], folder)
        if honest.code != 0:
            raise Wrong(f"after all the lies an honest pull fails: {honest.err!r}")
    yield "daemon lies before login", lambda: all_of(before_login)
    yield "daemon lies after login", lambda: all_of(after_login)


def forge(daemon, words, basis, xname, blocks):
    """Pushes "f" and says that its blocks match another basis than the daemon chose. The daemon's last words."""
    with Liar(daemon.port) as liar:
        liar.start("m", "--server", WHOLE_LIST, "--no-whole-file", *words, ".", "m/dest/")
        liar.say(entry(b"f", size=701) + b"\0")
        try:
            while True:
                index = liar.hear(1)
                if index == DONE:
                    liar.say(DONE)
                    continue
                flags = struct.unpack("<H", liar.hear(2))[0]
                if flags & BASIS:
                    liar.hear(1)
                if flags & XNAME:
                    liar.hear(liar.hear(1)[0])
                head = liar.hear(16)
                count, _, digest, _ = struct.unpack("<4i", head)
                liar.hear(count * (4 + digest))
                if count != blocks:
                    raise Wrong(f"the daemon asks with {count} blocks, not {blocks}: this test tests nothing")
                liar.say(index + struct.pack("<H", flags | BASIS | XNAME) + bytes([basis]) + varint(len(xname)) + xname + head +
                         int32(-1) + int32(1) + b"X" + int32(0) + bytes(16))
        except (EOFError, ConnectionError):
            pass
    daemon.wait_for(lambda: not daemon.children(), "the forger's process ends")
    return daemon.log_text()


@journey
def forged_basis(lab):
    """The basis that a sender names is opened inside the module or not at all."""
    def attempt(where, extra):
        folder = lab.folder()
        for name in ("outer/inner/dest", "outer/outside/dest"):
            os.makedirs(f"{folder}/{name}")
        os.symlink("../outside", f"{folder}/outer/inner/planted")
        for name, content in (("inner/dest/f", b"A" * 700), ("outside/f", b"S" * 700), ("outside/dest/f", b"S" * 700)):
            with open(f"{folder}/outer/{name}", "wb") as f:
                f.write(content)
        daemon = Daemon(lab.programs[OURS], folder, f"[m]\npath={folder}/{where}\nread only=no\n{extra}")
        try:
            log = forge(daemon, ["--compare-dest=../planted"], FUZZY + 1, b"f", 1)
            if "failed verification" in log:
                raise Wrong(f"blocks were taken from a file outside the module:\n{log}")
            if "got a block match with no basis file" not in log:
                raise Wrong(f"the forged basis was not refused:\n{log}")
        finally:
            daemon.end()
    yield "daemon forged basis, no chroot", lambda: attempt("outer/inner", "use chroot=no\n")
    if running.is_root():
        yield "daemon forged basis, inner module of a chroot", lambda: attempt("outer/./inner", "use chroot=yes\n")
