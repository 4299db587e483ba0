"""Random trees and random command lines for tests/differential.py.

What is drawn is text in the language of tests/support/trees.py, so that a failing draw can be pruned and kept as a case.
"""
import re

from . import trees

# From each row at most one choice is added, with the probability in front. A choice may be several words; "_" within a word
# stands for a space. "@NAME" words are replaced by `Command`, because they need something on disk.
# Not drawn: a relative --temp-dir that climbs; rsync 3.5.0 itself fails on it (EINVAL from its resolver).
OPTIONS = [
    (1.0, ["-a"] * 8 + ["-r", "-rt", "-rlptgoD", "-rl", "-rp", "-dt", "-ad --no-r", "-rlt", "-aO", "-aJ", "-aOJ", "-rc", "-rtD", "-d --old-dirs", "-rlpE"]),
    (0.35, ["--delete", "--delete-before", "--delete-during", "--delete-delay", "--delete-after", "--delete --force", "--delete-excluded",
            "--delete-after --force", "--del --ignore-errors", "--force"]),
    (0.1, ["--delete --max-delete=2", "--delete --max-delete=0", "--max-delete=-1 --delete", "--delete-after --max-delete=1", "--max-delete=3"]),
    (0.2, ["-c", "-I", "--size-only", "-u", "--existing", "--ignore-existing", "-cu", "-Iu"]),
    (0.25, ["-H", "-H", "-H --no-inc-recursive"]),
    (0.12, ["-A", "-X", "-AX", "-AX"]),
    (0.15, ["--no-inc-recursive", "--no-i-r"]),
    (0.3, ["-W", "--no-W", "--no-W -B700", "--inplace", "--inplace --no-W", "-S", "-S --no-W", "-S --inplace", "-S --inplace --no-W", "-S -W",
           "--append", "--append-verify", "--append --no-W", "--append -c", "--preallocate", "--preallocate -S", "-B1000", "-B131072 --no-W"]),
    (0.15, ["-n"]),
    (0.2, ["-b", "-b --suffix=.old", "-b --backup-dir=.bak", "-b --backup-dir=../bak", "-b --backup-dir=.bak/x/y --suffix=~", "-b --backup-dir=@WORK/bak"]),
    (0.2, ["-L", "-k", "--copy-unsafe-links", "--safe-links", "--munge-links", "-K", "--no-l", "-kK", "-LK", "--copy-unsafe-links --safe-links", "-l --munge-links -K"]),
    (0.15, ["--no-p", "--no-t", "-E --no-p", "--chmod=Dg+s,Fo-rwx", "--no-o --no-g", "--numeric-ids", "--chown=1:2", "--chown=:5", "--chown=nobody", "--chown=3",
            "--usermap=0:1,1:0,*:7", "--groupmap=*:4", "--usermap=12000-13000:9 --groupmap=root:1000", "--chmod=u+w,g=rX,o-x", "--chmod=F644,D2755 -p",
            "--chmod=a=rwX --no-p", "--chmod=-s,+t", "--chmod=Fu+s", "--numeric-ids --chown=0:12", "--no-g", "--no-o"]),
    (0.25, ["--exclude=*1*", "--exclude=d*/", "--include=*/ --include=*a* --exclude=*", "--exclude=/d0", "-f-_b*", "--exclude=d0/**/f*", "-m --exclude=f*",
            "-fP_f*", "-fR_f1 --delete", "-fH_*2", "-fS_a -fH_*", "-f-s_b*", "-f-r_f*", "-fprotect,p_d1 --delete", "-f-p_d* --delete", "-f-!_f*", "-C", "-C --delete",
            "-F --delete", "-FF", "-f:_.rules", "-f:n-_.rules --delete", "-f:e_.rules --delete-after", "-f:s-_.rules", "-f._rules", "--exclude-from=rules", "--include-from=rules --exclude=*",
            "-f._rules -f!", "-f-/_/src/d0", "--exclude=**/d1/", "--exclude=d0/*** --include=*", "--exclude=[a-f]?", "-f-x_user.a* -X", "-f-C", "--cvs-exclude -F"]),
    (0.1, ["--max-size=5000", "--min-size=10", "--max-size=70000b", "--min-size=1k", "--max-size=5K --min-size=1"]),
    (0.2, ["-z", "--zc=zlib", "--zc=zlibx", "--zc=zstd", "--zc=lz4", "-z --skip-compress=c", "-zz", "--new-compress", "--old-compress", "-z --zl=9", "--zc=zstd --zl=1",
           "-z --no-W", "--zc=zlib --no-W", "--zc=zlibx --no-W", "--zc=lz4 --no-W", "--zc=none -z", "--zc=zstd --no-W"]),
    (0.12, ["--cc=md5", "--cc=md4", "--cc=xxh64", "--cc=sha1", "--cc=xxh3", "--cc=xxh128", "--cc=none", "--cc=md5,md4 -c", "--checksum-seed=5 --no-W", "--cc=sha1 -c"]),
    (0.12, ["-R", "-R --no-implied-dirs"]),
    (0.15, ["--partial", "--partial-dir=.p", "--partial-dir=.p --no-W", "--delay-updates", "--delay-updates --no-W", "--delay-updates --partial-dir=.p --delete", "-T@WORK/tmpd",
            "--temp-dir=@WORK/tmpd --delay-updates", "-T@WORK/nowhere", "--partial-dir=@WORK/part", "--fsync"]),
    (0.14, ["-y", "-y --no-W", "-yy --no-W", "-m", "-m --delete", "--remove-source-files", "--remove-source-files -c", "--prune-empty-dirs", "-x"]),
    (0.1, ["--modify-window=2", "--modify-window=-1", "--ignore-errors", "-@1 -u", "--modify-window=1"]),
    (0.1, ["-v", "--stats", "--out-format=%i_%n%L_%l", "--out-format=%o:%f:%M:%B:%U:%G", "--out-format=%C_%n -c", "--info=del,skip", "--info=name2,backup,remove", "-q", "-8", "--no-h"]),
    (0.1, ["-D --no-l", "--no-D", "--devices --no-specials", "--no-devices", "--drop-D"]),
    (0.22, ["@compare", "@copy", "@link", "@link @link", "@copy -c", "@compare --delete", "@compare @compare", "@link -y --no-W", "@copy -I", "@link -n", "@link -H",
            "@link --no-t", "@compare --size-only", "@link -c", "@link -O", "@copy @copy -H"]),
    # Without -o and -g rsync stores numbers that nobody set.
    (0.06, ["--fake-super -og", "-M--fake-super -og", "--fake-super -X -og", "--super", "--no-super"]),
    (0.08, ["--files-from=list", "--files-from=list -R", "--files-from=list --no-R", "--files-from=list -r", "--files-from=list --delete", "-0 --files-from=list0",
            "--files-from=list --ignore-missing-args", "--files-from=list --delete-missing-args", "--files-from=list --no-implied-dirs", "--files-from=far:list"]),
    (0.05, ["--bwlimit=100m", "--timeout=20", "-s", "--old-args", "--trust-sender", "--protect-args", "--block-size=2000", "--open-noatime", "--no-r", "--no-old-args"]),
    (0.03, ["--existing --ignore-existing", "--ignore-missing-args", "--list-only", "--no-dirs", "--copy-dirlinks --keep-dirlinks --force"]),
]
LEAVES = ["a", "b", "c", "d0", "d1", "d2", "f1", "f2", "fa", "zz", "B", "f.txt", "sp ace", ".hid", "x-y", "\\xc3\\xa4", "\\xff", "n\\nl", "f1~", "-dash", "--delete", "f1.gz",
          "q\\\"uote'", "back\\\\slash", "\\\\#012", " lead", "trail ", "st*r", "[b]", "co:lon", "$HOME", "core", "x.o", "CVS", "rep(n,240)", "~", "fb.gz", ".p", ".bak", "a~", "#h", ";s"]
