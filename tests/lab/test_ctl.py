#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""posternctl beside the running daemons."""

import json

from scenario import ALICE, expect, expect_equal, main, message, signed

SENDER = ["--helo", "mx.sender.example.net", "--sender", "joe@sender.example.net",
          "--resolver", "203.0.113.53@53"]


def ctl(lab, *argv, stdin=None):
    return lab.home.call(["posternctl", *argv], input=stdin, capture_output=True)


def test_status_says_ok(lab):
    done = ctl(lab, "status", "--json")
    expect_equal(done.returncode, 0, f"exit of status: {done.stderr}")
    json.loads(done.stdout)


def test_config_shows_no_secret(lab):
    done = ctl(lab, "config")
    expect_equal(done.returncode, 0, f"exit of config: {done.stderr}")
    for path in ("auth.token", "brevo.key", "mailgun.key"):
        secret = lab.home.read(f"/etc/postern/{path}").encode()
        expect(secret not in done.stdout, f"{path} is shown")


def test_spf_of_the_right_and_the_wrong_address(lab):
    for address, result in [("203.0.113.50", "pass"), ("203.0.113.51", "fail"),
                            ("2001:db8:50::50", "pass"), ("2001:db8:50::51", "fail")]:
        done = ctl(lab, "spf", "--json", "--ip", address, *SENDER)
        expect_equal(json.loads(done.stdout)["result"], result, f"SPF of {address}")


def test_verify_a_signed_mail(lab):
    done = ctl(lab, "verify", "--json", "--ip", "203.0.113.50", *SENDER, "-",
               stdin=signed(lab, message()))
    document = json.loads(done.stdout)
    expect_equal(document["dkim"][0]["result"], "pass", f"{document}")
    expect("spf=pass" in document["header"], f"{document}")
    expect_equal((document["dmarc"]["result"], document["dmarc"]["spf_aligned"],
                  document["dmarc"]["dkim_aligned"]), ("pass", True, True), f"{document}")


def test_verify_a_forged_mail(lab):
    done = ctl(lab, "verify", "--json", "--ip", "203.0.113.51", *SENDER, "-", stdin=message())
    document = json.loads(done.stdout)
    expect_equal((document["dmarc"]["result"], document["dmarc"]["policy"]), ("fail", "reject"),
                 f"{document}")


def test_route(lab):
    done = ctl(lab, "route", ALICE)
    expect_equal(done.returncode, 0, f"exit of route: {done.stderr}")


def test_wrong_use_is_2(lab):
    expect_equal(ctl(lab, "no-such-command").returncode, 2, "exit of a wrong command")
    expect(ctl(lab, "ban", "nonsense").returncode in (1, 2), "a ban of nonsense")


if __name__ == "__main__":
    main(globals())
