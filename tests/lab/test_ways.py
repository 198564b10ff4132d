#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""postern-ingress before a Postfix that reads no header: transparent and plain forwarding."""

import re

from labkit.errors import until
from labkit.home import SOURCE, bring_answers_back, ingress_before
from scenario import (ALICE, BOB, GATEWAY4, PASSWORDS, expect, expect_equal, main, message, ours,
                      signed)
from test_gateways import lab_with

SENDER, STRANGER, BANNED, OTHER = "203.0.113.50", "203.0.113.51", "203.0.113.60", "203.0.113.70"


def judged_by_its_client(lab):
    found = ours(lab.deliver(SENDER, signed(lab, message())))
    for part in ("policy.iprev=203.0.113.50", "spf=pass smtp.mailfrom=joe@sender.example.net",
                 "dkim=pass"):
        expect(part in found, f"no {part} in {found}")
    expect("spf=fail" in ours(lab.deliver(STRANGER, message())), "no spf=fail for another address")
    expect_equal(lab.bans(), [], "bans")


def relays_nothing(lab):
    with lab.smtp(STRANGER) as session:
        session.mail("joe@sender.example.net")
        code, text = session.rcpt("victim@friend.example.org")
        expect(code in (450, 451, 454, 550, 554), f"relayed: {code} {text}")


def bans_the_client(lab):
    lab.home.run("posternctl", "ban", BANNED)
    with lab.connect((GATEWAY4, 25), BANNED) as raw:
        raw.settimeout(10)
        try:
            expect_equal(raw.recv(100), b"", "to the banned")
        except ConnectionResetError:
            pass
    with lab.smtp(OTHER) as session:
        expect_equal(session.noop()[0], 250, "NOOP of another one")
    lab.unban_all()


def ingress_log(lab):
    return lab.home.read("/var/log/postern-ingress.log")


def log_of_postfix(lab):
    return lab.home.read("/var/log/mail.log")


def log_of_dovecot(lab):
    return lab.home.read("/var/log/dovecot.log")


def log_in(lab, seen):
    """Dovecot's and Postfix's users come in, too, and are seen as these addresses."""
    logs = {log_of_dovecot: rf"imap-login: .*Login: user=.* rip={re.escape(seen)},", log_of_postfix:
            rf"gateway-submission/smtpd\[\d+\]: connect from \S+\[{re.escape(seen)}\]"}
    before = {log: len(log(lab)) for log in logs}
    expect_equal(lab.imap(OTHER, ALICE, PASSWORDS[ALICE]), "ok", "IMAP")
    expect_equal(lab.submission_login(OTHER, BOB, PASSWORDS[BOB]), "ok", "submission")
    for log, line in logs.items():
        until(line, lambda: re.search(line, log(lab)[before[log]:]), 5)


def test_plain(lab):
    with ingress_before(lab.home, "plain"):
        judged_by_its_client(lab)
        relays_nothing(lab)
        bans_the_client(lab)
        log_in(lab, SOURCE)
        expect(f"[{SOURCE}]" in log_of_postfix(lab), "Postfix sees another address")
        expect("source=ingress gateway=vps1" in lab.home.read("/var/log/postern-milter.log"),
               "the milter's log names another source")


def test_transparent(lab):
    with ingress_before(lab.home, "transparent"):
        until("what is missing in its log", lambda: "transparent-missing" in ingress_log(lab), 10)
        bring_answers_back(lab.home)
        judged_by_its_client(lab)
        relays_nothing(lab)
        bans_the_client(lab)
        log_in(lab, OTHER)
        expect(re.search(r"connect from \S+\[203\.0\.113\.50\]", log_of_postfix(lab)),
               "Postfix does not see the client")


def came_up(outer, gateway, way, seen):
    """What lab up offers: a lab with the ingress in it, at once."""
    with lab_with(outer, gateway, forward_as=way) as lab:
        judged_by_its_client(lab)
        bans_the_client(lab)
        log_in(lab, seen)
        expect("transparent-missing" not in ingress_log(lab), "the rules are not in force")


def test_lab_up_forwards_plainly(outer):
    came_up(outer, "haproxy", "plain", SOURCE)


def test_lab_up_forwards_transparently(outer):
    came_up(outer, "nginx", "transparent", OTHER)


if __name__ == "__main__":
    main(globals())
