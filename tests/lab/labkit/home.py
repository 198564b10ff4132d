# SPDX-License-Identifier: MIT
"""The mail server behind the tunnel: Postfix and Dovecot with conf/, and Postern."""

import contextlib
import os
import re

from . import fill, state
from .errors import LabError, until
from .fill import TOP, filled, source, uncommented
from .keys import hash_password, make_certificate, secret
from .vps import GATEWAYS, MAIL_PORTS, SIEVE

HOST = "mail.example.com"
MAILBOXES = {"alice@example.com": "alice's secret", "bob@example.com": "bob's secret",
             "dave@example.com": "dave's secret", "sender@example.com": "the sender's secret"}

# Logs, into files; all else is in conf/.
POSTFIX_LAB = """
maillog_file = /var/log/mail.log
"""
DOVECOT_LAB = """
log_path = /var/log/dovecot.log
auth_verbose = yes
"""

# The sample has one relay; the lab shows what a second one is good for.
SECOND_RELAY = """
relay "mailgun" {
  preset = "mailgun"
  login = "postmaster@example.com"
  password_file = "/etc/postern/mailgun.key"
}
"""

PROGRAMS = ("postern-milter", "postern-policyd", "postern-ingress", "posternctl")


def find_programs(build=None):
    """The folder with Postern's programs: --build, POSTERN_BUILD, or the tree itself."""
    places = [build] if build else [os.environ.get("POSTERN_BUILD"),
                                    os.environ.get("POSTERN_BUILDDIR"), TOP]
    for place in filter(None, places):
        if all(os.access(os.path.join(place, program), os.X_OK) for program in PROGRAMS):
            return os.path.realpath(place)
    raise LabError(f"no {', '.join(PROGRAMS)} in {', '.join(filter(None, places))}: "
                   "build them, or name the build with --build DIR")


# --- people ---

def add_users(host):
    """postern, as conf/systemd would make it, and vmail; returns vmail's ids."""
    words = next(line.split() for line in source("conf/systemd/postern.sysusers").splitlines()
                 if line.startswith("u "))
    _add_user(host, words[1], "/var/lib/postern")
    return _add_user(host, "vmail", "/var/vmail")


def _add_user(host, name, folder):
    passwd, group = host.read("/etc/passwd"), host.read("/etc/group")
    for line in passwd.splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split(":")[2]), int(line.split(":")[3])
    taken = {int(line.split(":")[2]) for text in (passwd, group) for line in text.splitlines()
             if line.count(":") >= 2}
    number = next(candidate for candidate in range(899, 100, -1) if candidate not in taken)
    host.write("/etc/passwd", f"{passwd}{name}:x:{number}:{number}::{folder}:/usr/sbin/nologin\n")
    host.write("/etc/group", f"{group}{name}:x:{number}:\n")
    return number, number


# --- the neighbours ---

def prepare(home, keys, authority):
    """Certificates, secrets and mailboxes, where conf/ says they are."""
    make_certificate(keys, HOST)
    live = f"/etc/letsencrypt/live/{HOST}"
    for inside, file in [("fullchain.pem", f"{HOST}.pem"), ("privkey.pem", f"{HOST}.key")]:
        with open(os.path.join(keys, file)) as text:
            home.write(f"{live}/{inside}", text.read(), mode=0o600)
    home.write("/etc/ssl/certs/ca-certificates.crt", authority)
    home.write("/etc/postern/auth.token", secret(), mode=0o640, owner="root:postern")
    home.write("/etc/dovecot/postern.nonce", secret(), mode=0o600)
    home.write("/etc/postfix/mailboxes", "".join(f"{box} ok\n" for box in MAILBOXES))
    home.run("install", "-d", "-o", "vmail", "-g", "vmail", "/var/vmail")


# Home behind a second gateway: each list of the first one's addresses has both.
def _both(gateway, path, old, new):
    return filled(path, {old: new} if gateway.second else None)


def start_firewall(home, gateway):
    rules = (filled("conf/nftables/home-kept.nft") if gateway.keeps_client else
             _both(gateway, "conf/nftables/home.nft", "ip saddr 10.8.0.1 ",
                   "ip saddr { 10.8.0.1, 10.8.0.3 } "))
    home.write("/etc/nftables.d/postern-home.nft", rules)
    home.run("nft", "-f", "/etc/nftables.d/postern-home.nft")


