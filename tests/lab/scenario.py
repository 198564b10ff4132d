# SPDX-License-Identifier: MIT
"""For the scenarios: TAP, and what they do in a running lab."""

import base64
import concurrent.futures
import contextlib
import email
import email.policy
import glob
import imaplib
import io
import itertools
import json
import os
import re
import smtplib
import socket
import ssl
import sys
import threading
import time
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))

from labkit import home as home_parts, state, syscalls  # noqa: E402
from labkit.errors import until  # noqa: E402

# A proxy that speaks for itself, as in a health check: version 2, LOCAL.
PROXY_LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"

GATEWAY4, GATEWAY6 = "203.0.113.1", "2001:db8::1"
HOME = "10.8.0.2"
HOSTNAME = "mail.example.com"
ALICE, BOB, DAVE = "alice@example.com", "bob@example.com", "dave@example.com"
PASSWORDS = home_parts.MAILBOXES

_numbers = itertools.count(1)


# --- TAP ---

def main(functions, around=contextlib.nullcontext, at_once=1):
    """Runs each test_* of a module in its order; prints TAP; leaves with 1 on a failure.

    around(home) is what holds while they run. at_once: so many in processes of their own,
    where each has a lab of its own.
    """
    tests = [(name, function) for name, function in functions.items() if name.startswith("test_")]
    print(f"1..{len(tests)}", flush=True)
    lab = Lab()
    with around(lab.home):
        results = (_pass_at_once(tests, at_once) if at_once > 1 else
                   [_passes(lab, *test) for test in enumerate(tests, 1)])
    sys.exit(0 if all(results) else 1)


def _pass_at_once(tests, at_once):
    results = []
    with concurrent.futures.ProcessPoolExecutor(at_once) as pool:
        for passes, output in pool.map(_passes_aside, *zip(*enumerate(tests, 1))):
            print(output, end="", flush=True)
            results.append(passes)
    return results


def _passes_aside(number, test):
    with contextlib.redirect_stdout(io.StringIO()) as output:
        passes = _passes(Lab(), number, test)
    return passes, output.getvalue()


def _passes(lab, number, test):
    name, function = test
    title = name[len("test_"):].replace("_", " ")
    try:
        function(lab)
    except Exception:  # whatever went wrong in a test is that test's failure
        print(f"not ok {number} - {title}")
        for line in traceback.format_exc().splitlines():
            print(f"# {line}", flush=True)
        return False
    print(f"ok {number} - {title}", flush=True)
    return True


def expect(condition, text):
    if not condition:
        raise AssertionError(text)


def expect_equal(found, wanted, what):
    expect(found == wanted, f"{what}: {found!r}, not {wanted!r}")


# --- the lab ---

def gateway_for(source):
    """The address of the first gateway that this client can connect to."""
    return GATEWAY6 if ":" in source else GATEWAY4


