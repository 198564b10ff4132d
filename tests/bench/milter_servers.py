# SPDX-License-Identifier: MIT
"""The milters that are measured, each with a configuration of its own, and the names they ask for."""

import os
import shutil
import subprocess
import sys

from benchkit import BUILD, GROUP, ROOT, USER, Server

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "milter"))
from signer import Signer       # noqa: E402  pylint: disable=wrong-import-position

CLIENT, HELO, DOMAIN = "203.0.113.9", "mx.example.net", "example.net"
SENDER = f"alice@{DOMAIN}"
KINDS = ["rsa", "ed25519"]

POSTERN = '''
hostname = "mail.example.org"
user = "{user}"
resolver = {{"127.0.0.1@{dns}"}}
milter {{ listen = "{address}"  group = "" }}
'''

OPENDKIM = '''
Mode v
AuthservID mail.example.org
Syslog no
AlwaysAddARHeader yes
Socket {libmilter}
UMask 0111
TestPublicKeys {folder}/keys
'''

# No rule of its own set, no other module, no log line a message; the list of top-level
# domains that it ships takes 20 s to compile, and is for finding links in bodies.
RSPAMD = '''
options {{
    filters = "dkim";
    explicit_modules = ["spf", "dmarc", "milter_headers"];
    local_addrs = ["127.0.0.0/8"];
    dns {{ nameserver = ["127.0.0.1:{dns}:1"]; }}
    url_tld = "{folder}/domains";
    cache_file = "{folder}/symbols";
    history_file = "{folder}/history";
    stats_file = "{folder}/stats";
    control_socket = "{folder}/control mode=0600";
    hs_cache_dir = "{folder}";
    tempdir = "{folder}";
}}
logging {{ type = "file"; filename = "{folder}/log"; level = "warning"; }}
lua = "{folder}/no-rules.lua";
modules {{
    path = "{plugins}/spf.lua";
    path = "{plugins}/dmarc.lua";
    path = "{plugins}/milter_headers.lua";
}}
actions {{ reject = 15; }}
dkim {{ }}
spf {{ }}
dmarc {{ }}
milter_headers {{ use = ["authentication-results"]; }}
worker "rspamd_proxy" {{
    bind_socket = "{path} mode=0666";
    milter = yes;
    count = 2;
    upstream "local" {{ default = yes; self_scan = yes; }}
}}
'''


class Signers:
    """Keys of both kinds, under selectors named like them, and what DNS says of the domain."""

    def __init__(self, folder):
        self.of = {kind: Signer(folder, DOMAIN, kind, kind) for kind in KINDS}
        self.records = {f"{kind}._domainkey.{DOMAIN}": x.record for kind, x in self.of.items()}

    def zone(self):
        return {
            f"{DOMAIN} TXT": [f"v=spf1 ip4:{CLIENT} -all"],
            f"_dmarc.{DOMAIN} TXT": ["v=DMARC1; p=reject"],
            f"{HELO} TXT": ["v=spf1 a -all"],
            f"{HELO} A": [CLIENT],
            ".".join(reversed(CLIENT.split("."))) + ".in-addr.arpa PTR": [HELO],
            **{f"{name} TXT": [record] for name, record in self.records.items()},
        }


class MilterServer(Server):
    words = []      # that its Authentication-Results must hold, or a rejection is no result

    def __init__(self, dns, signers, transport="unix"):
        super().__init__()
        self.dns, self.signers = dns, signers
        self.address = self.addresses[transport]
        self.addresses = {transport: self.address}

    @classmethod
    def is_installed(cls):
        return True

    def cpu_seconds(self):
        """Coarser than the threads' own figures, but a milter's threads end with their sessions."""
        ticks = 0
        for pid in self.processes():
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def processes(self):
        return self.pids

    def libmilter_form(self):
        if self.address.startswith("unix:"):
            return self.address
        host, port = self.address.split(":")
        return f"inet:{port}@{host}"

    def write(self, name, text, **words):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(text.format(user=USER, folder=self.folder, dns=self.dns.port,
                                  address=self.address, libmilter=self.libmilter_form(),
                                  path=self.address.removeprefix("unix:"), **words))
        return path


class Postern(MilterServer):
    name = "postern-milter"
    words = ["spf=pass", "dkim=pass", "dmarc=pass"]
    log = "log"     # or a path elsewhere

    def start(self):
        config = self.write("postern.conf", POSTERN)
        with open(os.path.join(self.folder, self.log), "wb") as log:
            self.spawn(os.path.join(BUILD, "postern-milter"), "-f", "-c", config, stderr=log)


class Opendkim(MilterServer):
    """Keys come from a file: libunbound's parser, which it calls in each thread, crashes it."""

    name = "opendkim"
    words = ["dkim=pass"]

    @classmethod
    def is_installed(cls):
        return shutil.which("opendkim") is not None

    def start(self):
        self.write("keys", "".join(f"{n} {r}\n" for n, r in self.signers.records.items()))
        user = ["-u", f"{USER}:{GROUP}"] if ROOT else []
        self.spawn("opendkim", "-f", "-x", self.write("opendkim.conf", OPENDKIM), *user)


class Rspamd(MilterServer):
    """Two processes that speak the protocol and scan, and what else it starts."""

    name = "rspamd"
    words = ["spf=pass", "dkim=pass", "dmarc=pass"]

    @classmethod
    def is_installed(cls):
        return shutil.which("rspamd") is not None

    def start(self):
        self.write("domains", "com\nnet\norg\n")
        self.write("no-rules.lua", "")
        user = ["-u", USER, "-g", GROUP] if ROOT else []
        config = self.write("rspamd.conf", RSPAMD, plugins="/usr/share/rspamd/plugins")
        self.spawn("rspamd", "-f", "-c", config, *user, stderr=subprocess.DEVNULL)

    def processes(self):
        main = self.pids[0]
        with open(f"/proc/{main}/task/{main}/children", encoding="ascii") as children:
            return [main, *children.read().split()]


class Null(MilterServer):
    name = "do-nothing"

    def start(self):
        self.spawn(os.path.join(BUILD, "tests/bench/milter_null"), *self.options(),
                   self.libmilter_form())

    def options(self):
        return []


class Verifier(Null):
    """Refuses what it cannot verify, so that its words are in its answer."""

    name = "do-nothing + libopendkim"

    def __init__(self, dns, signers, kind):
        super().__init__(dns, signers)
        self.kind = kind

    def options(self):
        return ["-k", self.write("key", self.signers.of[self.kind].record + "\n")]
