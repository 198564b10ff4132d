# SPDX-License-Identifier: MIT
"""Milters: postern-milter, and opendkim, which verifies DKIM alone."""

import contextlib
import email.utils
import os
import shutil
import sys
import tempfile

from benchkit import BUILD, GROUP, ROOT, USER, Server, median, ratios, run_load, table

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "milter"))
from dnsd import Dns            # noqa: E402  pylint: disable=wrong-import-position
from signer import Signer       # noqa: E402  pylint: disable=wrong-import-position

SESSIONS = [1, 8, 50]
SIZES = [4000, 100000]
MILLISECONDS = 1000
CLIENT, HELO, SENDER = "203.0.113.9", "mx.example.net", "alice@example.net"

POSTERN = '''
hostname = "mail.example.org"
user = "{user}"
resolver = {{"127.0.0.1@{dns}"}}
milter {{ listen = "{unix}"  group = "" }}
'''

OPENDKIM = '''
Mode v
AuthservID mail.example.org
Syslog no
AlwaysAddARHeader yes
Socket local:{path}
UMask 0111
TestPublicKeys {folder}/keys
'''


class MilterServer(Server):
    def __init__(self, dns, signer):
        super().__init__()
        self.dns, self.signer = dns, signer
        self.addresses = {"unix": self.addresses["unix"]}

    def cpu_seconds(self):
        """Coarser than the threads' own figures, but a milter's threads end with their sessions."""
        with open(f"/proc/{self.pids[0]}/stat", encoding="ascii") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(text.format(user=USER, folder=self.folder, dns=self.dns.port,
                                  unix=self.addresses["unix"],
                                  path=self.addresses["unix"].removeprefix("unix:")))
        return path


class Postern(MilterServer):
    name = "postern-milter"

    def start(self):
        config = self.write("postern.conf", POSTERN)
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.spawn(os.path.join(BUILD, "postern-milter"), "-f", "-c", config, stderr=log)


class Opendkim(MilterServer):
    """The key comes from a file: libunbound's parser, which it calls in each thread, crashes it."""

    name = "opendkim"

    def start(self):
        self.write("keys", f"{self.signer.selector}._domainkey.{self.signer.domain} "
                   f"{self.signer.record}\n")
        user = ["-u", f"{USER}:{GROUP}"] if ROOT else []
        self.spawn("opendkim", "-f", "-x", self.write("opendkim.conf", OPENDKIM), *user)


def message(folder, signer, size):
    """A signed message with the header fields that a mailing program and two hops leave."""
    headers = [
        ("From", " Alice Example <alice@example.net>"),
        ("To", " Bob Example <bob@example.org>"),
        ("Subject", " Minutes of the meeting on Thursday, and what is left to do"),
        ("Date", " " + email.utils.formatdate()),
        ("Message-ID", " <20261120.1042.7f3a@mail.example.net>"),
        ("MIME-Version", " 1.0"),
        ("Content-Type", " text/plain; charset=utf-8"),
        ("Content-Transfer-Encoding", " 7bit"),
    ]
    line = b"The quick brown fox jumps over the lazy dog, and nobody minds it at all.\r\n"
    body = line * max(1, size // len(line))
    trace = [("Received", " from desk.example.net (desk.example.net [192.0.2.7])\r\n"
              f"\tby {HELO} (Postfix) with ESMTPSA id 4YJx1y6sZxz1Rf\r\n"
              "\tfor <bob@example.org>; Fri, 20 Nov 2026 10:42:00 +0000 (UTC)"),
             ("X-Mailer", " Mail 1.0")]
    fields = [signer.sign(headers, body), *trace, *headers]
    text = "".join(f"{n}:{v}\r\n" for n, v in fields).replace("\r\n", "\n").replace("\n", "\r\n")
    path = os.path.join(folder, f"message-{size}")
    with open(path, "wb") as out:
        out.write(text.encode() + b"\r\n" + body)
    return path


def measure(server, sessions, path):
    figures = run_load(server, "milter_load", "-c", sessions, "-t", MILLISECONDS,
                       server.addresses["unix"], CLIENT, HELO, SENDER, path)
    assert figures["other"] == 0, f"{server.name} did not let all messages through"
    assert figures["fields"] >= figures["count"], f"{server.name} wrote no field"
    return figures


def rows_of(servers, path, sessions, size, rounds):
    runs = [[measure(s, sessions, path) for s in servers] for _ in range(rounds)]
    compared = ratios(*zip(*runs)) if len(servers) > 1 else ["", ""]
    for server, figures in zip(servers, zip(*runs)):
        middle = {name: median([run[name] for run in figures]) for name in figures[0]}
        yield [f"{sessions} x {size} {server.name}", f"{middle['rate']:,.0f}",
               f"{middle['p50_us'] / 1000:.2f}", f"{middle['p99_us'] / 1000:.2f}",
               f"{middle['cpu_us']:.0f}", *compared]
        compared = ["", ""]


def zone(signer):
    return {
        "example.net TXT": ["v=spf1 ip4:203.0.113.9 -all"],
        "mx.example.net TXT": ["v=spf1 a -all"],
        "mx.example.net A": [CLIENT],
        "9.113.0.203.in-addr.arpa PTR": [HELO],
        f"{signer.selector}._domainkey.example.net TXT": [signer.record],
    }


def compare(rounds):
    rounds = max(1, rounds // 3)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        signer = Signer(folder, "example.net")
        dns = stack.enter_context(contextlib.closing(Dns(zone(signer))))
        servers = [stack.enter_context(Postern(dns, signer))]
        if shutil.which("opendkim"):
            servers.append(stack.enter_context(Opendkim(dns, signer)))
        rows = [row for size in SIZES for count in SESSIONS
                for row in rows_of(servers, message(folder, signer, size), count, size, rounds)]
    print(f"\nMessages to a milter over unix, one a connection, medians of {rounds} runs of "
          f"{MILLISECONDS} ms, sessions at a time x bytes of body")
    table(["", "messages/s", "p50 ms", "p99 ms", "CPU us", "postern is x", "by CPU"], rows)
    print("postern-milter does SPF, DKIM, the PTR of the client and its log; "
          "opendkim DKIM alone,\nwith the key in a file and without a log.")
