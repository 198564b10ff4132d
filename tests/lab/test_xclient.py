#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A front end on the gateway that names the client by XCLIENT, as nginx's mail module does."""

import contextlib
import re

from labkit.errors import until
from scenario import (ALICE, GATEWAY4, HOME, Talk, expect, expect_equal, main, marked, message,
                      new_mark, ours, signed)

SENDER4, SENDER6, STRANGER, CALLER = ("203.0.113.50", "2001:db8:50::50", "203.0.113.51",
                                      "203.0.113.61")
SERVICE = """
10.8.0.2:2526 inet  n  -  n  -  -  smtpd
  -o syslog_name=postfix/xclient
  -o mynetworks=
  -o smtpd_authorized_xclient_hosts=10.8.0.1
  -o smtpd_authorized_xforward_hosts=
  -o smtpd_delay_reject=no
  -o milter_macro_daemon_name=gateway
"""
JAIL = """
jail "callers" {
  events = {"connect"}
  maxretry = 3
  findtime = "1h"
  bantime = "1h"
  distinct = ""
}
"""
METRICS = """
http "milter" {
  program = "milter"
  listen = "unix:/run/postern/metrics"
  serve = {"metrics"}
}
"""


@contextlib.contextmanager
def behind_a_front_end(lab):
    with lab.postfix_with("/etc/postfix/master.cf", SERVICE):
        until("the service", lambda: lab.home.listens("tcp:2526"))
        yield


@contextlib.contextmanager
def restarted_with(lab, service, section):
    path = "/etc/postern/postern.conf"
    before = lab.home.read(path)
    try:
        lab.home.write(path, before + section)
        lab.kill(service)
        lab.start(service)
        yield
    finally:
        lab.home.write(path, before)
        lab.kill(service)
        lab.start(service)


@contextlib.contextmanager
def front_end(lab):
    with lab.connect((HOME, 2526), host=lab.vps) as raw:
        talk = Talk(raw, b"")
        talk.say("EHLO front.example.net")
        yield talk


def xclient(talk, client, helo="mx.sender.example.net"):
    """Postfix greets anew; its words to the client that it knows now."""
    form = f"IPV6:{client}" if ":" in client else client
    answer = talk.say(f"XCLIENT NAME=[UNAVAILABLE] DESTADDR={GATEWAY4} DESTPORT=25 "
                      f"PORT=4321 ADDR={form}")
    if answer[-1].startswith("220"):
        talk.say(f"EHLO {helo}")
    return answer[-1]


def deliver(lab, client, text, times=1):
    marks = [new_mark("xclient") for _ in range(times)]
    with front_end(lab) as talk:
        expect(xclient(talk, client).startswith("220"), "XCLIENT is refused")
        for mark in marks:
            for line in ["MAIL FROM:<joe@sender.example.net>", f"RCPT TO:<{ALICE}>", "DATA"]:
                talk.say(line)
            answer = talk.say(marked(mark, text).decode() + ".")
            expect(answer[-1].startswith("250"), f"{answer}")
        talk.say("QUIT")
    return [ours(lab.wait_for_mail(mark)) for mark in marks]


def counted(lab):
    text = lab.home.run("curl", "-sf", "--unix-socket", "/run/postern/metrics",
                        "http://localhost/metrics")
    return {name: int(re.search(rf"(?m)^postern_milter_{re.escape(name)} (\d+)$", text).group(1))
            for name in ("connections_total", "sessions_total",
                         'messages_total{origin="known"}', 'messages_total{origin="masked"}')}


def test_client_is_judged_and_counted_once(lab):
    with behind_a_front_end(lab), restarted_with(lab, "postern-milter", METRICS):
        lab.home.wait_listening("postern-milter", "unix:/run/postern/metrics")
        before = counted(lab)
        for client in (SENDER4, SENDER6):
            for found in deliver(lab, client, signed(lab, message()), times=2):
                for part in (f"policy.iprev={client}", "spf=pass smtp.mailfrom=joe@sender",
                             "smtp.helo=mx.sender.example.net", "dkim=pass", "gateway vps1"):
                    expect(part in found.replace('"', ""), f"no {part} in {found}")
        expect("spf=fail" in deliver(lab, STRANGER, message())[0], "no spf=fail")
        now = counted(lab)
        expect_equal({name: now[name] - before[name] for name in now},
                     {"connections_total": 6, "sessions_total": 3,
                      'messages_total{origin="known"}': 5, 'messages_total{origin="masked"}': 0},
                     "counts")


def test_a_call_counts_once(lab):
    """The third is one too many for the jail; the front end itself is nobody's client."""
    with behind_a_front_end(lab), restarted_with(lab, "postern-policyd", JAIL):
        for number in range(1, 4):
            with front_end(lab) as talk:
                greeting = xclient(talk, CALLER)
                if not greeting.startswith("421"):  # which Postfix closes the connection with
                    talk.say("QUIT")
            expect_equal(lab.bans(), [CALLER] if number == 3 else [], f"bans after {number}")
            expect_equal(greeting[:3], "421" if number == 3 else "220", f"call {number}")
        with front_end(lab) as talk:
            expect(xclient(talk, SENDER4).startswith("220"), "another is refused")
        lab.unban_all()


def test_impossible_clients_are_refused(lab):
    with behind_a_front_end(lab):
        for client in ("127.0.0.1", "192.168.1.7", "10.8.0.1", GATEWAY4, "::1"):
            with front_end(lab) as talk:
                answer = xclient(talk, client)
                if answer.startswith("220"):
                    answer = talk.say("MAIL FROM:<joe@sender.example.net>")[-1]
                expect(answer.startswith("5"), f"{client}: {answer}")


if __name__ == "__main__":
    main(globals())
