# SPDX-License-Identifier: MIT
"""postern-ingress between gateways and servers of the test's own, on loopback. TAP."""

import contextlib
import os
import pwd
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cases import DEADLINE, Skip, case, eq, run, wait_for  # noqa: E402,F401
from own_network import in_own_network  # noqa: E402,F401

BUILD = os.environ.get("POSTERN_BUILDDIR", ".")
DATA = os.environ.get("POSTERN_TEST_DATA", "")
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
GATEWAY, DIRECT, STRANGER = "127.0.0.1", "127.0.0.2", "127.0.0.3"
PUBLIC = "198.51.100.25"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

CONFIG = '''
hostname = "mail.example.org"
user = "{user}"
store = "file:{folder}/store"
sessions = "unix:{folder}/sessions"
trusted = {{"192.168.1.0/24"}}
enforce = {enforce}
gateway "vps1" {{
  type = "nginx"
  public_addresses = {{"{public}"}}
  tunnel_addresses = {{"{gateway}"}}
}}
policyd {{ policy = {{"unix:{folder}/policy"}}  socketmap = {{}}  control = "unix:{folder}/control"  group = "" }}
milter {{ listen = "" }}
ingress "main" {{
  listen = "127.0.0.1:{port}"  to = "127.0.0.1:{upstream}"  direct = {{"{direct}"}}
  {options}
}}
ingress "masked" {{ listen = "127.0.0.1:{masked}"  to = "127.0.0.1:{upstream}"  header = "none" }}
ingress "old" {{
  listen = "127.0.0.1:{old}"  to = "127.0.0.1:{upstream}"  proxy_version = 1  gateways = {{"vps1"}}
}}
ingress "down" {{ listen = "127.0.0.1:{down}"  to = "127.0.0.1:{nobody}" }}
http "ingress" {{ program = "ingress"  listen = "unix:{folder}/http"  serve = {{"metrics", "status"}} }}
{more}
'''


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]


def header(src="203.0.113.9", sport=40000, dst=PUBLIC, dport=25, command=0x21, tlvs=b""):
    """A version 2 header."""
    kind = socket.AF_INET6 if ":" in src else socket.AF_INET
    block = socket.inet_pton(kind, src) + socket.inet_pton(kind, dst) + struct.pack(
        "!HH", sport, dport) + tlvs
    return SIGNATURE + struct.pack("!BBH", command, 0x21 if ":" in src else 0x11,
                                   len(block)) + block


LOCAL = SIGNATURE + b"\x20\0\0\0"


class Upstream:
    """Takes connections, and keeps them for the test to speak over."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.port = self.listener.getsockname()[1]
        self.taken = 0
        self.waiting = []
        self.more = threading.Condition()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            connection, _ = self.listener.accept()
            connection.settimeout(DEADLINE)
            with self.more:
                self.taken += 1
                self.waiting.append(connection)
                self.more.notify_all()

    def forget(self):
        """What a case left behind is not the next one's."""
        with self.more:
            while self.waiting:
                self.waiting.pop().close()

    def accept(self):
        with self.more:
            assert self.more.wait_for(lambda: self.waiting, DEADLINE), "no connection upstream"
            return self.waiting.pop(0)