SIZES = [0, 0, 1, 5, 100, 699, 700, 701, 1400, 5000, 32768, 70000, 200000]
TIMES = ["1000000000", "1000000001", "1000000002", "1000000005", "1300000000", "1000000000.5", "1000000000.25", "1300000000.000000001", "0", "-1", "-1000000000",
         "-100.5", "2147483648", "4294967297.75", "1300000000.999999999"]
MODES = ["", "", "", " mode=0600", " mode=0755", " mode=0444", " mode=4755", " mode=0000", " mode=1644", " mode=2711", " mode=0666"]
DIR_MODES = ["", "", "", " mode=0700", " mode=0755", " mode=2775", " mode=1777", " mode=0555"]
OWNERS = ["", "", "", " owner=1:1", " owner=12345:1000", " owner=0:54321"]
XATTRS = [" user.a=x", " user.b=rep(long,40)", " user.a=y user.c=", " user.b=rep(long,41)"]
ACLS = [" acl=u:1:rwx", " acl=g:5:r,u:7:---", " acl=u:1:r,m::rwx"]
DIR_ACLS = [" acl=d:u:1:rwx", " acl=d:u::rwx,d:g::r,u:3:rx"]
TARGETS = ["a", "b", "../a", "d0", "/no/such/place", "nowhere", "../../../x", "f1", "d1", "../d0", "/rsyncd-munged/a", "d0/../a", ".", "rep(t,200)"]
RULES = ["- f1", "- *2", "+ a", "- d1/", "- /b", "# text", "", "; text", "f*", "P zz", "- **/c", "+ */", "R b"]


