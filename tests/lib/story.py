# SPDX-License-Identifier: MIT
"""What tests/demo tells: the main job in a lab of three hosts, step by step."""

import argparse
import glob
import os
import re
import shutil
import signal
import smtplib
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "lab"))

from labkit import lab as hosts, state  # noqa: E402
from labkit.errors import LabError, until  # noqa: E402
from labkit.fill import TOP  # noqa: E402
from labkit.store import STORES  # noqa: E402
from scenario import ALICE, HOSTNAME, PASSWORDS, Lab, expect, message, signed  # noqa: E402
from story_redis import two_hosts  # noqa: E402
from telling import answers_everywhere, heading, serves, show, show_answers, tell  # noqa: E402

JOE, SPOOFER, GUESSER, ANOTHER = "203.0.113.50", "203.0.113.51", "203.0.113.60", "203.0.113.63"
RELAY = "smtp-relay.brevo.com"
FRIEND = "friend@friend.example.org"
SECOND_HOST = "  tests/lab/lab exec vps -- posternctl bans\n"


# --- the steps; each returns what the last screen shows of it ---

def mail_from_its_own_server(lab):
    heading("1. Joe writes to Alice")
    tell(f"""Joe's mail server, {JOE}, sends a signed mail to the gateway, 203.0.113.1. nginx
         passes it through the tunnel, and Postfix at home is connected to by 10.8.0.1. This
         field was added on the way into Alice's mailbox:""")
    raw = lab.deliver(JOE, signed(lab, message("Lunch?")))
    field = field_of(raw, "authentication-results")
    show(field)
    expect("spf=pass" in field and "dkim=pass" in field and JOE in field,
           "the field does not name Joe's server and two passes")
    tell(f"""SPF and iprev judged {JOE}, Joe's own address. Without Postern they would have
         judged the gateway, for every mail from everybody.""")
    return field


def mail_from_somebody_else(lab):
    heading("2. Somebody else writes in Joe's name")
    tell(f"""The same sender, but from {SPOOFER}, which Joe's domain does not list. It even
         brings a field of its own that says all is well:""")
    forged = f"Authentication-Results: {HOSTNAME}; spf=pass; dkim=pass"
    show(forged)
    raw = lab.deliver(SPOOFER, message("Your invoice", headers=[forged]),
                      helo="host51.dsl.example.org")
    field = field_of(raw, "authentication-results")
    tell("In the mailbox the forged field is gone, and ours says:")
    show(field)
    expect("spf=fail" in field and SPOOFER in field, "the spoofed sender did not fail")
    expect(forged.encode() not in raw, "the forged field came through")
    return field


def guessed_passwords(lab):
    heading("3. Somebody guesses Alice's password")
    tell(f"""{GUESSER} logs in to IMAP six times, each time with another wrong password. For
         Dovecot too, every one of them comes through the gateway.""")
    lab.imap_many(GUESSER, ALICE, [f"guess {number}" for number in range(1, 7)])
    until("the ban", lambda: any(GUESSER in ban for ban in lab.bans()))
    bans = lab.home.run("posternctl", "bans")
    show("home# posternctl bans\n" + bans)
    expect(len(lab.bans()) == 1, f"one ban should have fallen, not {lab.bans()}")
    tell("One address is banned, the guesser's. Now it comes with the right password:")
    holds = answers_everywhere(lab, GUESSER)
    show_answers(holds)
    expect(not any(map(serves, holds.values())), f"something serves {GUESSER}")
    tell(f"And {ANOTHER}, another client behind the same gateway:")
    others = answers_everywhere(lab, ANOTHER)
    show_answers(others)
    expect(all(map(serves, others.values())), f"something refuses {ANOTHER}")
    return bans, holds


def mail_by_relay(lab):
    heading("4. Alice answers, by a relay")
    tell("""Mail that leaves from a home address is trusted by nobody, so Postern sends it
         through a relay. Alice's mail program submits hers through the gateway; Postfix asks
         Postern for the way, the login and the TLS policy.""")
    show(f"home# posternctl route {ALICE}\n" + lab.home.run("posternctl", "route", ALICE))
    mark = f"demo-{os.getpid()}-{time.time_ns()}"
    with lab.smtp(ANOTHER, 587) as session:
        session.login(ALICE, PASSWORDS[ALICE])
        session.sendmail(ALICE, [FRIEND],
                         message("Re: Lunch?", headers=[f"X-Lab-Mark: {mark}"], author=ALICE))
    raw = until("the mail at the relay", lambda: lab.find_relayed("brevo", mark), 20)
    log = lab.internet.read("/var/log/relay-brevo.log")
    tell(f"It lies at {RELAY} (here: a Postfix that plays it), which wrote:")
    login = re.findall(r"sasl_username=\S+", log)[-1]
    said = field_of(raw, "received") + f"\n{login}"
    show(said)
    expect("ESMTPSA" in said, "the relay saw no TLS and no login")
    expect(f"Verified TLS connection established to {RELAY}" in lab.home.read("/var/log/mail.log"),
           "Postfix did not verify the relay's certificate")
    tell("ESMTPSA: with TLS, whose certificate Postfix verified, and with a login.")
    return said


