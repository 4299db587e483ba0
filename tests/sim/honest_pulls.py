#!/usr/bin/env python3
"""Pulls many argument forms from rsync, once with rsync and once with ocsync as client, and compares what arrives.

Shows that the checks of a sender's names refuse no honest transfer. Needs an rsync at the other end:
    tests/sim/honest_pulls.py --ocsync build/dev/ocsync --rsync /usr/bin/rsync [--keep-going]
"""
import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile

RSH = '''#!/bin/sh
while [ $# -gt 0 ]; do case "$1" in -l) shift 2;; -*) shift;; *) break;; esac; done
shift
exec sh -c "$*"
'''

NAMES = ['plain', 'two words', 'c[1]', 'c1', 'star*', 'back\\slash', 'back\\*', 'q?', 'sub/deep/leaf', 'sub/deep/other',
         'sub/x', 'sub/c[1]/in', '.hidden', 'sub/.hidden', 'a$b', 'quo\'te', 'dq"x', '~tilde', 'new\nline', '-dash',
         'sub/deep/more/levels/f', 'logs/a.log', 'logs/b.txt', 'logs/keep/c.log', '{brace}', 'semi;colon', '!bang', 'caf\u00e9']

ARGS = [['plain'], ['plain', 'c1'], ['two words'], ['c[1]'], ['c[12]'], ['c\\[1\\]'], ['star*'], ['star\\*'], ['*'],
        ['s*'], ['sub'], ['sub/'], ['sub/.'], ['sub/deep'], ['sub/deep/'], ['sub/deep/leaf'], ['sub/*'], ['sub/*/leaf'],
        ['s*/d*/l*'], ['.'], ['./'], [''], ['sub/deep/..'], ['sub/..'], ['sub/./deep'], ['./sub/deep'], ['sub/./deep/leaf'],
        ['sub//deep'], ['sub/deep/.'], ['back\\slash'], ['back\\\\slash'], ['back*'], ['back\\*'], ['q?'], ['?1'], ['a$b'], ["quo'te"], ['dq"x'],
        ['~tilde'], ['-dash'], ['logs/*.log'], ['logs/'], ['logs', 'sub/x'], ['sub/c[1]'], ['sub/c[1]/in'], ['sub/c[0-9]'],
        ['{brace}'], ['semi;colon'], ['!bang'], ['new\nline'], ['caf\u00e9'], ['.hidden'], ['[.]hidden'], ['missing'],
        ['plain', 'missing'], ['sub/deep/leaf', 'sub/x', 'logs/keep'], ['sub/deep/*', 'logs/?.*'], ['ABS/sub/deep'],
        ['ABS/./sub/deep'], ['ABS/sub/'], ['ABS/s*/x'], ['link'], ['link/'], ['linkdir'], ['linkdir/'], ['linkdir/leaf']]

OPTIONS = ['-r', '-d', '', '-rR', '-R', '-dR', '-rlt --exclude=*.log', '-rR --exclude=deep', '-r --exclude=/sub',
           '-a -s', '-aR -s', '-r --no-inc-recursive', '-rR --protocol=29', '-r --protocol=27', '-aL', '-rk',
           '-a --include=*/ --include=*.log --exclude=*', '-aC', '-aF', '-rR --no-implied-dirs', '-a --delete', '--list-only -r',
           '-aH --filter=-s_x', '-a --old-args', '-am']

LISTS = ['plain\nsub/deep/leaf\n', 'sub\n', 'sub/\n', './sub/x\n', 'sub/./deep\n', 'sub/../plain\n', '/plain\n', '.\n', '#no\nplain\n',
         'c[1]\nstar*\nq?\n', 'sub//deep//leaf\n', 'back\\slash\nback\\*\n', 'logs/keep/\nlogs/a.log\n', 'missing\nplain\n', '../plain\n',
         'two words\r\nc1\r\n', 'sub/deep/\nsub/deep/leaf\n']
LIST_OPTIONS = ['', '-r', '--no-R', '-r --no-R', '-r --protocol=29', '-R --no-implied-dirs', '--protocol=30', '-r -s']


