#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Mail of an authenticated user goes out through a relay, with TLS and SASL."""

import contextlib
import re

from labkit import internet as internet_parts
from scenario import (ALICE, BOB, PASSWORDS, expect, expect_equal, main, marked, message, new_mark,
                      until)

CLIENT = "203.0.113.70"
FRIEND = "friend@friend.example.org"


def send(lab, to=FRIEND, port=587):
    """Alice sends a mail; returns its mark."""
    mark = new_mark("relay")
    with lab.smtp(CLIENT, port) as session:
        session.login(ALICE, PASSWORDS[ALICE])
        session.sendmail(ALICE, [to], marked(mark, message(author=ALICE)))
    return mark


def test_the_first_relay_gets_it_with_tls_and_sasl(lab):
    mark = send(lab)
    until("the mail at brevo", lambda: lab.find_relayed("brevo", mark), 20)
    log = lab.internet.read("/var/log/relay-brevo.log")
    expect(re.search(r"TLS connection established from \S*\[203\.0\.113\.254\]", log),
           "the relay saw no TLS")
    expect("sasl_username=me@example.com" in log, "the relay saw no login")
    expect("Verified TLS connection established to smtp-relay.brevo.com"
           in lab.home.read("/var/log/mail.log"), "home did not check the relay's certificate")


def test_route_says_the_order(lab):
    said = lab.home.run("posternctl", "route", ALICE)
    expect(said.index("smtp-relay.brevo.com") < said.index("smtp.mailgun.org"), said)


def test_the_second_relay_when_the_first_is_down(lab):
    internet_parts.stop_relay(lab.internet, "brevo")
    try:
        mark = send(lab)
        until("the mail at mailgun", lambda: lab.find_relayed("mailgun", mark), 30)
    finally:
        internet_parts.start_relay(lab.internet, "brevo")
    log = lab.internet.read("/var/log/relay-mailgun.log")
    expect("sasl_username=postmaster@example.com" in log, "the second relay saw no login")
    expect("me@example.com" not in re.sub("postmaster@example.com", "", log),
           "the second relay was offered the first one's login")


def test_local_mail_does_not_go_out(lab):
    mark = send(lab, to=BOB)
    lab.wait_for_mail(mark, BOB)
    for relay in ("brevo", "mailgun"):
        expect(not lab.find_relayed(relay, mark), f"local mail went to {relay}")


def test_nobody_relays_without_a_password(lab):
    expect_equal(lab.smtp_answer(CLIENT, FRIEND), 554, "port 25 for a recipient outside")
    with lab.smtp(CLIENT, 587) as session:
        session.mail(ALICE)
        expect(session.rcpt(FRIEND)[0] in (530, 554), "submission takes mail without a password")


@contextlib.contextmanager
def without_routes(lab):
    """Postfix sends by MX, as for a sender who has no route."""
    name = "sender_dependent_default_transport_maps"
    value = lab.home.run("postconf", "-h", name).strip()
    lab.home.run("sh", "-c", f"postconf -e '{name} =' && postfix reload")
    try:
        yield
    finally:
        lab.home.run("sh", "-c", f"postconf -e '{name} = {value}'; postsuper -d ALL; "
                     "postfix reload")


def test_no_password_for_a_relay_that_is_only_an_mx(lab):
    """Its certificate is not checked then: whoever is on the way could stand there."""
    def logins():
        return lab.internet.read("/var/log/relay-brevo.log").count("sasl_username=me@example.com")

    before = logins()
    with without_routes(lab):
        send(lab, to="trap@posing.example.org")
        until("an attempt", lambda: re.search(r"to=<trap@posing\.example\.org>.* status=",
                                              lab.home.read("/var/log/mail.log")), 20)
    expect_equal(logins(), before, "logins at the relay")


def test_no_password_without_tls(lab):
    with lab.smtp(CLIENT, 587, tls=False) as session:
        session.ehlo()
        expect(not session.has_extn("auth"), "AUTH is offered in clear")


if __name__ == "__main__":
    main(globals())