class Trees:
    """Draws trees; `root` says whether owners and devices may be made, `meta` whether attributes are worth their time."""

    def __init__(self, rng, root):
        self.rng, self.root, self.meta = rng, root, rng.random() < 0.3

    def attributes(self, kind):
        rng = self.rng
        out = f" mtime={rng.choice(TIMES) if rng.random() < 0.6 else '1000000000'}"
        if kind == "dir":
            out += rng.choice(DIR_MODES)
        elif kind != "symlink":
            out += rng.choice(MODES)
        if self.root:
            out += rng.choice(OWNERS)
        if self.meta and kind in ("file", "dir"):
            if rng.random() < 0.3:
                out += rng.choice(XATTRS)
            if rng.random() < 0.2:
                out += rng.choice(ACLS + (DIR_ACLS if kind == "dir" else []))
        return out

    def fresh(self, most=26):
        """Entry lines of a random tree."""
        rng, lines, taken, dirs, files = self.rng, [], set(), [""], []
        leaves = LEAVES if rng.random() < 0.5 else LEAVES[:14]
        for _ in range(rng.randrange(0, most)):
            name = rng.choice(dirs) + rng.choice(leaves)
            if name in taken:
                continue
            taken.add(name)
            kind = rng.choices(["file", "dir", "symlink", "hard", "fifo", "device", "socket", "rules"], [50, 25, 12, 9, 3, 2 if self.root else 0, 1, 2])[0]
            if kind == "dir":
                lines.append(f'dir "{name}"{self.attributes(kind)}')
                dirs.append(name + "/")
            elif kind == "symlink":
                lines.append(f'symlink "{name}" -> "{rng.choice(TARGETS)}"{self.attributes(kind)}')
            elif kind == "hard":
                if files:
                    lines.append(f'hard "{name}" = "{rng.choice(files)}"')
            elif kind == "device":
                lines.append(f'device "{name}" {rng.choice("ccb")} {rng.choice([1, 5])} {rng.randrange(9)}{self.attributes(kind)}')
            elif kind == "rules":
                name = rng.choice(dirs) + rng.choice([".rules", ".rsync-filter", ".cvsignore"])
                if name not in taken:
                    taken.add(name)
                    lines.append(f'file "{name}" text="{self.rules()}"{self.attributes("file")}')
            elif kind in ("fifo", "socket"):
                lines.append(f'{kind} "{name}"{self.attributes(kind)}')
                if kind == "fifo" and rng.random() < 0.3:
                    files.append(name)
            else:
                size = rng.choice(SIZES)
                holes = f" zeros=0:{size * 3 // 4} sparse" if size > 30000 and rng.random() < 0.3 else ""
                lines.append(f'file "{name}" {size} bytes seed={rng.randrange(4)}{holes}{self.attributes(kind)}')
                files.append(name)
        return lines

    def rules(self):
        return "".join(rule + "\\n" for rule in self.rng.sample(RULES, self.rng.randrange(1, 4)))

    def related(self, lines, same=0.35):
        """What an earlier copy of a tree may look like: lines dropped, changed, replaced, and others added."""
        rng, out = self.rng, []
        for text in lines:
            kind, chance = text.split(" ", 1)[0], rng.random()
            if chance < same:
                out.append(text)
                continue
            how = rng.choice(["drop", "drop", "time", "content", "shorter", "longer", "kind", "attributes", "attributes", "rename", "target"])
            words = trees.tokens(text)
            if how == "drop":
                continue
            if how == "time":
                text = re.sub(r"mtime=\S+", rng.choice(["mtime=1000000001", "mtime=999999999", "mtime=1000000000.1"]), text, count=1)
            elif how in ("content", "shorter", "longer") and kind == "file" and "text=" not in text:
                size = int(words[2])
                text += {"content": " splice=300:20:77", "shorter": f" cut={size // 2}:{size}", "longer": f" insert={size}:50:9"}[how]
                if rng.random() < 0.7:
                    text = re.sub(r"mtime=\S+", "mtime=999999999", text, count=1)
            elif how == "kind" and kind != "hard":
                other = rng.choice(["file", "file", "fifo", "dir", "symlink"])
                text = f"{other} {words[1]}" + (f' -> "{rng.choice(TARGETS)}"' if other == "symlink" else "")
            elif how == "attributes" and kind in ("file", "dir", "fifo"):
                text = " ".join(w for w in words if not w.startswith(("mtime=", "mode=", "owner=", "user.", "acl="))) + self.attributes(kind)
            elif how == "rename" and kind == "file":
                text = f'file "{words[1][1:-1]}{rng.choice(["x", "~", ".old", ".gz"])}" {" ".join(words[2:])}'
            elif how == "target" and kind == "symlink":
                text = f'symlink {words[1]} -> "{rng.choice(TARGETS)}"{self.attributes(kind)}'
            out.append(text)
        names = {trees.Line(x).name for x in out}
        if rng.random() < 0.8:
            out += [x for x in self.fresh(12) if trees.Line(x).name not in names]
        # Where a symlink of another user stands for a directory, rsync says so once for each name it looks up below.
        return [re.sub(r" owner=\S+", "", x) if x.startswith("symlink") else x for x in out]


