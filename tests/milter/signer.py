# SPDX-License-Identifier: MIT
"""DKIM signatures (RFC 6376, RFC 8463) made with openssl's command line."""

import base64
import hashlib
import os
import re
import subprocess


class Signer:
    """kind: the key's, rsa or ed25519."""

    def __init__(self, folder, domain, selector="s1", kind="rsa"):
        self.domain, self.selector, self.kind = domain, selector, kind
        self.key = os.path.join(folder, selector + ".pem")
        size = ["-pkeyopt", "rsa_keygen_bits:2048"] if kind == "rsa" else []
        self._openssl("genpkey", "-algorithm", kind, *size, "-out", self.key)
        der = self._openssl("pkey", "-in", self.key, "-pubout", "-outform", "DER")
        # Of an ed25519 key the record has the bare 32 bytes: RFC 8463 4.2.
        key = der if kind == "rsa" else der[-32:]
        self.record = f"v=DKIM1; k={kind}; p={base64.b64encode(key).decode()}"

    @staticmethod
    def _openssl(*arguments, data=None):
        return subprocess.run(["openssl", *arguments], input=data, check=True,
                              capture_output=True).stdout

    @staticmethod
    def _header(name, value, simple):
        if simple:
            return (name + ":" + value).replace("\n", "\r\n")
        return name.lower() + ":" + re.sub(r"[ \t\r\n]+", " ", value).strip()

    def _signature(self, text):
        if self.kind == "rsa":
            return self._openssl("dgst", "-sha256", "-sign", self.key, data=text)
        # It signs the hash, and openssl wants what it signs at once in a file.
        path = self.key + ".hash"
        with open(path, "wb") as out:
            out.write(hashlib.sha256(text).digest())
        return self._openssl("pkeyutl", "-sign", "-rawin", "-inkey", self.key, "-in", path)

    def sign(self, headers, body, simple=False):
        """headers: [(name, value with its leading space)]; the field to put before them."""
        mode = "simple/simple" if simple else "relaxed/simple"
        names = ":".join(dict.fromkeys(n.lower() for n, _ in headers))
        content = body.rstrip(b"\r\n") + b"\r\n"
        value = (f" v=1; a={self.kind}-sha256; c={mode}; d={self.domain}; s={self.selector};\n\t"
                 f"h={names}; bh={base64.b64encode(hashlib.sha256(content).digest()).decode()};\n\t"
                 "b=")
        text = "".join(self._header(n, v, simple) + "\r\n" for n, v in headers)
        text += self._header("DKIM-Signature", value, simple)
        signature = base64.b64encode(self._signature(text.encode())).decode()
        return ("DKIM-Signature", value + signature)
