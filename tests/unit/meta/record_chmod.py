#!/usr/bin/env python3
"""Records what rsync's --chmod makes of modes: prints the lines of chmod.txt.

record_chmod.py [RSYNC] > chmod.txt    (as root, since others cannot set every bit)

Each line: umask, mode with type, the option's argument, the resulting mode; or umask, "-", the argument, "refused".
"""
import os
import random
import shutil
import subprocess
import sys
import tempfile

FIXED = ["u+x", "go-rwx", "a=r", "D755,F644", "Dg+s,ug+w,Fo-w,+X", "u=g", "g=u,o=", "=", "+s", "a+s", "g+s", "o+s", "u-s", "+t", "-t", "o=t",
         "g=u", "g+s,g=u", "u=rwx,g=rs,o=", "7777", "0", "00644", "7", "F7777", "D0", "+X", "a-x,a+X", "ug=rwX", "=rw", "-rw", "+u", "=g",
         "-o", "F=u", "DF+x", "u+g,g-u", "o=u,u=o", "X", "u", "", "u+q", "8", "17777", "u7", "u+gr", "u+rg", "u+gg", "D", "+", "u=,g=", "Du+", ",u+x",
         "u+x,", "ugo=rwxst", "a=s", "u=s", "g=s", "u=x,u=r", "Fugo-x,Dugo+x", "u=rXx", "FD644", "g=xs,g=r", "u+xD", "Du=g,Fg=o"]


def random_argument(rng):
    items = []
    for _ in range(rng.randint(1, 3)):
        item = rng.choice(["", "", "D", "F"])
        if rng.random() < 0.15:
            item += "%o" % rng.randint(0, 0o7777)
        else:
            item += "".join(rng.sample("ugoa", rng.randint(0, 2))) + rng.choice("+-=")
            item += rng.choice("ugo") if rng.random() < 0.25 else "".join(rng.sample("rwxXst", rng.randint(0, 3)))
        items.append(item)
    return ",".join(items)


def main():
    rsync = sys.argv[1] if len(sys.argv) > 1 else "rsync"
    rng = random.Random(7)
    arguments = FIXED + [random_argument(rng) for _ in range(60)]
    modes = [0o644, 0o755, 0o600, 0o7777, 0o4711, 0o2070, 0o1005, 0o000, 0o111, 0o751]
    print("# Made by record_chmod.py from rsync 3.5.0; see there.")
    for argument in arguments:
        mask = rng.choice([0o022, 0o022, 0o077, 0o027, 0])
        top = tempfile.mkdtemp()
        src, dst = os.path.join(top, "src"), os.path.join(top, "dst")
        os.mkdir(src)
        for mode in modes:
            for kind in "fd":
                path = os.path.join(src, "%s%o" % (kind, mode))
                os.mkdir(path) if kind == "d" else open(path, "w").close()
                os.chmod(path, mode)
        done = subprocess.run([rsync, "-rp", "--chmod=" + argument, src + "/", dst + "/"], stderr=subprocess.PIPE,
                              preexec_fn=lambda: os.umask(mask))
        if done.returncode != 0:
            print("%04o - %s refused" % (mask, argument or '""'))
        else:
            for name in sorted(os.listdir(dst)):
                kind = 0o100000 if name[0] == "f" else 0o040000
                print("%04o %o %s %o" % (mask, kind | int(name[1:], 8), argument or '""', os.lstat(os.path.join(dst, name)).st_mode))
        shutil.rmtree(top)


main()
