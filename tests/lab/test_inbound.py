#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Mail that comes in through the gateway says who sent it."""

import smtplib

from labkit.home import milter_with
from scenario import (ALICE, BOB, HOME, HOSTNAME, PASSWORDS, PROXY_LOCAL, Talk, auth_results,
                      expect, expect_equal, fields, main, marked, message, new_mark, ours,
                      signed)

RIGHT, WRONG, RIGHT6, WRONG6 = ("203.0.113.50", "203.0.113.51",
                                "2001:db8:50::50", "2001:db8:51::51")


def has(value, *parts):
    for part in parts:
        expect(part in value, f"{part!r} is not in {value!r}")


def test_spf_and_dkim_pass_name_the_client(lab):
    value = ours(lab.deliver(RIGHT, signed(lab, message())))
    has(value, "spf=pass", "smtp.mailfrom=", "sender.example.net", "iprev=pass", RIGHT,
        "dkim=pass", "header.d=sender.example.net", "header.s=lab")
    expect("10.8.0.1" not in value and "203.0.113.1 " not in value, f"the gateway is in {value!r}")


def test_spf_fails_for_an_address_that_is_not_listed(lab):
    value = ours(lab.deliver(WRONG, message(), helo="host51.dsl.example.org"))
    has(value, "spf=fail", WRONG, "iprev=pass", "dkim=none")


def test_ipv6_client(lab):
    has(ours(lab.deliver(RIGHT6, signed(lab, message()))), "spf=pass", RIGHT6, "dkim=pass",
        "iprev=pass")


def test_ipv6_client_that_is_not_listed(lab):
    has(ours(lab.deliver(WRONG6, message())), "spf=fail", WRONG6)


def test_null_sender_is_judged_by_its_helo(lab):
    value = ours(lab.deliver(RIGHT, message(), sender="<>"))
    has(value, "spf=pass", "smtp.helo=mx.sender.example.net")


def test_no_spf_record_is_none(lab):
    has(ours(lab.deliver("203.0.113.57", message(), sender="x@nospf.example.org",
                         helo="client.example.org")), "spf=none")


def test_softfail_and_permerror(lab):
    has(ours(lab.deliver(WRONG, message(), sender="x@soft.example.org",
                         helo="host51.dsl.example.org")), "spf=softfail")
    has(ours(lab.deliver(WRONG, message(), sender="x@broken.example.org",
                         helo="host51.dsl.example.org")), "spf=permerror")


def test_iprev_needs_a_name_that_leads_back(lab):
    has(ours(lab.deliver("203.0.113.54", message())), "iprev=fail")


def test_changed_body_fails_dkim(lab):
    changed = signed(lab, message()).replace(b"Another.", b"An other.")
    has(ours(lab.deliver(RIGHT, changed)), "dkim=fail", "spf=pass")


def test_folded_and_spaced_headers_keep_their_signature(lab):
    text = message().replace(b"Subject: hello", b"Subject:  hello,\r\n\t  folded\r\n   twice")
    has(ours(lab.deliver(RIGHT, signed(lab, text))), "dkim=pass")


def test_our_field_is_on_top(lab):
    names = [name.lower() for name, _ in fields(lab.deliver(RIGHT, message()))]
    # Dovecot's LMTP puts its own lines over all.
    while names[0] in ("return-path", "delivered-to"):
        names.pop(0)
    if names[0] == "received" and names[1] == "authentication-results":
        names.pop(0)
    expect_equal(names[0], "authentication-results", "the first field")
    expect_equal(names[1], "received", "the second field")


def test_forged_results_are_removed_and_those_that_the_file_lists_kept(lab):
    values = [f"{HOSTNAME}; spf=pass smtp.mailfrom=forged.example",
              "other.example.org; spf=pass smtp.mailfrom=kept.example",
              "MAIL.example.COM (hidden); dkim=pass header.d=forged.example",
              f"(a comment) {HOSTNAME} 1; dmarc=pass header.from=forged.example",
              f'"{HOSTNAME}"; dkim=pass header.d=forged.example',
              ";;; forged.example",
              f"\r\n\t{HOSTNAME};\r\n\tspf=pass smtp.mailfrom=forged.example"]
    forged = [f"Authentication-Results: {value}" for value in values]
    with milter_with(lab.home, {
            "#upstream_authserv_ids = {}": 'upstream_authserv_ids = {"other.example.org"}'}):
        raw = lab.deliver(WRONG, message(headers=forged), helo="host51.dsl.example.org")
    has(ours(raw), "spf=fail")
    left = auth_results(raw)
    expect_equal(len(left), 2, f"fields that are left: {left}")
    expect("kept.example" in left[1], f"the other server's field is not kept: {left}")
    expect(b"forged.example" not in raw, "a forged field came through")
    raw = lab.deliver(WRONG, message(headers=forged), helo="host51.dsl.example.org")
    expect_equal(len(auth_results(raw)), 1, "fields where the file lists nobody")


def test_authenticated_submission_is_not_judged_by_spf(lab):
    mark = new_mark("authenticated")
    with lab.smtp("203.0.113.58", 587) as session:
        session.login(ALICE, PASSWORDS[ALICE])
        session.sendmail(ALICE, [BOB], marked(mark, message(author=ALICE)))
    raw = lab.wait_for_mail(mark, BOB)
    expect("spf=fail" not in " ".join(auth_results(raw)), f"{auth_results(raw)}")


def test_mail_of_the_lan_is_local(lab):
    mark = new_mark("lan")
    with lab.network_of(lab.home):
        session = smtplib.SMTP("192.168.1.2", 25, "printer.lan", timeout=20)
    session.sendmail("printer@example.com", [ALICE],
                     marked(mark, message(author="printer@example.com")))
    session.quit()
    raw = lab.wait_for_mail(mark)
    expect("spf=" not in " ".join(auth_results(raw)), f"judged: {auth_results(raw)}")


def test_a_session_of_the_gateway_itself_is_masked(lab):
    """Its client is not known, so SPF is not asked, and above all does not pass."""
    answer, mark = send_with_header(lab, PROXY_LOCAL)
    expect_equal(answer[:3], "250", f"end of data {answer}")
    value = ours(lab.wait_for_mail(mark))
    has(value, "spf=temperror")
    expect("iprev=" not in value, f"iprev of nobody: {value}")


def test_a_private_source_in_a_header_is_not_believed(lab):
    """It would be local mail, unjudged."""
    answer, mark = send_with_header(lab, b"PROXY TCP4 192.168.1.10 203.0.113.1 40000 25\r\n")
    if answer.startswith("2"):
        has(ours(lab.wait_for_mail(mark)), "spf=temperror")


def send_with_header(lab, header):
    """Mail of Joe's from the vps; returns the first refusal or the last answer, and the mark."""
    mark = new_mark("header")
    lines = ["EHLO mx.sender.example.net", "MAIL FROM:<joe@sender.example.net>",
             f"RCPT TO:<{ALICE}>", "DATA", marked(mark, message()).decode() + "."]
    with lab.connect((HOME, 25), host=lab.vps) as connection:
        talk = Talk(connection, header)
        for line in lines:
            answer = talk.say(line)[-1]
            if answer[:1] not in "23":
                break
    return answer, mark


if __name__ == "__main__":
    main(globals())
