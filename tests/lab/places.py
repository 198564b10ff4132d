# SPDX-License-Identifier: MIT
"""Where a ban acts, each place asked by itself: Postfix, Dovecot, the ingress, the gateway.

Behind the ingress, and with the gateway's firewall fed from home, as conf/ has both.
"""

import contextlib
import os
import re

from labkit.home import ingress_before
from scenario import (ALICE, GATEWAY4, GATEWAY6, HOME, PASSWORDS, Lab, Talk, expect, expect_equal,
                      until)

TOKEN = "0123456789abcdef0123456789abcdef"
SECTION = f'''
http "gateway" {{
  listen = "{HOME}:8894"  serve = {{"bans"}}
  token_file = "/etc/postern/bans.token"  from = {{"10.8.0.1"}}
}}
'''
WITHIN = 1   # second, from the event to the gateway
ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..")


# --- the gateway's firewall ---

def shipped(name):
    with open(os.path.join(ROOT, "conf", name), encoding="ascii") as file:
        return file.read()


def start(vps):
    """What systemd does: again, as often as it ends."""
    vps.write("/etc/postern/bans", shipped("nftables/postern-bans"), 0o755)
    vps.service("postern-bans", "sh", "-c",
                "while :; do /etc/postern/bans /etc/postern/bans.curl; sleep 0.5; done")


@contextlib.contextmanager
def answering(home):
    """Home tells the gateway its bans, and forgets them all in the end."""
    lab, before = Lab(), home.read("/etc/postern/postern.conf")
    home.write("/etc/postern/bans.token", TOKEN + "\n", 0o600, "postern")
    home.write("/etc/postern/postern.conf", before + SECTION)
    again(lab)
    try:
        yield lab
    finally:
        home.write("/etc/postern/postern.conf", before)
        again(lab)
        lab.unban_all()


@contextlib.contextmanager
def exporting(home):
    with answering(home) as lab:
        lab.vps.write("/etc/postern/bans.curl",
                      shipped("nftables/bans.curl").replace("TOKEN", TOKEN), 0o600)
        start(lab.vps)
        try:
            until("the chain", lambda: "hook prerouting" in rules(lab))
            yield
        finally:
            # setsid made it the leader of all that it started.
            lab.vps.run("kill", "-TERM", "--", f"-{lab.vps.service_pid('postern-bans')}")
            lab.vps.call(["nft", "delete", "table", "inet", "postern_bans"], capture_output=True)


def again(lab):
    if lab.home.service_lives("postern-policyd"):
        lab.kill("postern-policyd")
    lab.start("postern-policyd")


def rules(lab):
    return lab.vps.call(["nft", "-n", "list", "table", "inet", "postern_bans"],
                        capture_output=True, text=True).stdout


def banned(lab):
    """The gateway's sets, without the lengths of their prefixes."""
    return set(re.findall(r"([0-9a-f.:]+) timeout \d", rules(lab)))


def dropped(lab):
    return sum(map(int, re.findall(r"counter packets (\d+) bytes \d+ drop", rules(lab))))


def reaches(lab, source, port=25):
    gateway = GATEWAY6 if ":" in source else GATEWAY4
    try:
        lab.connect((gateway, port), source, seconds=2).close()
        return True
    except TimeoutError:
        return False


def is_dropped(lab, source, port):
    """At the gateway; its packets are counted."""
    before = dropped(lab)
    return not reaches(lab, source, port) and dropped(lab) > before


# --- behind it, where a header names the client ---

@contextlib.contextmanager
def everywhere(home):
    """All places at once."""
    with ingress_before(home), exporting(home):
        yield


def header(source, port):
    """As the gateway writes it."""
    family, gateway = ("TCP6", GATEWAY6) if ":" in source else ("TCP4", GATEWAY4)
    return f"PROXY {family} {source} {gateway} 4711 {port}\r\n".encode()


def ingress_closes(lab, source, port):
    """Before the server has said a word."""
    with lab.connect((HOME, port), host=lab.vps) as connection:
        connection.sendall(header(source, port))
        try:
            return connection.recv(100) == b""
        except ConnectionResetError:
            return True


def postfix_says(lab, source):
    """The code for a recipient, of the port behind the ingress."""
    with lab.connect(("127.0.0.1", 10025), host=lab.home) as connection:
        talk = Talk(connection, header(source, 25))
        talk.say("EHLO client.example.org")
        talk.say("MAIL FROM:<joe@nospf.example.org>")
        return int(talk.say(f"RCPT TO:<{ALICE}>")[-1][:3])


def dovecot_says(lab, source):
    """To the right password, on the port behind the ingress."""
    return lab.imap_after(header(source, 143), ALICE, PASSWORDS[ALICE], ("127.0.0.1", 10143),
                          lab.home)


def is_refused_everywhere(lab, source, port=25):
    expect(is_dropped(lab, source, port), f"{source} reaches the gateway's port {port}")
    expect(ingress_closes(lab, source, 143), f"the ingress takes {source} in")
    expect(postfix_says(lab, source) in (421, 521), f"Postfix serves {source}")
    expect(dovecot_says(lab, source) != "ok", f"Dovecot lets {source} in")


def is_served_everywhere(lab, source):
    expect(reaches(lab, source), f"{source} is dropped")
    expect(not ingress_closes(lab, source, 25), f"the ingress closes {source}")
    expect_equal(postfix_says(lab, source), 250, f"Postfix, to {source}")
    expect_equal(dovecot_says(lab, source), "ok", f"Dovecot, to {source}")
