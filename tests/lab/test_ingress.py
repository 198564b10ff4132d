#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""postern-ingress before Postfix and Dovecot: who comes in, as whom, and who does not."""

import itertools
import re
import time

from labkit.errors import until
from labkit.home import ingress_before
from scenario import (ALICE, BOB, GATEWAY4, HOME, PASSWORDS, PROXY_LOCAL, Talk, expect,
                      expect_equal, main, message, ours, signed)
from test_spoof import FORGED, without_firewall

SENDER, STRANGER, GUESSER, OTHER = "203.0.113.50", "203.0.113.51", "203.0.113.60", "203.0.113.70"


def log(lab):
    return lab.home.read("/var/log/postern-ingress.log")


def is_closed(connection):
    connection.settimeout(10)
    try:
        return connection.recv(100) == b""
    except ConnectionResetError:
        return True


def test_mail_is_judged_by_its_client(lab):
    found = ours(lab.deliver(SENDER, signed(lab, message())))
    for part in ("policy.iprev=203.0.113.50", "through gateway vps1",
                 "spf=pass smtp.mailfrom=joe@sender.example.net", "dkim=pass"):
        expect(part in found, f"no {part} in {found}")
    expect("spf=fail" in ours(lab.deliver(STRANGER, message())), "no spf=fail for another address")
    expect("[203.0.113.50]" in lab.home.read("/var/log/mail.log"), "Postfix does not name it")


def test_ipv6(lab):
    with lab.smtp("2001:db8:50::50", helo="mx.sender.example.net") as session:
        expect_equal(session.noop()[0], 250, "NOOP")
    expect("2001:db8:50::50]" in lab.home.read("/var/log/mail.log"), "Postfix does not name it")


def test_imap_and_submission(lab):
    expect_equal(lab.imap(OTHER, ALICE, PASSWORDS[ALICE]), "ok", "IMAP")
    expect_equal(lab.submission_login(OTHER, BOB, PASSWORDS[BOB]), "ok", "submission")


def test_a_ban_cuts_the_open_session_and_shuts_the_door(lab):
    with lab.connect((GATEWAY4, 993), GUESSER) as raw, \
            lab.connect((GATEWAY4, 993), OTHER) as another:
        guesser, other = (lab.tls.wrap_socket(x, server_hostname="mail.example.com")
                          for x in (raw, another))
        expect(b"OK" in guesser.recv(1000) and b"OK" in other.recv(1000), "no greeting")
        begun = time.monotonic()
        lab.home.run("posternctl", "ban", GUESSER)
        expect(is_closed(guesser), "the session of the banned goes on")
        expect(time.monotonic() - begun < 1, f"after {time.monotonic() - begun:.1f} s")
        other.sendall(b"a NOOP\r\n")
        expect(b"a OK" in other.recv(1000), "another one's session was cut")
    for port in (25, 587, 993):
        with lab.connect((GATEWAY4, port), GUESSER) as raw:
            expect(is_closed(raw), f"the banned may speak to port {port}")
    expect_equal(lab.imap(OTHER, ALICE, PASSWORDS[ALICE]), "ok", "IMAP of another")
    lab.unban_all()
    until("IMAP again", lambda: lab.imap(GUESSER, ALICE, PASSWORDS[ALICE]) == "ok", 10)


def test_who_was_let_in_lately_may_try_as_often_again(lab):
    expect_equal(lab.imap(GUESSER, ALICE, PASSWORDS[ALICE]), "ok", "IMAP")
    lab.imap_many(GUESSER, ALICE, [f"guess {number}" for number in range(6)])
    expect_equal(lab.imap(GUESSER, ALICE, PASSWORDS[ALICE]), "ok", "IMAP after six mistakes")
    expect_equal(lab.bans(), [], "bans")


def test_guessing_bans_the_client_and_nobody_else(lab):
    lab.imap_many(STRANGER, ALICE, [f"guess {number}" for number in range(6)])
    until("a ban", lambda: lab.bans() == [STRANGER], 20)
    with lab.connect((GATEWAY4, 25), STRANGER) as raw:
        expect(is_closed(raw), "the guesser gets in")
    expect_equal(lab.imap(OTHER, ALICE, PASSWORDS[ALICE]), "ok", "IMAP of another")
    lab.unban_all()


