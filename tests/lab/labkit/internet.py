# SPDX-License-Identifier: MIT
"""The outside: DNS for everybody, and the providers' relays."""

import concurrent.futures
import os
import re

from .errors import until
from .fill import source
from .keys import make_certificate
from .network import DNS, RELAYS

RELAY_NAMES = {"brevo": "smtp-relay.brevo.com", "mailgun": "smtp.mailgun.org"}
RELAY_LOGIN = "me@example.com"

NSD_CONF = f"""
server:
  ip-address: {DNS}
  username: nsd
  zonesdir: "/etc/nsd"
  database: ""
  xfrdir: "/var/lib/nsd"
  zonelistfile: "/var/lib/nsd/zone.list"
  xfrdfile: "/var/lib/nsd/xfrd.state"
  pidfile: "/run/nsd.pid"
remote-control:
  control-enable: no
zone:
  name: "."
  zonefile: "root.zone"
"""

AUTH_CONF = """
protocols =
log_path = /var/log/relay-auth.log
base_dir = /run/dovecot
ssl = no
auth_mechanisms = plain login
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u /etc/dovecot/users
}
service auth {
  unix_listener /run/relay-auth {
    mode = 0666
  }
}
"""

RELAY_MAIN = """
compatibility_level = 3.6
myhostname = {host}
mydestination =
mynetworks =
inet_interfaces = {address}
inet_protocols = ipv4
queue_directory = /var/spool/postfix-{relay}
data_directory = /var/lib/postfix-{relay}
maillog_file = /var/log/relay-{relay}.log
alias_maps =
biff = no
smtpd_tls_cert_file = /etc/ssl/lab/{host}.pem
smtpd_tls_key_file = /etc/ssl/lab/{host}.key
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_loglevel = 1
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = /run/relay-auth
smtpd_relay_restrictions = permit_sasl_authenticated, reject
# What it accepted stays here, for a look: /var/mail/{relay}/new
default_transport = virtual
virtual_mailbox_base = /var/mail
virtual_mailbox_maps = static:{relay}/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
"""


def _strings(text):
    """Of at most 255 bytes each."""
    return " ".join(f'"{part}"' for part in re.findall(".{1,200}", text))


def txt_line(name, text):
    """A line of the zone."""
    return f"{name} TXT {_strings(text)}\n"


def zone_text(dkim_record):
    text = source("tests/lab/zone")
    assert text.count("@DKIM_RECORD@") == 1
    return text.replace("@DKIM_RECORD@", _strings(dkim_record))


def start_dns(internet, dkim_record):
    internet.write("/etc/nsd/root.zone", zone_text(dkim_record))
    internet.write("/etc/nsd/nsd.conf", NSD_CONF)
    internet.run("chown", "nsd", "/var/lib/nsd")
    internet.service("nsd", "nsd", "-d", "-c", "/etc/nsd/nsd.conf")
    until("nsd listening", lambda: _answers(internet))


def _answers(internet):
    with open(f"/proc/{internet.pid}/net/udp") as table:
        return any(line.split()[1].endswith(":0035") for line in table.read().splitlines()[1:])


def start_relays(internet, keys, vmail, passwords):
    internet.write("/etc/dovecot/users", f"{RELAY_LOGIN}:{{PLAIN}}{passwords['brevo']}\n"
                   f"postmaster@example.com:{{PLAIN}}{passwords['mailgun']}\n")
    internet.write("/etc/dovecot/dovecot.conf", AUTH_CONF)
    internet.service("relay-auth", "dovecot", "-F", "-c", "/etc/dovecot/dovecot.conf")
    internet.wait_listening("relay-auth", "unix:/run/relay-auth")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda relay: _first_start(internet, keys, relay, vmail), RELAYS))


def _first_start(internet, keys, relay, vmail):
    _prepare_relay(internet, keys, relay, vmail)
    start_relay(internet, relay)


def _prepare_relay(internet, keys, relay, vmail):
    host = RELAY_NAMES[relay]
    make_certificate(keys, host)
    for suffix in ("key", "pem"):
        with open(os.path.join(keys, f"{host}.{suffix}")) as file:
            internet.write(f"/etc/ssl/lab/{host}.{suffix}", file.read(), mode=0o600)
    uid, gid = vmail
    folder = f"/etc/postfix-{relay}"
    internet.run("sh", "-c", f"cp -a /etc/postfix {folder}; install -d /var/spool/postfix-{relay}; "
                 f"install -d -o postfix /var/lib/postfix-{relay}; "
                 f"install -d -o {uid} -g {gid} /var/mail /var/mail/{relay}")
    internet.write(f"{folder}/main.cf", RELAY_MAIN.format(
        host=host, relay=relay, address=RELAYS[relay], uid=uid, gid=gid))
    internet.write(f"{folder}/master.cf", _relay_master())


def _relay_master():
    """Debian's own list of services, on the submission port too and without chroot."""
    with open("/usr/share/postfix/master.cf.dist") as file:
        text = file.read()
    text = re.sub(r"(?m)^smtp(\s+inet.*)$", r"587\1\n25\1", text, count=1)
    return re.sub(r"(?m)^(\S+\s+(?:inet|unix)\s+\S+\s+\S+\s+)y", r"\1n", text)


def start_relay(internet, relay):
    internet.run("postfix", "-c", f"/etc/postfix-{relay}", "start", log=f"relay-{relay}")


def stop_relay(internet, relay):
    internet.run("postfix", "-c", f"/etc/postfix-{relay}", "stop")