def start_dovecot(home, gateway):
    home.run("sh", "-c", "nonce=$(cat /etc/dovecot/postern.nonce); rm -rf /etc/dovecot; "
             "cp -a /usr/share/dovecot /etc/dovecot; "
             "printf %s \"$nonce\" > /etc/dovecot/postern.nonce; "
             "chmod 600 /etc/dovecot/postern.nonce")
    # As 91-mailserver.conf says.
    _comment_out(home, "/etc/dovecot/conf.d/10-auth.conf", "!include auth-system.conf.ext")
    _comment_out(home, "/etc/dovecot/conf.d/10-ssl.conf", "ssl_cert =", "ssl_key =")
    home.write("/etc/dovecot/conf.d/90-postern.conf", _both(
        gateway, "conf/dovecot/90-postern.conf", "haproxy_trusted_networks = 10.8.0.1/32",
        "haproxy_trusted_networks = 10.8.0.1/32 10.8.0.3/32"))
    parts = (["91-mailserver.conf"] + (["91-managesieve.conf"] if SIEVE in gateway.header else [])
             + ([] if 993 in gateway.header else ["92-plain.conf"]))
    for part in parts:
        home.write(f"/etc/dovecot/conf.d/{part}", filled(f"conf/dovecot/{part}"))
    home.write("/etc/dovecot/conf.d/99-lab.conf", DOVECOT_LAB)
    home.write("/etc/dovecot/users", "".join(
        f"{box}:{hash_password(password)}\n" for box, password in MAILBOXES.items()),
        mode=0o640, owner="root:dovecot")
    # Postfix makes it when it starts, which is later.
    home.run("install", "-d", "-m", "0700", "-o", "postfix", "/var/spool/postfix/private")
    home.service("dovecot", "dovecot", "-F")
    home.wait_listening("dovecot", "tcp:143", "tcp:993",
                        "unix:/var/spool/postfix/private/auth",
                        "unix:/var/spool/postfix/private/dovecot-lmtp")


def _comment_out(home, path, *starts):
    lines = home.read(path).splitlines()
    for start in starts:
        found = [number for number, line in enumerate(lines) if line.startswith(start)]
        if len(found) != 1:
            raise LabError(f"{path}: {len(found)} lines start with {start!r}, not one")
        lines[found[0]] = "#" + lines[found[0]]
    home.write(path, "\n".join(lines) + "\n")


def start_postfix(home, gateway):
    with open("/usr/share/postfix/main.cf.debian") as stock:
        main = stock.read()
    with open("/usr/share/postfix/master.cf.dist") as stock:
        master = stock.read()
    home.write("/etc/postfix/main.cf", main + filled("conf/postfix/mailserver.cf")
               + _both(gateway, "conf/postfix/main.cf", "proxy_interfaces = 203.0.113.1, ",
                       "proxy_interfaces = 203.0.113.1, 203.0.113.2, 2001:db8::2, ") + POSTFIX_LAB)
    home.write("/etc/postfix/master.cf", master + _services(gateway))
    home.run("postconf", "-F", "smtp/inet/chroot=n")
    home.write("/etc/aliases", "postmaster: root\n")
    home.run("newaliases")
    home.run("chown", "postfix", "/var/lib/postfix")
    # What Debian's service does before it starts: resolv.conf and the like for the chroot.
    home.run("/usr/lib/postfix/configure-instance.sh", "-")
    home.run("postfix", "start", log="mail")
    home.wait_listening(None, "tcp:25", "tcp:587", "tcp:465")


def _services(gateway):
    """For a gateway with headers on some ports: those from one file, the rest from the other."""
    with_header, without = filled("conf/postfix/master.cf"), filled("conf/postfix/plain.cf")
    if 587 in gateway.header:
        return with_header
    if 25 in gateway.header:
        plain, proxy = (re.search(r"(?ms)^10\.8\.0\.2:25 .*?\n\n", text).group()
                        for text in (without, with_header))
        return without.replace(plain, proxy)
    return without


# --- Postern ---