class Lab:
    def __init__(self):
        self.internet, self.vps, self.home = (state.host(name) for name in state.HOSTS)
        self.keys = os.path.join(state.folder(), "keys")
        self.tls = ssl.create_default_context(cafile=os.path.join(self.keys, "ca.pem"))

    @contextlib.contextmanager
    def network_of(self, host):
        """Sockets that this thread makes inside belong to the host's network."""
        own = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY)
        there = os.open(f"/proc/{host.pid}/ns/net", os.O_RDONLY)
        try:
            syscalls.setns(there, syscalls.CLONE_NEWNET)
            yield
        finally:
            syscalls.setns(own, syscalls.CLONE_NEWNET)
            os.close(own)
            os.close(there)

    def connect(self, where, source=None, host=None, seconds=10):
        """A TCP connection from a client on the internet, or from another host."""
        with self.network_of(host or self.internet):
            return socket.create_connection(where, seconds, (source, 0) if source else None)

    # --- SMTP ---

    def smtp(self, source, port=25, helo="client.example.org", tls=None, gateway=None):
        """An SMTP session through the gateway; TLS on the submission ports."""
        gateway = gateway or gateway_for(source)
        session = Session(self, source, gateway, port, helo)
        if tls if tls is not None else port == 587:
            session.starttls(context=self.tls)
        return session

    def deliver(self, source, text, sender="joe@sender.example.net", to=ALICE,
                helo="mx.sender.example.net"):
        """Sends a message through port 25; returns what stands in the mailbox, in bytes."""
        mark = new_mark("mail")
        with self.smtp(source, helo=helo) as session:
            session.sendmail(sender, [to], marked(mark, text))
        return self.wait_for_mail(mark, to)

    def wait_for_mail(self, mark, box=ALICE, seconds=20):
        return until(f"mail {mark} for {box}", lambda: self.find_mail(mark, box), seconds)

    def find_mail(self, mark, box=ALICE, folder=""):
        """folder: of the mailbox, as Maildir++ writes it, ".Junk"."""
        user, domain = box.split("@")
        return _find(self.home.path(f"/var/vmail/{domain}/{user}/{folder}/new"), mark)

    def find_relayed(self, relay, mark):
        return _find(self.internet.path(f"/var/mail/{relay}/new"), mark)

    # --- logins ---

    def imap(self, source, login, password, port=993, gateway=None):
        """Tries to log in through the gateway: "ok", or the server's words of refusal."""
        gateway = gateway or gateway_for(source)
        with self.connect((gateway, port), source, seconds=40) as raw:
            session = _Imap(self.tls.wrap_socket(raw, server_hostname=HOSTNAME))
            try:
                session.login(login, password)
            except imaplib.IMAP4.error as error:
                return str(error)
            session.logout()
            return "ok"

    def imap_of_the_gateway(self, login, password):
        """The same from the vps itself, which names no client."""
        return self.imap_after(PROXY_LOCAL, login, password, (HOME, 143), self.vps)

    def imap_after(self, header, login, password, where, host):
        """The same from a host that sends this header itself."""
        with self.connect(where, host=host, seconds=40) as raw:
            raw.sendall(header)
            session = _Imap(raw)
            session.host = HOSTNAME
            session.starttls(self.tls)
            try:
                session.login(login, password)
            except imaplib.IMAP4.error as error:
                return str(error)
            session.logout()
            return "ok"

    def imap_many(self, source, login, passwords, gateway=None):
        """The same for many passwords, side by side: Dovecot answers a failure late."""
        return side_by_side(lambda password: self.imap(source, login, password, gateway=gateway),
                            passwords)

    def submission_login(self, source, login, password, port=587):
        """Tries AUTH on submission: "ok", or the code and text of refusal."""
        session = self.smtp(source, port)
        try:
            session.login(login, password)
            return "ok"
        except smtplib.SMTPAuthenticationError as error:
            return f"{error.smtp_code} {error.smtp_error.decode()}"
        except smtplib.SMTPServerDisconnected as error:
            return f"disconnected: {error}"
        finally:
            session.close()

    def submission_many(self, source, login, passwords):
        return side_by_side(lambda word: self.submission_login(source, login, word), passwords)

    def sieve_login(self, source, login, password):
        """Tries to log in to ManageSieve: "ok", or the server's words of refusal."""
        with self.connect((gateway_for(source), 4190), source, seconds=40) as raw:
            _sieve_answer(raw, b"")
            expect_equal(_sieve_answer(raw, b"STARTTLS\r\n"), "ok", "STARTTLS of ManageSieve")
            with self.tls.wrap_socket(raw, server_hostname=HOSTNAME) as session:
                _sieve_answer(session, b"")
                word = base64.b64encode(f"\0{login}\0{password}".encode())
                return _sieve_answer(session, b'AUTHENTICATE "PLAIN" "%s"\r\n' % word)

    def smtp_answer(self, source, to=ALICE, sender="joe@nospf.example.org"):
        """What port 25 says to a recipient: the code of the last answer."""
        with self.smtp(source) as session:
            session.ehlo()
            code, _ = session.mail(sender)
            return session.rcpt(to)[0] if code == 250 else code

    # --- Postern ---

    def bans(self):
        """The banned prefixes, as posternctl tells them."""
        done = self.home.run("posternctl", "bans", "--json")
        return sorted(_prefixes(done))

    def configure(self, old, new):
        """Changes postern.conf and starts policyd again with it."""
        text = self.home.read("/etc/postern/postern.conf")
        expect(old in text, f"{old!r} is not in postern.conf")
        self.home.write("/etc/postern/postern.conf", text.replace(old, new))
        self.kill("postern-policyd")
        self.start("postern-policyd")

    @contextlib.contextmanager
    def postfix_with(self, path, text):
        """While this stands at the end of a file of Postfix's."""
        before = self.home.read(path)
        self.home.append(path, text)
        self.reload_postfix()
        try:
            yield
        finally:
            self.home.write(path, before)
            self.reload_postfix()

    def reload_postfix(self):
        """Returns when no smtpd with the old configuration is left."""
        old = self._smtpds()
        self.home.run("postfix", "reload")
        until("end of the old smtpd processes", lambda: not old & self._smtpds())

    def _smtpds(self):
        done = self.home.call(["pgrep", "-x", "smtpd"], capture_output=True, text=True)
        return set(done.stdout.split())

    def unban_all(self):
        for prefix in self.bans():
            self.home.run("posternctl", "unban", prefix)

    def kill(self, service):
        """kill -9."""
        self.home.run("kill", "-9", str(self.home.service_pid(service)))
        until(f"end of {service}", lambda: not self.home.service_lives(service), 30)

    def start(self, service):
        {"postern-policyd": home_parts.start_policyd,
         "postern-milter": home_parts.start_milter}[service](self.home)


