"""A client that can lie: the daemon's conversation and version 30 of the protocol as bytes, every number free to be wrong."""
import hashlib
import base64
import socket
import struct

DONE = b"\0"                 # the index that ends a phase
WHOLE_LIST = "-le.Lfx"       # letters of a client that knows no incremental lists and no negotiated strings
TRANSFER, BASIS, XNAME = 1 << 15, 1 << 11, 1 << 12
FUZZY = 0x83


def int32(value):
    return struct.pack("<I", value & 0xFFFFFFFF)


def varint(value):
    """Bits of the first byte tell how many bytes follow."""
    body = struct.pack("<I", value & 0xFFFFFFFF).rstrip(b"\0") or b"\0"
    extra = len(body) - 1
    first_free = 1 << (7 - extra)
    if body[-1] < first_free:
        return bytes([(0x100 - (first_free << 1)) & 0xFF | body[-1]]) + body[:-1]
    extra += 1
    return bytes([(0x100 - (1 << (8 - extra))) & 0xFF]) + body


def varlong(value, least):
    body = struct.pack("<Q", value)
    used = max(len(body.rstrip(b"\0")), least)
    extra = used - least
    first_free = 1 << (7 - extra)
    if body[used - 1] < first_free:
        return bytes([(0x100 - (first_free << 1)) & 0xFF | body[used - 1]]) + body[:used - 1]
    extra += 1
    return bytes([(0x100 - (1 << (8 - extra))) & 0xFF]) + body[:used]


def entry(name, mode=0o100644, size=0, name_length=None, target=b"", target_length=None):
    """A list entry that repeats nothing of the one before: long name, no owner fields (-o and -g are not given)."""
    flags = 1 << 6 | 1 << 2
    out = struct.pack("<H", flags) + varint(len(name) if name_length is None else name_length) + name
    out += varlong(size, 3) + varlong(1000, 4) + int32(mode)
    if mode >> 12 == 0o12:
        out += varint(len(target) if target_length is None else target_length) + target
    return out


class Liar:
    """One connection. Everything waits for `patience` seconds at most; then socket.timeout tells of a daemon that hangs."""

    def __init__(self, port, patience=30, receive_bytes=None):
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(patience)
        self.socket.connect(("127.0.0.1", port))
        self.raw, self.data, self.texts = b"", b"", []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, raw):
        self.socket.sendall(raw)

    def line(self):
        while b"\n" not in self.raw:
            got = self.socket.recv(65536)
            if not got:
                raise EOFError(self.raw)
            self.raw += got
        line, self.raw = self.raw.split(b"\n", 1)
        return line.decode(errors="replace")

    def greet(self, version=30):
        hello = self.line()
        self.send(b"@RSYNCD: %d.0 md5 md4\n" % version)
        return hello

    def module(self, name, user="", password=""):
        """The first answer that decides: OK, EXIT, or an error."""
        self.send(name.encode() + b"\n")
        while True:
            line = self.line()
            if line.startswith("@RSYNCD: AUTHREQD "):
                digest = hashlib.md5(password.encode() + line.split()[2].encode()).digest()
                self.send(f"{user} {base64.b64encode(digest).decode().rstrip('=')}\n".encode())
            elif line.startswith("@"):
                return line

    def arguments(self, *words):
        self.send(b"".join(w.encode() + b"\0" for w in words) + b"\0")

    def start(self, module, *words, user="", password=""):
        """Up to where frames begin."""
        self.greet()
        answer = self.module(module, user, password)
        if answer != "@RSYNCD: OK":
            raise EOFError(answer)
        self.arguments(*words)
        self._raw(1)  # compatibility flags: below 128, so a single byte
        self._raw(4)  # the seed

    def _raw(self, count):
        while len(self.raw) < count:
            got = self.socket.recv(65536)
            if not got:
                raise EOFError
            self.raw += got
        out, self.raw = self.raw[:count], self.raw[count:]
        return out

    def say(self, data):
        """Data in frames."""
        for at in range(0, len(data), 0xFFFF):
            piece = data[at:at + 0xFFFF]
            self.send(struct.pack("<I", 7 << 24 | len(piece)) + piece)

    def hear(self, count):
        while len(self.data) < count:
            head = struct.unpack("<I", self._raw(4))[0]
            body = self._raw(head & 0xFFFFFF)
            if head >> 24 == 7:
                self.data += body
            else:
                self.texts.append((head >> 24) - 7)
                self.texts.append(body.decode(errors="replace"))
        out, self.data = self.data[:count], self.data[count:]
        return out

    def hear_end(self):
        """Everything the daemon still says, up to its end; a daemon that goes on waiting is a socket.timeout."""
        rest = self.raw
        try:
            while True:
                got = self.socket.recv(65536)
                if not got:
                    return rest
                rest += got
        except ConnectionError:
            return rest
