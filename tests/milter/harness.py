# SPDX-License-Identifier: MIT
"""The real postern-milter, our own mail server's side and DNS; cases as TAP."""

import contextlib
import os
import pwd
import signal
import subprocess
import sys
import tempfile

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
from cases import DEADLINE, Skip, captured, case, eq, has, run, wait_for  # noqa: E402,F401
from dnsd import Dns  # noqa: E402
from launch import launched  # noqa: E402
from mta import Mta  # noqa: E402
from signer import Signer  # noqa: E402

BUILD = os.environ.get("POSTERN_BUILDDIR", ".")
PROGRAM = os.path.join(BUILD, "postern-milter")
HOST = "mail.example.org"
GOOD, OTHER, SLOW = "203.0.113.9", "203.0.113.66", "203.0.113.77"
PUBLIC, TUNNEL = "198.51.100.25", "10.8.0.1"
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name


def lacks(text, *parts):
    for part in parts:
        assert part not in (text or ""), f"{part!r} in {text!r}"


class Milter:
    """The program with a configuration of its own; the log is collected."""

    def __init__(self, folder, name, dns_port, path=None, descriptors=None, sockets=(),
                 **options):
        self.path = path or os.path.join(folder, name + ".sock")
        self.log_path = os.path.join(folder, name + ".log")
        self.config = os.path.join(folder, name + ".conf")
        self.dns_port, self.options = dns_port, options
        self.descriptors, self.sockets = descriptors, sockets
        self.write(**options)
        self.process = None

    def write(self, enforce="true", max_sessions=100, timeout="5s", tunnel=TUNNEL, group="",
              listen=None, report="", hostname=HOST, dnssec="false", domains='"example.org"',
              milter="", more=""):
        """milter: more of that section; more: other sections."""
        listen = f"unix:{self.path}" if listen is None else listen
        with open(self.config, "w", encoding="ascii") as out:
            out.write(f'''
hostname = "{hostname}"
domains = {{{domains}}}
user = "{USER}"
resolver = {{"127.0.0.1@{self.dns_port}"}}
dnssec = {dnssec}
dns_timeout = "{timeout}"
trusted = {{"192.168.1.0/24"}}
enforce = {enforce}
gateway "vps1" {{
  type = "nginx"
  public_addresses = {{"{PUBLIC}"}}
  tunnel_addresses = {{"{tunnel}"}}
}}
milter {{
  listen = "{listen}"
  group = "{group}"
  max_sessions = {max_sessions}
  report = "{report}"
  {milter}
}}
{more}
''')

    def reload(self, **changes):
        """As the operator does it; returns what the log says then."""
        self.write(**{**self.options, **changes})
        return self.reload_file()

    def reload_file(self):
        seen = len(self.log())
        self.process.send_signal(signal.SIGUSR1)
        wait_for(lambda: "reload" in self.log()[seen:] and self.log().endswith("\n"), "the reload")
        return self.log()[seen:]

    def start(self):
        command = launched([PROGRAM, "-f", "-c", self.config], self.descriptors, self.sockets)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log,
                                            stdin=subprocess.DEVNULL,
                                            pass_fds=[x.fileno() for x in self.sockets])
        wait_for(lambda: "started" in self.log() or self.process.poll() is not None, "start")
        assert self.process.poll() is None, self.log()
        return self

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as source:
            return source.read()

    def line(self, *parts):
        """The log's line that has all these parts, once it is there."""
        def find():
            return [x for x in self.log().splitlines() if all(p in x for p in parts)]
        wait_for(find, f"a log line with {parts}\n{self.log()}")
        return find()[-1]

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.process.wait(DEADLINE)


class World:
    """What all cases share: keys, names, one milter."""

    def __init__(self, folder, zone):
        self.folder = folder
        self.signer = Signer(folder, "example.net")
        self.dns = Dns({
            "example.net TXT": ["v=spf1 ip4:203.0.113.9 -all"],
            "xn--bcher-kva.example.net TXT": ["v=spf1 exists:%{l}.example.net ip4:203.0.113.9 -all"],
            "helo.example.net TXT": ["v=spf1 ip4:203.0.113.9 -all"],
            "helo.example.net A": [GOOD],
            "9.113.0.203.in-addr.arpa PTR": ["helo.example.net"],
            "slow.example.net TXT": "SILENT",
            "broken.example.net TXT": "SERVFAIL",
            "66.113.0.203.in-addr.arpa PTR": ["lies.example.net"],
            "77.113.0.203.in-addr.arpa PTR": "SILENT",
            "lies.example.net A": [GOOD],
            "s1._domainkey.example.net TXT": [self.signer.record],
            "slow._domainkey.example.net TXT": "SILENT",
            **zone,
        })
        self.milter = Milter(folder, "main", self.dns.port).start()

    def mta(self, **kind):
        return Mta(self.milter.path, **kind)

    @contextlib.contextmanager
    def another(self, name, **options):
        milter = Milter(self.folder, name, self.dns.port, **options).start()
        try:
            yield milter
        finally:
            if milter.process.poll() is None:
                milter.end()

    def close(self):
        if self.milter.process.poll() is None:
            self.milter.end()
        self.dns.close()


PLAIN = [("From", " a@example.net"), ("Subject", "  two spaces"), ("X-Fold", " one\n\ttwo")]
BODY = b"Hello\r\n"


def send(mta, headers=PLAIN, body=BODY, client=GOOD, helo="helo.example.net",
         sender="<a@example.net>", login=None, daemon=None, queue_id="4QUEUE", port=40000):
    eq(mta.connect(client, port=port, daemon=daemon), b"c")
    if helo:
        mta.helo(helo)
    mta.mail(sender, login)
    return mta.message(headers, body, queue_id)


def signed(world, simple=False, headers=PLAIN, body=BODY):
    return [world.signer.sign(headers, body, simple)] + headers


def is_built_with(library):
    with open(os.path.join(BUILD, "config.h"), encoding="ascii") as config:
        return f"#define HAVE_{library} 1" in config.read()


def main(zone=None):
    """zone: more of it, as Dns takes it."""
    with tempfile.TemporaryDirectory(prefix="pn-milter-") as folder:
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
        world = World(folder, zone or {})
        code = run(world, world.milter, "milter")
        world.close()
    return code
