# SPDX-License-Identifier: MIT
"""Milters: postern-milter beside opendkim, rspamd, and what libmilter itself costs."""

import contextlib
import email.utils
import os
import tempfile

from benchkit import median, run_load, table
from milter_servers import (CLIENT, HELO, KINDS, SENDER, Null, Opendkim, Postern, Rspamd, Signers,
                            Verifier)
from dnsd import Dns

SESSIONS = [1, 8, 50]
SIZES = {"5 kB": 5000, "50 kB": 50000, "1 MB": 1000000}
MILLISECONDS = 700
HEAD = ["", "messages/s", "p50 ms", "p99 ms", "CPU us", "postern is x", "its CPU x"]


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
    path = os.path.join(folder, f"message-{signer.kind}-{size}")
    with open(path, "wb") as out:
        out.write(text.encode() + b"\r\n" + body)
    return path


def measure(server, path, sessions, *limits):
    words = [x for word in server.words for x in ("-e", word)]
    figures = run_load(server, "milter_load", "-c", sessions, *limits, *words, server.address,
                       CLIENT, HELO, SENDER, path)
    assert figures["other"] == 0, f"{server.name} did not let all messages through"
    assert figures["lacking"] == 0, f"{server.name} did not write {server.words} into all messages"
    return figures


def ratio(ours, theirs, name):
    """Run by run: what disturbs the machine disturbs both."""
    return f"{median([a[name] / b[name] for a, b in zip(ours, theirs)]):.2f}"


def rows_of(servers, path, sessions, title, rounds):
    """The first server is the one that the others are compared with."""
    for server in servers:
        measure(server, path, sessions, "-t", 100)      # caches
    runs = [[measure(s, path, sessions, "-t", MILLISECONDS) for s in servers]
            for _ in range(rounds)]
    ours, *_ = columns = list(zip(*runs))
    for server, figures in zip(servers, columns):
        middle = {name: median([run[name] for run in figures]) for name in figures[0]}
        compared = ["", ""] if server is servers[0] else \
            [ratio(ours, figures, name) for name in ("rate", "cpu_us")]
        yield [f"{title} {server.name}", f"{middle['rate']:,.0f}",
               f"{middle['p50_us'] / 1000:.2f}", f"{middle['p99_us'] / 1000:.2f}",
               f"{middle['cpu_us']:.0f}", *compared]


def over_unix(stack, dns, signers, folder, rounds):
    """All sizes, keys and numbers of sessions; the base lines where they say something."""
    servers = [stack.enter_context(x(dns, signers)) for x in (Postern, Opendkim, Rspamd)
               if x.is_installed()]
    null = stack.enter_context(Null(dns, signers))
    for title, size in SIZES.items():
        for kind in KINDS:
            path = message(folder, signers.of[kind], size)
            # rspamd takes so long for 50 of the largest that it gives up on them.
            for sessions in SESSIONS if size < SIZES["1 MB"] else SESSIONS[:-1]:
                with contextlib.ExitStack() as base:
                    lines = [null, base.enter_context(Verifier(dns, signers, kind))] \
                        if size == SIZES["5 kB"] and sessions == 8 else []
                    yield from rows_of(servers + lines, path, sessions,
                                       f"{sessions} x {title} {kind}", rounds)


def over_tcp(stack, dns, signers, folder, rounds):
    servers = [stack.enter_context(x(dns, signers, "tcp")) for x in (Postern, Opendkim)
               if x.is_installed()]
    path = message(folder, signers.of["rsa"], SIZES["5 kB"])
    return rows_of(servers, path, 8, "8 x 5 kB rsa", rounds)


@contextlib.contextmanager
def world():
    """(folder, signers, dns) that all servers share."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        signers = Signers(folder)
        yield folder, signers, stack.enter_context(contextlib.closing(Dns(signers.zone())))


def compare(rounds):
    rounds = max(1, rounds // 3)
    for peer in (Opendkim, Rspamd):
        if not peer.is_installed():
            print(f"\n{peer.name} is not installed: its rows are left out.")
    for transport, rows in (("unix", over_unix), ("tcp", over_tcp)):
        print(f"\nMessages to a milter over {transport}, one a connection, medians of {rounds} "
              f"runs of {MILLISECONDS} ms, sessions at a time x size, key")
        with world() as (folder, signers, dns), contextlib.ExitStack() as stack:
            table(HEAD, list(rows(stack, dns, signers, folder, rounds)))
    print("postern-milter does SPF, DKIM, DMARC, the PTR of the client and its log; rspamd, in two "
          "processes, the first\nthree (and asks for the DMARC record each time: 45 us of the DNS "
          "server here, not in its CPU);\nopendkim DKIM alone, with the key in a file. The last "
          "two write no log. Each put what it judges as pass\ninto every message.")
