#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What happens while a part is away, and that it heals."""

import re
import smtplib

from scenario import (ALICE, BOB, PASSWORDS, expect, expect_equal, main, marked, message, new_mark,
                      ours, until)

CLIENT = "203.0.113.90"


def test_policyd_away_mail_and_logins_go_on(lab):
    lab.kill("postern-policyd")
    try:
        expect("spf=pass" in ours(lab.deliver("203.0.113.50", message())), "no judged mail")
        expect_equal(lab.imap(CLIENT, ALICE, PASSWORDS[ALICE]), "ok", "IMAP")
        expect(lab.imap(CLIENT, ALICE, "wrong") != "ok", "a wrong password is right")
        expect_equal(lab.submission_login(CLIENT, BOB, PASSWORDS[BOB]), "ok", "submission")
    finally:
        lab.start("postern-policyd")


def test_policyd_away_outbound_submission_waits(lab):
    lab.kill("postern-policyd")
    try:
        expect_equal(submit(lab), 451, "RCPT to outside")
    finally:
        lab.start("postern-policyd")
    until("submission again", lambda: submit(lab) == 250, 30)


def submit(lab):
    """What submission says to a recipient outside; a new one, for Postfix remembers the last."""
    with lab.smtp(CLIENT, 587) as session:
        session.login(ALICE, PASSWORDS[ALICE])
        session.mail(ALICE)
        return session.rcpt(f"{new_mark('friend')}@friend.example.org")[0]


def test_milter_away_is_tempfail(lab):
    lab.kill("postern-milter")
    try:
        with lab.smtp(CLIENT) as session:
            try:
                session.sendmail("joe@sender.example.net", [ALICE], message())
                raise AssertionError("mail was accepted without the milter")
            except (smtplib.SMTPResponseException, smtplib.SMTPRecipientsRefused) as error:
                codes = ([error.smtp_code] if hasattr(error, "smtp_code")
                         else [answer[0] for answer in error.recipients.values()])
                expect(all(400 <= code < 500 for code in codes), f"{codes}")
    finally:
        lab.start("postern-milter")
    expect("spf=pass" in ours(lab.deliver("203.0.113.50", message())), "no mail after it")


def test_milter_ends_in_the_middle_of_a_message(lab):
    mark = new_mark("half-way")
    session = lab.smtp(CLIENT)
    session.ehlo()
    session.mail("joe@sender.example.net")
    session.rcpt(ALICE)
    lab.kill("postern-milter")
    try:
        code, _ = session.data(marked(mark, message()))
        expect(400 <= code < 500, f"{code}")
    except smtplib.SMTPDataError as error:
        expect(400 <= error.smtp_code < 500, f"{error}")
    finally:
        lab.start("postern-milter")
        session.close()
    expect(lab.find_mail(mark) is None, "unjudged mail was delivered")


def test_the_tunnel_cut_and_back(lab):
    lab.vps.run("ip", "link", "set", "wg0", "down")
    try:
        expect(_connects(lab) is False, "there is a way past the tunnel")
    finally:
        lab.vps.run("ip", "link", "set", "wg0", "up")
        lab.vps.run("ip", "route", "replace", "10.8.0.2/32", "dev", "wg0")
    until("mail again", lambda: _connects(lab), 60)


def _connects(lab):
    try:
        with lab.smtp("203.0.113.91") as session:
            return session.noop()[0] == 250
    except (OSError, smtplib.SMTPException):
        return False


def test_an_orderly_end_leaves_no_complaint(lab):
    """SIGTERM; a build with sanitizers tells of leaks then."""
    for name in ("postern-milter", "postern-policyd"):
        lab.home.run("kill", "-TERM", str(lab.home.service_pid(name)))
        until(f"end of {name}", lambda name=name: not lab.home.service_lives(name), 15)
        log = lab.home.read(f"/var/log/{name}.log")
        lab.start(name)
        complaints = re.findall(r".*(?:Sanitizer|runtime error|BUG).*", log)
        expect_equal(complaints, [], f"what {name} says at its end")


if __name__ == "__main__":
    main(globals())
