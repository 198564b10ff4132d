#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""DMARC through the gateway: forged, unsigned, badly signed, aligned and misaligned mail from the
internet, what its header says, and what section dmarc makes of it."""

import contextlib
import re
import smtplib

from labkit.fill import source
from labkit.home import milter_with
from scenario import (ALICE, HOME, PROXY_LOCAL, Talk, expect, expect_equal, fields, main,
                      marked, message, new_mark, ours, signed, until)

RIGHT, WRONG, LIST = "203.0.113.50", "203.0.113.51", "203.0.113.60"
SENDER, LISTED = "joe@sender.example.net", "bounce@lists.example.org"


def enforcing(lab, more=""):
    return milter_with(lab.home, {"\ndmarc {": "\ndmarc {\n  enforcement = " + more})


def shown(title, text):
    value = ours(text)
    print(f"# {title}: {value}")
    return value


def expect_parts(value, *parts):
    for part in parts:
        expect(part in value, f"no {part!r} in {value!r}")


def answer(lab, client, text, sender=SENDER):
    """The server's words after the message."""
    with lab.smtp(client, helo="host.example.org") as session:
        try:
            session.sendmail(sender, [ALICE], marked(new_mark("dmarc"), text))
        except smtplib.SMTPDataError as error:
            return f"{error.smtp_code} {error.smtp_error.decode()}"
    return "250"


def action_of(text):
    return [value for name, value in fields(text) if name == "X-Postern-Action"]


def test_what_the_header_says(lab):
    good = message()
    cases = [
        ("aligned by SPF and DKIM", RIGHT, SENDER, signed(lab, good), "spf=pass", "dkim=pass",
         "dmarc=pass"),
        ("aligned by SPF alone", RIGHT, SENDER, good, "spf=pass", "dkim=none", "dmarc=pass"),
        ("aligned by DKIM alone", WRONG, SENDER, signed(lab, message()), "spf=fail", "dkim=pass",
         "dmarc=pass"),
        ("forged", WRONG, SENDER, message(), "spf=fail", "dkim=none", "dmarc=fail"),
        ("badly signed", WRONG, SENDER, signed(lab, message()).replace(b"Another.", b"An other."),
         "spf=fail", "dkim=fail", "dmarc=fail"),
        ("misaligned", LIST, LISTED, message(), "spf=pass", "dmarc=fail"),
        ("aligned below", RIGHT, SENDER, signed(lab, message(author="joe@sub.sender.example.net")),
         "dmarc=pass"),
        ("no policy", WRONG, "x@nospf.example.org", message(author="x@nospf.example.org"),
         "dmarc=none"),
        ("two authors' fields", RIGHT, SENDER, b"From: a@nospf.example.org\r\n" + message(),
         "dmarc=permerror"),
    ]
    for title, client, sender, text, *parts in cases:
        expect_parts(shown(title, lab.deliver(client, text, sender=sender)), *parts)


def test_it_is_followed_as_far_as_the_file_says(lab):
    forged = message()
    with enforcing(lab, '"reject"'):
        refused = answer(lab, WRONG, forged)
        expect(refused.startswith("550 5.7.26 sender.example.net asks to reject mail that neither"),
               refused)
        expect_equal(answer(lab, RIGHT, signed(lab, message())), "250", "mail that is right")
        refused = answer(lab, RIGHT, b"From: a@nospf.example.org\r\n" + message())
        expect(refused.startswith("550 5.7.1 DMARC cannot be checked"), refused)
        for author in ("x@weak.example.org", "x@testing.example.org"):
            found = action_of(lab.deliver(WRONG, message(author=author), sender=author))
            expect(len(found) == 1 and found[0].startswith("quarantine; dmarc: "), found)
    with enforcing(lab, '"quarantine"'):
        found = action_of(lab.deliver(WRONG, message()))
        expect(len(found) == 1 and found[0].startswith("quarantine; dmarc: "), found)
    expect_equal(action_of(lab.deliver(WRONG, message())), [], "without enforcement")