def make_source(path):
    for name in NAMES:
        full = os.path.join(path, name)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, 'w') as f:
            f.write(name)
        os.utime(full, (1600000000, 1600000000))
    os.symlink('plain', os.path.join(path, 'link'))
    os.symlink('sub/deep', os.path.join(path, 'linkdir'))
    with open(os.path.join(path, 'logs/.rsync-filter'), 'w') as f:
        f.write('- *.txt\n')
    for folder, _, _ in os.walk(path, topdown=False):
        os.utime(folder, (1600000000, 1600000000))


def tree(path):
    found = {}
    for folder, dirs, files in os.walk(path):
        for name in dirs + files:
            full = os.path.join(folder, name)
            key = os.path.relpath(full, path)
            if os.path.islink(full):
                found[key] = '-> ' + os.readlink(full)
            elif os.path.isdir(full):
                found[key] = 'dir'
            else:
                with open(full) as f:
                    found[key] = f.read()
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--ocsync', required=True)
    parser.add_argument('--rsync', default='/usr/bin/rsync')
    parser.add_argument('--sender', help='who sends (default: the rsync)')
    parser.add_argument('--keep-going', action='store_true')
    wanted = parser.parse_args()
    ocsync, rsync = os.path.abspath(wanted.ocsync), os.path.abspath(wanted.rsync)
    sender = os.path.abspath(wanted.sender or rsync)
    top = tempfile.mkdtemp(prefix='honest-')
    source = os.path.join(top, 'src')
    os.mkdir(source)
    make_source(source)
    rsh = os.path.join(top, 'rsh')
    with open(rsh, 'w') as f:
        f.write(RSH)
    os.chmod(rsh, 0o755)

    cases = [(o, a, None) for o, a in itertools.product(OPTIONS, ARGS)]
    cases += [(o, ['.'], l) for o, l in itertools.product(LIST_OPTIONS, LISTS)]
    bad = 0
    for options, arguments, names in cases:
        results = []
        for client in (rsync, ocsync):
            target = os.path.join(top, 'dst')
            shutil.rmtree(target, ignore_errors=True)
            os.mkdir(target)
            words = [client] + options.split() + ['-i', '-e', rsh, '--rsync-path=' + sender]
            if names is not None:
                with open(os.path.join(top, 'names'), 'w') as f:
                    f.write(names)
                words.append('--files-from=' + os.path.join(top, 'names'))
            words += ['h:' + arguments[0].replace('ABS', source)] + [':' + a.replace('ABS', source) for a in arguments[1:]] + [target + '/']
            # The far shell starts where we are.
            try:
                done = subprocess.run(words, cwd=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=20)
                code = done.returncode
                text = done.stderr.decode(errors='replace')
                out = sorted(done.stdout.decode(errors='replace').splitlines())
            except subprocess.TimeoutExpired:
                code, text, out = 'hang', '', []
            results.append((code, tree(target), out, text))
        a, b = results
        if (a[0], a[1]) != (b[0], b[1]) or 'rejecting' in b[3] or a[2] != b[2]:
            kind = 'DIFFERENT' if 'rejecting' not in a[3] else 'rsync rejects'
            if kind == 'DIFFERENT':
                bad += 1
            print(f'{kind}: {options!r} {arguments!r} {names!r}: rsync {a[0]} {len(a[1])} names, ocsync {b[0]} {len(b[1])} names')
            print('   rsync :', a[3].strip()[:300])
            print('   ocsync:', b[3].strip()[:300])
            for path in sorted(set(a[1]) | set(b[1])):
                if a[1].get(path) != b[1].get(path):
                    print(f'   {path!r}: {a[1].get(path)!r} {b[1].get(path)!r}')
            if a[2] != b[2]:
                print('   output', [x for x in a[2] if x not in b[2]][:5], [x for x in b[2] if x not in a[2]][:5])
            if kind == 'DIFFERENT' and not wanted.keep_going:
                break
    shutil.rmtree(top, ignore_errors=True)
    print(f'{len(cases)} transfers compared, {bad} differ')
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