# --- what the steps look at ---

def field_of(raw, name):
    """The first field of that name, folded as it arrived."""
    found = re.search(rb"(?im)^%s: .*(?:\r?\n[ \t].*)*" % name.encode(), raw)
    expect(found is not None, f"the mail carries no field {name}")
    return found.group().decode().replace("\r", "")


def last_screen(arrived, spoofed, ban, relayed, shared=None):
    bans, holds = ban
    heading("What happened")
    tell("The header that arrived, with the sender's own address:")
    show(arrived)
    tell("From an address that the sender does not list:")
    show(next(line for line in spoofed.splitlines() if "spf=" in line).strip())
    tell("The ban that fell, and where it holds:")
    show(bans)
    show_answers(holds)
    tell("The mail at the relay:")
    show(relayed)
    if shared:
        tell("The ban that a second host shares, and how long it took to get there:")
        show(shared)
    tell("""What to read next: README.md, how to hook Postern into your Postfix and Dovecot;
         conf/, the files that made all this; doc/, the manual pages (man -l doc/postern.conf.5).""")


def what_to_try(store):
    heading("The lab stays up")
    print(f"""
Try, in {TOP}:

  tests/lab/lab exec internet -- swaks --server 203.0.113.1 \\
      --local-interface 203.0.113.50 --helo mx.sender.example.net \\
      --from joe@sender.example.net --to alice@example.com
  tests/lab/lab exec home -- sh -c 'head -n 30 /var/vmail/*/alice/new/*'
  tests/lab/lab exec home -- posternctl status
  tests/lab/lab exec home -- posternctl unban {GUESSER}
  tests/lab/lab exec home -- tail -n 30 /var/log/mail.log
{SECOND_HOST if store == "redis" else ""}
Alice's password is "{PASSWORDS[ALICE]}". Take it all down with: tests/lab/lab down""")


def save_logs(folder):
    """The hosts' logs, which go with the lab, into a folder that stays."""
    shutil.rmtree(folder, ignore_errors=True)
    for log in glob.glob(os.path.join(state.folder(), "*", "*.log")):
        where = os.path.join(folder, os.path.basename(os.path.dirname(log)))
        os.makedirs(where, exist_ok=True)
        shutil.copy(log, where)
    if os.path.exists(folder):
        print(f"The logs are in {folder}", file=sys.stderr)


def tell_story(build, store):
    heading("Three hosts")
    tell("""internet, with strangers and DNS; vps, the gateway, with nginx; and home behind a
         CGNAT, with Postfix, Dovecot and Postern. Only files from conf/ configure them.""")
    if store == "redis":
        tell("What policyd counts and bans is in a Redis at home.")
    hosts.up("nginx", "proxy", store, build)
    lab = Lab()
    last_screen(mail_from_its_own_server(lab), mail_from_somebody_else(lab),
                guessed_passwords(lab), mail_by_relay(lab),
                two_hosts(lab) if store == "redis" else None)


def main():
    parser = argparse.ArgumentParser(prog="story")
    parser.add_argument("--build", required=True)
    parser.add_argument("--store", default="file", choices=STORES)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--since", type=int, default=int(time.time()))
    args = parser.parse_args()
    if not args.keep:
        os.environ["POSTERN_LAB"] = f"demo-{os.getpid()}"
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: sys.exit(1))
    stay = False
    try:
        tell_story(args.build, args.store)
        stay = args.keep
        print(f"\nAll this took {int(time.time()) - args.since} s.")
    except (LabError, AssertionError, OSError, smtplib.SMTPException) as error:
        print(f"\ntests/demo: {error}", file=sys.stderr)
        save_logs(args.build + "-logs")
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if stay:
            what_to_try(args.store)
        else:
            hosts.down()
    return 0


if __name__ == "__main__":
    sys.exit(main())