def prepare_postern(home, passwords):
    """What make install and systemd's tools would have made."""
    for line in source("conf/systemd/postern.tmpfiles").splitlines():
        if line.startswith("d "):
            _, folder, mode, user, group, _ = line.split()
            home.run("install", "-d", "-m", mode, "-o", user, "-g", group, folder)
    home.run("install", "-d", "-m", "0750", "-o", "postern", "-g", "postern", "/var/lib/postern")
    for relay, password in passwords.items():
        home.write(f"/etc/postern/{relay}.key", password, mode=0o640, owner="root:postern")


SECOND_GATEWAY = """
gateway "vps2" {
  type = "haproxy"
  public_addresses = {"203.0.113.2", "2001:db8::2"}
  tunnel_addresses = {"10.8.0.3", "fd7a:10:8::3"}
}
"""


def write_configuration(home, gateway):
    text = filled("conf/postern.conf", {
        "enforce = false": "enforce = true",
        "#trusted = {}": 'trusted = {"192.168.1.0/24"}',
        'relays = {"brevo"}': 'relays = {"brevo", "mailgun"}',
        '#type = "nginx"': f'type = "{gateway.type}"',
        **({"#header_destinations = {}": 'header_destinations = {"10.0.0.5", "2001:db8::1"}'}
           if gateway.mapped else {}),
    })
    if not gateway.header:
        # No ingress waits for a header that is not sent.
        text = re.sub(r'(?ms)^ingress "smtp" \{.*?^\}\n', "", text)
    home.write("/etc/postern/postern.conf", text + SECOND_RELAY
               + (SECOND_GATEWAY if gateway.second else ""))


def start_policyd(home, *before):
    """before: words in front of the command, as env(1) and its variables."""
    home.service("postern-policyd", *before, "postern-policyd", "-f", "-c", "/etc/postern/postern.conf")
    # It listens before it has opened its store, and then may yet give up.
    home.wait_listening("postern-policyd", "unix:/run/postern/policy",
                        "unix:/run/postern/socketmap", "unix:/run/postern/control", "tcp:8893",
                        answers=["posternctl", "status"])


# How the ingress tells the servers who the client is. The address is the one of the sample.
SOURCE = "10.8.0.25"
WAYS = {"proxy": 'forward_as = "proxy"', "transparent": 'forward_as = "transparent"',
        "plain": f'forward_as = "plain"  source = "{SOURCE}"'}


def _forward_as(gateway, way, port):
    """Where the gateway names nobody, the server is told just that, in a header."""
    return WAYS[way if port in gateway.header else "proxy"]


# The sample has the section of port 25 and says that the others are like it.
def _with_ingresses(text, gateway, way):
    text = text.replace('#forward_as = "proxy"', fill.here(_forward_as(gateway, way, 25)), 1)
    sections = {"submission": 587, "submissions": 465, "imap": 143, "imaps": 993, "sieve": SIEVE}
    for name, port in sections.items():
        if port not in _ports(gateway):
            continue
        header = "required" if port in gateway.header else "none"
        text += fill.here(f'ingress "{name}" {{ listen = "10.8.0.2:{port}"  '
                          f'to = "127.0.0.1:{10000 + port}"  header = "{header}"  '
                          f'{_forward_as(gateway, way, port)} }}\n')
    return text


def _ports(gateway):
    return (*MAIL_PORTS, SIEVE) if SIEVE in gateway.header else MAIL_PORTS


def _without_header(path, text, ports, service, instead):
    """A file for servers behind the ingress, which hears no header on these ports."""
    for port in ports:
        text, count = re.subn(service.format(f"{10000 + port}"), instead, text)
        if count != 1:
            raise LabError(f"{path}: {count} services on port {10000 + port}, not one")
    return text


def _postfix_behind(bare):
    path = "conf/postfix/ingress.cf"
    return _without_header(path, filled(path), bare & {25, 465, 587},
                           r"(?m)^(127\.0\.0\.1:{} .*\n(?:  .*\n)*?)"
                           r"  -o smtpd_upstream_proxy_protocol=haproxy\n", r"\1")


