"""A tree that nobody made for a test: copied locally and through ssh by every pairing and version; rsync finds nothing to do."""
import os

from interop.lab import Skip, Wrong, expect_code, journey
from interop.over_ssh import Sshd
from support import running
from support.running import NEW, OLD, OURS

PROTOCOLS = (27, 28, 29, 30, 31, 32)


@journey
def a_real_tree(lab):
    # All of it takes a minute per pairing; otherwise a part with thousands of files, links and deep folders.
    source = "/usr/share/" if lab.full else "/usr/share/zoneinfo/"

    def check(client, server, push, options, shell=None):
        if not os.path.isdir(source):
            raise Skip(f"no {source}")
        work = lab.folder()
        os.mkdir(work + "/dst")
        src, dst = (source, f"far:{work}/dst/") if push else (f"far:{source}", work + "/dst/")
        if server is None:
            src, dst = source, work + "/dst/"
        try:
            extra = {"RSYNC_RSH": shell} if shell else {}
            expect_code(lab.rsync(client, server, ["-a"] + options + [src, dst], work, timeout=900, **extra), {0}, "copy")
            left = lab.rsync(NEW, None, ["-anic", "--delete", source, work + "/dst/"], work, timeout=900)
            expect_code(left, {0}, "rsync's comparison")
            if left.out:
                raise Wrong(f"rsync would still change: {left.out[:300]!r}")
        finally:
            running.remove_tree(work)

    yield "real tree: local", lambda: check(OURS, None, True, [])
    yield "real tree: local, whole list", lambda: check(OURS, None, True, ["--no-inc-recursive", "-H"])
    try:
        sshd = Sshd(lab.folder())
    except Skip as e:
        reason = str(e)

        def skipped():
            raise Skip(reason)
        yield "real tree: ssh", skipped
        return
    lab.at_end.append(sshd.stop)
    for client, server in lab.pairs():
        for push in (True, False):
            where = f"{'push' if push else 'pull'} {client}>{server}"
            yield f"real tree: ssh {where}", lambda c=client, s=server, p=push: check(c, s, p, [], sshd.shell)
            if OLD in (client, server):
                continue
            for version in PROTOCOLS if lab.full else (27,):
                yield (f"real tree: ssh {where} @{version}",
                       lambda c=client, s=server, p=push, v=version: check(c, s, p, [f"--protocol={v}"], sshd.shell))
