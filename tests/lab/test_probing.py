#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who looks for addresses or for an open relay gets no mail in; forwarders, lists, bounces do."""

import concurrent.futures
import contextlib
import json
import re

from places import (WITHIN, banned, dovecot_says, everywhere, ingress_closes, is_dropped,
                    is_served_everywhere, postfix_says, reaches)
from scenario import (ALICE, expect, expect_equal, main, message, new_mark, ours, side_by_side,
                      signed, until, marked)

HARVESTER, PROBER, BOUNCER, BYSTANDER = (
    "203.0.113.90", "203.0.113.91", "203.0.113.92", "203.0.113.89")
HASTY = "203.0.113.83"
HARVESTER6, NEIGHBOUR6 = "2001:db8:55::55", "2001:db8:54::54"
FORWARDER, LIST = "203.0.113.51", "203.0.113.60"
AT_ONCE = 8   # recipients in a session: with ten refused, Postfix lets the client wait
SESSIONS = 12


def names(count, domain="example.com"):
    return [f"{new_mark('nobody')}@{domain}" for _ in range(count)]


def probe(lab, source, sender, recipients):
    """The codes that they get, each as the only recipient of a mail, until they are cut off."""
    def some(part):
        codes = []
        with contextlib.suppress(OSError), lab.smtp(source) as session:
            session.ehlo()
            for recipient in part:
                session.mail(sender)
                codes.append(session.rcpt(recipient)[0])
                if codes[-1] == 421:
                    break
                session.rset()
        return codes

    parts = [recipients[first:first + AT_ONCE] for first in range(0, len(recipients), AT_ONCE)]
    with concurrent.futures.ThreadPoolExecutor(SESSIONS) as pool:
        return sum(pool.map(some, parts), [])


def why(lab, source):
    done = lab.home.call(["posternctl", "why", source, "--json"], capture_output=True, text=True)
    return json.loads(done.stdout)


@contextlib.contextmanager
def events(lab, **wanted):
    """So many come meanwhile: what bans nobody was not missed."""
    def seen():
        status = json.loads(lab.home.run("posternctl", "status", "--json"))
        return {name: status[f"event_{name}"] for name in wanted}

    before = seen()
    yield
    until(f"{wanted}", lambda: all(
        seen()[name] == before[name] + count for name, count in wanted.items()), 5)


def gets_no_mail_in(lab, prefix, source):
    """In every place where mail comes in; from his mailbox it shuts nobody out, anywhere."""
    until(f"ban of {prefix}", lambda: prefix in lab.bans(), 5)
    until("the gateway", lambda: prefix.removesuffix("/64") in banned(lab), WITHIN)
    expect_equal(why(lab, source)["ban"]["acts"], "smtp", "acts")
    expect_equal(postfix_says(lab, source), 421, f"Postfix, to {source}")
    expect(ingress_closes(lab, source, 25), f"the ingress takes mail of {source}")
    expect(is_dropped(lab, source, 25), f"{source} reaches the gateway's port 25")
    expect_equal(dovecot_says(lab, source), "ok", f"Dovecot, to {source}")
    for port in (143, 587):
        expect(not ingress_closes(lab, source, port), f"the ingress closes port {port} to {source}")
        expect(reaches(lab, source, port), f"{source} does not reach the gateway's port {port}")


def send_many(lab, source, sender, mails):
    """All are taken; the marks are those of the first and the last."""
    marks = [new_mark("many") for _ in mails]

    def some(part):
        with lab.smtp(source, helo="mx.forwarder.example.org") as session:
            for mark, mail in part:
                session.sendmail(sender, [ALICE], marked(mark, mail))

    pairs = list(zip(marks, mails))
    answers = side_by_side(some, [pairs[first::5] for first in range(5)])
    expect_equal(answers, [None] * 5, "mail")
    return marks[0], marks[-1]


def is_nobody_s_fault(lab, source):
    expect_equal(lab.bans(), [], "bans")
    is_served_everywhere(lab, source)


def test_harvesting_recipients(lab):
    codes = probe(lab, HARVESTER, "joe@nospf.example.org", names(20))
    expect(550 in codes and set(codes) <= {550, 421}, f"{codes}")
    gets_no_mail_in(lab, HARVESTER, HARVESTER)
    is_served_everywhere(lab, BYSTANDER)
    lab.unban_all()


def test_harvesting_recipients_by_ipv6(lab):
    probe(lab, HARVESTER6, "joe@nospf.example.org", names(20))
    gets_no_mail_in(lab, "2001:db8:55::/64", HARVESTER6)
    is_served_everywhere(lab, NEIGHBOUR6)
    lab.unban_all()


def test_looking_for_an_open_relay(lab):
    codes = probe(lab, PROBER, "joe@nospf.example.org", names(10, "friend.example.org"))
    expect(554 in codes and set(codes) <= {554, 421}, f"{codes}")
    gets_no_mail_in(lab, PROBER, PROBER)
    is_served_everywhere(lab, BYSTANDER)
    lab.unban_all()


def test_nineteen_mistyped_recipients_are_no_harvest(lab):
    with events(lab, rcpt_unknown=19):
        probe(lab, HASTY, "joe@nospf.example.org", names(19))
    is_nobody_s_fault(lab, HASTY)


def test_five_hundred_bounces_to_forged_senders(lab):
    codes = probe(lab, BOUNCER, "", names(500))
    expect_equal(codes, [550] * 500, "answers")
    is_nobody_s_fault(lab, BOUNCER)


def test_bounces_that_somebody_s_mx_sends_here(lab):
    codes = probe(lab, BOUNCER, "", names(30, "friend.example.org"))
    expect_equal(codes, [554] * 30, "answers")
    is_nobody_s_fault(lab, BOUNCER)


def test_a_forwarder_without_srs(lab):
    mails = [message() for _ in range(50)]
    with events(lab, spf_fail=50, dmarc_fail=50):
        marks = send_many(lab, FORWARDER, "joe@sender.example.net", mails)
    for mark in marks:
        results = ours(lab.wait_for_mail(mark))
        expect(re.search("spf=fail.*dmarc=fail", results), results)
    is_nobody_s_fault(lab, FORWARDER)


def test_a_mailing_list(lab):
    """It passes by its own name, and breaks what the author has signed."""
    changed = [signed(lab, message()) + b"-- \r\nThe list\r\n" for _ in range(50)]
    with events(lab, dkim_fail=50, dmarc_fail=50):
        marks = send_many(lab, LIST, "bounces@lists.example.org", changed)
    for mark in marks:
        results = ours(lab.wait_for_mail(mark))
        expect(re.search("spf=pass.*dkim=fail.*dmarc=fail", results), results)
    is_nobody_s_fault(lab, LIST)


if __name__ == "__main__":
    main(globals(), around=everywhere)
