#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A forged PROXY header gains nothing, and few can even send one."""

import contextlib
import itertools

from scenario import GATEWAY4, HOME, Talk, expect, expect_equal, main

FORGED = [b"PROXY TCP4 127.0.0.1 127.0.0.1 40000 25\r\n",
          b"PROXY TCP4 192.168.1.10 10.8.0.2 40000 25\r\n",
          b"PROXY TCP4 10.8.0.1 10.8.0.2 40000 25\r\n",
          b"PROXY TCP6 ::1 ::1 40000 25\r\n",
          b"PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 40000 25\r\n"]


def no_relaying(lab, host):
    """From this host no header opens a way to outside, and none brings XCLIENT."""
    for port, header in itertools.product((25, 587), FORGED):
        with lab.connect((HOME, port), host=host) as connection:
            talk = Talk(connection, header)
            offered = talk.say("EHLO spoof.example.org")
            expect(not any("XCLIENT" in line or "XFORWARD" in line for line in offered),
                   f"{header}: offered {offered}")
            talk.say("MAIL FROM:<spammer@nospf.example.org>")
            answer = talk.say("RCPT TO:<victim@friend.example.org>")[-1]
            expect(answer[:1] in ("4", "5"), f"{header}: RCPT elsewhere {answer}")


@contextlib.contextmanager
def without_milter(lab):
    """The milter may refuse such sessions itself; here the other walls stand alone."""
    with lab.postfix_with("/etc/postfix/main.cf", "\nsmtpd_milters =\n"):
        yield


@contextlib.contextmanager
def without_firewall(lab):
    lab.home.run("nft", "delete", "table", "inet", "postern_home")
    try:
        yield
    finally:
        lab.home.run("nft", "-f", "/etc/nftables.d/postern-home.nft")


def test_the_milter_believes_no_claim_of_an_address_inside(lab):
    """Whether the header has a destination as the gateway writes it or a made-up one."""
    clients = ("127.0.0.1", "192.168.1.10", "10.8.0.1", "10.8.0.2", "100.64.0.2", GATEWAY4)
    for client, destination in itertools.product(clients, (GATEWAY4, "127.0.0.1")):
        if (client, destination) == ("10.8.0.1", "127.0.0.1"):
            continue  # the gateway itself: masked
        with lab.connect((HOME, 25), host=lab.vps) as connection:
            talk = Talk(connection, f"PROXY TCP4 {client} {destination} 40000 25\r\n".encode())
            talk.say("EHLO spoof.example.org")
            answer = talk.say("MAIL FROM:<spammer@nospf.example.org>")[-1]
            expect(answer[:3] == "550", f"{client} to {destination}: MAIL {answer}")
            expect(f"reject client={client}" in lab.home.read("/var/log/postern-milter.log"),
                   f"{client}: the milter's log says nothing")


def test_from_the_gateway_it_relays_nothing(lab):
    no_relaying(lab, lab.vps)


def test_from_the_gateway_it_relays_nothing_without_the_milter_either(lab):
    with without_milter(lab):
        no_relaying(lab, lab.vps)


def test_from_the_gateway_it_gets_no_xclient(lab):
    for port in (25, 587):
        with lab.connect((HOME, port), host=lab.vps) as connection:
            talk = Talk(connection, FORGED[0])
            talk.say("EHLO spoof.example.org")
            answer = talk.say("XCLIENT ADDR=127.0.0.1 NAME=localhost")
            expect(answer[0][0] == "5", f"XCLIENT {answer}")


def test_home_itself_may_not_speak_to_the_proxy_ports(lab):
    for port in (25, 143, 465, 587, 993):
        try:
            lab.connect((HOME, port), host=lab.home).close()
        except ConnectionRefusedError:
            continue
        raise AssertionError(f"port {port} answers home")


def test_without_the_firewall_home_relays_nothing_either(lab):
    with without_firewall(lab):
        no_relaying(lab, lab.home)
        with without_milter(lab):
            no_relaying(lab, lab.home)


def test_dovecot_believes_only_the_gateway(lab):
    with without_firewall(lab), lab.connect((HOME, 143), host=lab.home) as connection:
        connection.sendall(b"PROXY TCP4 203.0.113.99 203.0.113.1 40000 143\r\n")
        try:
            expect_equal(connection.recv(100), b"", "what Dovecot says to a forged header")
        except ConnectionResetError:
            pass


def test_a_header_from_the_internet_is_only_text(lab):
    with lab.smtp("203.0.113.75") as session:
        session.putcmd("PROXY TCP4 127.0.0.1 127.0.0.1 1 25")
        expect(session.getreply()[0] in (500, 502, 421), "a second header was taken")


def test_home_cannot_be_reached_past_the_gateway(lab):
    for host, where in [(lab.internet, "100.64.0.2"), (lab.vps, "100.64.0.2")]:
        try:
            lab.connect((where, 25), host=host, seconds=1).close()
        except OSError:
            continue
        raise AssertionError(f"{host.name} reaches home by {where}")


if __name__ == "__main__":
    main(globals())