def read(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        assert piece, f"the end after {data!r}"
        data += piece
    return data


def is_closed(connection):
    """Whether the peer has ended it, and how: "end" or "reset"."""
    try:
        data = connection.recv(1)
    except ConnectionResetError:
        return "reset"
    assert data == b"", data
    return "end"


class Ingress:
    def __init__(self, folder, upstream, options="", enforce="true", more=""):
        self.folder, self.upstream = folder, upstream
        self.port, self.masked, self.old, self.down, self.nobody = free_ports(5)
        self.log_path = os.path.join(folder, "log")
        self.config = os.path.join(folder, "postern.conf")
        with open(self.config, "w", encoding="ascii") as out:
            out.write(CONFIG.format(user=USER, folder=folder, public=PUBLIC, gateway=GATEWAY,
                                    direct=DIRECT, port=self.port, upstream=upstream.port,
                                    masked=self.masked, old=self.old, down=self.down,
                                    nobody=self.nobody, options=options, enforce=enforce, more=more))
        self.process = None
        self.program = os.path.join(BUILD, "postern-ingress")

    def start(self, *wrapper):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*wrapper, self.program, "-f", "-v", "-c", self.config],
                stderr=log)
        wait_for(lambda: self.process.poll() is not None or " started " in self.log(), "start")
        assert self.process.poll() is None, self.log()
        return self

    def end(self, signo=signal.SIGTERM):
        self.process.send_signal(signo)
        return self.process.wait(DEADLINE)

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def clear_log(self):
        open(self.log_path, "w", encoding="ascii").close()

    def lines(self, pattern):
        return [x for x in self.log().splitlines() if re.search(pattern, x)]

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def connect(self, source=GATEWAY, port=None):
        return socket.create_connection(("127.0.0.1", port or self.port), DEADLINE, (source, 0))

    def forwarded(self, head=None, source=GATEWAY, port=None, want=28):
        """A connection from end to end: the client's side, the server's, and the header it got."""
        client = self.connect(source, port)
        client.sendall(header() if head is None else head)
        server = self.upstream.accept()
        return client, server, read(server, want)

    def http(self, path):
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(DEADLINE)
            line.connect(os.path.join(self.folder, "http"))
            line.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
            text = b""
            while piece := line.recv(65536):
                text += piece
        head, body = text.split(b"\r\n\r\n", 1)
        assert b" 200 " in head.split(b"\r\n")[0], head
        return body.decode()

    def ask(self, name, **attributes):
        """One request and its answer over a Unix socket of the ingress or of policyd."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(DEADLINE)
            line.connect(os.path.join(self.folder, name))
            line.sendall("".join(f"{key}={value}\n" for key, value in attributes.items()).encode()
                         + b"\n")
            text = b""
            while not text.endswith(b"\n\n"):
                piece = line.recv(65536)
                assert piece, f"the end after {text!r}"
                text += piece
        return dict(row.split("=", 1) for row in text.decode().splitlines() if row)

    def count(self, result, port="main"):
        pattern = (r'^postern_ingress_connections_total\{ingress="%s",result="%s"\} (\d+)$'
                   % (port, result))
        return int(re.search(pattern, self.http("/metrics"), re.M).group(1))


class Policyd:
    """The real postern-policyd, on the ingress's configuration."""

    def __init__(self, ingress):
        self.ingress, self.process = ingress, None

    def start(self):
        followed = len(self.ingress.lines("bans-followed"))
        with open(os.path.join(self.ingress.folder, "policyd.log"), "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "postern-policyd"), "-f", "-v", "-c", self.ingress.config],
                stderr=log)
        wait_for(lambda: len(self.ingress.lines("bans-followed")) > followed, "bans are followed")

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)
        self.process = None

    def ctl(self, *arguments):
        subprocess.run([os.path.join(BUILD, "posternctl"), "-c", self.ingress.config, *arguments],
                       check=True, stdout=subprocess.DEVNULL)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        if self.process:
            self.kill()


class World:
    def __init__(self, folder):
        self.folder = folder
        self.upstream = Upstream()
        self.ingress = Ingress(self.sub("main"), self.upstream).start()

    def sub(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        if os.geteuid() == 0:
            os.chown(path, pwd.getpwnam(USER).pw_uid, -1)
        return path

    @contextlib.contextmanager
    def another(self, name, **options):
        ingress = Ingress(self.sub(name), self.upstream, **options).start()
        try:
            yield ingress
        finally:
            if ingress.process.poll() is None:
                eq(ingress.end(), 0)


def main():
    """Run the cases of the script, or those that its arguments name."""
    with tempfile.TemporaryDirectory(prefix="pn-ingress-") as folder:
        os.chmod(folder, 0o755)
        world = World(folder)
        return run(world, world.ingress, "ingress", world.upstream.forget)
