#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Home's bans hold in the gateway's kernel: curl over the tunnel into nft, as conf/ has it."""

from places import WITHIN, banned, dropped, exporting, reaches
from scenario import (ALICE, GATEWAY4, PASSWORDS, expect, expect_equal, main, until)

# The guesser has never been let in: who was may guess three times as often.
GUESSER, BYSTANDER = "203.0.113.77", "203.0.113.78"
GUESSER6, BYSTANDER6 = "2001:db8:58::58", "2001:db8:59::59"


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


def test_a_flush_of_all_rules_is_noticed(lab):
    """By the next line, and curl ends at the one after it: then all begins anew."""
    ban(lab, "ban", GUESSER)
    lab.vps.run("nft", "delete", "table", "inet", "postern_bans")
    for other in (BYSTANDER, BYSTANDER6):
        lab.home.run("posternctl", "ban", other)
    until("all bans again", lambda: banned(lab) == {GUESSER, BYSTANDER, BYSTANDER6}, 30)
    expect(not reaches(lab, GUESSER), "a banned client reaches the gateway")


if __name__ == "__main__":
    main(globals(), around=exporting)
