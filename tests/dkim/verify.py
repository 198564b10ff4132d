#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What others sign verifies with posternctl: opendkim, its tools, Python's dkim. TAP.

The keys are served by a DNS server of our own. Each message is also changed in ways that a
signature must not survive.
"""

import base64
import itertools
import os
import subprocess
import sys
import time

sys.path[:0] = [os.path.join(os.environ.get("POSTERN_SRCDIR", "."), "tests", folder)
                for folder in ("ctl", "milter")]
from ctlkit import Folder, Skip, case, ctl, eq, has, main                     # noqa: E402
from dnsd import Dns                                                          # noqa: E402
from mta import Mta                                                           # noqa: E402

try:
    import dkim
    import nacl.signing
except ImportError:
    dkim = None

DOMAIN = "signed.example"
FIELDS = [("From", " Alice <alice@signed.example>"), ("To", " bob@home.example,\n carol@home.example"),
          ("Subject", " one\n\ttwo  three "), ("Date", " Fri, 20 Nov 2026 09:00:00 +0000"),
          ("Message-ID", " <1@signed.example>")]
BODIES = {"plain": b"Hello.\r\n\r\nA second  paragraph. \r\n\r\n\r\n", "empty": b"",
          "blank lines": b"\r\n \r\n\t\r\n\r\ntext\t\t text \r\n \r\n",
          "8 bit": b"gr\xfc\xdf \xe2\x82\xac\r\n", "dots": b".\r\n..\r\n. .\r\n",
          "long": b"x" * 998 + b"\r\n" + b"line\r\n" * 30000}
CANONS = list(itertools.product(("simple", "relaxed"), repeat=2))
ENVIRONMENT = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"}
DEADLINE = 20


def message_of(fields, body):
    head = "".join(f"{name}:{value}\n" for name, value in fields).replace("\n", "\r\n")
    return head.encode() + b"\r\n" + body


class World(Folder):
    """A key of each type, and the DNS that has their records."""

    def __init__(self, folder):
        super().__init__(folder)
        self.rsa = self.path("rsa.pem")
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", self.rsa, "2048"], check=True,
                       capture_output=True)
        os.chmod(self.rsa, 0o600)
        der = subprocess.run(["openssl", "pkey", "-in", self.rsa, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        self.seed = os.urandom(32)
        zone = {f"rsa._domainkey.{DOMAIN} TXT": ["v=DKIM1; k=rsa; p=" + self.text(der)]}
        if dkim:
            public = nacl.signing.SigningKey(self.seed).verify_key.encode()
            zone[f"ed._domainkey.{DOMAIN} TXT"] = ["v=DKIM1; k=ed25519; p=" + self.text(public)]
        self.dns = Dns(zone)

    @staticmethod
    def text(raw):
        return base64.b64encode(raw).decode()

    def verify(self, message):
        """The results, one for each signature."""
        said = ctl("verify", f"--resolver=127.0.0.1@{self.dns.port}", "--authserv-id=mx", "--json",
                   "-", stdin=message)
        assert said.code in (0, 1), said.err
        return said.json()["dkim"]

    def passes(self, message, algorithm, count=1):
        found = self.verify(message)
        eq([(d["result"], d["reason"]) for d in found], [("pass", "")] * count)
        eq((found[0]["domain"], found[0]["algorithm"], found[0]["body_unsigned"]),
           (DOMAIN, algorithm, 0))

    def fails(self, message):
        for found in self.verify(message):
            eq(found["result"], "fail")

    def close(self):
        self.dns.close()


def changed(signed):
    """Ways in which it must not verify."""
    yield signed.replace(b"two  three", b"two  four")
    yield signed.replace(b"Alice", b"Mallory")
    yield signed + b"more\r\n"
    yield signed.replace(b"\r\nMessage-ID:", b"\r\nFrom: mallory@evil.example\r\nMessage-ID:")


# --- Python's dkim ---

def sign_in_python(world, message, selector, canons=("relaxed", "relaxed"), **options):
    if not dkim:
        raise Skip("no Python module dkim with nacl")
    if selector == "ed":
        key, algorithm = base64.b64encode(world.seed), b"ed25519-sha256"
    else:
        with open(world.rsa, "rb") as file:
            key, algorithm = file.read(), b"rsa-sha256"
    options.setdefault("signature_algorithm", algorithm)
    # Names that are not there are signed, too: one From more breaks it.
    names = [b"from", b"from", b"to", b"subject", b"date", b"message-id", b"cc"]
    options.setdefault("include_headers", names)
    signer = dkim.DKIM(message)
    signer.should_not_sign = set()  # or it would refuse DKIM-Signature
    return signer.sign(selector.encode(), DOMAIN.encode(), key,
                       canonicalize=tuple(c.encode() for c in canons), **options) + message


@case
def python_rsa(world):
    for canons, body in itertools.product(CANONS, BODIES.values()):
        world.passes(sign_in_python(world, message_of(FIELDS, body), "rsa", canons), "rsa-sha256")


@case
def python_ed25519(world):
    for body in BODIES.values():
        world.passes(sign_in_python(world, message_of(FIELDS, body), "ed"), "ed25519-sha256")


@case
def python_both_and_one_over_the_other(world):
    once = sign_in_python(world, message_of(FIELDS, BODIES["plain"]), "rsa")
    world.passes(sign_in_python(world, once, "ed"), "ed25519-sha256", 2)


@case
def python_signs_an_older_signature(world):
    for algorithm, result in ((b"rsa-sha256", "pass"), (b"rsa-sha1", "policy")):
        once = sign_in_python(world, message_of(FIELDS, BODIES["plain"]), "rsa",
                              signature_algorithm=algorithm)
        for selector in ("rsa", "ed"):
            twice = sign_in_python(world, once, selector,
                                   include_headers=[b"from", b"dkim-signature"])
            eq([d["result"] for d in world.verify(twice)], ["pass", result])
            found = world.verify(twice.replace(b"h=from : from", b"h=from : To", 1))
            eq(found[0]["result"], "fail")


@case
def python_changed(world):
    for selector in ("rsa", "ed"):
        for message in changed(sign_in_python(world, message_of(FIELDS, BODIES["plain"]), selector)):
            world.fails(message)


@case
def python_with_a_length(world):
    signed = sign_in_python(world, message_of(FIELDS, b"Hello.\r\n"), "rsa", length=True)
    has(signed.decode(), "l=8;")
    world.passes(signed, "rsa-sha256")
    found, = world.verify(signed + b"An   advertisement.\r\n\r\n")
    eq((found["result"], found["body_unsigned"]), ("pass", 19))


@case
def python_sha1(world):
    signed = sign_in_python(world, message_of(FIELDS, b"x\r\n"), "rsa",
                            signature_algorithm=b"rsa-sha1")
    found, = world.verify(signed)
    eq((found["result"], found["reason"]), ("policy", "rsa-sha1 is obsolete"))


# --- opendkim ---

class Opendkim:
    """The daemon as it signs, spoken to as a mail server does."""

    def __init__(self, world, canons):
        self.socket = world.path("opendkim.sock")
        config = (f"Mode s\nSyslog no\nDomain {DOMAIN}\nSelector rsa\nKeyFile {world.rsa}\n"
                  f"Canonicalization {'/'.join(canons)}\nSignatureAlgorithm rsa-sha256\n"
                  f"Socket local:{self.socket}\nInternalHosts 0.0.0.0/0\n"
                  "OversignHeaders From\nRequireSafeKeys no\n")
        path = world.path("opendkim.conf", config.encode())
        try:
            self.process = subprocess.Popen(["opendkim", "-f", "-x", path], env=ENVIRONMENT)
        except FileNotFoundError:
            raise Skip("no opendkim") from None

    def __enter__(self):
        deadline = time.monotonic() + DEADLINE
        while not os.path.exists(self.socket):
            assert self.process.poll() is None and time.monotonic() < deadline, "no socket"
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(DEADLINE)
        if os.path.exists(self.socket):
            os.unlink(self.socket)

    def sign(self, fields, body):
        with Mta(self.socket) as mta:
            mta.connect("127.0.0.1")
            mta.helo("localhost")
            mta.mail("<alice@signed.example>")
            outcome = mta.message(fields, body)
        (_, _, name, value), = outcome.inserted
        value = value if value[0] == " " else " " + value
        return message_of([(name, value), *fields], body)


@case
def opendkim_signs(world):
    for canons in CANONS:
        with Opendkim(world, canons) as signer:
            for body in BODIES.values():
                world.passes(signer.sign(FIELDS, body), "rsa-sha256")
            for message in changed(signer.sign(FIELDS, BODIES["plain"])):
                world.fails(message)


@case
def opendkim_testmsg_still_signs_with_sha1(world):
    try:
        done = subprocess.run(["opendkim-testmsg", "-C", "-d", DOMAIN, "-s", "rsa", "-k", world.rsa],
                              input=message_of(FIELDS, BODIES["plain"]), capture_output=True,
                              check=False, timeout=60, env=ENVIRONMENT)
    except FileNotFoundError:
        raise Skip("no opendkim-testmsg") from None
    eq((done.returncode, done.stderr), (0, b""))
    found, = world.verify(done.stdout)
    eq((found["result"], found["reason"], found["domain"]),
       ("policy", "rsa-sha1 is obsolete", DOMAIN))


if __name__ == "__main__":
    sys.exit(main(World))
