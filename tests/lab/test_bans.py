#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who guesses passwords is refused by his own address, everywhere, and nobody else is."""

import json

from scenario import (ALICE, BOB, GATEWAY4, PASSWORDS, expect, expect_equal, main, side_by_side,
                      until)

IMAP_GUESSER, SUBMISSION_GUESSER, FORGETFUL, BYSTANDER = (
    "203.0.113.60", "203.0.113.61", "203.0.113.62", "203.0.113.63")
GUESSER6, NEIGHBOUR6, BYSTANDER6 = "2001:db8:52::52", "2001:db8:52::99", "2001:db8:53::53"

SIX = [f"wrong {number}" for number in range(6)]


def refused_everywhere(lab, source):
    answer = lab.imap(source, ALICE, PASSWORDS[ALICE])
    expect(answer != "ok", f"IMAP lets {source} in with the right password")
    answer = lab.submission_login(source, ALICE, PASSWORDS[ALICE])
    expect(answer != "ok", f"submission lets {source} in with the right password")
    code = lab.smtp_answer(source)
    expect(code in (421, 521), f"SMTP answers {source} {code}")


def served_everywhere(lab, source):
    expect_equal(lab.imap(source, ALICE, PASSWORDS[ALICE]), "ok", f"IMAP from {source}")
    answer = lab.submission_login(source, BOB, PASSWORDS[BOB])
    expect_equal(answer, "ok", f"submission from {source}")
    expect_equal(lab.smtp_answer(source), 250, f"SMTP from {source}")


def covers(bans, address):
    import ipaddress
    return [ban for ban in bans if ipaddress.ip_address(address) in ipaddress.ip_network(ban)]


def test_the_same_wrong_password_twenty_times_is_no_ban(lab):
    answers = lab.imap_many(FORGETFUL, ALICE, ["an old password"] * 20)
    expect("ok" not in answers, f"{answers}")
    expect_equal(lab.bans(), [], "bans")
    served_everywhere(lab, FORGETFUL)


def test_four_different_passwords_are_no_ban(lab):
    lab.imap_many("203.0.113.64", ALICE, SIX[:4])
    expect_equal(lab.bans(), [], "bans")


def test_six_wrong_passwords_over_imap_ban_that_address_only(lab):
    answers = lab.imap_many(IMAP_GUESSER, ALICE, SIX)
    expect("ok" not in answers, f"{answers}")
    until("the ban", lambda: lab.bans() == [f"{IMAP_GUESSER}/32"] or lab.bans() == [IMAP_GUESSER])
    refused_everywhere(lab, IMAP_GUESSER)
    served_everywhere(lab, BYSTANDER)


def test_the_ban_outlives_kill_9(lab):
    before = lab.bans()
    expect_equal(len(before), 1, f"bans {before}")
    lab.kill("postern-policyd")
    lab.start("postern-policyd")
    expect_equal(lab.bans(), before, "bans after kill -9")
    refused_everywhere(lab, IMAP_GUESSER)
    served_everywhere(lab, BYSTANDER)


def test_why_tells_what_led_to_it(lab):
    # The events are gone with kill -9, the ban is not.
    known = json.loads(lab.home.run("posternctl", "why", IMAP_GUESSER, "--json"))
    expect_equal((known["ban"]["jail"], known["events"]), ("logins", []), "why after kill -9")
    said = lab.home.call(["posternctl", "why", BYSTANDER], capture_output=True, text=True)
    expect(said.returncode == 1 and "is not banned" in said.stdout, f"why {BYSTANDER}: {said}")


def test_unban(lab):
    lab.home.run("posternctl", "unban", IMAP_GUESSER)
    expect_equal(lab.bans(), [], "bans")
    served_everywhere(lab, IMAP_GUESSER)


def test_six_wrong_passwords_over_submission_ban_that_address_only(lab):
    answers = lab.submission_many(SUBMISSION_GUESSER, ALICE, SIX)
    expect("ok" not in answers, f"{answers}")
    until("the ban", lambda: covers(lab.bans(), SUBMISSION_GUESSER))
    expect_equal(len(lab.bans()), 1, f"bans {lab.bans()}")
    events = json.loads(lab.home.run("posternctl", "why", SUBMISSION_GUESSER, "--json"))["events"]
    # Alice's name is guessed at by others in this lab, too: the jail "guesses" may count as well.
    expect_equal({(x["event"], x["client_address"], x["login"], x["jails"].split(", ")[0])
                  for x in events},
                 {("auth_fail", SUBMISSION_GUESSER, ALICE, "logins")}, "why")
    expect_equal((events[0].get("led_to"), len(events)), ("ban", 5), "why")
    refused_everywhere(lab, SUBMISSION_GUESSER)
    served_everywhere(lab, BYSTANDER)


def test_ipv6_is_banned_by_its_64(lab):
    lab.unban_all()
    answers = lab.imap_many(GUESSER6, ALICE, SIX)
    expect("ok" not in answers, f"{answers}")
    until("the ban", lambda: lab.bans() == ["2001:db8:52::/64"])
    refused_everywhere(lab, GUESSER6)
    served_everywhere(lab, BYSTANDER6)


def test_the_gateway_is_never_banned(lab):
    lab.unban_all()
    answers = lab.home.call(["posternctl", "ban", "10.8.0.1"], capture_output=True, text=True)
    expect(answers.returncode != 0, "posternctl bans the gateway's tunnel address")
    answers = lab.home.call(["posternctl", "ban", GATEWAY4], capture_output=True, text=True)
    expect(answers.returncode != 0, "posternctl bans the gateway's public address")
    expect_equal(lab.bans(), [], "bans")


def test_the_gateway_is_not_banned_when_it_guesses_itself(lab):
    """A proxied connection without a client: nobody is there to be counted."""
    answers = side_by_side(lambda word: lab.imap_of_the_gateway(ALICE, word), SIX + ["seventh"])
    expect("ok" not in answers, f"{answers}")
    expect_equal(lab.bans(), [], "bans")
    expect_equal(lab.imap_of_the_gateway(ALICE, PASSWORDS[ALICE]), "ok", "the gateway's own login")
    served_everywhere(lab, BYSTANDER)


def test_a_ban_by_hand_holds_and_ends(lab):
    lab.home.run("posternctl", "ban", "203.0.113.65", "--for", "1h")
    refused_everywhere(lab, "203.0.113.65")
    lab.home.run("posternctl", "unban", "203.0.113.65")
    served_everywhere(lab, "203.0.113.65")


def test_guessing_from_home_itself_bans_nobody(lab):
    """Webmail on the same host: local, not judged."""
    import imaplib
    for password in SIX:
        with lab.network_of(lab.home):
            session = imaplib.IMAP4("127.0.0.1", 143, timeout=30)
        try:
            session.starttls(_unchecked())
            session.login(ALICE, password)
            raise AssertionError("a wrong password was right")
        except imaplib.IMAP4.error:
            session.shutdown()
    expect_equal(lab.bans(), [], "bans")


def test_enforce_false_acts_on_nothing(lab):
    lab.unban_all()
    lab.configure("enforce = true", "enforce = false")
    try:
        lab.imap_many("203.0.113.66", ALICE, SIX)
        until("a line that says what would be", lambda: "would ban ban=203.0.113.66"
              in lab.home.read("/var/log/postern-policyd.log"))
        served_everywhere(lab, "203.0.113.66")
    finally:
        lab.configure("enforce = false", "enforce = true")
        lab.unban_all()


def _unchecked():
    import ssl
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    main(globals())
