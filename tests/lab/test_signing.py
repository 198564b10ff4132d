#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Mail of users is signed with the keys of their domains, and verifies at the far side."""

import contextlib
import json

import dkim

from labkit import internet as internet_parts
from labkit.home import milter_with
from scenario import (ALICE, PASSWORDS, expect, expect_equal, fields, main, marked, message,
                      new_mark, until)

CLIENT, FRIEND = "203.0.113.70", "friend@friend.example.org"
KEYS = [("example.com", "rsa"), ("example.com", "ed25519"), ("second.example.net", "rsa"),
        ("third.example.net", "ed25519")]
DOMAINS = '"example.com", "second.example.net", "third.example.net"'
FOLDER = "/etc/postern/dkim"


@contextlib.contextmanager
def keys_in_place(lab, more=""):
    """Keys by posternctl keygen, their records in DNS, their sections in postern.conf."""
    lab.home.run("install", "-d", "-m", "0750", "-o", "root", "-g", "postern", FOLDER)
    made = [json.loads(lab.home.run("posternctl", "keygen", domain, "--type", kind, "--selector",
                                    kind, "--directory", FOLDER, "--json"))
            for domain, kind in KEYS]
    lab.home.run("sh", "-c", f"chgrp postern {FOLDER}/*.key && chmod 640 {FOLDER}/*.key")
    sections = "".join(
        f'sign {{ from = "{domain}"  selector = "{kind}"  '
        f'key_file = "{FOLDER}/{domain}.{kind}.key" }}\n' for domain, kind in KEYS)
    zone = lab.internet.read("/etc/nsd/root.zone")
    records = {f"{kind}._domainkey.{domain}.": key["record"]
               for (domain, kind), key in zip(KEYS, made)}
    try:
        publish(lab, zone + "".join(internet_parts.txt_line(*pair) for pair in records.items()))
        with milter_with(lab.home, {'domains = {"example.com"}': f"domains = {{{DOMAINS}}}",
                                    "\nmilter {": f"\n{sections}milter {{\n{more}"}):
            yield records
    finally:
        publish(lab, zone)
        lab.home.run("rm", "-rf", FOLDER)


def publish(lab, zone):
    lab.internet.write("/etc/nsd/root.zone", zone)
    lab.internet.run("kill", "-HUP", str(lab.internet.service_pid("nsd")))


def send(lab, author=ALICE, text=None):
    """Alice, who has logged in, sends a mail; it comes to a relay."""
    mark = new_mark("signed")
    with lab.smtp(CLIENT, 587) as session:
        session.login(ALICE, PASSWORDS[ALICE])
        session.sendmail(ALICE, [FRIEND], marked(mark, text or message(author=author)))
    return until("the mail at the relay", lambda: lab.find_relayed("brevo", mark), 20)


def signers(lab, records, text):
    """(d, s) of each signature; each verifies here, by other people's code."""
    found = []
    wire = text.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    count = sum(name == "DKIM-Signature" for name, _ in fields(text))
    for number in range(count):
        verifier = dkim.DKIM(wire)
        good = verifier.verify(number, dnsfunc=lambda name, timeout=5: records.get(name.decode()))
        expect(good, f"signature {number} does not verify: {text[:2000]!r}")
        found.append((verifier.domain.decode(), verifier.selector.decode()))
    return sorted(found)


def test_three_domains_have_keys_of_their_own(lab):
    with keys_in_place(lab) as records:
        for domain in ("example.com", "second.example.net", "third.example.net"):
            text = send(lab, f"someone@{domain}")
            expect_equal(signers(lab, records, text),
                         sorted(pair for pair in KEYS if pair[0] == domain), domain)
        log = lab.home.read("/var/log/postern-milter.log")
        expect(" signed=2 " in log, "the log does not say it")


def test_the_far_side_has_dmarc_pass(lab):
    with keys_in_place(lab) as records:
        text = send(lab)
        lab.home.write("/tmp/far.eml", text.decode())
        done = lab.home.call(["posternctl", "verify", "--json", "/tmp/far.eml"],
                             capture_output=True, text=True)
        answer = json.loads(done.stdout)
        expect_equal([one["result"] for one in answer["dkim"]], ["pass", "pass"], done.stdout)
        print(f"# {answer['header']}".replace("\n", "\n# "))
        expect_equal(len(signers(lab, records, text)), 2, "signatures")


def test_what_postfix_adds_is_signed_too(lab):
    """A relay that added Date and Message-ID behind the signature would make it false."""
    bare = b"From: Alice <" + ALICE.encode() + b">\r\nSubject: bare\r\n\r\nNo date.\r\n"
    with keys_in_place(lab) as records:
        text = send(lab, text=bare)
        names = [name.lower() for name, _ in fields(text)]
        expect_equal((names.count("date"), names.count("message-id")), (1, 1), "added by Postfix")
        expect_equal(len(signers(lab, records, text)), 2, "signatures")


def test_others_are_not_signed(lab):
    with keys_in_place(lab):
        for author in ("x@friend.example.org", "x@sub.of.nobody.example.org"):
            expect("DKIM-Signature" not in dict(fields(send(lab, author))), author)
        two = message(author=ALICE).replace(b"From: ", b"From: Eve <eve@friend.example.org>, ", 1)
        expect("DKIM-Signature" not in dict(fields(send(lab, text=two))), "two authors")
        stranger = lab.deliver("203.0.113.51", message(author=ALICE), sender="x@nospf.example.org")
        expect("DKIM-Signature" not in dict(fields(stranger)), "a stranger's mail was signed")


def test_sendmail_is_signed(lab):
    with keys_in_place(lab) as records:
        with lab.postfix_with("/etc/postfix/main.cf", "non_smtpd_milters = $smtpd_milters\n"), \
                lab.postfix_with("/etc/postfix/master.cf", ""):
            lab.home.run("postconf", "-F", "cleanup/unix/chroot=n")
            lab.reload_postfix()
            mark = new_mark("local")
            lab.home.run("sh", "-c", f"sendmail -f {ALICE} {FRIEND}",
                         stdin=marked(mark, message(author=ALICE)).decode().replace("\r\n", "\n"))
            text = until("the mail at the relay", lambda: lab.find_relayed("brevo", mark), 20)
        expect_equal(len(signers(lab, records, text)), 2, "signatures")


FILTER = """
127.0.0.1:10098 inet n - n - - smtpd
  -o content_filter=
  -o mynetworks=127.0.0.0/8
  -o smtpd_relay_restrictions=permit_mynetworks,reject
  -o smtpd_client_restrictions=
  -o smtpd_sender_restrictions=
  -o smtpd_recipient_restrictions=
"""


def test_mail_that_comes_back_from_a_filter_is_signed_once(lab):
    for more in ("", f'  sign_nets = {{"127.0.0.1/32"}}'):
        with keys_in_place(lab, more) as records, \
                lab.postfix_with("/etc/postfix/master.cf", FILTER), \
                lab.postfix_with("/etc/postfix/main.cf",
                                 "content_filter = smtp:[127.0.0.1]:10098\n"):
            expect_equal(len(signers(lab, records, send(lab))), 2, f"signatures, {more!r}")
            inbound = lab.deliver("203.0.113.50", message())
            found = [value for name, value in fields(inbound) if name == "Authentication-Results"]
            expect(len(found) == 1 and "spf=pass" in found[0], f"the result was lost: {found}")


if __name__ == "__main__":
    main(globals())