def buildable(lines):
    """Drops lines whose parents turned into something else, or that link to what is gone."""
    kinds, out = {}, []
    for text in lines:
        line = trees.Line(text)
        parts = line.name.split(b"/")
        parents = [b"/".join(parts[:n]) for n in range(1, len(parts))]
        if line.name in kinds or any(kinds.get(p, "dir") != "dir" for p in parents):
            continue
        if line.kind == "hard" and kinds.get(line.target) not in ("file", "fifo"):
            continue
        kinds.update({p: "dir" for p in parents})
        kinds[line.name] = line.kind
        out.append(text)
    return out


class Command:
    """A random command line, and what it needs beside SRC and DST."""

    def __init__(self, rng, draw, source):
        self.words, self.beside, self.alternatives = [], [], 0
        for chance, choices in OPTIONS:
            if rng.random() < chance:
                for word in rng.choice(choices).split():
                    self._add(word.replace("_", " "), rng, draw, source)
        if {"--inplace", "--append", "--append-verify"} & set(self.words):  # rsync 3.5.0 cannot look at its own copy there (EINVAL, as with --temp-dir)
            self.words = [w.replace("=../bak", "=WORK/bak") for w in self.words]
            if any("fake-super" in w for w in self.words):  # rsync 3.5.0 cannot give such a copy outside its stand-in attributes, nor its mode
                self.words = [w.replace("=WORK/bak", "=.bak") for w in self.words]
        if any(w in ("-X", "-A", "-AX") for w in self.words) and self.alternatives > 1:
            # rsync compares the attributes of a second alternate directory's entries with those that it read in the first.
            self.words = [w for w in self.words if not w.endswith("-dest=../alt1")]
        if "--cc=none" in self.words and any(w[:1] == "-" and w[:2] not in ("--", "-f") and "c" in w for w in self.words):
            # That is refused by both ends, and how much of what was to be said before gets out is chance.
            self.words = [w for w in self.words if w != "--cc=none"]
        if any("fake-super" in w for w in self.words) and self.words[0] not in ("-a", "-rp"):
            # What mode a similar file gives depends then on how far rsync's receiver has come with that one.
            self.words = [w for w in self.words if w not in ("-y", "-yy")]
        self.words.append(rng.choice(["-i", "-i", "-i", "-ii"]))
        self.words += ["SRC/", "DST/"] if any("files-from" in w for w in self.words) else self._operands(rng, source)

    def _add(self, word, rng, draw, source):
        if word in ("@compare", "@copy", "@link"):
            name = f"alt{self.alternatives}"
            self.alternatives += 1
            self.beside += [(f"{name}/", line) for line in buildable(draw.related(source, 0.6))] + [("", f'dir "{name}" mtime=1000000000')]
            self.words.append(f"--{word[1:]}-dest=../{name}")
            return
        if "files-from" in word:
            names = [trees.tokens(line)[1][1:-1] for line in source if rng.random() < 0.4]
            names = [n for n in names if "rep(" not in n and "\\n" not in n and n[0] not in "#;"] + rng.choice([[], [], ["no/such", "./"], ["d0/"], ["a/.", "d0/./f1"]])
            if any("fake-super" in w for w in self.words):  # rsync 3.5.0 does not ask then whose the link before the slash is
                names = [n for n in names if not n.endswith("/")]
            end = "\\0" if word.endswith("0") else "\\n"
            self.beside.append(("", f'file "{"list0" if end != chr(92) + "n" else "list"}" text="{"".join(n + end for n in names)}"'))
        if "rules" in word and ".rules" not in word:
            self.beside.append(("", f'file "rules" text="{draw.rules()}"'))
        if "tmpd" in word:
            self.beside.append(("", 'dir "tmpd" mode=0777'))
        self.words.append(word.replace("@WORK", "WORK"))

    @staticmethod
    def _operands(rng, source):
        tops = [n for n in (trees.tokens(line)[1][1:-1] for line in source) if rng.random() < 0.15 and "rep(" not in n and not set(n) & set("*[$\\ \"'~")]
        chance = rng.random()
        if chance < 0.1 and tops:
            return [f"SRC/{name}" for name in tops] + ["DST/"]
        if chance < 0.15 and tops:
            return [f"SRC/./{name}" for name in tops] + ["DST/"]
        if chance < 0.18:
            return ["SRC/"] + rng.choice([["DST/new/"], ["DST/deep/new/", "--mkpath"], ["DST"], ["DST/a"], ["DST/d0"]])
        if chance < 0.22:
            return ["SRC/", "SRC/d0", "DST/"]
        return [rng.choice(["SRC/", "SRC/", "SRC/", "SRC/", "SRC", "SRC/."]), "DST/"]
