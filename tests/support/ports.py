"""Ports of the loopback interface for servers that a test starts.

A port that the kernel hands out for a moment (bind to 0, close) may be given to somebody else's outgoing connection before the
server asks for it. These come from below the range of such connections, and each belongs to one process until that ends.
"""
import random
import socket
import sys
import threading

_BLOCK = 64   # ports that are reserved together, so that a process holds few descriptors for many servers
_held = []    # a name for each block of ours; the kernel takes the names back when the process ends
_ours = []    # ports of such blocks that were not given away yet
_lock = threading.Lock()


def _first_outgoing():
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as f:
            return int(f.read().split()[0])
    except OSError:
        return 32768


def free_port():
    """A port that no other caller in this network gets while this process lives, and where nobody listens now."""
    with _lock:
        while True:
            while _ours:
                port = _ours.pop()
                try:
                    with socket.socket() as s:
                        s.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    pass  # a stranger's
            _ours.extend(_another_block())


def _another_block():
    lowest, end = 10000, _first_outgoing()
    if end < lowest + 1000:
        end = 30000
    starts = range(lowest, end - _BLOCK, _BLOCK)
    for start in random.SystemRandom().sample(starts, len(starts)):
        name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            # A name without a file: the first who binds it has it, whatever process or folder the others have.
            name.bind(f"\0ocsync-test-ports-{start}")
        except OSError:
            name.close()
            continue
        _held.append(name)
        return range(start, start + _BLOCK)
    raise RuntimeError("no free port on 127.0.0.1")


def _in_table(address):
    """An address as the kernel's table of sockets writes it: each word of four bytes as a number of this machine."""
    raw = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return "".join(f"{int.from_bytes(raw[i:i + 4], sys.byteorder):08X}" for i in range(0, len(raw), 4))


def listened_on(port, address="127.0.0.1"):
    """Whether somebody listens there, without being a caller whom the server must serve."""
    wanted = f"{_in_table(address)}:{port:04X}"
    with open("/proc/net/tcp6" if ":" in address else "/proc/net/tcp", encoding="ascii") as f:
        return any(line.split()[1] == wanted and line.split()[3] == "0A" for line in f)
