"""What clients do with a daemon every day: list, pull, push, log in, be refused; each program at each end."""
import os

from interop.daemons import Daemon
from interop.lab import Skip, Wrong, journey
from support import running
from support.running import OLD, OURS

VERSIONS = (27, 28, 29, 30, 31, 32)


def modules(folder):
    return f"""motd file = {folder}/motd
[pull]
path = {folder}/from
comment = things to fetch
[push]
path = {folder}/to
read only = no
[guarded]
path = {folder}/from
auth users = joe
secrets file = {folder}/secrets
[hiding]
path = {folder}/to
read only = no
exclude = secret*
[picky]
path = {folder}/to
read only = no
refuse options = delete compress
[limited]
path = {folder}/from
hosts allow = 10.0.0.1
[hooked]
path = {folder}/from
pre-xfer exec = test "$RSYNC_MODULE_NAME" = hooked && echo no such luck && exit 3
[unlisted]
path = {folder}/from
list = no
"""


def content(root):
    """Every name below root with what stands there."""
    found = {}
    for top, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(top, name)
            if os.path.islink(path):
                found[os.path.relpath(path, root)] = "link " + os.readlink(path)
            elif os.path.isdir(path):
                found[os.path.relpath(path, root)] = "dir"
            else:
                with open(path, "rb") as f:
                    found[os.path.relpath(path, root)] = f.read()
    return found


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(path, mode)


class Scene:
    """A daemon with a tree to fetch, and a client of it."""

    def __init__(self, lab, server, client):
        self.lab, self.server, self.client, self.folder = lab, server, client, lab.folder()
        self.tree, self.to, self.back = (f"{self.folder}/{name}" for name in ("from", "to", "back"))
        os.makedirs(f"{self.tree}/sub/deeper")
        os.mkdir(self.to)
        write(f"{self.tree}/a name", "blank")
        with open(f"{self.tree}/sub/big", "wb") as f:
            f.write(bytes(range(256)) * 2000)
        os.symlink("../big", f"{self.tree}/sub/deeper/link")
        write(f"{self.folder}/motd", "hello there\n")
        write(f"{self.folder}/secrets", "joe:pass word\n", 0o600)
        self.daemon = Daemon(lab.programs[server], self.folder, modules(self.folder))

    def url(self, path="", user=""):
        return self.daemon.url(path, user)

    def run(self, *words, **env):
        result = running.run([self.lab.programs[self.client], *words], self.folder, self.lab.env(self.folder, **env), 60)
        return result.code, result.out.decode("utf-8", "replace"), result.err.decode("utf-8", "replace")


def check(what, holds, *seen):
    if not holds:
        raise Wrong(f"{what}: " + " | ".join(map(str, seen))[:2000])


def listing(scene):
    told = scene.run(scene.url())
    check("the list shows motd, modules and comments", told[0] == 0 and "hello there" in told[1] and "things to fetch" in told[1], told)
    check("but no module that is not to be listed", "unlisted" not in told[1], told)
    told = scene.run("--no-motd", scene.url())
    check("--no-motd shows nothing", told[:2] == (0, ""), told)


def both_ways(version):
    def there_and_back(scene):
        pulled = scene.run("-a", f"--protocol={version}", scene.url("pull/"), f"{scene.back}/")
        check("pull", pulled[0] == 0 and content(scene.back) == content(scene.tree), pulled)
        pushed = scene.run("-a", f"--protocol={version}", f"{scene.tree}/", scene.url("push/new/"))
        check("push", pushed[0] == 0 and content(f"{scene.to}/new") == content(scene.tree), pushed)
    return there_and_back


def secluded(scene):
    told = scene.run("-as", scene.url("pull/a name"), f"{scene.back}/")
    check("secluded arguments keep blanks", told[0] == 0 and set(content(scene.back)) == {"a name"}, told)


def wildcards(scene):
    told = scene.run("-a", scene.url("pull/a*"), f"{scene.back}/")
    check("wildcards are the daemon's", told[0] == 0 and set(content(scene.back)) == {"a name"}, told)


def login(scene):
    told = scene.run("-a", scene.url("guarded/", "joe@"), f"{scene.back}/", RSYNC_PASSWORD="pass word")
    check("the right password", told[0] == 0 and content(scene.back) == content(scene.tree), told)
    told = scene.run("-a", scene.url("guarded/", "joe@"), f"{scene.back}/", RSYNC_PASSWORD="guess")
    check("a wrong one ends with 5", told[0] == 5 and "@ERROR: auth failed on module guarded" in told[2], told)


def refusals(scene):
    # rsync's daemon closes at once after a hook's refusal: who still writes may then end with a socket's code.
    hook_codes = (4,) if scene.server == OURS else (4, 10, 12)
    for path, codes, text in (("nowhere/", (5,), "@ERROR: Unknown module 'nowhere'"), ("limited/", (5,), "@ERROR: access denied to limited from"),
                              ("hooked/", hook_codes, "pre-xfer exec returned failure (768):\nno such luck")):
        told = scene.run("-a", scene.url(path), f"{scene.back}/")
        check(f"{path} is refused", told[0] in codes and (text in told[2] or told[0] not in codes[:1]), told)
    told = scene.run("-a", f"{scene.tree}/", scene.url("pull/"))
    check("a read-only module takes nothing", told[0] == 1 and "ERROR: module is read only" in told[2], told)
    for option in ("--delete", "-z"):
        told = scene.run("-a", option, f"{scene.tree}/", scene.url("picky/"))
        check(f"{option} is refused", told[0] == 4 and "The server is configured to refuse" in told[2], told)
    check("nothing came", content(scene.to) == {})


