#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Bad mails and broken sessions: a plain result each time, and nobody falls over."""

import re
import socket

from scenario import (ALICE, HOME, PASSWORDS, expect, expect_equal, main, marked, message, new_mark,
                      ours, side_by_side, signed, until)

CLIENT = "203.0.113.80"
SIGNATURE = ("DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=sender.example.net; s=lab;"
             " h=From; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; b=AAAA")


def deliver(lab, text, **options):
    """It arrives, judged; and the daemons are still there."""
    raw = lab.deliver(CLIENT, text, helo="client.example.org", **options)
    ours(raw)
    alive(lab)
    return raw


def alive(lab):
    for name in ("postern-milter", "postern-policyd", "dovecot"):
        expect(lab.home.service_lives(name), f"{name} is gone")


def served(lab):
    """An ordinary mail still goes through."""
    alive(lab)
    expect("spf=pass" in ours(lab.deliver("203.0.113.50", message())), "no mail after it")


def test_without_from(lab):
    deliver(lab, b"Subject: nobody\r\n\r\nhello\r\n")


def test_100_from(lab):
    text = b"".join(b"From: a%d@example.net\r\n" % number for number in range(100))
    deliver(lab, text + b"Subject: many\r\n\r\nhello\r\n")


def test_400_signatures(lab):
    raw = deliver(lab, message(headers=[SIGNATURE] * 400))
    expect(ours(raw).count("dkim=") < 400, "every signature was verified")


def test_a_good_signature_under_garbage_still_passes(lab):
    text = b"DKIM-Signature: garbage\r\n" + signed(lab, message())
    raw = lab.deliver("203.0.113.50", text)
    expect("dkim=pass" in ours(raw), ours(raw))


def test_only_a_body(lab):
    deliver(lab, b"\r\nno header at all\r\n")


def test_empty(lab):
    deliver(lab, b"\r\n")


def test_long_and_odd_header_fields(lab):
    text = message(headers=["X-Long: " + " ".join(["word"] * 3000), "X-Empty:",
                            "X-8bit: caf\u00e9 \u2603", "DKIM-Signature:",
                            "Authentication-Results:"])
    deliver(lab, text)


def test_control_characters(lab):
    deliver(lab, b"From: a\x01b <x@example.net>\r\nSubject: \x7f\x1b[31m\r\n\r\n\x00\x01\xff\r\n")


def test_a_smuggled_mail_stays_in_the_one_around_it(lab):
    """A line feed alone before the dot ends nothing: else SPF would pass for whoever it names."""
    mark = new_mark("outer")
    inner = (b"\n.\r\nMAIL FROM:<boss@sender.example.net>\r\nRCPT TO:<" + ALICE.encode() +
             b">\r\nDATA\r\nFrom: boss@sender.example.net\r\n\r\npay\r\n")
    with lab.smtp("203.0.113.50", helo="sender.example.net") as session:
        session.ehlo()
        session.mail("joe@sender.example.net")
        session.rcpt(ALICE)
        expect_equal(session.docmd("DATA")[0], 354, "DATA")
        session.send(marked(mark, message()).rstrip(b"\r\n") + inner + b".\r\n")
        expect_equal(session.getreply()[0], 250, "the mail")
    raw = lab.wait_for_mail(mark)
    expect(b"MAIL FROM:<boss@" in raw, "it became a mail of its own")
    served(lab)


def test_without_helo(lab):
    with lab.smtp(CLIENT) as session:
        code, _ = session.docmd("MAIL", "FROM:<joe@sender.example.net>")
        if code != 250:
            return alive(lab)
        expect_equal(session.docmd("RCPT", f"TO:<{ALICE}>")[0], 250, "RCPT without HELO")
        mark = new_mark("without-helo")
        expect_equal(session.data(marked(mark, message()))[0], 250, "DATA")
    ours(lab.wait_for_mail(mark))
    alive(lab)


def test_without_helo_and_null_sender(lab):
    """libspf2 ends the process when it is given neither."""
    with lab.smtp(CLIENT) as session:
        session.docmd("MAIL", "FROM:<>")
        session.docmd("RCPT", f"TO:<{ALICE}>")
        mark = new_mark("neither")
        expect_equal(session.data(marked(mark, message()))[0], 250, "DATA")
    ours(lab.wait_for_mail(mark))
    served(lab)


def test_odd_helo_and_sender(lab):
    for helo, sender in [
            ("[203.0.113.80]", "a@b"), ("-", '"quoted; spf=pass"@sender.example.net'),
            ("a" * 200, "x" * 64 + "@" + "y" * 60 + ".example.net"), ("under_score", "@"),
            ("%{d}.example.org", "%{i}@%{d}.example.net"), ("localhost", "a@localhost")]:
        with lab.smtp(CLIENT, helo=helo) as session:
            session.ehlo_or_helo_if_needed()
            code, _ = session.docmd("MAIL", f"FROM:<{sender}>")
            if code != 250 or session.docmd("RCPT", f"TO:<{ALICE}>")[0] != 250:
                continue
            mark = new_mark("odd-helo")
            expect_equal(session.data(marked(mark, message()))[0], 250, "DATA")
        value = ours(lab.wait_for_mail(mark))
        expect("spf=pass" not in re.sub(r'"(\\.|[^"\\])*"', "", value), value)
    alive(lab)


