"""What the interop journeys share: the laboratory with its programs and folders, and the register of journeys."""
import filecmp
import itertools
import os
import sys
import threading

from support import running, trees
from support.running import NEW, OLD, OURS

HERE = os.path.dirname(os.path.abspath(__file__))
JOURNEYS = []


class Skip(Exception):
    """Cannot be tried here; the reason is said aloud."""


class Wrong(Exception):
    """The program did something else than it should; the text says what."""


def journey(function):
    """Registers a function of a Lab that yields (name, callable) pairs, each one test."""
    JOURNEYS.append(function)
    return function


class Lab:
    def __init__(self, programs, home, full, original):
        self.programs, self.home, self.full = programs, home, full
        self.original = original  # the program under test where it was built, with its neighbours
        self.at_end = []  # what must be stopped when all is done
        self._count, self._lock = itertools.count(), threading.Lock()

    def folder(self):
        with self._lock:
            path = os.path.join(self.home, f"lab-{next(self._count):05}")
        os.mkdir(path, 0o755)
        return path

    def ours_is_rsync(self):
        """Whether the journeys are checking themselves."""
        return filecmp.cmp(self.programs[OURS], self.programs[NEW], shallow=False)

    def pairs(self):
        """Every pairing with ocsync at one end at least, as far as the programs are here."""
        both = [(OURS, OURS), (OURS, NEW), (NEW, OURS), (OURS, OLD), (OLD, OURS)]
        return [(c, s) for c, s in both if self.programs.has(c) and self.programs.has(s)]

    def env(self, folder, **extra):
        return running.environment(self.programs, folder, extra)

    def rsync(self, client, server, words, folder, timeout=120, **extra):
        argv = [self.programs[client]]
        if server:
            argv.append("--rsync-path=" + self.programs[server])
        return running.run(argv + words, folder, self.env(folder, **extra), timeout)

    def relay(self, action):
        """A remote shell word list (for RSYNC_RSH) that passes through the relay."""
        return f"{sys.executable} {os.path.join(HERE, 'relay.py')} '{action}'"


def tail(outcome):
    return (outcome.err or outcome.out)[-300:].decode(errors="backslashreplace").replace("\n", " | ")


def expect_code(outcome, allowed, what):
    if outcome.hung:
        raise Wrong(f"{what}: HUNG")
    if outcome.code not in allowed:
        raise Wrong(f"{what}: exit code {outcome.code}, expected {' or '.join(map(str, sorted(allowed)))}: {tail(outcome)}")


def expect_same_tree(a, b, what, ignore=()):
    left, right = (trees.describe(x, 1 << 62) for x in (a, b))
    for facts in itertools.chain(left.values(), right.values()):
        for key in ignore:
            facts.pop(key, None)
    found = trees.differences(left, right)
    if found:
        raise Wrong(f"{what}: " + "; ".join(found))
