#!/usr/bin/env python3
"""Records what an installed rsync client puts on its far side's command line: writes far_args.txt next to this file.

Each vector is three lines of words separated by tabs: "run" (environment assignments, then the client's words), "far"
(the remote command after the host) and, with secluded arguments, "then" (what came over standard input).
Run it only to add vectors; the test needs nothing but the file. Usage: record_far_args.py [path of rsync]
"""
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RSYNC = sys.argv[1] if len(sys.argv) > 1 else "/usr/bin/rsync"

SHELL = """#!/bin/sh
# The host is $1 unless -l USER came first.
[ "$1" = -l ] && shift 2
shift
for word; do printf '%s\\n' "$word"; done >"$RECORD_TO"
case " $* " in *" -s"*) timeout 0.3 cat >"$RECORD_TO.stdin" ;; esac
exit 0
"""

BOTH = """
-a
-av
-r
-rv
-vv
-rvvvvvvvvvvvv
-aq
-aq --stderr=client
-a --stderr=all
-a --msgs2stderr
-a --no-msgs2stderr
-n
-an
-ab
-ab --backup-dir=bak
-a --backup-dir=./bak
-a --backup-dir=bak --suffix=.old
-ab --suffix=.old
-ab --suffix=*x
-abO
-a -O
-aJ
-u
-au --existing
-a --ignore-existing
-a --ignore-non-existing
-d
-d --delete
-dr
-rd --delete
--old-dirs
--old-dirs --delete
-l
-L
-k
-K
-m
-am --no-m
-y
-yy
-yy --link-dest=a --link-dest=b
-a --no-y
-W
--no-W
-a --whole-file
-H
-HH
-HHH
-o
-g
-D
--devices
--specials
-a --no-D
-a --no-specials
-a --no-devices
-t
-U
-UU
-UUU
-a --open-noatime
-UU --open-noatime
-p
-E
-pE
-aE
-A
-X
-XX
-aAX
-c
-ac
-C
-aC
-I
-R
-aR
-aR --no-implied-dirs
-aR --no-i-d
-aR --no-implied-dirs --protocol=29
-x
-xx
-S
-z
-zz
-az --zl=9
-a --compress-level=5
-az --zc=zstd
-a --zc=lz4
-a --zc=zlib
-a --zc=zlibx
-a --zc=none
-az --zc=none
-a --zc=auto
-a --old-compress
-a --new-compress
-az --no-compress
-az --zl=0
-az --zc=zstd --zl=3 --zt=4
-a --cc=md5
-a --cc=xxh64
-a --cc=auto
-a --cc=xxh128,md5
-a --cc=none
-a --skip-compress=gz/jpg
-az --skip-compress=gz/mp[34]
-a --iconv=utf-8,latin1
-a --iconv=utf-8
-a --iconv=.
-a --iconv=-
-a --no-iconv
-a --list-only
--list-only
-a --log-format=%i
-a --out-format=%n
-a --out-format=%o
-a --out-format=%i_%o
-a --out-format=%-10i
-a --out-format=%''b
-a -i
-a -ii
-a -iii
-ai --out-format=%n
-aii --out-format=%i
-av --out-format=%n
-B700
-a --block-size=1K
-a --timeout=30
-a --no-timeout
-a --bwlimit=1000
-a --bwlimit=1.5m
-a --bwlimit=0
-a --bwlimit=600b
-r --delete
-r --delete --max-delete=10
-r --delete --max-delete=0
-r --delete --max-delete=-3
-r --max-delete=5
-r --min-size=1k
-r --max-size=1.5G
-r --max-size=10kb-1
-r --max-size=1kib+1
-r --delete-before
-r --delete-during
-r --del
-r --delete-delay
-r --delete-after
-r --delete-excluded
-r --delete --delete-excluded
-r --delete-after --delete-excluded
-r --force
-r --force --no-force
-r --super
-r --no-super
-r --super --no-super
-r --fake-super
-r --size-only
-r --stats
-rv --stats
-r --max-alloc=1G
-r --max-alloc=2g
-r --max-alloc=1024m
-r --ignore-missing-args
-r --delete-missing-args
-r --delete-missing-args --ignore-missing-args
-r --modify-window=2
-r --modify-window=0
-r -@-1
-r --checksum-seed=5
-r --partial
-r --partial --no-partial
-r --partial-dir=.p
-r --partial-dir=.
-r --partial-dir=a//b/../c/
-r --partial-dir=a*b
-r --delay-updates
-r --delay-updates --partial-dir=x
-rP
-r --progress
-r --progress --out-format=%b
-r --ignore-errors
-r --copy-unsafe-links
-r --safe-links
-r --munge-links
-r --insecure-links
-r --numeric-ids
-r --qsort
-r --usermap=0-99:nobody,*:x
-r --groupmap=*:g
-r --chown=joe:staff
-r --chown=:staff
-r --chown=joe
-a --chown=joe:
-r --temp-dir=/tmp/x
-r -T tmp
-r --fsync
-r --compare-dest=/a --compare-dest=/b
-r --copy-dest=../x
-r --link-dest=../x
-r --info=name2
-r --info=progress2
-r --info=stats
-r --info=none
-r --info=all
-r --info=all4
-r --info=all4,name0
-r --info=backup,copy,del,misc,mount,name
-r --info=backup2,copy,del0,misc2,mount3,name9,nonreg,skip,stats,symsafe,remove
-rv --info=del0
-rvv --info=name1,skip0
-r --info=mount,symsafe,misc,name,stats,remove
-r --info=FLIST2,NAME
-r --debug=all
-rvvv --debug=none
-r --append
-r --append-verify
-r --append --no-append
-r --inplace
-r --inplace --no-inplace
-r --inplace --sparse
-r --inplace --sparse --no-W
-r --remove-source-files
-r --remove-sent-files
-r --copy-devices
-r --write-devices
-r --preallocate
-r --mkpath
-r --mkpath --no-mkpath
-r -M--fake-super
-r -M--log-file=x*y -M-v
-r -M--foo=a_b --old-args
-r --old-args --suffix=*b
-r --old-args --old-args -b --suffix=*b
-a --no-inc-recursive
-a --no-i-r
-a --protocol=29
-a --protocol=30
-aR --no-R
-a --no-r
-a --no-recursive --dirs
-r --exclude=x -f-_y -F
-FF -r
-h -r
-hh -r
-8 -r
-r --trust-sender
-a --chmod=D755,F644
-r -s
-rs --delete --partial-dir=~/x
-avs -M--foo
-s --iconv=utf8,latin1 -r
-rs --bwlimit=10 --suffix=*
-r --files-from=list
-a --files-from=list
-a --files-from=list -r
-a --files-from=list --no-R
-a --files-from=list --from0
-a --files-from=list --no-dirs
-a --files-from=host:far/list
-a --files-from=host:far/list -0
-a --files-from=:far/l*st
-a --delete --files-from=list
-a --timeout=5 --contimeout=0
-a --stop-after=10
-a --ipv4
-rlptgoD --omit-dir-times --omit-link-times --numeric-ids -S -H
-aHAXxzS --numeric-ids --delete --info=progress2
--archive --verbose --compress --human-readable --progress --partial
-rtzP --exclude-from=list
--copy-as=root -r
--drop-D -r
-r --early-input=list
""".strip().split("\n")

