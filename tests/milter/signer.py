# SPDX-License-Identifier: MIT
"""DKIM signatures (RFC 6376) made with openssl's command line."""

import base64
import hashlib
import os
import re
import subprocess


class Signer:
    def __init__(self, folder, domain, selector="s1"):
        self.domain, self.selector = domain, selector
        self.key = os.path.join(folder, selector + ".pem")
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True,
                       capture_output=True)
        der = subprocess.run(["openssl", "rsa", "-in", self.key, "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        self.record = "v=DKIM1; k=rsa; p=" + base64.b64encode(der).decode()

    @staticmethod
    def _header(name, value, simple):
        if simple:
            return (name + ":" + value).replace("\n", "\r\n")
        return name.lower() + ":" + re.sub(r"[ \t\r\n]+", " ", value).strip()

    def sign(self, headers, body, simple=False):
        """headers: [(name, value with its leading space)]; the field to put before them."""
        mode = "simple/simple" if simple else "relaxed/simple"
        names = ":".join(dict.fromkeys(n.lower() for n, _ in headers))
        content = body.rstrip(b"\r\n") + b"\r\n"
        value = (f" v=1; a=rsa-sha256; c={mode}; d={self.domain}; s={self.selector};\n\t"
                 f"h={names}; bh={base64.b64encode(hashlib.sha256(content).digest()).decode()};\n\t"
                 "b=")
        text = "".join(self._header(n, v, simple) + "\r\n" for n, v in headers)
        text += self._header("DKIM-Signature", value, simple)
        raw = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key],
                             input=text.encode(), check=True, capture_output=True).stdout
        return ("DKIM-Signature", value + base64.b64encode(raw).decode())