class Session(smtplib.SMTP):
    """smtplib's SMTP with sockets in the lab's internet."""

    def __init__(self, lab, source, gateway, port, helo):
        self.lab = lab
        super().__init__(gateway, port, helo, timeout=40, source_address=(source, 0))
        self._host = HOSTNAME  # the name that its certificate must carry

    def _get_socket(self, host, port, timeout):
        return self.lab.connect((host, port), self.source_address[0], seconds=timeout)


class _Imap(imaplib.IMAP4):
    """imaplib over a connection that is open already."""

    def __init__(self, connection):
        self._connection = connection
        super().__init__()

    def open(self, host="", port=0, timeout=None):
        self.host, self.port, self.sock = host, port, self._connection
        self.file = self._connection.makefile("rb")


def _sieve_answer(session, command):
    """Its last line: "ok" for OK; read by the byte, for TLS may begin behind it."""
    session.sendall(command)
    line = b""
    while not line.endswith(b"\n") or not line.startswith((b"OK", b"NO", b"BYE")):
        piece = session.recv(1)
        if not piece:
            return f"the end after {line}"
        line = piece if line.endswith(b"\n") else line + piece
    return "ok" if line.startswith(b"OK") else line.decode().strip()


class Talk:
    """SMTP by hand on a PROXY port, after a header."""

    def __init__(self, connection, header):
        self.connection = connection
        self.file = connection.makefile("rb")
        connection.sendall(header)
        self.banner = self.answer()

    def answer(self):
        lines = []
        while True:
            line = self.file.readline().decode(errors="replace")
            lines.append(line.rstrip())
            if not line or line[3:4] != "-":
                return lines

    def say(self, line):
        self.connection.sendall(line.encode() + b"\r\n")
        return self.answer()


def side_by_side(function, items):
    answers = [None] * len(items)

    def one(number, item):
        try:
            answers[number] = function(item)
        except (OSError, smtplib.SMTPException, imaplib.IMAP4.error) as error:
            answers[number] = f"{type(error).__name__}: {error}"

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(items)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _find(folder, mark):
    line = f"X-Lab-Mark: {mark}".encode()
    for path in glob.glob(glob.escape(folder) + "/*"):
        with open(path, "rb") as file:
            text = file.read()
        if line in text.splitlines():
            return text
    return None


def _prefixes(text):
    """Every ban's prefix in posternctl's JSON."""
    document = json.loads(text)
    return [ban["ban"] for ban in document["bans"] if "ban" in ban]


# --- messages ---

def new_mark(name):
    """A word that finds one mail again, and no other."""
    return f"{name}-{os.getpid()}-{next(_numbers)}"


def marked(mark, text):
    return f"X-Lab-Mark: {mark}\r\n".encode() + text


def message(subject="hello", headers=(), body="A line.\r\nAnother.\r\n",
            author="joe@sender.example.net"):
    """A plain message, as bytes with CRLF."""
    fields = [f"From: Joe <{author}>", f"To: Alice <{ALICE}>", f"Subject: {subject}",
              "Date: Fri, 20 Nov 2026 10:00:00 +0000",
              f"Message-ID: <{os.getpid()}.{next(_numbers)}.{time.time_ns()}@sender.example.net>"]
    return ("\r\n".join([*headers, *fields]) + "\r\n\r\n" + body).encode()


def signed(lab, text):
    """The message with a DKIM-Signature of sender.example.net."""
    import dkim
    with open(os.path.join(lab.keys, "dkim.key"), "rb") as file:
        key = file.read()
    return dkim.sign(text, b"lab", b"sender.example.net", key,
                     include_headers=[b"From", b"To", b"Subject", b"Date", b"Message-ID"]) + text


def fields(raw):
    """All header fields in order, unfolded: (name, value)."""
    parsed = email.message_from_bytes(raw, policy=email.policy.compat32)
    return [(name, re.sub(r"\r?\n[ \t]+", " ", str(value))) for name, value in parsed.items()]


def auth_results(raw):
    """The values of all Authentication-Results fields, in order."""
    return [value for name, value in fields(raw) if name.lower() == "authentication-results"]


def ours(raw):
    """The one field with our name, which must be the first of all fields that a server adds."""
    found = [value for value in auth_results(raw) if value.split(";")[0].strip() == HOSTNAME]
    expect_equal(len(found), 1, f"fields of {HOSTNAME} in {auth_results(raw)}")
    return found[0]