PATHS_PULL = [
    ["host:a", "d"], ["host:", "d"], ["host:a b", "d"], ["host:a", ":b*", ":c[1]", "d"], ["host:-x", "d"],
    ["host:~foo", "d"], ["host:~foo/bar", "d"], ["host:$x;y", "d"], ["host:back\\slash", "d"], ["host:a\\*b", "d"],
    ["u@host:x", "u@host:y", ":z", "d"], ["host:a"], ["host:./a/./b", "d"], ["[::1]:a", "d"], ["host:a:b", "d"],
    ["host:tail\\", "d"], ["host:q'uo\"te", "d"], ["host:{a,b}", "d"],
]
PATHS_PUSH = [["s", "host:"], ["s", "host:d d"], ["s", "t", "host:~/x"], ["s", "host:-d"], ["./a:b", "host:x"],
              ["s", "u@h:x"], ["s", "host:a*"]]
EXTRA = ["", "-s", "--old-args", "-R", "--trust-sender"]
ENVIRONMENTS = [("RSYNC_PROTECT_ARGS=1", "-r"), ("RSYNC_PROTECT_ARGS=0", "-r"), ("RSYNC_OLD_ARGS=1", "-r -M-x*"),
                ("RSYNC_OLD_ARGS=2", "-rb --suffix=*"), ("RSYNC_PARTIAL_DIR=.part", "-r --partial"),
                ("RSYNC_PARTIAL_DIR=.part", "-r"), ("RSYNC_PARTIAL_DIR=.part", "-r --partial-dir=x"),
                ("RSYNC_ICONV=latin1", "-r"), ("RSYNC_ICONV=latin1", "-r --no-iconv"),
                ("RSYNC_MAX_ALLOC=2G", "-r"), ("RSYNC_MAX_ALLOC=2G", "-r --max-alloc=1G"),
                ("RSYNC_PROTECT_ARGS=1", "-r --no-s"), ("RSYNC_PROTECT_ARGS=1", "-r --old-args")]


def record(work, environment, words):
    target = os.path.join(work, "argv")
    for name in (target, target + ".stdin"):
        if os.path.exists(name):
            os.remove(name)
    env = {"PATH": os.environ["PATH"], "HOME": work, "RECORD_TO": target}
    env.update(e.split("=", 1) for e in environment)
    subprocess.run([RSYNC, "-e", os.path.join(work, "shell")] + words, cwd=work, env=env, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, check=False)
    if not os.path.exists(target):
        return None
    far = open(target).read().split("\n")[:-1]
    then = None
    if os.path.exists(target + ".stdin"):
        block = open(target + ".stdin", "rb").read()
        then = block[:block.index(b"\0\0")].decode().split("\0")
    return far, then


def main():
    cases = []
    for options in BOTH:
        cases.append(([], options.split() + ["s/", "host:d/"]))
        cases.append(([], options.split() + ["host:s/", "d/"]))
    for extra in EXTRA:
        for paths in PATHS_PULL + PATHS_PUSH:
            cases.append(([], ["-r"] + ([extra] if extra else []) + paths))
    for assignment, options in ENVIRONMENTS:
        cases.append(([assignment], options.split() + ["s", "host:d*"]))
        cases.append(([assignment], options.split() + ["host:s*", "d"]))
    count = 0
    with tempfile.TemporaryDirectory() as work, open(os.path.join(HERE, "far_args.txt"), "w") as out:
        out.write("# Recorded by record_far_args.py from rsync 3.5.0; see there.\n")
        for name in ("s", "t", "a:b", "list"):
            open(os.path.join(work, name), "w").close()
        with open(os.path.join(work, "shell"), "w") as shell:
            shell.write(SHELL)
        os.chmod(os.path.join(work, "shell"), 0o755)
        for environment, words in cases:
            found = record(work, environment, words)
            if found is None:
                print("no far side:", environment, words)
                continue
            far, then = found
            out.write("\t".join(["run"] + environment + words) + "\n" + "\t".join(["far"] + far[1:]) + "\n")
            if then is not None:
                out.write("\t".join(["then"] + then) + "\n")
            count += 1
    print(count, "vectors")


if __name__ == "__main__":
    main()
