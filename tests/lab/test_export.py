#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Home's bans hold in the gateway's kernel: curl over the tunnel into nft, as conf/ has it."""

import contextlib
import os
import re

from scenario import (ALICE, GATEWAY4, GATEWAY6, HOME, PASSWORDS, Lab, expect, expect_equal, main,
                      until)

# The guesser has never been let in: who was may guess three times as often.
GUESSER, BYSTANDER = "203.0.113.77", "203.0.113.78"
GUESSER6, BYSTANDER6 = "2001:db8:58::58", "2001:db8:59::59"
TOKEN = "0123456789abcdef0123456789abcdef"
SECTION = f'''
http "gateway" {{
  listen = "{HOME}:8894"  serve = {{"bans"}}
  token_file = "/etc/postern/bans.token"  from = {{"10.8.0.1"}}
}}
'''
WITHIN = 1   # second, from the event to the gateway
OUTER = "203.0.113.254"   # home as the gateway sees it
ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")


def shipped(name):
    with open(os.path.join(ROOT, "conf", name), encoding="ascii") as file:
        return file.read()


def pipe():
    """The command of the unit, with the file where it would be given to it."""
    unit = shipped("systemd/postern-bans.service")
    command = re.search(r"(?m)^ExecStart=/bin/sh -c '(.*)'$", unit)
    return command.group(1).replace("%d/curl", "/etc/postern/bans.curl").replace("$$", "$")


def start(vps):
    """What systemd does: again, as often as it ends."""
    vps.service("postern-bans", "sh", "-c", f"while :; do {pipe()}; sleep 0.5; done")


@contextlib.contextmanager
def exporting(home):
    lab, before = Lab(), home.read("/etc/postern/postern.conf")
    home.write("/etc/postern/bans.token", TOKEN + "\n", 0o600, "postern")
    home.write("/etc/postern/postern.conf", before + SECTION)
    again(lab)
    lab.vps.write("/etc/postern/bans.curl",
                  shipped("nftables/bans.curl").replace("TOKEN", TOKEN), 0o600)
    start(lab.vps)
    try:
        until("the chain", lambda: "hook prerouting" in rules(lab))
        yield
    finally:
        # setsid made it the leader of all that it started.
        lab.vps.run("kill", "-TERM", "--", f"-{lab.vps.service_pid('postern-bans')}")
        lab.vps.call(["nft", "delete", "table", "inet", "postern_bans"], capture_output=True)
        home.write("/etc/postern/postern.conf", before)
        again(lab)
        lab.unban_all()


def again(lab):
    if lab.home.service_lives("postern-policyd"):
        lab.kill("postern-policyd")
    lab.start("postern-policyd")


def rules(lab):
    return lab.vps.call(["nft", "-n", "list", "table", "inet", "postern_bans"],
                        capture_output=True, text=True).stdout


def banned(lab):
    return set(re.findall(r"([0-9a-f.:]+) timeout \d", rules(lab)))


def dropped(lab):
    return sum(map(int, re.findall(r"counter packets (\d+) bytes \d+ drop", rules(lab))))


def reaches(lab, source, port=25):
    gateway = GATEWAY6 if ":" in source else GATEWAY4
    try:
        lab.connect((gateway, port), source, seconds=2).close()
        return True
    except TimeoutError:
        return False


def ban(lab, *arguments):
    """Set by hand, it is at the gateway within a second."""
    lab.home.run("posternctl", *arguments)
    prefix = arguments[1].split("/")[0]
    until(f"{arguments} at the gateway",
          lambda: (prefix in banned(lab)) == (arguments[0] == "ban"), WITHIN)


def test_a_guesser_is_dropped_at_the_gateway_and_counted(lab):
    expect_equal(banned(lab), set(), "at the gateway")
    lab.imap_many(GUESSER, ALICE, [f"wrong {number}" for number in range(6)])
    until("the ban", lambda: GUESSER in banned(lab), WITHIN)
    before = dropped(lab)
    expect(not reaches(lab, GUESSER), "a banned client reaches the gateway")
    expect(dropped(lab) > before, "nothing was counted")
    before = dropped(lab)
    expect(reaches(lab, BYSTANDER) and reaches(lab, BYSTANDER6), "an innocent is dropped")
    expect_equal(lab.imap(BYSTANDER, ALICE, PASSWORDS[ALICE]), "ok", "an innocent's login")
    expect_equal(dropped(lab), before, "packets dropped")


def test_what_is_not_forwarded_stays_open(lab):
    """A refusal is an answer: nobody listens there, but the firewall lets it pass."""
    try:
        lab.connect((GATEWAY4, 22), GUESSER, seconds=2).close()
    except ConnectionRefusedError:
        pass


def test_ipv6_is_dropped_by_its_64(lab):
    ban(lab, "ban", "2001:db8:58::/64")
    expect(not reaches(lab, GUESSER6), "a banned client reaches the gateway")
    expect(reaches(lab, BYSTANDER6), "an innocent is dropped")


def test_unban(lab):
    ban(lab, "unban", GUESSER)
    expect(reaches(lab, GUESSER), "dropped after unban")
    ban(lab, "unban", "2001:db8:58::/64")
    expect(reaches(lab, GUESSER6), "dropped after unban")


def refusals(lab):
    """How often curl found nobody there."""
    return lab.vps.read("/var/log/postern-bans.log").count("curl: (7)")


def test_while_policyd_is_away_bans_stay_and_are_right_afterwards(lab):
    ban(lab, "ban", GUESSER)
    ban(lab, "ban", BYSTANDER)
    lab.kill("postern-policyd")
    try:
        tries = refusals(lab)
        until("attempts to follow", lambda: refusals(lab) > tries + 1)
        expect_equal(banned(lab), {GUESSER, BYSTANDER}, "while policyd is away")
        expect(not reaches(lab, GUESSER), "a banned client reaches the gateway")
    finally:
        lab.start("postern-policyd")
    lab.home.run("posternctl", "unban", BYSTANDER)
    until("the stream again", lambda: banned(lab) == {GUESSER}, 10)
    ban(lab, "unban", GUESSER)


def test_banned_by_hand_home_keeps_its_tunnel(lab):
    ban(lab, "ban", OUTER)
    # A new key exchange, which home begins.
    lab.home.run("wg-quick", "down", "wg0")
    lab.home.run("wg-quick", "up", "wg0")
    until("mail over the tunnel", lambda: lab.smtp_answer(BYSTANDER) == 250)
    lab.home.run("posternctl", "unban", OUTER)
    until("the stream again", lambda: not banned(lab), 60)


if __name__ == "__main__":
    main(globals(), around=exporting)
