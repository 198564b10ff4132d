#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What section spf of postern.conf does to mail, and to whose mail it does nothing."""

import contextlib
import smtplib

from labkit.home import milter_with
from scenario import (ALICE, BOB, PASSWORDS, expect, expect_equal, main, marked, message, new_mark,
                      ours)

RIGHT, WRONG = "203.0.113.50", "203.0.113.51"
STRICT = {"\nspf {": '\nspf {\n  fail = "reject"  softfail = "tempfail"  permerror = "reject"'
          '  temperror = "tempfail"'}


def answer(lab, source, sender="joe@sender.example.net", mark=None):
    """The server's words after the message."""
    with lab.smtp(source, helo="host51.dsl.example.org") as session:
        try:
            session.sendmail(sender, [ALICE], marked(mark or new_mark("action"), message()))
        except smtplib.SMTPDataError as error:
            return f"{error.smtp_code} {error.smtp_error.decode()}"
    return "250"


def milter_log(lab):
    return lab.home.read("/var/log/postern-milter.log")


def test_each_result_has_its_answer(lab):
    with milter_with(lab.home, STRICT):
        refused = answer(lab, WRONG)
        expect(refused.startswith("550 5.7.23 203.0.113.51 may not send mail of "
                                  "sender.example.net, says its SPF record"), refused)
        expect(answer(lab, WRONG, "x@soft.example.org").startswith("451 4.7.23 "), "softfail")
        expect(answer(lab, WRONG, "x@broken.example.org").startswith(
            "550 5.7.24 SPF record of broken.example.org is broken"), "permerror")
        expect_equal(answer(lab, RIGHT), "250", "the right address")
        expect_equal(answer(lab, WRONG, "x@nospf.example.org"), "250", "a domain without SPF")
        expect(" reject status=5.7.23 reason=\"203.0.113.51 may not" in milter_log(lab),
               "the log does not say it")


def test_without_enforce_it_is_said_alone(lab):
    with milter_with(lab.home, {**STRICT, "enforce = true": "enforce = false"}):
        expect("spf=fail" in ours(lab.deliver(WRONG, message())), "no spf=fail")
        expect(" would reject status=5.7.23 " in milter_log(lab), "the log does not say it")


def test_who_is_not_judged_is_not_refused(lab):
    with milter_with(lab.home, STRICT):
        mark = new_mark("own")
        with lab.smtp(WRONG, 587) as session:
            session.login(BOB, PASSWORDS[BOB])
            session.sendmail("joe@sender.example.net", [ALICE], marked(mark, message()))
        lab.wait_for_mail(mark)


@contextlib.contextmanager
def silent_dns(lab):
    lab.internet.run("pkill", "-STOP", "nsd")
    try:
        yield
    finally:
        lab.internet.run("pkill", "-CONT", "nsd")


def test_silent_dns_delays(lab):
    with milter_with(lab.home, STRICT), silent_dns(lab):
        found = answer(lab, RIGHT, "x@never-asked-before.example.net")
        expect(found.startswith("451 4.7.24 SPF of never-asked-before.example.net cannot be "
                                "looked up now"), found)


def test_the_other_engine_says_the_same(lab):
    with milter_with(lab.home, {'#engine = "rfc7208"': 'engine = "libspf2"'}):
        for source, sender, result in ((RIGHT, "joe@sender.example.net", "pass"),
                                       (WRONG, "joe@sender.example.net", "fail"),
                                       (WRONG, "x@soft.example.org", "softfail"),
                                       (WRONG, "x@broken.example.org", "permerror"),
                                       (WRONG, "x@nospf.example.org", "none")):
            found = ours(lab.deliver(source, message(), sender=sender))
            expect(f"spf={result}" in found, f"{sender}: no {result} in {found}")


if __name__ == "__main__":
    main(globals())
