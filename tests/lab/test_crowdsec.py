#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""CrowdSec's own firewall bouncer on the gateway, fed from home, as conf/ has it."""

import contextlib
import json

from places import TOKEN, answering, reaches, shipped
from scenario import ALICE, PASSWORDS, expect, expect_equal, main, until

BOUNCER = "/usr/local/lib/postern-lab/crowdsec-firewall-bouncer/usr/bin/crowdsec-firewall-bouncer"
GUESSER, BYSTANDER = "203.0.113.77", "203.0.113.78"
GUESSER6 = "2001:db8:58::58"
POLL = 2   # seconds; conf/ has the 10 that are its default
WITHIN = POLL + 2


@contextlib.contextmanager
def bouncing(home):
    """It runs on the gateway, and home answers it."""
    with answering(home) as lab:
        lab.vps.write("/etc/crowdsec/bouncer.yaml", settings(TOKEN), 0o600)
        lab.vps.service("crowdsec-firewall-bouncer", BOUNCER, "-c", "/etc/crowdsec/bouncer.yaml")
        try:
            until("its table", lambda: "crowdsec-chain" in rules(lab))
            yield
        finally:
            lab.vps.run("kill", "-TERM", str(lab.vps.service_pid("crowdsec-firewall-bouncer")))
            for family, table in (("ip", "crowdsec"), ("ip6", "crowdsec6")):
                lab.vps.call(["nft", "delete", "table", family, table], capture_output=True)


def settings(token):
    """As shipped, but more often, in the foreground, and talking to the lab's log."""
    text = shipped("crowdsec/crowdsec-firewall-bouncer.yaml").replace("TOKEN", token)
    for old, new in (("update_frequency: 10s", f"update_frequency: {POLL}s"),
                     ("daemonize: true", "daemonize: false"),
                     ("log_mode: file", "log_mode: stdout")):
        expect(old in text, f"conf/crowdsec has no {old}")
        text = text.replace(old, new)
    return text


def rules(lab):
    return lab.vps.call(["nft", "-n", "list", "ruleset"], capture_output=True, text=True).stdout


def elements(lab):
    """What stands in its sets."""
    found = json.loads(lab.vps.run("nft", "-j", "list", "ruleset"))["nftables"]
    return {str(element["elem"]["val"] if isinstance(element, dict) else element)
            for item in found if item.get("set", {}).get("table", "").startswith("crowdsec")
            for element in item["set"].get("elem", [])}


def test_a_guesser_is_dropped_by_it(lab):
    expect_equal(elements(lab), set(), "at the gateway")
    expect(reaches(lab, GUESSER), "dropped before it guessed")
    lab.imap_many(GUESSER, ALICE, [f"wrong {number}" for number in range(6)])
    until("the ban", lambda: elements(lab) == {GUESSER}, WITHIN)
    expect(not reaches(lab, GUESSER), "a banned client reaches the gateway")
    expect(reaches(lab, BYSTANDER), "an innocent is dropped")
    expect_equal(lab.imap(BYSTANDER, ALICE, PASSWORDS[ALICE]), "ok", "an innocent's login")


def test_ipv6(lab):
    lab.home.run("posternctl", "ban", GUESSER6)
    until("the ban", lambda: GUESSER6 in elements(lab), WITHIN)
    expect(not reaches(lab, GUESSER6), "a banned client reaches the gateway")


def test_unban(lab):
    for prefix in (GUESSER, GUESSER6):
        lab.home.run("posternctl", "unban", prefix)
    until("the end of both", lambda: elements(lab) == set(), WITHIN)
    expect(reaches(lab, GUESSER) and reaches(lab, GUESSER6), "dropped after unban")


def test_while_policyd_is_away_bans_stay_and_are_right_afterwards(lab):
    lab.home.run("posternctl", "ban", GUESSER)
    until("the ban", lambda: elements(lab) == {GUESSER}, WITHIN)
    lab.kill("postern-policyd")
    try:
        expect(not reaches(lab, GUESSER), "a banned client reaches the gateway")
        expect_equal(elements(lab), {GUESSER}, "while policyd is away")
    finally:
        lab.start("postern-policyd")
    lab.home.run("posternctl", "ban", BYSTANDER)
    until("the ban", lambda: elements(lab) == {GUESSER, BYSTANDER}, WITHIN)
    lab.home.run("posternctl", "unban", GUESSER)
    lab.home.run("posternctl", "unban", BYSTANDER)
    until("the end of both", lambda: elements(lab) == set(), WITHIN)


if __name__ == "__main__":
    main(globals(), around=bouncing)
