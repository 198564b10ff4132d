# SPDX-License-Identifier: MIT
"""What users do all the time while something fails, and what became of it.

Mail comes in through the gateway and goes out through a relay, somebody logs in, the
operator bans, and one who is banned knocks at the ingress.
"""

import collections
import contextlib
import glob
import imaplib
import re
import smtplib
import socket
import threading
import time

from labkit.errors import LabError
from places import ingress_closes
from scenario import (ALICE, DAVE, PASSWORDS, expect, expect_equal, marked, message, new_mark,
                      until)

SENDER, USER, BANNED = "203.0.113.50", "203.0.113.70", "203.0.113.94"
PAUSE = 0.1   # seconds between an answer and the next attempt
CONTROL = "/run/postern/control"

Attempt = collections.namedtuple("Attempt", "begun seconds answer mark")


# Dave sends more than the sample lets him.
LIMITS = ("  maxretry = 200\n", "  maxretry = 1000\n")


@contextlib.contextmanager
def without_limits(home):
    """For a policyd that is started within."""
    before = home.read("/etc/postern/postern.conf")
    text = before
    for limit in LIMITS:
        expect(text.count(limit) == 1, f"{limit!r} is not once in postern.conf")
        text = text.replace(limit, "  maxretry = 1000000\n")
    home.write("/etc/postern/postern.conf", text)
    try:
        yield
    finally:
        home.write("/etc/postern/postern.conf", before)


class Control:
    """A connection to policyd's control socket, or to the one for Postfix."""

    def __init__(self, home, path=CONTROL, seconds=20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(home.path(path))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()
        self.socket.close()

    def say(self, **attributes):
        self.socket.sendall("".join(
            f"{name}={value}\n" for name, value in attributes.items()).encode() + b"\n")

    def hear(self):
        """The next list of attributes; None at the end of the connection."""
        lines = []
        while not lines or lines[-1]:
            line = self.file.readline()
            if not line:
                return None
            lines.append(line.decode().rstrip("\n"))
        return dict(line.split("=", 1) for line in lines[:-1])

    def ask(self, **attributes):
        self.say(**attributes)
        return self.hear()


class Load:
    """While it is entered, each of its users tries, waits for the answer, and tries again."""

    def __init__(self, lab, **more):
        """more: users of a case's own, by name, as those below."""
        self.lab = lab
        self.users = {"in": self._mail_in, "out": self._mail_out, "login": self._log_in,
                      "ban": self._ban, "banned": self._knock, **more}
        self.attempts = {name: [] for name in self.users}
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=pair)
                         for pair in self.users.items()]

    def __enter__(self):
        self.lab.home.run("posternctl", "ban", BANNED)
        until("the ban at the ingress", lambda: ingress_closes(self.lab, BANNED, 25), 30)
        for thread in self._threads:
            thread.start()
        self.wait(5)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """After this the answers are all there."""
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait(self, count, seconds=60, users=None):
        """Until each of these, or all, has had so many more answers."""
        before = {name: len(self.attempts[name]) for name in users or self.users}
        until(f"{count} attempts more", lambda: all(
            len(self.attempts[name]) >= number + count for name, number in before.items()), seconds)

    def _go_on(self, name, user):
        while not self._end.is_set():
            begun, mark = time.monotonic(), new_mark(name)
            try:
                answer = user(mark)
            except (OSError, EOFError, smtplib.SMTPException, imaplib.IMAP4.error, LabError) as error:
                answer = _code(error)
            self.attempts[name].append(Attempt(begun, time.monotonic() - begun, answer, mark))
            self._end.wait(PAUSE)

    # --- users: each says "ok", or what it was told ---

    def _mail_in(self, mark):
        with self.lab.smtp(SENDER, helo="mx.sender.example.net") as session:
            session.sendmail("joe@sender.example.net", [ALICE], marked(mark, message()))
        return "ok"

    def _mail_out(self, mark):
        with self.lab.smtp(USER, 587) as session:
            session.login(DAVE, PASSWORDS[DAVE])
            # A new recipient: Postfix remembers what it was told of the last.
            session.sendmail(DAVE, [f"{mark}@friend.example.org"],
                             marked(mark, message(author=DAVE)))
        return "ok"

    def _log_in(self, _):
        return self.lab.imap(USER, ALICE, PASSWORDS[ALICE])

    def _ban(self, mark):
        number = int(mark.rpartition("-")[2])
        with Control(self.lab.home) as control:
            answer = control.ask(request="ban", prefix=_net(number), seconds=3600)
        if answer is None:
            return "no answer"
        return "ok" if answer.get("stored", "yes") == "yes" else "in memory only"

    def _knock(self, _):
        return "ok" if ingress_closes(self.lab, BANNED, 25) else "let in"

    # --- what became of it ---

    def longest(self, name):
        return max(attempt.seconds for attempt in self.attempts[name])

    def failures(self, name):
        return collections.Counter(attempt.answer for attempt in self.attempts[name]
                                   if attempt.answer != "ok")

    def done(self, name):
        return [attempt for attempt in self.attempts[name] if attempt.answer == "ok"]

    def expect_fast(self, name, seconds):
        expect(self.longest(name) < seconds, f"{name}: {self.longest(name):.1f} s")

    def expect_all(self, *names):
        for name in names:
            expect_equal(dict(self.failures(name)), {}, f"refused of {name}")

    def tell(self, fault, *more):
        """One line of what its users saw, and what was lost of what they were promised."""
        words = {"in": "mail in", "out": "mail out", "login": "logins", "ban": "bans",
                 "banned": "the banned kept out"}
        parts = [*(self._words(name, text) for name, text in words.items()), *more]
        lost = self._lost()
        print(f"# {fault}: " + "; ".join(parts) + f"; lost: {', '.join(lost) or 'nothing'}",
              flush=True)
        expect_equal(lost, [], "lost")

    def _words(self, name, text):
        refused = ", ".join(f"{count} x {answer}" for answer, count in self.failures(name).items())
        return (f"{text} {len(self.done(name))}" + (f" (not: {refused})" if refused else "") +
                f", longest {self.longest(name):.2f} s")

    def _lost(self):
        boxes = {"in": [self.lab.home.path("/var/vmail/example.com/alice/new")],
                 "out": [self.lab.internet.path(f"/var/mail/{relay}/new")
                         for relay in ("brevo", "mailgun")]}
        lost = []
        for name, folders in boxes.items():
            lost += self._missing({attempt.mark for attempt in self.done(name)}, folders)
        held = set(self.lab.bans())
        return lost + [net for net in (_net(int(attempt.mark.rpartition("-")[2]))
                                       for attempt in self.done("ban")) if net not in held]

    def _missing(self, marks, folders):
        """Those of the mails that do not arrive, though Postfix tries all again."""
        left, seen = set(marks), set()

        def all_are_there():
            for folder in folders:
                new = set(glob.glob(glob.escape(folder) + "/*")) - seen
                seen.update(new)
                left.difference_update(*map(_marks, new))
            if left:
                self.lab.home.run("postqueue", "-f")
            return not left

        try:
            until("all mails", all_are_there, 40)
        except LabError:
            pass
        return sorted(left)


def _net(number):
    return f"198.{18 + number // 65536}.{number // 256 % 256}.{number % 256}"


def _marks(path):
    with open(path, "rb") as file:
        return {found.decode() for found in re.findall(rb"X-Lab-Mark: (\S+)", file.read(4096))}


def _code(error):
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return str(next(iter(error.recipients.values()))[0])
    return str(getattr(error, "smtp_code", type(error).__name__))
