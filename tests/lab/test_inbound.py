#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Mail that comes in through the gateway says who sent it."""

from scenario import (ALICE, auth_results, expect, expect_equal, fields, main, message, ours,
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


def test_forged_results_are_removed_and_others_kept(lab):
    forged = ["Authentication-Results: mail.example.com; spf=pass smtp.mailfrom=forged.example",
              "Authentication-Results: other.example.org; spf=pass smtp.mailfrom=kept.example",
              "Authentication-Results: MAIL.example.COM (hidden); dkim=pass header.d=forged.example",
              "Authentication-Results: (a comment) mail.example.com 1; dmarc=pass header.from=forged.example",
              'Authentication-Results: "mail.example.com"; dkim=pass header.d=forged.example',
              "Authentication-Results: ;;; forged.example",
              "Authentication-Results:\r\n\tmail.example.com;\r\n\tspf=pass smtp.mailfrom=forged.example"]
    raw = lab.deliver(WRONG, message(headers=forged), helo="host51.dsl.example.org")
    has(ours(raw), "spf=fail")
    values = auth_results(raw)
    expect_equal(len(values), 2, f"fields that are left of {values}")
    expect("kept.example" in values[1], f"the other server's field is not kept: {values}")
    expect(b"forged.example" not in raw, "a forged field came through")


def test_authenticated_submission_is_not_judged_by_spf(lab):
    from scenario import PASSWORDS
    mark = "Mark: authenticated-local"
    with lab.smtp("203.0.113.58", 587) as session:
        session.login(ALICE, PASSWORDS[ALICE])
        session.sendmail(ALICE, ["bob@example.com"], message(headers=[mark], author=ALICE))
    raw = lab.wait_for_mail(mark.encode(), "bob@example.com")
    expect("spf=fail" not in " ".join(auth_results(raw)), f"{auth_results(raw)}")


if __name__ == "__main__":
    main(globals())
