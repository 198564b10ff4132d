# SPDX-License-Identifier: MIT
"""postern-policyd with a configuration of its own, and a client for each protocol it speaks."""

import http.client
import json
import os
import pwd
import re
import shlex
import signal
import socket
import subprocess
import sys

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cases import DEADLINE, wait_for  # noqa: E402
from launch import launched  # noqa: E402

PROGRAM = os.path.join(os.environ.get("POSTERN_BUILDDIR", "."), "postern-policyd")
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
TOKEN = "a-token-for-tests"
PASSWORD = "pass:word=1"
GATEWAY, TUNNEL = "198.51.100.25", "10.8.0.1"

CONFIG = '''
hostname = "mail.example.org"
user = "{user}"
enforce = {enforce}
trusted = {{"192.168.1.0/24"}}
store = "file:{folder}/store"
gateway "vps1" {{
  type = "nginx"
  public_addresses = {{"{gateway}"}}
  tunnel_addresses = {{"{tunnel}"}}
}}
policyd {{
  policy = {{"unix:{folder}/policy"}}
  socketmap = {{"unix:{folder}/socketmap", "127.0.0.1:{port}"}}
  control = "unix:{folder}/control"
  group = ""
  {policyd}
}}
http "auth" {{ listen = "unix:{folder}/http"  token_file = "{folder}/token"  {http} }}
jail "logins" {{ maxretry = {maxretry} }}
relay "one" {{
  host = "relay.example.net"  login = "me@example.net"  password_file = "{folder}/password"
}}
relay "two" {{ host = "other.example.net"  port = 2525 }}
relay "tls" {{ host = "relay.example.net"  port = 465  transport = "smtps" }}
route {{ from = "*"  relays = {{"one", "two", "tls"}} }}
route {{ from = "@example.com"  relays = {{"two"}} }}
route {{ from = "<>"  relays = {{"two", "one"}} }}
'''