def next_process(lab):
    """After a hand-over: the new process is the service from now on."""
    lab.home.run("kill", "-USR2", str(lab.home.service_pid("postern-ingress")))
    found = until("the hand-over", lambda: re.search(r" handed-over .*pid=(\d+)", log(lab)), 20)
    lab.home.write("/run/lab/postern-ingress.pid", found[1] + "\n")


def says(session, command, word):
    session.sendall(command + b"\r\n")
    answer = b""
    while word not in answer:
        piece = session.recv(1000)
        expect(piece, f"{command}: the end after {answer}")
        answer += piece


def is_running(lab, pid):
    try:
        return lab.home.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_an_imap_session_stays_open_through_a_hand_over(lab):
    old = lab.home.service_pid("postern-ingress")
    raw = lab.connect((GATEWAY4, 993), OTHER)
    with lab.tls.wrap_socket(raw, server_hostname="mail.example.com") as session:
        session.settimeout(20)
        expect(b"OK" in session.recv(1000), "no greeting")
        says(session, f'a LOGIN {ALICE} "{PASSWORDS[ALICE]}"'.encode(), b"a OK")
        says(session, b"b SELECT INBOX", b"b OK")
        says(session, b"c IDLE", b"+ ")
        next_process(lab)
        expect(lab.home.service_lives("postern-ingress"), "the new process is gone")
        expect(is_running(lab, old), "the old one has not waited for its session")
        says(session, b"DONE", b"c OK")
        says(session, b"d NOOP", b"d OK")
        expect_equal(lab.imap(OTHER, ALICE, PASSWORDS[ALICE]), "ok", "IMAP by the new process")
    until("the end of the old one", lambda: not is_running(lab, old), 20)


def connections(lab):
    """That Postfix has seen."""
    return lab.home.read("/var/log/mail.log").count(" connect from ")


def ends_seen(lab):
    """Of connections, by Postfix."""
    return lab.home.read("/var/log/mail.log").count(" disconnect from ")


def refusals(lab):
    """By the milter, which has a line for each that it counts."""
    return lab.home.read("/var/log/postern-milter.log").count(" reject ")


def test_a_health_check_asks_the_server(lab):
    before, ended, refused = connections(lab), ends_seen(lab), refusals(lab)
    with lab.connect((HOME, 25), host=lab.vps) as connection:
        connection.sendall(PROXY_LOCAL)
        expect(is_closed(connection), "it stays open")
    until("the probe in Postfix's log", lambda: connections(lab) > before, 10)
    until("its end", lambda: ends_seen(lab) > ended, 10)
    expect_equal(refusals(lab), refused, "refusals by the milter")


def test_forged_headers_reach_no_server(lab):
    before = connections(lab)
    for port, header in itertools.product((25, 587, 993), FORGED):
        with lab.connect((HOME, port), host=lab.vps) as connection:
            connection.sendall(header)
            expect(is_closed(connection), f"{header} is let in to port {port}")
    expect_equal(connections(lab), before, "connections that Postfix has seen")
    expect("cannot come through a gateway" in log(lab), "the log says nothing")


def test_home_and_the_internet_are_strangers(lab):
    with without_firewall(lab), lab.connect((HOME, 25), host=lab.home) as connection:
        expect(is_closed(connection), "home gets in")
    expect("neither a gateway nor in direct" in log(lab), "the log says nothing")
    with lab.smtp("203.0.113.75") as session:
        session.putcmd("PROXY TCP4 127.0.0.1 127.0.0.1 1 25")
        expect(session.getreply()[0] in (500, 502, 421), "a second header was taken")


def test_the_ports_behind_it_relay_nothing_for_local_users(lab):
    for header in FORGED:
        with lab.connect(("127.0.0.1", 10025), host=lab.home) as connection:
            talk = Talk(connection, header)
            offered = talk.say("EHLO spoof.example.org")
            expect(not any("XCLIENT" in line for line in offered), f"{header}: {offered}")
            talk.say("MAIL FROM:<spammer@nospf.example.org>")
            answer = talk.say("RCPT TO:<victim@friend.example.org>")[-1]
            expect(answer[:1] in ("4", "5"), f"{header}: RCPT elsewhere {answer}")


if __name__ == "__main__":
    main(globals(), around=ingress_before)
