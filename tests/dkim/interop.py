#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What posternctl signs is verified by others: by opendkim, and by Python's dkim. TAP.

Keys come from posternctl keygen, and their records from what it prints. Each message is
also changed in every way that a signature must not survive.
"""

import base64
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.environ.get("POSTERN_SRCDIR", "."), "tests", "ctl"))
from ctlkit import Folder, Skip, case, ctl, eq, has, main                 # noqa: E402

try:
    import dkim
    import nacl                                                     # noqa: F401
except ImportError:
    dkim = None

DOMAIN = "signed.example"
KEYS = {"rsa1024": ["--bits=1024"], "rsa": [], "rsa4096": ["--bits=4096"],
        "ed": ["--type=ed25519"]}
PLAIN = (b"Received: from localhost\r\n\tby mail.signed.example; Fri, 20 Nov 2026 09:00:00 +0000\r\n"
         b"From: Alice <alice@signed.example>\r\nTo: bob@home.example,\r\n carol@home.example\r\n"
         b"Subject: one\r\n\ttwo  three \r\nDate: Fri, 20 Nov 2026 09:00:00 +0000\r\n"
         b"Message-ID: <1@signed.example>\r\n")
MESSAGES = {
    "plain": PLAIN + b"\r\nHello.\r\n\r\nA second  paragraph. \r\n\r\n\r\n",
    "no body": PLAIN + b"\r\n",
    "an empty line": PLAIN + b"\r\n\r\n",
    "blank lines": PLAIN + b"\r\n \r\n\t\r\n\r\ntext\t\t text \r\n \r\n",
    "8 bit": PLAIN.replace(b"one", "gr\u00fc\u00df".encode()) + b"\r\ngr\xfc\xdf \xe2\x82\xac\r\n",
    "dots": PLAIN + b"\r\n.\r\n..\r\n. .\r\n",
    "everything": b"".join(name + b": a value of it\r\n" for name in (
        b"Reply-To", b"Sender", b"Cc", b"In-Reply-To", b"References", b"MIME-Version",
        b"Content-Type", b"Content-Transfer-Encoding", b"Resent-Date", b"Resent-From",
        b"Resent-To", b"Resent-Cc", b"List-Id", b"List-Help", b"List-Unsubscribe",
        b"List-Unsubscribe-Post", b"List-Subscribe", b"List-Post", b"List-Owner",
        b"List-Archive", b"Resent-From", b"X-Other")) + PLAIN + b"\r\nHello.\r\n",
    "tight": b"from:a@signed.example\r\nSUBJECT:\r\nTo: \r\n\r\nx\r\n",
    "long": PLAIN + b"\r\n" + b"x" * 998 + b"\r\n" + b"line\r\n" * 50000,
}
OVERSIGNED = ("From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To",
              "References", "MIME-Version", "Content-Type", "Content-Transfer-Encoding")


class World(Folder):
    """Keys, their records, and the messages signed by them."""

    def __init__(self, folder):
        super().__init__(folder)
        self.records, self.files = {}, {}
        for selector, options in KEYS.items():
            made = ctl("keygen", DOMAIN, f"--selector={selector}", f"--directory={folder}",
                       "--json", *options).json()
            self.records[made["name"]] = made["record"]
            self.files[selector] = made["key_file"]
        lines = "".join(f"{name} {record}\n" for name, record in self.records.items())
        config = f"Mode v\nTestPublicKeys {self.path('records', lines.encode())}\n"
        self.config = self.path("opendkim.conf", config.encode())

    def sign(self, message, selector):
        path = self.path("message", message)
        done = subprocess.run([os.path.join(os.environ.get("POSTERN_BUILDDIR", "."), "posternctl"),
                               "sign", f"--domain={DOMAIN}", f"--selector={selector}",
                               f"--key={self.files[selector]}", path],
                              capture_output=True, check=True, timeout=60)
        return done.stdout


def by_opendkim(world, message):
    """Whether opendkim takes the signature for good."""
    path = world.path("signed", message)
    try:
        done = subprocess.run(["opendkim", "-x", world.config, "-t", path], capture_output=True,
                              check=False, timeout=60,
                              env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
    except FileNotFoundError:
        raise Skip("no opendkim") from None
    said = done.stdout.decode()
    good = re.search(r"verification \(s=.*\) succeeded", said)
    assert good or "failed" in said, f"{said} {done.stderr.decode()}"
    return bool(good)


def by_python(world, message):
    if not dkim:
        raise Skip("no Python module dkim with nacl")

    def record(name, timeout=5):                                    # pylint: disable=W0613
        return world.records.get(name.decode().rstrip("."), "").encode()
    try:
        return dkim.DKIM(message, minkey=1024).verify(dnsfunc=record)
    except dkim.DKIMException:
        return False


def changed(signed):
    """Ways in which it must not verify, by name."""
    head, body = signed.split(b"\r\n\r\n", 1)
    field, rest = head.split(b"\r\nReceived:", 1)
    for name in OVERSIGNED:
        forged = f"\r\n{name}: mallory@evil.example".encode()
        yield f"{name} on top", field + forged + b"\r\nReceived:" + rest + b"\r\n\r\n" + body
        yield f"{name} below", head + forged + b"\r\n\r\n" + body
    yield "another subject", signed.replace(b"three", b"four")
    yield "another body", head + b"\r\n\r\n" + body + b"more\r\n"
    yield "another time", re.sub(rb" t=(\d)", rb" t=9\1", signed)


def check_good(world, verify):
    for selector in KEYS:
        for name, message in MESSAGES.items():
            signed = world.sign(message, selector)
            assert signed.endswith(message), name
            assert verify(world, signed), f"{selector}: {name}"


def check_bad(world, verify):
    for selector in ("rsa", "ed"):
        signed = world.sign(MESSAGES["plain"], selector)
        for name, forged in changed(signed):
            assert forged != signed, name
            assert not verify(world, forged), f"{selector}: {name}"


@case
def opendkim_verifies_what_posternctl_signs(world):
    check_good(world, by_opendkim)


@case
def opendkim_sees_what_was_changed(world):
    check_bad(world, by_opendkim)


@case
def python_verifies_what_posternctl_signs(world):
    check_good(world, by_python)


@case
def python_sees_what_was_changed(world):
    check_bad(world, by_python)


@case
def python_verifies_bare_carriage_returns_and_an_open_end(world):
    for body in (b"a\rb\r\n", b"a \r b\r\n", b"a\r\r\n", b"a\r", b"a \rb\r\n", b"\r\r\n",
                 b"no end"):
        signed = world.sign(PLAIN + b"\r\n" + body, "ed")
        assert by_python(world, signed), body


@case
def records_are_what_openssl_says_of_the_key(world):
    for selector, path in world.files.items():
        der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"],
                             capture_output=True, check=True).stdout
        kind, half = ("ed25519", der[-32:]) if selector == "ed" else ("rsa", der)
        eq(world.records[f"{selector}._domainkey.{DOMAIN}"],
           f"v=DKIM1; k={kind}; p={base64.b64encode(half).decode()}")


@case
def pythons_signer_takes_the_key_file(world):
    """And its signature verifies by the record: the file is in the usual form."""
    if not dkim:
        raise Skip("no Python module dkim with nacl")
    with open(world.files["rsa"], "rb") as file:
        field = dkim.sign(MESSAGES["plain"], b"rsa", DOMAIN.encode(), file.read())
    assert by_opendkim(world, field + MESSAGES["plain"])
    has(field.decode(), "a=rsa-sha256")


if __name__ == "__main__":
    sys.exit(main(World))