def lists_of(text):
    """Whole attribute lists of a text, each a list of (name, value)."""
    return [[tuple(line.split("=", 1)) for line in part.split("\n")]
            for part in text.split("\n\n") if part]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def preload(folder, source):
    """Builds a library of this source; the environment in which a program has it in front."""
    library = os.path.join(folder, source.replace(".c", ".so"))
    subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-shared", "-fPIC", "-o", library,
                    os.path.join(os.path.dirname(os.path.abspath(__file__)), source), "-ldl"],
                   check=True)
    return {"LD_PRELOAD": library,
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"}


class Line:
    """A connection over which requests and answers go in turn."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(path)
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def until(self, end):
        while end not in self.rest:
            data = self.socket.recv(65536)
            if not data:
                return None
            self.rest += data
        data, self.rest = self.rest.split(end, 1)
        return data

    def closed(self):
        """The peer closes, having sent nothing more."""
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def ask(self, **attributes):
        """One attribute list there, one back."""
        self.send("".join(f"{n}={v}\n" for n, v in attributes.items()).encode() + b"\n")
        return self.answer()

    def answer(self):
        data = self.until(b"\n\n")
        return None if data is None else dict(x.split("=", 1) for x in data.decode().split("\n"))

    def records(self, **attributes):
        """The records of an answer, and its last list."""
        found = [self.ask(**attributes)]
        while "status" not in found[-1]:
            found.append(self.answer())
        return found[:-1], found[-1]

    def look_up(self, name, key):
        """One socketmap look-up."""
        request = f"{name} {key}".encode()
        self.send(b"%d:%s," % (len(request), request))
        length = int(self.until(b":"))
        while len(self.rest) <= length:
            self.rest += self.socket.recv(65536)
        data, self.rest = self.rest[:length], self.rest[length + 1:]
        return data.decode()


class UnixHttp(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=DEADLINE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(DEADLINE)
        self.sock.connect(self.path)


class Daemon:
    """The program; its log is collected in a file."""

    def __init__(self, folder, enforce="true", maxretry=5, policyd="", http_options="",
                 verbose=True, descriptors=None, sockets=(), environment=None):
        self.folder = folder
        self.policyd_options, self.http_options = policyd, http_options
        self.verbose, self.descriptors, self.sockets = verbose, descriptors, sockets
        self.environment = environment or {}
        self.log_path = os.path.join(folder, "log")
        self.config = os.path.join(folder, "postern.conf")
        self.process = None
        self.port = free_port()
        self.starts = 0
        for name, text in (("token", TOKEN), ("password", PASSWORD)):
            self.write(name, text + "\n")
            os.chmod(os.path.join(folder, name), 0o600)
            if os.geteuid() == 0:
                os.chown(os.path.join(folder, name), pwd.getpwnam(USER).pw_uid, -1)
        self.configure(enforce=enforce, maxretry=maxretry)

    def write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as out:
            out.write(text)

    def configure(self, enforce="true", maxretry=5, extra=""):
        self.write("postern.conf", CONFIG.format(
            user=USER, folder=self.folder, port=self.port, enforce=enforce, maxretry=maxretry,
            gateway=GATEWAY, tunnel=TUNNEL, policyd=self.policyd_options,
            http=self.http_options) + extra)

    def command(self):
        """How it is started: with fewer descriptors, with sockets as systemd passes them on."""
        command = [PROGRAM, "-f", "-c", self.config] + ["-v"] * self.verbose
        return launched(command, self.descriptors, self.sockets)

    def start(self):
        self.starts += 1
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stderr=log,
                                            env=os.environ | self.environment,
                                            pass_fds=[x.fileno() for x in self.sockets])
        wait_for(lambda: self.process.poll() is not None or
                 self.log().count(" started ") == self.starts, "policyd has started")
        assert self.process.poll() is None, self.log()
        return self

    def reload(self, until):
        """SIGHUP, and wait for one more line that has this in it."""
        seen = self.log().count(until)
        self.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.log().count(until) > seen, until)

    def end(self, signo=signal.SIGTERM):
        self.process.send_signal(signo)
        return self.process.wait(DEADLINE)

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def lines(self, pattern):
        return [x for x in self.log().splitlines() if re.search(pattern, x)]

    # -- one client for each protocol

    def line(self, name):
        return Line(os.path.join(self.folder, name))

    def policy(self, client, **more):
        with self.line("policy") as line:
            return line.ask(**{"request": "smtpd_access_policy", "protocol_state": "RCPT",
                               "client_address": client, "client_port": "40000"} | more)["action"]

    def control(self, **request):
        with self.line("control") as line:
            return line.ask(**request)

    def bans(self):
        with self.line("control") as line:
            records, last = line.records(request="bans")
        assert int(last["count"]) == len(records), last
        return {x["ban"]: x for x in records}

    def http(self, body, command, token=TOKEN, method="POST", path="/auth"):
        """Status and text of one request."""
        connection = UnixHttp(os.path.join(self.folder, "http"))
        connection.request(method, f"{path}?command={command}", body=body,
                           headers={"Content-Type": "application/json", "X-API-Key": token})
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def auth(self, command, client, **more):
        body = {"device_id": "", "login": "alice@example.com", "protocol": "imap",
                "pwhash": "0abc", "remote": client, "session_id": "S1", "tls": False}
        status, text = self.http(json.dumps(body | more), command)
        assert status == 200, (status, text)
        answer = json.loads(text)
        assert type(answer["status"]) is int and type(answer["msg"]) is str, answer
        assert list(answer) == ["status", "msg"], answer
        return answer

    def fail(self, client, pwhash, **more):
        return self.auth("report", client, pwhash=pwhash, success=False, policy_reject=False,
                         **more)

    def guess(self, client, count):
        for number in range(count):
            self.fail(client, f"{number:04x}")
