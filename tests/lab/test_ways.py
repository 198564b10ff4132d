#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""postern-ingress before a Postfix that reads no header: transparent and plain forwarding."""

import re

from labkit.errors import until
from labkit.home import ingress_before
from scenario import GATEWAY4, expect, expect_equal, main, message, ours, signed

SENDER, STRANGER, BANNED, OTHER = "203.0.113.50", "203.0.113.51", "203.0.113.60", "203.0.113.70"
SOURCE = "10.8.0.25"
PLAIN = f'forward_as = "plain"\n  source = "{SOURCE}"'


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


def read_again(lab):
    for service, signal in (("postern-milter", "USR1"), ("postern-policyd", "HUP")):
        log = f"/var/log/{service}.log"
        before = lab.home.read(log).count(" reloaded ")
        lab.home.run("kill", f"-{signal}", str(lab.home.service_pid(service)))
        until("reloaded", lambda: lab.home.read(log).count(" reloaded ") > before, 10)


def test_plain(lab):
    lab.home.run("ip", "address", "add", f"{SOURCE}/32", "dev", "lo")
    try:
        with ingress_before(lab.home, PLAIN):
            read_again(lab)  # whom to ask
            judged_by_its_client(lab)
            relays_nothing(lab)
            bans_the_client(lab)
            expect(f"[{SOURCE}]" in log_of_postfix(lab), "Postfix sees another address")
            expect("source=ingress gateway=vps1" in lab.home.read("/var/log/postern-milter.log"),
                   "the milter's log names another source")
    finally:
        lab.home.run("ip", "address", "delete", f"{SOURCE}/32", "dev", "lo")
        read_again(lab)


def test_transparent(lab):
    with ingress_before(lab.home, 'forward_as = "transparent"'):
        until("what is missing in its log", lambda: "transparent-missing" in ingress_log(lab), 10)
        lab.home.run("sh", "-c", lab.home.run("postern-ingress", "--rules"))
        judged_by_its_client(lab)
        relays_nothing(lab)
        bans_the_client(lab)
        expect(re.search(r"connect from \S+\[203\.0\.113\.50\]", log_of_postfix(lab)),
               "Postfix does not see the client")


if __name__ == "__main__":
    main(globals())
