#!/usr/bin/env python3
"""A remote shell for tests: starts the far side and passes bytes through, until something is arranged to happen.

relay.py ACTION [shell arguments...] HOST COMMAND...   where ACTION is one of
    none                      pass everything
    stall-up:N, stall-down:N  pass N bytes towards (from) the far side, then nothing more in either direction
    cut-up:N, cut-down:N      pass N bytes, then close everything
    sh-up:N:SCRIPT            when N bytes went towards the far side run SCRIPT, before passing them on; sh-down alike
"""
import os
import subprocess
import sys
import threading
import time


def main():
    action = sys.argv[1].split(":", 2)
    words = sys.argv[2:]
    while words and words[0].startswith("-"):
        words = words[2:] if words[0] in ("-l", "-p", "-o", "-i", "-F") else words[1:]
    far = subprocess.Popen(["/bin/sh", "-c", " ".join(words[1:])], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    stalled = threading.Event()
    for fd in (0, 1):
        os.set_blocking(fd, True)  # whoever starts a remote shell may hand over descriptors that do not wait

    def pump(source, sink, direction):
        kind, at = (action[0].rsplit("-", 1)[0], int(action[1])) if action[0].endswith(direction) else (None, 0)
        passed, done = 0, False
        while True:
            data = os.read(source, 65536)
            if not data:
                break
            if kind == "stall" and passed + len(data) > at:
                write_all(sink, data[:max(0, at - passed)])
                stalled.set()
            if stalled.is_set():
                time.sleep(3600)
            if kind == "cut" and passed + len(data) > at:
                write_all(sink, data[:max(0, at - passed)])
                far.kill()
                os._exit(1)
            if kind == "sh" and not done and passed + len(data) > at:
                done = True
                subprocess.run(["/bin/sh", "-c", action[2]], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            write_all(sink, data)
            passed += len(data)
        os.close(sink)

    threading.Thread(target=pump, args=(0, far.stdin.fileno(), "up"), daemon=True).start()
    try:
        pump(far.stdout.fileno(), 1, "down")
    except BrokenPipeError:
        far.kill()
    sys.exit(far.wait())


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, OSError):
        os._exit(1)