def _dovecot_behind(gateway, bare):
    path = "conf/dovecot/92-ingress.conf"
    text = filled(path)
    if SIEVE in gateway.header:
        text = uncommented(text, r"#service managesieve-login {\n(?:#.*\n)+")
    return _without_header(path, text, bare & {143, 993, SIEVE},
                           r"(    port = {}\n)", r"\1    haproxy = no\n")


@contextlib.contextmanager
def ingress_before(home, way="proxy"):
    """Postfix's and Dovecot's services for the gateway stand behind postern-ingress."""
    gateway = GATEWAYS[state.load()["gateway"]]
    paths = ["/etc/postfix/master.cf", "/etc/postern/postern.conf"]
    if 993 not in gateway.header:
        paths.append("/etc/dovecot/conf.d/92-plain.conf")
    before = {path: home.read(path) for path in paths}
    put_servers_behind(home, gateway, way)
    start_ingress(home)
    try:
        yield
    finally:
        home.run("kill", str(home.service_pid("postern-ingress")))
        home.run("rm", "/etc/dovecot/conf.d/92-ingress.conf")
        for path, text in before.items():
            home.write(path, text)
        if way == "plain":
            home.run("ip", "address", "delete", fill.here(f"{SOURCE}/32"), "dev", "lo")
            read_again(home)
        _restart_servers(home)
        home.wait_listening(None, *[f"tcp:{port}" for port in _ports(gateway)])


def put_servers_behind(home, gateway, way):
    """All is ready for postern-ingress, but for the rules that transparent forwarding wants."""
    master, ours = (home.read(path) for path in ("/etc/postfix/master.cf",
                                                 "/etc/postern/postern.conf"))
    direct, bare = _services(gateway), set(gateway.header if way != "proxy" else ())
    for_the_lan = direct[direct.index("# The same submission for the LAN"):]
    home.write("/etc/postfix/master.cf",
               master.replace(direct, _postfix_behind(bare) + for_the_lan))
    home.run("rm", "-f", "/etc/dovecot/conf.d/92-plain.conf")
    home.write("/etc/dovecot/conf.d/92-ingress.conf", _dovecot_behind(gateway, bare))
    home.write("/etc/postern/postern.conf", _with_ingresses(ours, gateway, way))
    _restart_servers(home)
    home.wait_listening(None, *[f"tcp:{10000 + port}" for port in _ports(gateway)])
    if way == "plain":
        home.run("ip", "address", "add", fill.here(f"{SOURCE}/32"), "dev", "lo")
        read_again(home)  # whom to ask


def bring_answers_back(home):
    """What transparent forwarding wants, by the command that says it."""
    home.run("sh", "-c", home.run("postern-ingress", "--rules"))


def _restart_servers(home):
    home.run("postfix", "stop", log="mail")
    home.run("postfix", "start", log="mail")
    home.run("doveadm", "reload")


@contextlib.contextmanager
def milter_with(home, changes):
    """While the milter has a postern.conf in which the new texts stand for the old ones."""
    before = home.read("/etc/postern/postern.conf")
    after = before
    for old, new in changes.items():
        if old not in after:
            raise LabError(f"{old!r} is not in postern.conf")
        after = after.replace(old, new)
    _reread(home, after)
    try:
        yield
    finally:
        _reread(home, before)


def _reread(home, text):
    home.write("/etc/postern/postern.conf", text)
    _reload(home, "postern-milter", "USR1")


def read_again(home):
    """Both daemons have read postern.conf as it is now."""
    _reload(home, "postern-milter", "USR1")
    _reload(home, "postern-policyd", "HUP")


def _reload(home, service, signal):
    log = f"/var/log/{service}.log"
    count = home.read(log).count(" reloaded ")
    home.run("kill", f"-{signal}", str(home.service_pid(service)))
    until(f"{service} reloaded", lambda: home.read(log).count(" reloaded ") > count)


def start_ingress(home):
    home.service("postern-ingress", "postern-ingress", "-f", "-c", "/etc/postern/postern.conf")
    gateway = GATEWAYS[state.load()["gateway"]]
    home.wait_listening("postern-ingress", *[f"tcp:{port}" for port in _ports(gateway)])


def start_milter(home):
    home.service("postern-milter", "postern-milter", "-f", "-c", "/etc/postern/postern.conf")
    home.wait_listening("postern-milter", "unix:/run/postern/milter")