def test_aborted_at_each_stage(lab):
    steps = [b"EHLO client.example.org\r\n", b"MAIL FROM:<joe@sender.example.net>\r\n",
             b"RCPT TO:<" + ALICE.encode() + b">\r\n", b"DATA\r\n", b"Subject: cut\r\n",
             b"\r\nbody\r\n"]
    for count in range(len(steps) + 1):
        connection = lab.connect(("203.0.113.1", 25), CLIENT)
        connection.recv(200)
        for step in steps[:count]:
            connection.sendall(step)
            if step in steps[:4]:
                connection.recv(2000)
        # A reset, not an orderly end.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
    served(lab)


def test_many_at_once(lab):
    marks = [new_mark("parallel") for _ in range(30)]

    def one(mark):
        with lab.smtp(CLIENT) as session:
            session.sendmail("joe@sender.example.net", [ALICE],
                             marked(mark, signed(lab, message())))
        return mark

    expect_equal(side_by_side(one, marks), marks, "sent")
    for mark in marks:
        value = ours(lab.wait_for_mail(mark))
        expect("dkim=pass" in value and "spf=fail" in value, value)


def _speak_to(lab, place, data):
    """Sends data to one of Postern's listeners at home, and leaves the connection open."""
    if place.startswith("/"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(lab.home.path(place))
    else:
        with lab.network_of(lab.home):
            connection = socket.create_connection(("127.0.0.1", int(place)), 5)
    connection.sendall(data)
    return connection


LISTENERS = {
    "/run/postern/milter": [b"", b"\0\0\0", b"\0\0\0\x0dO\0\0\0\6", b"\xff\xff\xff\xffX",
                            b"GET / HTTP/1.0\r\n\r\n"],
    "/run/postern/policy": [b"", b"request=smtpd_access_policy\n", b"\n\n\n", b"\0\0\n\n",
                            b"request=nothing\n\n", b"a" * 20000, b"=\n\n"],
    "/run/postern/socketmap": [b"", b"9:trans", b"99999999999:", b"x:y,", b"3:abc,", b"0:,",
                               b"12:nothing here,"],
    "/run/postern/control": [b"", b"request=status\n", b"request=bans", b"\xff\xfe\n\n",
                             b"request=ban\nprefix=nonsense\n\n"],
    "8893": [b"", b"POST /auth?command=allow HTTP/1.1\r\n", b"\0\0\0\0", b"GET / HTTP/1.0\r\n\r\n",
             b"POST /auth?command=report HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n{",
             b"POST /auth?command=allow HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"],
}


def test_half_a_request_and_silence_on_each_listener(lab):
    """All of it at the same time, and mail and logins go on beside it."""
    open_connections = [_speak_to(lab, place, data)
                        for place, many in LISTENERS.items() for data in many]
    try:
        served(lab)
        expect_equal(lab.imap("203.0.113.81", ALICE, PASSWORDS[ALICE]), "ok", "a login beside it")
    finally:
        for connection in open_connections:
            connection.close()
    served(lab)


def test_half_a_header_and_silence_on_each_proxy_port(lab):
    open_connections = []
    try:
        for port in (25, 143, 465, 587, 993):
            for start in (b"", b"PROXY TCP4 203.0.113.82 203.", b"\r\n\r\n\0\r\nQUIT\n\x21",
                          b"PROXY UNKNOWN\r\n", b"EHLO x\r\n", b"PROXY TCP4 999.1.1.1 1 1 1\r\n"):
                connection = lab.connect((HOME, port), host=lab.vps)
                connection.sendall(start)
                open_connections.append(connection)
            open_connections.append(lab.connect(("203.0.113.1", port), CLIENT))
        served(lab)
    finally:
        for connection in open_connections:
            connection.close()
    served(lab)


def test_http_without_the_token_is_refused(lab):
    connection = _speak_to(lab, "8893", b"POST /auth?command=allow HTTP/1.1\r\nHost: x\r\n"
                           b"Content-Length: 2\r\nConnection: close\r\n\r\n{}")
    connection.settimeout(5)
    answer = connection.makefile("rb").readline()
    expect(b" 401 " in answer or b" 403 " in answer, f"{answer}")


def test_nothing_that_was_accepted_is_lost(lab):
    until("an empty queue", lambda: not lab.home.run("postqueue", "-j").strip(), 30)
    bad = [line for line in lab.home.read("/var/log/mail.log").splitlines()
           if "status=bounced" in line and ALICE in line]
    expect_equal(bad, [], "bounces")


if __name__ == "__main__":
    main(globals())