def test_who_hides_behind_another_author_gets_no_pass(lab):
    """SPF passes for SENDER; what Postfix makes of the field is what the reader sees."""
    victim = b"ceo@weak.example.org"
    for hidden in (b"%s, V", b"V <%s>", b"<V> <%s>", b"%s <V>", b"V>, %s", b"%s (x) V", b"%s\0, V",
                   b"%s\0>, V", b"\0%s, V", b"V\0@sender.example.net", b"<V\0> <%s>",
                   b"=?utf-8?q?V?= <%s>", b'"%s" <V>', b"%s\r <V>", b"%s\r\n , V"):
        value = hidden.replace(b"%s", SENDER.encode()).replace(b"V", victim)
        text = re.sub(rb"(?m)^From: .*?\r\n", lambda _: b"From: " + value + b"\r\n", message(), 1)
        raw = lab.deliver(RIGHT, text)
        print(f"# {value!r} arrives as {re.search(rb'(?m)^From:.*', raw).group()!r}: "
              f"{re.search('dmarc=.*', ours(raw)).group()}")
        expect(victim not in raw or "dmarc=pass" not in ours(raw), f"{hidden}: {ours(raw)}")


def test_a_forged_field_goes(lab):
    forged = b"X-Postern-Action: quarantine; for fun\r\n" + message()
    expect_equal(action_of(lab.deliver(RIGHT, forged)), [], "X-Postern-Action")


def test_lists_that_the_file_names_are_let_in(lab):
    with enforcing(lab, '"reject"\n  exempt_domains = {"lists.example.org"}'):
        expect_equal(answer(lab, LIST, message(), LISTED), "250", "the list")
        expect(answer(lab, WRONG, message(), LISTED).startswith("550 5.7.26 "),
               "who only says he is the list")
    with enforcing(lab, f'"reject"\n  exempt_clients = {{"{WRONG}/32"}}'):
        expect_equal(answer(lab, WRONG, message()), "250", "the client")


def test_a_client_that_nobody_knows_is_not_judged(lab):
    with enforcing(lab, '"reject"'):
        mark = new_mark("masked")
        with lab.connect((HOME, 25), host=lab.vps) as connection:
            talk = Talk(connection, PROXY_LOCAL)
            for line in ("EHLO gateway", f"MAIL FROM:<{SENDER}>", f"RCPT TO:<{ALICE}>", "DATA"):
                talk.say(line)
            connection.sendall(marked(mark, message()) + b".\r\n")
            expect(talk.answer()[-1].startswith("250"), "it was refused")
        expect_parts(shown("masked", lab.wait_for_mail(mark)), "spf=temperror", "dmarc=temperror")


@contextlib.contextmanager
def sieve(lab):
    """Pigeonhole with the script that is shipped, as its first lines say."""
    home, part = lab.home, "/etc/dovecot/conf.d/98-quarantine.conf"
    home.write("/etc/dovecot/sieve/quarantine.sieve", source("conf/dovecot/quarantine.sieve"))
    home.run("sievec", "/etc/dovecot/sieve/quarantine.sieve")
    home.write(part, "protocol lmtp {\n  mail_plugins = $mail_plugins sieve\n}\n"
               "plugin {\n  sieve_before = /etc/dovecot/sieve/quarantine.sieve\n}\n")
    home.run("doveadm", "reload")
    try:
        yield
    finally:
        home.run("rm", part)
        home.run("doveadm", "reload")


def junked(lab, mark):
    lab.home.run("postqueue", "-f")  # Dovecot may have been away for the reload
    return lab.find_mail(mark, ALICE, folder=".Junk")


def test_sieve_files_quarantined_mail_as_junk(lab):
    with sieve(lab), enforcing(lab, '"quarantine"'):
        mark, good = new_mark("junk"), new_mark("good")
        with lab.smtp(WRONG) as session:
            session.sendmail(SENDER, [ALICE], marked(mark, message()))
        with lab.smtp(RIGHT) as session:
            session.sendmail(SENDER, [ALICE], marked(good, message()))
        until("the mail in Junk", lambda: junked(lab, mark))
        lab.wait_for_mail(good)


if __name__ == "__main__":
    main(globals())
