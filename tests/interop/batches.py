"""Batch files between programs: written by one, replayed by another, local and from either end of a wire."""
import os
import shutil

from interop.lab import Wrong, expect_code, expect_same_tree, journey
from support import running, trees
from support.running import NEW, OLD, OURS

SOURCE = ["file big 300000 bytes seed=1 mtime=2000", "file sub/edited 50000 bytes seed=2 splice=9000:700:5 mtime=2000", "file sub/new 900 bytes seed=3",
          "file sub/run 20 bytes seed=4 mode=755", "symlink link -> big", "hard sub/twin = big", "dir empty mtime=500", "file none 0 bytes"]
BEFORE = ["file big 290000 bytes seed=1 mtime=1000", "file sub/edited 50000 bytes seed=2 mtime=1000", "file gone 30 bytes seed=7", "dir goner"]
OPTIONS = {
    "plain": ["-a"], "hard links": ["-aH"], "compressed": ["-az"], "deleting": ["-a", "--delete"], "checksum": ["-ac"], "whole": ["-aW"],
    "in place": ["-a", "--inplace"], "one list": ["-aH", "--no-i-r", "--delete-after"], "delayed": ["-a", "--delay-updates", "--delete-delay"],
    "attributes": ["-aAX"], "version 29": ["-aH", "--protocol=29"], "version 30": ["-aHz", "--protocol=30"], "md5": ["-a", "--cc=md5"], "only": ["-a"],
    "converted": ["-a", "--iconv=UTF-8,ISO-8859-1"],
}


def build(folder, lines):
    os.mkdir(folder)
    trees.build(folder, [trees.Line(line) for line in lines])


@journey
def batches(lab):
    readers = [(w, r) for w, r in ((OURS, OURS), (OURS, NEW), (NEW, OURS), (OURS, OLD), (OLD, OURS)) if lab.programs.has(w) and lab.programs.has(r)]
    for writer, reader in readers:
        for kind in ("local", "push", "pull"):
            for name, options in OPTIONS.items():
                def test(writer=writer, reader=reader, kind=kind, name=name, options=options):
                    folder = lab.folder()
                    build(folder + "/src", SOURCE)
                    for copy in ("dst", "replayed"):
                        build(f"{folder}/{copy}", BEFORE)
                    write = "--only-write-batch=b" if name == "only" else "--write-batch=b"
                    far = {"push": ("src/", "far:dst/"), "pull": ("far:src/", "dst/")}.get(kind, ("src/", "dst/"))
                    expect_code(lab.rsync(writer, None if kind == "local" else NEW, options + [write, *far], folder), {0}, "writing")
                    if name == "only":
                        build(folder + "/as-before", BEFORE)
                        expect_same_tree(folder + "/as-before", folder + "/dst", "the destination of --only-write-batch")
                    # The script is how users replay. It names the program that wrote it.
                    with open(folder + "/b.sh", encoding="utf-8") as file:
                        script = file.read()
                    if str(lab.programs[writer]) not in script:
                        raise Wrong(f"the script does not start the program: {script!r}")
                    with open(folder + "/b.sh", "w", encoding="utf-8") as file:
                        file.write(script.replace(str(lab.programs[writer]), str(lab.programs[reader])))
                    expect_code(running.run(["sh", "b.sh", "replayed/"], folder, lab.env(folder)), {0}, "replaying")
                    build(folder + "/oracle", BEFORE)
                    expect_code(lab.rsync(NEW, None, options + ["src/", "oracle/"], folder), {0}, "the oracle")
                    expect_same_tree(folder + "/oracle", folder + "/replayed", "the replayed tree")
                    shutil.rmtree(folder)
                yield f"batch {writer} to {reader}, {kind}, {name}", test
