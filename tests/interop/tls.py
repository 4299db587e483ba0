"""ocsync-ssl against a real daemon behind a real TLS socket: what is trusted, and that everything else is not."""
import os
import shutil
import socket
import ssl
import subprocess
import threading

from interop.lab import Skip, Wrong, expect_code, expect_same_tree, journey
from support import running, trees
from support.running import OURS, ROOT


def make_certificates(folder):
    """Two authorities, and certificates of the first for localhost and for another host."""
    def openssl(*words):
        subprocess.run(["openssl", *words], cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for authority in ("ca", "stranger"):
        openssl("req", "-x509", *key, "-keyout", f"{authority}.key", "-out", f"{authority}.pem", "-days", "3650", "-subj", f"/CN={authority}")
    for name in ("localhost", "other.example"):
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        with open(f"{folder}/{name}.ext", "w", encoding="ascii") as f:
            f.write(f"subjectAltName=DNS:{name}\n")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "3650", "-extfile", f"{name}.ext", "-out", f"{name}.pem")


class Tunnel:
    """Accepts TLS on a free port of 127.0.0.1 and joins each connection with a daemon of its own, as inetd would."""

    def __init__(self, folder, name, argv):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"{folder}/{name}.pem", f"{folder}/{name}.key")
        self.argv, self.context = argv, context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                caller, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(caller,), daemon=True).start()

    def serve(self, caller):
        try:
            caller.settimeout(60)
            secure = self.context.wrap_socket(caller, server_side=True)
        except (OSError, ssl.SSLError):
            caller.close()
            return
        ours, theirs = socket.socketpair()
        child = subprocess.Popen(self.argv, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
        theirs.close()
        # One SSL object must not be read and written at once by two threads without care: take turns, in small steps.
        secure.settimeout(0.02)
        ours.settimeout(0.02)
        open_ends = True
        try:
            while open_ends:
                for source, sink in ((secure, ours), (ours, secure)):
                    try:
                        data = source.recv(65536)
                    except (TimeoutError, ssl.SSLWantReadError):
                        continue
                    if not data:
                        open_ends = False
                        break
                    sink.settimeout(60)
                    sink.sendall(data)
                    sink.settimeout(0.02)
        except OSError:
            pass
        try:
            # Says that this is the end, which s_client wants to hear.
            secure.settimeout(5)
            secure.unwrap()
        except (OSError, ssl.SSLError):
            pass
        ours.close()
        caller.close()
        secure.close()
        child.wait(60)

    def stop(self):
        self.listener.close()


@journey
def through_tls(lab):
    script = os.path.join(ROOT, "apps/ocsync-ssl")
    if not shutil.which("openssl"):
        def skipped():
            raise Skip("openssl is not installed")
        yield "tls: ocsync-ssl", skipped
        return
    folder = lab.folder()
    os.chmod(folder, 0o755)
    make_certificates(folder)
    os.mkdir(f"{folder}/bin")
    shutil.copy(script, f"{folder}/bin/ocsync-ssl")
    shutil.copy(lab.programs[OURS], f"{folder}/bin/ocsync")
    trees.build(folder, ["file mod/a 100000 bytes seed=1 mtime=1000000000", "file mod/d/b 5 bytes seed=2 mtime=1000000001", "dir to"])
    ids = "uid = 0\ngid = 0\n" if running.is_root() else ""
    with open(f"{folder}/conf", "w", encoding="ascii") as f:
        f.write(f"{ids}use chroot = no\nlog file = {folder}/log\nreverse lookup = no\n[mod]\npath = {folder}/mod\n[to]\npath = {folder}/to\nread only = no\n")
    argv = [lab.programs[OURS], "--daemon", f"--config={folder}/conf"]
    tunnels = {name: Tunnel(folder, name, argv) for name in ("localhost", "other.example")}
    for tunnel in tunnels.values():
        lab.at_end.append(tunnel.stop)

    def run(kind, server, words, code, says="", **env):
        work = lab.folder()
        port = str(tunnels[server].port)
        all_words = [w.replace("WORK", work).replace("URL", "rsync://localhost").replace("HOST", "localhost") for w in words]
        got = running.run([f"{folder}/bin/ocsync-ssl", f"--type={kind}"] + all_words, work, lab.env(work, RSYNC_SSL_PORT=port, **env), 60)
        expect_code(got, code, " ".join(words))
        if says and says.encode() not in got.err + got.out:
            raise Wrong(f"expected {says!r} in {got.err + got.out!r}")
        return work

    def needs(kind):
        for name in {"openssl": ["openssl"], "stunnel": ["stunnel4", "stunnel"], "gnutls": ["gnutls-cli"]}[kind]:
            if shutil.which(name):
                return
        raise Skip(f"{kind} is not installed")

    failed = {10, 12, 5, 1, 255}

    def trusted(kind):
        needs(kind)
        work = run(kind, "localhost", ["-a", "URL/mod/", "WORK/got/"], {0}, RSYNC_SSL_CA_CERT=f"{folder}/ca.pem")
        expect_same_tree(f"{folder}/mod", f"{work}/got", "what was fetched")
        run(kind, "localhost", ["-a", f"{folder}/mod/", f"HOST::to/{kind}/"], {0}, RSYNC_SSL_CA_CERT=f"{folder}/ca.pem")
        expect_same_tree(f"{folder}/mod", f"{folder}/to/{kind}", "what was stored")

    def nothing_came(work):
        if os.path.exists(f"{work}/got"):
            raise Wrong("something arrived all the same")

    def stranger(kind):
        needs(kind)
        nothing_came(run(kind, "localhost", ["-a", "URL/mod/", "WORK/got/"], failed, RSYNC_SSL_CA_CERT=f"{folder}/stranger.pem"))

    def other_name(kind):
        needs(kind)
        nothing_came(run(kind, "other.example", ["-a", "URL/mod/", "WORK/got/"], failed, RSYNC_SSL_CA_CERT=f"{folder}/ca.pem"))
        run(kind, "other.example", ["-a", "URL/mod/", "WORK/got/"], {0}, RSYNC_SSL_CA_CERT=f"{folder}/ca.pem", RSYNC_SSL_SKIP_HOSTNAME_CHECK="1")

    def not_verified(kind):
        needs(kind)
        run(kind, "other.example", ["-a", "URL/mod/", "WORK/got/"], {0}, RSYNC_SSL_CA_CERT="", RSYNC_SSL_ALLOW_INSECURE_STUNNEL="1")

    def default_trust():
        needs("openssl")
        nothing_came(run("openssl", "localhost", ["-a", "URL/mod/", "WORK/got/"], failed))
        needs("stunnel")
        nothing_came(run("stunnel", "localhost", ["-a", "URL/mod/", "WORK/got/"], failed, says="stunnel requires RSYNC_SSL_CA_CERT"))

    def bad_words():
        run("openssl", "localhost", ["-a", "a", "b"], {1}, says="daemon-style hostname")
        run("nonsense", "localhost", ["-a", "URL/mod/", "WORK/got/"], failed, says="unknown type: nonsense")
        for host in ("-x", "a b", "a\nb", "a;b", ""):
            got = subprocess.run([f"{folder}/bin/ocsync-ssl", "--HELPER", host, "rsync", "--server", "--daemon", "."], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=lab.env(folder, RSYNC_SSL_TYPE="openssl", RSYNC_SSL_OPENSSL="/bin/echo"), timeout=60)
            if got.returncode != 1 or b"s_client" in got.stdout:
                raise Wrong(f"host {host!r}: code {got.returncode}, {got.stdout!r}")

    for kind in ("openssl", "stunnel"):
        yield f"tls: trusted, {kind}", lambda k=kind: trusted(k)
        yield f"tls: another authority, {kind}", lambda k=kind: stranger(k)
        yield f"tls: a certificate for another name, {kind}", lambda k=kind: other_name(k)
        yield f"tls: no verification wanted, {kind}", lambda k=kind: not_verified(k)
    yield "tls: the system's authorities do not know ours", default_trust
    yield "tls: what cannot work", bad_words
