#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A forged PROXY header gains nothing, and few can even send one."""

from scenario import ALICE, HOME, Talk, expect, expect_equal, main

FORGED = [b"PROXY TCP4 127.0.0.1 127.0.0.1 40000 25\r\n",
          b"PROXY TCP4 192.168.1.10 10.8.0.2 40000 25\r\n",
          b"PROXY TCP4 10.8.0.1 10.8.0.2 40000 25\r\n",
          b"PROXY TCP6 ::1 ::1 40000 25\r\n",
          b"PROXY TCP6 ::ffff:127.0.0.1 ::ffff:127.0.0.1 40000 25\r\n"]


def no_relaying(talk, header):
    expect(talk.banner[0].startswith("220"), f"{header}: banner {talk.banner}")
    offered = talk.say("EHLO spoof.example.org")
    expect(not any("XCLIENT" in line or "XFORWARD" in line for line in offered),
           f"{header}: offered {offered}")
    talk.say("MAIL FROM:<spammer@nospf.example.org>")
    answer = talk.say("RCPT TO:<victim@friend.example.org>")
    expect(answer[0][:3] in ("554", "530", "550", "421"), f"{header}: RCPT elsewhere {answer}")


def test_from_the_gateway_it_relays_nothing(lab):
    for port in (25, 587):
        for header in FORGED:
            with lab.connect((HOME, port), host=lab.vps) as connection:
                no_relaying(Talk(connection, header), header)


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
    """Two walls; each has to hold alone."""
    lab.home.run("nft", "delete", "table", "inet", "postern_home")
    try:
        for port in (25, 587):
            for header in FORGED:
                with lab.connect((HOME, port), host=lab.home) as connection:
                    no_relaying(Talk(connection, header), header)
    finally:
        lab.home.run("nft", "-f", "/etc/nftables.d/postern-home.nft")


def test_dovecot_believes_only_the_gateway(lab):
    lab.home.run("nft", "delete", "table", "inet", "postern_home")
    try:
        with lab.connect((HOME, 143), host=lab.home) as connection:
            connection.sendall(b"PROXY TCP4 203.0.113.99 203.0.113.1 40000 143\r\n")
            try:
                expect_equal(connection.recv(100), b"", "what Dovecot says to a forged header")
            except ConnectionResetError:
                pass
    finally:
        lab.home.run("nft", "-f", "/etc/nftables.d/postern-home.nft")


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


def test_a_spoofed_local_source_is_no_local_mail(lab):
    """Through the gateway a private source is refused or judged, never trusted."""
    with lab.connect((HOME, 25), host=lab.vps) as connection:
        talk = Talk(connection, FORGED[1])
        talk.say("EHLO spoof.example.org")
        talk.say(f"MAIL FROM:<{ALICE}>")
        answer = talk.say("RCPT TO:<victim@friend.example.org>")
        expect(answer[0][0] in "45", f"{answer}")


if __name__ == "__main__":
    main(globals())
