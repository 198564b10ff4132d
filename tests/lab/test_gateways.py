#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Every gateway of conf/, each in a lab of its own: who the clients are, and who is banned.

Behind those that hide the client mail arrives all the same, judged by nobody's address,
and nobody is banned, but guessing is slowed down by the login.
"""

import contextlib
import os
import re
import socket
import subprocess
import time

from labkit import fill, network, state
from labkit.errors import until
from labkit.home import ingress_before, milter_with, start_ingress
from labkit.vps import haproxy_before_ingress
from places import WITHIN, banned, dropped, exporting, is_dropped, reaches
from scenario import (ALICE, BOB, PASSWORDS, Lab, expect, expect_equal, main, marked, message,
                      new_mark, ours, side_by_side, signed)

HERE = os.path.dirname(os.path.realpath(__file__))
SENDER4, SENDER6, STRANGER = "203.0.113.50", "2001:db8:50::50", "203.0.113.51"
GUESSER4, GUESSER6, OTHER4, OTHER6 = ("203.0.113.60", "2001:db8:52::52", "203.0.113.70",
                                      "2001:db8:53::53")
SIX = [f"guess {number}" for number in range(6)]
MANY = [f"another guess {number}" for number in range(20)]
# What a rule of the operator's does to temperror and the like is nothing to masked mail.
STRICT = {f'#{result} = "accept"': f'{result} = "tempfail"'
          for result in ("fail", "softfail", "permerror", "temperror")}
MASKED = "spf=temperror (the client is hidden by gateway vps1)"


@contextlib.contextmanager
def lab_with(outer, gateway, link="wireguard", forward_as="proxy"):
    """A lab with this gateway, beside the one that is up; its last words where it fails."""
    before, names = os.environ.get("POSTERN_LAB"), fill.names
    os.environ["POSTERN_LAB"] = f"{state.name()}-{os.getpid()}"
    try:
        subprocess.run([os.path.join(HERE, "lab"), "up", "--quiet", "--gateway", gateway,
                        "--link", link, "--forward-as", forward_as,
                        "--build", outer.home.programs], check=True)
        fill.names = network.LINKS[link]
        lab = Lab()
        try:
            yield lab
        except Exception:
            print("".join(f"# {line}\n" for line in mail_log(lab).splitlines()[-30:]))
            raise
    finally:
        subprocess.run([os.path.join(HERE, "lab"), "down"], check=True)
        fill.names = names
        if before is None:
            del os.environ["POSTERN_LAB"]
        else:
            os.environ["POSTERN_LAB"] = before


def mail_log(lab):
    return lab.home.read("/var/log/mail.log")


def connected(lab, service, source):
    """Whether a Postfix service of this name was connected to by this address."""
    return re.search(rf"{service}/smtpd\[\d+\]: connect from \S+\[{re.escape(source)}\]",
                     mail_log(lab)) is not None


def has(found, *parts):
    """Quotes aside, in which IPv6 addresses stand."""
    for part in parts:
        expect(part in found.replace('"', ""), f"no {part} in {found}")


def is_refused(lab, source):
    """By IMAP with the right password and on port 25; or the connection is cut."""
    try:
        if lab.imap(source, ALICE, PASSWORDS[ALICE]) == "ok":
            return False
    except OSError:
        pass
    try:
        return lab.smtp_answer(source) in (421, 521)
    except OSError:
        return True


# --- what holds for all ---

def check_mail(lab, service, through=" (through gateway vps1, proxy)"):
    """Mail is judged by its client, whom Postfix knows too."""
    for source in (SENDER4, SENDER6):
        found = ours(lab.deliver(source, signed(lab, message())))
        has(found, f"policy.iprev={source}", f"iprev=pass{through}",
            "spf=pass smtp.mailfrom=joe@sender.example.net", "dkim=pass")
        expect(connected(lab, service, source), f"{service} does not name {source}")
    has(ours(lab.deliver(STRANGER, message())), "spf=fail", f"policy.iprev={STRANGER}")


def check_masked_mail(lab, service, peers):
    """Mail arrives; nothing is said of its client, and the signature counts."""
    for source, peer in peers.items():
        found = ours(lab.deliver(source, signed(lab, message())))
        has(found, MASKED, "dkim=pass")
        expect("iprev=" not in found and source not in found, f"a client in {found}")
        expect(connected(lab, service, peer), f"{service} does not name {peer}")


def check_no_relay(lab):
    """Not for the world, whatever address it seems to have."""
    for source in (SENDER4, SENDER6):
        code = lab.smtp_answer(source, to="victim@friend.example.org")
        expect(code in (454, 550, 554), f"relays for {source}: {code}")


def check_logins(lab, service, peer=None):
    """submission and IMAP; Postfix names the client, or the peer in its place."""
    for source in (OTHER4, OTHER6):
        expect_equal(lab.submission_login(source, BOB, PASSWORDS[BOB]), "ok",
                     f"submission of {source}")
        expect_equal(lab.imap(source, ALICE, PASSWORDS[ALICE]), "ok", f"IMAP of {source}")
        expect(connected(lab, service, peer or source), f"{service} does not name {source}")


def check_bans(lab):
    """Who guesses is banned by his own address, and nobody else is."""
    guess(lab, [GUESSER4, GUESSER6])
    until("the bans", lambda: lab.bans() == sorted([GUESSER4, "2001:db8:52::/64"]))
    for source, other in [(GUESSER4, OTHER4), (GUESSER6, OTHER6)]:
        expect(is_refused(lab, source), f"{source} is let in")
        expect_equal(lab.smtp_answer(other), 250, f"SMTP from {other}")
        expect_equal(lab.imap(other, ALICE, PASSWORDS[ALICE]), "ok", f"IMAP of {other}")
    lab.unban_all()


def guess(lab, sources, ways=(Lab.imap,)):
    """Six wrong passwords from each and in each way, side by side."""
    jobs = [(way, source, word) for way in ways for source in sources for word in SIX]
    answers = side_by_side(lambda job: job[0](lab, job[1], ALICE, job[2]), jobs)
    expect("ok" not in answers, f"{answers}")


def seconds_of(function, *arguments):
    began = time.monotonic()
    expect_equal(function(*arguments), "ok", "a login")
    return time.monotonic() - began


def check_guessing_is_slow(lab):
    """By the login that is guessed at: jail "guesses" of the sample. Others are not held up."""
    expect(seconds_of(lab.imap, OTHER4, ALICE, PASSWORDS[ALICE]) < 4, "slow before")
    lab.imap_many(GUESSER4, ALICE, MANY)
    for way in (lab.imap, lab.submission_login):
        expect(seconds_of(way, GUESSER4, ALICE, PASSWORDS[ALICE]) >= 5, "guessing is not slow")
    expect(seconds_of(lab.imap, OTHER4, BOB, PASSWORDS[BOB]) < 4, "another login is slow")
    expect_equal(lab.bans(), [], "bans")


def check_nobody_is_banned(lab):
    """Whoever guesses hides among all others, so nobody is banned for it."""
    guess(lab, [GUESSER4, GUESSER6], [Lab.imap, Lab.submission_login])
    # A client that is known comes after them in policyd's queue, and is banned.
    for word in SIX:
        report = f'{{"login": "{BOB}", "remote": "198.51.100.9", "pwhash": "{word[-1]}", ' \
                 '"success": false, "policy_reject": false, "tls": false, "protocol": "imap"}'
        lab.home.run("sh", "-c", 'curl -sf -H "X-API-Key: $(cat /etc/postern/auth.token)" '
                     f"-d '{report}' 'http://127.0.0.1:8893/auth?command=report'")
    until("the ban of one who is known", lambda: lab.bans())
    expect_equal(lab.bans(), ["198.51.100.9"], "bans")
    lab.unban_all()
    for source in (GUESSER4, GUESSER6, OTHER4):
        expect_equal(lab.imap(source, ALICE, PASSWORDS[ALICE]), "ok", f"IMAP of {source}")


# --- gateways that name the client ---

def test_haproxy(outer):
    with lab_with(outer, "haproxy") as lab:
        check_mail(lab, "gateway")
        check_logins(lab, "gateway-submission")
        check_no_relay(lab)
        check_bans(lab)
        check_health(lab)
        check_firewall(lab)


def haproxy_said(lab, state):
    """How often."""
    return len(re.findall(rf"Server smtp/home is {state}", lab.vps.read("/var/log/haproxy.log")))


def check_health(lab):
    """HAProxy looks after home by itself, and that counts against nobody."""
    until("health checks", lambda: connected(lab, "gateway", "10.8.0.1"))
    expect(not haproxy_said(lab, "DOWN"), "home is said to be down")
    lab.home.run("postfix", "stop", log="mail")
    until("HAProxy misses Postfix", lambda: haproxy_said(lab, "DOWN"))
    lab.home.run("postfix", "start", log="mail")
    until("HAProxy finds it again", lambda: haproxy_said(lab, "UP"))
    has(ours(lab.deliver(SENDER4, message())), "spf=pass")
    expect_equal(lab.bans(), [], "bans")


def checks_refused(lab):
    return lab.home.read("/var/log/postern-milter.log").count(" reject client=127.0.0.1 ")


def check_health_of_ingress(lab):
    """HAProxy sees whether it is there, and the milter hears of no check."""
    down, up, refused = haproxy_said(lab, "DOWN"), haproxy_said(lab, "UP"), checks_refused(lab)
    seen = mail_log(lab).count("haproxy read: EOF")
    until("health checks", lambda: mail_log(lab).count("haproxy read: EOF") > seen + 1)
    expect_equal(haproxy_said(lab, "DOWN"), down, "how often home is said to be down")
    lab.home.run("kill", str(lab.home.service_pid("postern-ingress")))
    until("HAProxy misses the ingress", lambda: haproxy_said(lab, "DOWN") > down)
    start_ingress(lab.home)
    until("HAProxy finds it again", lambda: haproxy_said(lab, "UP") > up)
    has(ours(lab.deliver(SENDER4, message())), "spf=pass")
    expect_equal(checks_refused(lab), refused, "checks that the milter refused")


def test_haproxy_and_the_ingress(outer):
    with lab_with(outer, "haproxy") as lab, ingress_before(lab.home):
        haproxy_before_ingress(lab.vps)
        check_mail(lab, "gateway")
        check_logins(lab, "gateway-submission")
        check_health_of_ingress(lab)
        check_bans(lab)


def test_nginx_on_a_vps_with_a_mapped_address(outer):
    """The header names the private one as destination."""
    with lab_with(outer, "nginx-mapped") as lab:
        check_mail(lab, "gateway")
        check_logins(lab, "gateway-submission")
        check_bans(lab)


def test_nginx_over_a_link_of_tailscale(outer):
    with lab_with(outer, "nginx", "tailscale") as lab:
        check_mail(lab, "gateway")
        check_logins(lab, "gateway-submission")
        check_bans(lab)
        done = lab.home.call(["posternctl", "ban", "100.101.0.1"], capture_output=True)
        expect(done.returncode != 0, "the gateway can be banned")


def test_nginx_as_guides_have_it(outer):
    """A header on port 25; the other ports hide the client."""
    with lab_with(outer, "nginx-guide") as lab:
        check_mail(lab, "gateway")
        check_logins(lab, "tunnel-submission", peer="10.8.0.1")
        check_nobody_is_banned(lab)
        check_guessing_is_slow(lab)


def test_nginx_as_guides_have_it_and_the_ingress(outer):
    """Where its sections want no header, the server sees the gateway."""
    with lab_with(outer, "nginx-guide") as lab, ingress_before(lab.home):
        check_mail(lab, "gateway")
        check_logins(lab, "gateway-submission", peer="10.8.0.1")
        check_nobody_is_banned(lab)
        check_guessing_is_slow(lab)


# --- gateways that pass packets on ---

def big_mail_gets_through(lab, *routes):
    """Also where ICMP does not, though the server believes in packets of 1500 bytes.

    A container at home does; here its routes back make the mail server do so.
    """
    lab.home.ip(*[f"{route} advmss 1440" for route in routes])
    lab.internet.nft("table inet deaf {\nchain input {\ntype filter hook input priority -10\n"
                     "icmp type destination-unreachable drop\n"
                     "icmpv6 type packet-too-big drop\n}\n}")
    body = ("x" * 70 + "\r\n") * 3000
    for source in (SENDER4, SENDER6):
        lab.deliver(source, message(body=body))
    lab.internet.run("nft", "delete", "table", "inet", "deaf")


def test_nftables_with_the_client_kept(outer):
    with lab_with(outer, "nftables") as lab:
        check_mail(lab, "tunnel", through="")
        check_no_relay(lab)
        check_logins(lab, "tunnel-submission")
        check_bans(lab)
        check_bans_at_the_gateway(lab)
        big_mail_gets_through(lab, "route change default dev wg0 table 5180",
                              "route change ::/0 dev wg0 table 5180")
        no_private_source_gets_in(lab)
        only_the_ports_are_passed_on(lab)
        check_firewall(lab)


def no_private_source_gets_in(lab):
    """The tunnel may carry any address, but none of the LAN."""
    lab.vps.ip("address add 192.168.1.77/32 dev lo")
    try:
        lab.connect(("10.8.0.2", 25), "192.168.1.77", host=lab.vps, seconds=1).close()
    except OSError:
        pass
    else:
        raise AssertionError("an address of the LAN comes out of the tunnel")
    expect(not connected(lab, "tunnel", "192.168.1.77"), "Postfix has seen it")


def check_bans_at_the_gateway(lab):
    """The kernel drops before it passes on, and whom home bans, home need not see."""
    with exporting(lab.home):
        lab.home.run("posternctl", "ban", GUESSER4)
        lab.home.run("posternctl", "ban", "2001:db8:52::/64")
        until("the bans", lambda: banned(lab) == {GUESSER4, "2001:db8:52::"}, WITHIN)
        for source, other in [(GUESSER4, OTHER4), (GUESSER6, OTHER6)]:
            for port in (25, 143, 587):
                expect(is_dropped(lab, source, port), f"{port} is open to {source}")
                before = dropped(lab)
                expect(reaches(lab, other, port), f"{port} is closed to {other}")
                expect_equal(dropped(lab), before, "packets dropped")


def only_the_ports_are_passed_on(lab):
    start_web(lab.home)
    for host, where in [(lab.internet, "203.0.113.1"), (lab.vps, "10.8.0.2")]:
        for port in (22, 8080):
            expect(not is_open(lab, host, where, port), f"{port} of {where} answers {host.name}")


def start_web(host):
    """Something that is none of the world's business."""
    host.service("stranger", "python3", "-m", "http.server", "8080")
    host.wait_listening("stranger", "tcp:8080")


