#!/usr/bin/env python3
"""Runs that are ended in the middle: killed, interrupted, stalled, or with a far side that dies.

    tests/sim/breakdowns.py --ocsync build/dev/ocsync [--rsync /usr/bin/rsync] [--rounds 20] [--seed 1] [--only kill,signal]

Each target is the old or the new file and never a mixture, the next run completes, nothing hangs, and the exit codes
are rsync's. Ends the processes it started, by their id.
"""
import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

RSH = '''#!/bin/sh
while [ $# -gt 0 ]; do case "$1" in -l) shift 2;; -*) shift;; *) break;; esac; done
shift
exec sh -c "$*"
'''
# Runs the far side and leaves its process id and exit code behind.
FAR = '''#!/bin/sh
{program} "$@" <&3 3<&- &
echo $! > {top}/far.pid.tmp; mv {top}/far.pid.tmp {top}/far.pid
wait $!
code=$?
echo $code > {top}/far.code.tmp; mv {top}/far.code.tmp {top}/far.code
exit $code
'''
LIMIT = 60


class World:
    def __init__(self, top, ocsync, rsync, seed):
        self.top, self.ocsync, self.rsync = top, ocsync, rsync
        self.random = random.Random(seed)
        self.source, self.target = os.path.join(top, 'src'), os.path.join(top, 'dst')
        self.rsh = os.path.join(top, 'rsh')
        with open(self.rsh, 'w') as f:
            f.write(RSH)
        os.chmod(self.rsh, 0o755)
        self.old, self.new = {}, {}
        for i in range(60):
            folder = f'd{i % 7}/' if i % 3 else ''
            self.add(f'{folder}f{i}', self.random.choice([0, 10, 3000, 40000, 700000 if i % 10 == 0 else 5000]))
        self.add('large', 6_000_000)
        os.mkdir(self.source)
        for name, content in self.new.items():
            self.write(self.source, name, content, 1700000000)

    def add(self, name, size):
        body = self.random.randbytes(size)
        self.old[name] = b'OLD' + body + b'old'
        # A part of the content survives, so that there is a delta to send.
        self.new[name] = b'NEW' + body[:size // 2] + self.random.randbytes(size // 3) + b'new'

    @staticmethod
    def write(top, name, content, mtime):
        path = os.path.join(top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'wb') as f:
            f.write(content)
        os.utime(path, (mtime, mtime))

    def reset(self):
        shutil.rmtree(self.target, ignore_errors=True)
        os.mkdir(self.target)
        for name, content in self.old.items():
            if hash(name) % 5:
                self.write(self.target, name, content, 1600000000)
        self.write(self.target, 'd1/extra', b'x', 1600000000)
        for leftover in ('far.pid', 'far.code'):
            if os.path.exists(os.path.join(self.top, leftover)):
                os.unlink(os.path.join(self.top, leftover))

    def command(self, way, options):
        """way: local, or CLIENT-push/pull-FAR with o for ocsync and r for rsync."""
        if way == 'local':
            return [self.ocsync] + options + [self.source + '/', self.target + '/']
        client, direction, far = way.split('-')
        programs = {'o': self.ocsync, 'r': self.rsync}
        path = os.path.join(self.top, 'far')
        with open(path, 'w') as f:
            # A background job of sh has no standard input: it is handed over as descriptor 3.
            f.write(FAR.replace('#!/bin/sh\n', '#!/bin/sh\nexec 3<&0\n').format(program=programs[far], top=self.top))
        os.chmod(path, 0o755)
        ends = ['h:' + self.source + '/', self.target + '/'] if direction == 'pull' else [self.source + '/', 'h:' + self.target + '/']
        return [programs[client]] + options + ['-e', self.rsh, '--rsync-path=' + path] + ends

    def start(self, way, options):
        # Into a file: a stopped far side would keep a pipe open.
        with open(os.path.join(self.top, 'said'), 'wb') as said:
            process = subprocess.Popen(self.command(way, options), stdout=said, stderr=subprocess.STDOUT,
                                       stdin=subprocess.DEVNULL, start_new_session=True)
        process.said = said.name
        return process

    def far_pid(self, wait_s=5):
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            try:
                with open(os.path.join(self.top, 'far.pid')) as f:
                    return int(f.read())
            except (FileNotFoundError, ValueError):
                time.sleep(0.002)
        return None

    def far_code(self, wait_s):
        end = time.monotonic() + wait_s
        while time.monotonic() < end:
            try:
                with open(os.path.join(self.top, 'far.code')) as f:
                    return int(f.read())
            except (FileNotFoundError, ValueError):
                time.sleep(0.01)
        return None

    def check_files(self, complain):
        found = 0
        for name in self.new:
            path = os.path.join(self.target, name)
            if not os.path.exists(path):
                continue
            with open(path, 'rb') as f:
                content = f.read()
            found += 1
            if content not in (self.old[name], self.new[name]):
                complain(f'{name} is neither old nor new ({len(content)} bytes, new {len(self.new[name])}, old {len(self.old[name])})')
            elif name not in self.old and content != self.new[name]:
                complain(f'{name} came from nowhere')
        return found

    def temporaries(self):
        found = []
        for folder, _, files in os.walk(self.target):
            found += [os.path.join(folder, n) for n in files if n.startswith('.')]
        return found

    def finish(self, way, options, complain):
        process = self.start(way, options)
        try:
            process.wait(timeout=LIMIT)
            with open(process.said, errors='replace') as f:
                out = f.read()
        except subprocess.TimeoutExpired:
            end_group(process)
            complain('the run after it hangs')
            return
        if process.returncode != 0:
            complain(f'the run after it ended with {process.returncode}: {out[-300:]}')
        for name, content in self.new.items():
            with open(os.path.join(self.target, name), 'rb') as f:
                if f.read() != content:
                    complain(f'the run after it left {name} as it was')


def end_group(process):
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def settle(process, limit_s):
    """Waits for the end; the exit code, or None if it hangs (then it is ended)."""
    try:
        code = process.wait(timeout=limit_s)
    except subprocess.TimeoutExpired:
        end_group(process)
        code = None
    with open(process.said, errors='replace') as f:
        return code, f.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--ocsync', required=True)
    parser.add_argument('--rsync', default='/usr/bin/rsync')
    parser.add_argument('--rounds', type=int, default=20)
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--only', default='kill,signal,far-dies,stall')
    parser.add_argument('--ways', default='local,o-push-r,o-pull-r,r-push-o,r-pull-o,o-push-o,o-pull-o')
    parser.add_argument('--strict-time', action='store_true', help='an interrupted run must end within a second')
    wanted = parser.parse_args()
    os.environ['PYTHONHASHSEED'] = '0'
    top = tempfile.mkdtemp(prefix='breakdowns-')
    world = World(top, os.path.abspath(wanted.ocsync), os.path.abspath(wanted.rsync), wanted.seed)
    problems = []
    slowest = 0.0
    counts = {}

    base = ['-a', '--no-W']
    try:
        for way in wanted.ways.split(','):
            for plan in wanted.only.split(','):
                durations = None
                for round_number in range(wanted.rounds):
                    extra = world.random.choice([[], ['--delete'], ['-H'], ['-z'], ['-c'], ['--delay-updates'], ['--no-inc-recursive'],
                                                 ['--protocol=29'], ['--bwlimit=20000']])
                    if way == 'local' and world.random.random() < 0.5:
                        base_now = ['-a']
                    else:
                        base_now = base
                    options = base_now + extra
                    label = f'{plan} {way} round {round_number} {" ".join(options)}'

                    def complain(text):
                        problems.append(f'{label}: {text}')
                        print(problems[-1], flush=True)

                    if durations is None:
                        world.reset()
                        begin = time.monotonic()
                        code, out = settle(world.start(way, base), LIMIT)
                        durations = max(0.02, time.monotonic() - begin)
                        if code != 0:
                            complain(f'an undisturbed run ended with {code}: {out[-500:]}')
                            break
                    world.reset()
                    counts[plan] = counts.get(plan, 0) + 1
                    if plan == 'kill':
                        process = world.start(way, options)
                        time.sleep(world.random.uniform(0, durations))
                        end_group(process)
                        world.check_files(complain)
                        world.finish(way, options, complain)
                    elif plan == 'signal':
                        number = world.random.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
                        process = world.start(way, options)
                        time.sleep(world.random.uniform(0.02, durations))
                        begin = time.monotonic()
                        process.send_signal(number)
                        code, out = settle(process, 20)
                        took = time.monotonic() - begin
                        slowest = max(slowest, took)
                        if code is None:
                            complain(f'hangs after signal {number}')
                        elif code not in (0, 20, -number):
                            complain(f'ended with {code} after signal {number}: {out[-400:]}')
                        elif wanted.strict_time and took > 1:
                            complain(f'took {took:.2f} s to end after signal {number}')
                        if way != 'local' and world.far_pid(0.01) and world.far_code(5) is None:
                            complain('the far side stays')
                            end_group(process)
                        world.check_files(complain)
                        left = world.temporaries()
                        if left and code != -number and not way.startswith('r') and '--delay-updates' not in options:
                            complain(f'left behind {left} (code {code}): {out[-300:]}')
                        world.finish(way, options, complain)
                    elif plan == 'far-dies':
                        if way == 'local':
                            break
                        process = world.start(way, options)
                        far = world.far_pid()
                        time.sleep(world.random.uniform(0, durations))
                        try:
                            if far and world.far_code(0.001) is None:
                                os.kill(far, signal.SIGKILL)
                        except ProcessLookupError:
                            pass
                        code, out = settle(process, 20)
                        if code is None:
                            complain('hangs after its far side died')
                        elif code not in (0, 12, 137, 255, 20, 10):
                            complain(f'ended with {code} after its far side died: {out[-400:]}')
                        elif code == 12 and 'connection unexpectedly closed' not in out and 'rsync error' not in out:
                            complain(f'says nothing helpful: {out[-400:]}')
                        world.check_files(complain)
                        if not way.startswith('r') and 'pull' in way and '--delay-updates' not in options:
                            left = world.temporaries()
                            if left:
                                complain(f'left behind {left}')
                        world.finish(way, options, complain)
                    elif plan == 'stall':
                        if way == 'local' or round_number >= max(2, wanted.rounds // 8):
                            break
                        stop_client = way.startswith('r')
                        process = world.start(way, options + ['--timeout=1'])
                        far = world.far_pid()
                        time.sleep(world.random.uniform(0, durations / 2))
                        stopped = process.pid if stop_client else far
                        try:
                            os.kill(stopped, signal.SIGSTOP)
                        except (ProcessLookupError, TypeError):
                            settle(process, 20)
                            continue
                        if stop_client:
                            code = world.far_code(10)
                            out = ''
                            os.kill(stopped, signal.SIGKILL)
                            end_group(process)
                        else:
                            code, out = settle(process, 10)
                            end_group(process)
                        if code is None:
                            complain('does not notice a stalled far side')
                        elif code not in (30, 0):
                            complain(f'ended with {code} when the far side stalled: {out[-400:]}')
                        counts[f'stall {way} {code}'] = counts.get(f'stall {way} {code}', 0) + 1
                        world.check_files(complain)
    finally:
        shutil.rmtree(top, ignore_errors=True)
    print(f'{counts}; slowest end after a signal {slowest:.2f} s; {len(problems)} problems')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
