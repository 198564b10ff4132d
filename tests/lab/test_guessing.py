#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Who guesses passwords, at whatever server, is banned in every place; who forgot his is not."""

from places import (WITHIN, banned, everywhere, is_dropped, is_refused_everywhere,
                    is_served_everywhere)
from scenario import (ALICE, BOB, PASSWORDS, Lab, expect, expect_equal, main, side_by_side, until)

# None has ever been let in: who was may guess three times as often.
IMAP_GUESSER, SUBMISSION_GUESSER, SPRAYER, SHARED = (
    "203.0.113.84", "203.0.113.85", "203.0.113.86", "203.0.113.87")
NET6 = "2001:db8:56:"
SIEVE_GUESSERS = [f"{NET6}:{last}" for last in (56, 57, 58)]
NEIGHBOUR6, BYSTANDER = "2001:db8:57::57", "203.0.113.88"
FIVE = [f"guess {number}" for number in range(5)]
# Each way is a server, which asks for passwords in its own protocol, and its port.
WAYS = {Lab.imap: 993, Lab.sieve_login: 4190, Lab.submission_login: 587}


def guess(lab, way, tries):
    """tries: of (source, login, password), side by side, none of them right."""
    answers = side_by_side(lambda one: way(lab, *one), tries)
    expect("ok" not in answers, f"{answers}")


def is_banned(lab, prefix):
    until(f"ban of {prefix}", lambda: prefix in lab.bans(), 10)
    until(f"{prefix} at the gateway", lambda: prefix.split("/")[0] in banned(lab), WITHIN)


def all_others_are_served(lab, *others):
    for other in (BYSTANDER, *others):
        is_served_everywhere(lab, other)


def test_by_imap(lab):
    guess(lab, Lab.imap, [(IMAP_GUESSER, ALICE, word) for word in FIVE])
    is_banned(lab, IMAP_GUESSER)
    is_refused_everywhere(lab, IMAP_GUESSER, 993)
    all_others_are_served(lab)


def test_by_managesieve_from_addresses_of_one_64(lab):
    lab.internet.ip(*[f"address add {source}/64 dev lo nodad" for source in SIEVE_GUESSERS[1:]])
    guess(lab, Lab.sieve_login, [(SIEVE_GUESSERS[number % 3], ALICE, word)
                                 for number, word in enumerate(FIVE)])
    is_banned(lab, f"{NET6}:/64")
    is_refused_everywhere(lab, SIEVE_GUESSERS[0], 4190)
    expect(is_dropped(lab, SIEVE_GUESSERS[2], 4190), "another one of the net gets in")
    all_others_are_served(lab, NEIGHBOUR6)
    expect_equal(lab.sieve_login(NEIGHBOUR6, ALICE, PASSWORDS[ALICE]), "ok", "ManageSieve")


def test_by_submission(lab):
    guess(lab, Lab.submission_login, [(SUBMISSION_GUESSER, ALICE, word) for word in FIVE])
    is_banned(lab, SUBMISSION_GUESSER)
    is_refused_everywhere(lab, SUBMISSION_GUESSER, 587)
    all_others_are_served(lab)


def test_one_password_for_many_logins(lab):
    guess(lab, Lab.submission_login, [(SPRAYER, f"{name}@example.com", "Winter2026")
                                      for name in ("anna", "bert", "carl", "dora", "emil")])
    is_banned(lab, SPRAYER)
    is_refused_everywhere(lab, SPRAYER, 587)
    all_others_are_served(lab)


def test_an_old_password_in_a_phone_bans_nobody_behind_the_same_address(lab):
    """It asks in all ways, again and again, while others of the same household log in."""
    before = lab.bans()
    phone = [(way, ALICE, "an old password") for way in WAYS for _ in range(10)]
    others = [(way, BOB, PASSWORDS[BOB]) for way in WAYS] * 2
    answers = side_by_side(lambda one: one[0](lab, SHARED, *one[1:]), phone + others)
    expect("ok" not in answers[:len(phone)], f"{answers}")
    expect_equal(answers[len(phone):], ["ok"] * len(others), "the others")
    expect_equal(lab.bans(), before, "bans")
    all_others_are_served(lab, SHARED)


if __name__ == "__main__":
    main(globals(), around=everywhere)
