#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What Postfix refuses at RCPT, and mail that fails its checks, reach policyd's counters."""

import json

from scenario import ALICE, PASSWORDS, expect_equal, main, message, signed, until

STRANGER, USER = "203.0.113.95", "203.0.113.96"
KINDS = ("rcpt_unknown", "relay_denied", "rcpt_rejected", "spf_fail", "dkim_fail", "uncounted")


def counts(lab):
    done = lab.home.call(["posternctl", "status", "--json"], capture_output=True)
    status = json.loads(done.stdout)
    return {kind: status[f"event_{kind}"] for kind in KINDS}


def risen(lab, before):
    return {kind: count - before[kind] for kind, count in counts(lab).items() if
            count != before[kind]}


def wait_for(lab, before, **wanted):
    until(f"{wanted}, not {risen(lab, before)}", lambda: risen(lab, before) == wanted)


def test_refused_recipients_are_counted_by_their_kind(lab):
    before = counts(lab)
    with lab.smtp(STRANGER) as session:
        session.mail("joe@nospf.example.org")
        for number in range(3):
            expect_equal(session.rcpt(f"nobody{number}@example.com")[0] // 100, 5, "nobody")
        for number in range(2):
            expect_equal(session.rcpt(f"x{number}@elsewhere.example.org")[0] // 100, 5, "relay")
        expect_equal(session.rcpt(ALICE)[0], 250, "alice")
    wait_for(lab, before, rcpt_unknown=3, relay_denied=2)


def test_a_client_that_does_not_wait_for_the_answer_is_counted(lab):
    before = counts(lab)
    with lab.connect(("203.0.113.1", 25), STRANGER) as raw:
        raw.makefile("rb").readline()
        raw.sendall(b"EHLO client.example.org\r\n")
        raw.recv(4096)
        raw.sendall(b"MAIL FROM:<joe@nospf.example.org>\r\nRCPT TO:<nobody@example.com>\r\nQUIT\r\n")
        while raw.recv(4096):
            pass
    wait_for(lab, before, rcpt_unknown=1)


def test_an_authenticated_user_is_no_relayer(lab):
    before = counts(lab)
    with lab.smtp(USER, 587) as session:
        session.login(ALICE, PASSWORDS[ALICE])
        session.mail(ALICE)
        expect_equal(session.rcpt("nobody@example.com")[0] // 100, 5, "nobody")
    wait_for(lab, before, rcpt_unknown=1)


def test_failed_checks_are_counted_once_a_message(lab):
    before = counts(lab)
    broken = signed(lab, message()).replace(b"A line.", b"Another line.")
    lab.deliver("203.0.113.51", broken)
    wait_for(lab, before, spf_fail=1, dkim_fail=1)


def test_what_happens_while_policyd_stands_still_is_counted_later(lab):
    before = counts(lab)
    lab.home.run("kill", "-STOP", str(lab.home.service_pid("postern-policyd")))
    try:
        with lab.smtp(STRANGER) as session:
            session.mail("joe@nospf.example.org")
            for number in range(3):
                session.rcpt(f"nobody{number}@example.com")
    finally:
        lab.home.run("kill", "-CONT", str(lab.home.service_pid("postern-policyd")))
    wait_for(lab, before, rcpt_unknown=3)


def test_nobody_was_banned_for_it(lab):
    expect_equal(lab.bans(), [], "bans")


if __name__ == "__main__":
    main(globals())
