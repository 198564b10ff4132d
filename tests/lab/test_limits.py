#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A login may send so much and no more, and is told when again; each other one goes on."""

from scenario import ALICE, PASSWORDS, expect, expect_equal, main

SENDER = "sender@example.com"
CLIENT, ELSEWHERE = "203.0.113.90", "203.0.113.91"
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


if __name__ == "__main__":
    main(globals())
