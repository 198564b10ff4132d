# SPDX-License-Identifier: MIT
"""A mail server on the vps, in nginx's place on port 25, from conf/."""

import contextlib
import re

from . import vps
from .errors import until
from .fill import filled

EXIM = "/usr/local/lib/postern-lab/exim4-daemon-light/usr/sbin/exim4"
NAME = "gw.example.com"

# Several instances of Postfix share the machine's log daemon and lookups otherwise.
POSTFIX_LAB = """
inet_protocols = all
maillog_file = /var/log/mta.log
alias_maps =
biff = no
"""


def start_postfix(host):
    with open("/usr/share/postfix/main.cf.debian") as main, \
            open("/usr/share/postfix/master.cf.dist") as master:
        host.write("/etc/postfix/main.cf", main.read() + filled("conf/postfix/vps-main.cf")
                   + POSTFIX_LAB)
        host.write("/etc/postfix/master.cf", re.sub(
            r"(?m)^(\S+\s+(?:inet|unix)\s+\S+\s+\S+\s+)y", r"\1n", master.read()))
    host.run("chown", "postfix", "/var/lib/postfix")
    host.run("postfix", "start", log="mta")


def stop_postfix(host):
    host.run("postfix", "stop", log="mta")


def start_exim(host):
    host.run("sh", "-c", "getent passwd Debian-exim >/dev/null || "
             "useradd -r -M -d /var/spool/exim4 Debian-exim")
    host.run("install", "-d", "-o", "Debian-exim", "-g", "Debian-exim", "/var/spool/exim4",
             "/var/log/exim4")
    # It knows where it is installed, not where it is here.
    host.write("/etc/exim4/exim4.conf", f"exim_path = {EXIM}\n" + filled("conf/exim/vps.conf"))
    host.service("exim4", EXIM, "-bdf", "-q1m", "-oX", "25")


def stop_exim(host):
    host.run("kill", str(host.service_pid("exim4")))
    until("end of Exim", lambda: not host.service_lives("exim4"))


SERVERS = {"postfix": (start_postfix, stop_postfix), "exim": (start_exim, stop_exim)}


@contextlib.contextmanager
def mail_server(host, which):
    start, stop = SERVERS[which]
    vps.nginx_without_smtp(host)
    start(host)
    try:
        host.wait_listening(None, "tcp:25")
        yield
    finally:
        stop(host)
        until("port 25 free", lambda: not host.listens("tcp:25"))
        vps.nginx_again(host)


def submit(host, which, text):
    """A mail of the vps's own, as cron sends it."""
    host.run(EXIM if which == "exim" else "sendmail", "-f", "root@gw.example.com", "-t",
             stdin=text)
