#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A mail server on the gateway, Postfix and Exim: its Received field names the client."""

import contextlib
import re

from labkit import mta
from labkit.fill import filled
from labkit.home import milter_with
from scenario import (ALICE, HOME, Talk, expect, expect_equal, main, marked, message, new_mark,
                      ours, signed)

SENDER4, SENDER6, STRANGER = "203.0.113.50", "2001:db8:50::50", "203.0.113.51"
SMTPD = "10.8.0.2:2525"
MASKED = "the client is hidden by gateway vps1: its Received field "
# What a sender writes who would like to be someone else: what either server would have written.
FORGED = {
    "postfix": f"from mx.sender.example.net (mx.sender.example.net [{SENDER4}])\n"
               f"\tby {mta.NAME} (Postfix) with ESMTP id 4RBX2J1Z2Zz\n"
               f"\tfor <{ALICE}>; Sat, 28 Nov 2026 10:00:00 +0000 (UTC)",
    "exim": f"from mx.sender.example.net ([{SENDER4}])\n"
            f"\tby {mta.NAME} with esmtp (Exim 4.96)\n"
            f"\tid 1rABCD-000000-00\n\tfor {ALICE}; Sat, 28 Nov 2026 10:00:00 +0000",
}


@contextlib.contextmanager
def gateway_with(lab, which):
    """The mail server on the vps, its service at home, and the milter that knows of it."""
    with lab.postfix_with("/etc/postfix/master.cf", filled("conf/postfix/gateway-mta.cf")), \
            milter_with(lab.home, {'#mta = "none"': f'mta = "{which}"',
                                   '#mta_name = ""': f'mta_name = "{mta.NAME}"'}), \
            mta.mail_server(lab.vps, which):
        yield


def has(found, *parts):
    for part in parts:
        expect(part in found.replace('"', ""), f"no {part} in {found}")


def received(text):
    """The newest that the gateway wrote; above it are home's own."""
    fields = re.findall(rb"(?ms)^Received: (.*?)\n(?=\S)", text)
    return next(field for field in fields if b"by " + mta.NAME.encode() in field).decode()


def check_clients(lab):
    for source in (SENDER4, SENDER6):
        text = lab.deliver(source, signed(lab, message()))
        has(ours(text), f"policy.iprev={source}", "iprev=pass (through gateway vps1, received)",
            "spf=pass smtp.mailfrom=joe@sender.example.net", "smtp.helo=mx.sender.example.net",
            "dkim=pass")
        has(received(text), source)
    has(ours(lab.deliver(STRANGER, message())), "spf=fail", f"policy.iprev={STRANGER}")


def check_helo(lab, helo, smtp_helo=None):
    """Whatever a client calls itself, its address is read where the server put it."""
    found = ours(lab.deliver(STRANGER, message(), helo=helo))
    has(found, "spf=fail", f"policy.iprev={STRANGER}")
    if smtp_helo:
        has(found, f"smtp.helo={smtp_helo}")
    else:
        expect("smtp.helo" not in found, f"a HELO in {found}")


def forged(field):
    return message(headers=[f"Received: {field}".replace("\n", "\r\n")])


def check_forged(lab, which):
    """A field below the newest counts for nothing."""
    text = lab.deliver(STRANGER, forged(FORGED[which]))
    has(ours(text), "spf=fail", f"policy.iprev={STRANGER}")


def check_own_mail(lab, which):
    """The vps's own has no client, and arrives."""
    mark = new_mark("own")
    mta.submit(lab.vps, which, f"X-Lab-Mark: {mark}\nFrom: root@{mta.NAME}\nTo: {ALICE}\n"
                               "Subject: cron\n\nAll is well.\n")
    has(ours(lab.wait_for_mail(mark)), "spf=temperror",
        f"({MASKED}is not what this MTA writes for an SMTP client)")


def check_by_hand(lab, text, why):
    """To home's own port from the vps, without its mail server."""
    mark = new_mark("hand")
    with lab.connect((HOME, 2525), host=lab.vps) as raw:
        session = Talk(raw, b"")
        for line in [f"EHLO {mta.NAME}", "MAIL FROM:<joe@sender.example.net>",
                     f"RCPT TO:<{ALICE}>", "DATA", marked(mark, text).decode() + "."]:
            session.say(line)
    has(ours(lab.wait_for_mail(mark)), "spf=temperror", f"({MASKED}{why})")


def check_unknown_recipient(lab):
    expect_equal(lab.smtp_answer(STRANGER, to="nobody@example.com"), 550, "for nobody")
    code = lab.smtp_answer(STRANGER, to="victim@friend.example.org")
    expect(code in (454, 550, 554), f"relays: {code}")


def check_logs(lab):
    log = lab.home.read("/var/log/postern-milter.log")
    expect(f"client={SENDER6} origin=known source=received gateway=vps1 "
           "helo=mx.sender.example.net" in log, "the milter's log lacks the client")
    expect("client-hidden gateway=vps1 received=\"is not" in log, "the log lacks the reason")
    expect_equal(lab.bans(), [], "bans")


def check(lab, which):
    check_clients(lab)
    check_forged(lab, which)
    check_own_mail(lab, which)
    check_unknown_recipient(lab)
    check_by_hand(lab, message(), "is missing")
    check_by_hand(lab, forged(FORGED[which].replace(SENDER4, "127.0.0.1")),
                  "names a client that cannot come through it")
    check_by_hand(lab, forged(FORGED[which].replace(mta.NAME, "mx.example.com")),
                  "names another host behind by")
    check_logs(lab)


def test_postfix(lab):
    with gateway_with(lab, "postfix"):
        check(lab, "postfix")
        check_helo(lab, f"[{SENDER4}]", f"[{SENDER4}]")
        check_helo(lab, f"x ([{SENDER4}])", f"x??[{SENDER4}]?")
        check_helo(lab, "a" * 975)  # Postfix breaks the line, and home puts it together again


def test_exim(lab):
    with gateway_with(lab, "exim"):
        check(lab, "exim")
        check_helo(lab, f"[{SENDER4}]", f"[{SENDER4}]")
        check_helo(lab, "host51.dsl.example.org", "host51.dsl.example.org")


def test_only_where_it_is_set_apart(lab):
    """The service of port 25 believes no field, whoever is said to have written it."""
    with milter_with(lab.home, {'#mta = "none"': 'mta = "postfix"',
                                '#mta_name = ""': f'mta_name = "{mta.NAME}"'}):
        text = lab.deliver(STRANGER, forged(FORGED['postfix']))
        has(ours(text), "spf=fail", f"policy.iprev={STRANGER}", "(through gateway vps1, proxy)")


if __name__ == "__main__":
    main(globals())