def hidden(scene):
    write(f"{scene.to}/secret1", "hidden")
    write(f"{scene.to}/open", "seen")
    told = scene.run("-r", scene.url("hiding/"))
    check("what a module excludes is not listed", "open" in told[1] and "secret1" not in told[1], told)
    told = scene.run("-a", scene.url("hiding/secret1"), f"{scene.back}/")
    check("nor given to who asks for it", told[0] == 23 and "secret1" not in content(scene.back), told)
    write(f"{scene.to}/secret.rules", "- open\n")
    write(f"{scene.to}/public.rules", ". secret.rules\n")
    # rsync 3.2.7 gives up where a file of rules names one that is hidden.
    for rules in ("secret.rules",) if scene.server == OLD else ("secret.rules", "public.rules"):
        told = scene.run("-r", f"--filter=: {rules}", scene.url("hiding/"))
        check(f"no rules are read from it by {rules}", told[0] == 0 and " open" in told[1], told)
    told = scene.run("-a", "--include=secret1", "--delete", f"{scene.tree}/", scene.url("hiding/"))
    check("nor deleted by who pushes", content(scene.to).get("secret1") == b"hidden", told)


def outside(scene):
    os.mkdir(f"{scene.folder}/outside")
    write(f"{scene.folder}/outside/file", "not yours")
    os.symlink("../outside", f"{scene.to}/out")
    for path in ("push/out/file", "push/../outside/file", "push/out/"):
        told = scene.run("-rL", scene.url(path), f"{scene.back}/")
        check(f"{path} gives nothing from outside the module", b"not yours" not in content(scene.back).values(), told)
    told = scene.run("-r", f"{scene.tree}/", scene.url("push/out/"))
    check("nothing lands outside the module", content(f"{scene.folder}/outside") == {"file": b"not yours"}, told)


def partial_outside(scene):
    if scene.server == OLD:
        raise Skip("rsync 3.2.7's daemon follows the link")
    os.mkdir(f"{scene.folder}/outside")
    write(f"{scene.folder}/outside/a name", "not yours")
    write(f"{scene.to}/a name", "what was there before")
    os.symlink(f"{scene.folder}/outside", f"{scene.to}/out")
    told = scene.run("-a", "--delay-updates", "--partial-dir=/out", f"{scene.tree}/", scene.url("push/"))
    check("partial files outside the module are refused", told[0] != 0 and "refusing unconfined partial basis for a name" in told[2], told)
    check("and nothing is read or written there", content(f"{scene.folder}/outside") == {"a name": b"not yours"}, told)
    check("nor here", content(scene.to)["a name"] == b"what was there before", told)
    os.unlink(f"{scene.folder}/outside/a name")
    os.unlink(f"{scene.to}/out")
    write(f"{scene.to}/out", "in the way")
    told = scene.run("-a", "--delay-updates", "--partial-dir=/out", f"{scene.tree}/", scene.url("push/"))
    check("what is no directory gives way to one", told[0] == 0 and content(scene.to)["out"] == "dir", told)
    check("and the file arrives", content(scene.to)["a name"] == b"blank", told)


def links_outside(scene):
    """What symlinks in a module that lead out of it give: their names, and nothing of what they lead to."""
    if scene.server == OLD:
        raise Skip("rsync 3.2.7's daemon follows them")
    os.makedirs(f"{scene.folder}/outside/d")
    write(f"{scene.folder}/outside/file", "not yours")
    write(f"{scene.folder}/outside/d/deep", "not yours")
    write(f"{scene.folder}/outside/rules", "- plain")
    write(f"{scene.to}/plain", "for all")
    for name, target in (("dir", "../outside"), ("absolute", f"{scene.folder}/outside"), ("file", "../outside/file"), (".rules", "../outside/rules")):
        os.symlink(target, f"{scene.to}/{name}")
    for words in (["-ak"], ["-aL"], ["-a", "--copy-unsafe-links"], ["-a", "--filter=: .rules"], ["-rk", "--delete"], ["-aK"]):
        told = scene.run(*words, scene.url("push/"), f"{scene.back}/")
        have = content(scene.back)
        check(f"{words} gives nothing from outside the module", b"not yours" not in have.values(), told, have)
        check(f"{words} reads no rules there", have.get("plain") == b"for all", told, have)
    told = scene.run("-aK", f"{scene.tree}/", scene.url("push/dir/"))
    check("a destination outside is refused", told[0] == 3, told)
    check("and nothing lands there", set(os.listdir(f"{scene.folder}/outside")) == {"d", "file", "rules"}, told)


SCENES = {"listing": listing, **{f"both ways, protocol {v}": both_ways(v) for v in VERSIONS}, "secluded arguments": secluded, "wildcards": wildcards,
          "login": login, "refusals": refusals, "hidden names": hidden, "outside": outside, "links outside": links_outside,
          "partial files outside": partial_outside}


@journey
def daemon_every_day(lab):
    for client, server in lab.pairs():
        for title, scene_of in SCENES.items():
            if OLD in (client, server) and title.endswith("32"):
                continue  # it knows 31 at most

            def test(client=client, server=server, scene_of=scene_of):
                scene = Scene(lab, server, client)
                try:
                    scene_of(scene)
                finally:
                    code = scene.daemon.end()
                if server == OURS:
                    check("SIGTERM ends the daemon well", code == 0, code)
            yield f"daemon: {title}, {client} to {server}", test