def is_open(lab, host, where, port):
    try:
        lab.connect((where, port), host=host, seconds=1).close()
        return True
    except OSError:
        return False


def check_firewall(lab):
    """What the usual recipes forget: loopback, ICMP, the tunnel's own port."""
    start_web(lab.vps)
    expect(is_open(lab, lab.vps, "127.0.0.1", 8080), "loopback is blocked")
    expect(not is_open(lab, lab.internet, "203.0.113.1", 8080), "any port is open")
    for where in ("203.0.113.1", "2001:db8::1"):
        expect(answers_ping(lab, where), f"{where} does not answer a ping")
    lab.home.run("wg-quick", "down", "wg0")
    lab.home.run("wg-quick", "up", "wg0")
    until("the tunnel, from a new port", lambda: network.shook_hands(lab.home))


def answers_ping(lab, where):
    """An echo request with number 1 and sequence 1, whose checksum is known."""
    family, protocol, request, reply = (
        (socket.AF_INET6, socket.IPPROTO_ICMPV6, b"\x80\0\0\0\0\1\0\1", b"\x81\0")
        if ":" in where else
        (socket.AF_INET, socket.IPPROTO_ICMP, b"\x08\0\xf7\xfd\0\1\0\1", b"\0\0"))
    with lab.network_of(lab.internet):
        sock = socket.socket(family, socket.SOCK_RAW, protocol)
    with sock:
        sock.settimeout(5)
        sock.connect((where, 0))
        sock.send(request)
        # Under IPv4 its header stands before; neighbour discovery comes here too.
        return any(reply in sock.recv(100)[:22] for _ in range(10))


