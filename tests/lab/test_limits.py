#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A login may send so much and no more, and is told when again; each other one goes on."""

import smtplib

from scenario import ALICE, PASSWORDS, expect, expect_equal, main

SENDER = "sender@example.com"
CLIENT, ELSEWHERE = "203.0.113.90", "203.0.113.91"
BANNED = "203.0.113.92"
A_LIMIT = 200  # of conf/postern.conf, an hour


def recipients(session, count):
    return [session.rcpt(f"u{number}@elsewhere.example") for number in range(count)]


def open_message(lab, source, login):
    session = lab.smtp(source, port=587)
    session.login(login, PASSWORDS[login])
    session.mail(login)
    return session


def test_the_recipient_that_is_one_too_many_is_told_so(lab):
    session = open_message(lab, CLIENT, SENDER)
    answers = recipients(session, A_LIMIT + 1)
    expect_equal({code for code, _ in answers[:A_LIMIT]}, {250}, "up to the limit")
    code, text = answers[A_LIMIT]
    expect_equal(code, 450, "beyond it")
    expect(f"more than {A_LIMIT} recipients an hour from {SENDER}; try again in 1h".encode()
           in text and b"4.7.1" in text, f"{text}")
    session.quit()


def test_it_is_the_login_from_wherever(lab):
    session = open_message(lab, ELSEWHERE, SENDER)
    expect_equal(recipients(session, 1)[0][0], 450, "from another address")
    session.quit()


def test_each_other_login_sends(lab):
    session = open_message(lab, CLIENT, ALICE)
    expect_equal(recipients(session, 3)[0][0], 250, "another login")
    session.quit()


def test_a_banned_login_neither_sends_nor_reads(lab):
    lab.home.run("posternctl", "ban", SENDER)
    answer = lab.imap(ELSEWHERE, SENDER, PASSWORDS[SENDER])
    expect("this login is banned here; try again in" in answer, answer)
    try:
        open_message(lab, CLIENT, SENDER)
        raise AssertionError("a banned login may send")
    except smtplib.SMTPAuthenticationError as error:
        expect_equal(error.smtp_code, 535, "AUTH")
    expect_equal(lab.imap(ELSEWHERE, ALICE, PASSWORDS[ALICE]), "ok", "another login")
    lab.home.run("posternctl", "unban", SENDER)
    expect_equal(lab.imap(ELSEWHERE, SENDER, PASSWORDS[SENDER]), "ok", "when it is lifted")


def test_521_is_told_and_ends_the_session(lab):
    lab.configure('#ban_reply = "421"', 'ban_reply = "521"')
    lab.home.run("posternctl", "ban", BANNED)
    session = lab.smtp(BANNED)
    session.mail("joe@sender.example.net")
    code, text = session.rcpt(ALICE)
    expect_equal(code, 521, f"{text}")
    expect(f"5.7.1 <unknown[{BANNED}]>: Client host rejected: {BANNED} is banned here for".encode()
           in text, f"{text}")
    try:
        raise AssertionError(f"the session goes on: {session.noop()}")
    except smtplib.SMTPServerDisconnected:
        pass
    lab.home.run("posternctl", "unban", BANNED)
    lab.configure('ban_reply = "521"', '#ban_reply = "421"')


if __name__ == "__main__":
    main(globals())
