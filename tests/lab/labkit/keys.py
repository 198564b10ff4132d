# SPDX-License-Identifier: MIT
"""The lab's own certificate authority, its certificates, and a DKIM key."""

import os
import subprocess

from .errors import LabError


def _openssl(*argv, stdin=None):
    done = subprocess.run(["openssl", *argv], input=stdin, text=True, capture_output=True)
    if done.returncode != 0:
        raise LabError(f"openssl {argv[0]} failed\n{done.stderr.strip()}")
    return done.stdout


def make_authority(folder):
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "30", "-subj", "/CN=Lab authority", "-keyout", f"{folder}/ca.key",
             "-out", f"{folder}/ca.pem")


def make_certificate(folder, name):
    """Writes NAME.key and NAME.pem (with the authority's certificate at the end)."""
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
             "-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}",
             "-addext", "basicConstraints=critical,CA:FALSE",
             "-CA", f"{folder}/ca.pem", "-CAkey", f"{folder}/ca.key",
             "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.pem")
    with open(f"{folder}/ca.pem") as authority, open(f"{folder}/{name}.pem", "a") as chain:
        chain.write(authority.read())


def make_dkim_key(folder):
    """Writes dkim.key; returns the text of its DNS record."""
    _openssl("genrsa", "-traditional", "-out", f"{folder}/dkim.key", "2048")
    public = _openssl("rsa", "-in", f"{folder}/dkim.key", "-pubout")
    key = "".join(line for line in public.splitlines() if not line.startswith("-"))
    return f"v=DKIM1; k=rsa; p={key}"


def hash_password(password):
    return "{SHA512-CRYPT}" + _openssl("passwd", "-6", "-stdin", stdin=password + "\n").strip()


def secret():
    return os.urandom(32).hex()