def test_nftables_with_masquerade(outer):
    with lab_with(outer, "nftables-masquerade") as lab:
        with milter_with(lab.home, STRICT):
            check_masked_mail(lab, "tunnel", {SENDER4: "10.8.0.1", SENDER6: "fd7a:10:8::1"})
        check_no_relay(lab)
        check_logins(lab, "tunnel-submission", peer="10.8.0.1")
        check_nobody_is_banned(lab)
        check_guessing_is_slow(lab)
        check_bans_at_the_gateway(lab)
        big_mail_gets_through(lab, "route replace 10.8.0.1/32 dev wg0",
                              "route replace fd7a:10:8::1/128 dev wg0")
        check_firewall(lab)


# --- two gateways ---

def through(lab, gateway, source, text):
    mark = new_mark("two")
    with lab.smtp(source, gateway=gateway, helo="mx.sender.example.net") as session:
        session.sendmail("joe@sender.example.net", [ALICE], marked(mark, text))
    return ours(lab.wait_for_mail(mark))


def test_two_gateways_of_which_one_fails(outer):
    with lab_with(outer, "two") as lab:
        for gateway, name in [("203.0.113.1", "vps1"), ("203.0.113.2", "vps2")]:
            has(through(lab, gateway, SENDER4, message()), "spf=pass",
                f"iprev=pass (through gateway {name}, proxy)", f"policy.iprev={SENDER4}")
        guesses_at_both_add_up(lab)
        lab.vps.run("kill", str(lab.vps.service_pid("nginx")))
        lab.vps.run("wg-quick", "down", "wg0")
        begun = time.monotonic()
        try:
            lab.connect(("203.0.113.1", 25), SENDER4).close()
            raise AssertionError("the gateway that failed answers")
        except OSError:
            expect(time.monotonic() - begun < 2, "a sender waits before it tries the other")
        for gateway, source in [("203.0.113.2", SENDER4), ("2001:db8::2", SENDER6)]:
            has(through(lab, gateway, source, message()), "spf=pass",
                "iprev=pass (through gateway vps2, proxy)", f"policy.iprev={source}")
        expect_equal(lab.imap(OTHER4, ALICE, PASSWORDS[ALICE], gateway="203.0.113.2"), "ok", "IMAP")


def guesses_at_both_add_up(lab):
    """Three here and three there are six, and the ban holds at both."""
    for gateway, words in [("203.0.113.1", SIX[:3]), ("203.0.113.2", SIX[3:])]:
        answers = lab.imap_many(GUESSER4, ALICE, words, gateway=gateway)
        expect("ok" not in answers, f"{answers}")
    until("the ban", lambda: lab.bans() == [GUESSER4])
    for gateway in ("203.0.113.1", "203.0.113.2"):
        answer = lab.imap(GUESSER4, ALICE, PASSWORDS[ALICE], gateway=gateway)
        expect(answer != "ok", f"{gateway} lets the banned in")
    lab.unban_all()


if __name__ == "__main__":
    main(globals(), at_once=3)
