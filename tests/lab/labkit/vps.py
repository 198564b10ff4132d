# SPDX-License-Identifier: MIT
"""The gateways: what runs on the vps, and what home has for it, from conf/."""

import dataclasses
import re

from .errors import until
from .fill import filled, source, uncommented

# What stands around our file in an nginx that does nothing else.
NGINX_CONF = """
load_module modules/ngx_stream_module.so;
user www-data;
worker_processes 2;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log;
events { }
include /etc/nginx/postern.conf;
"""

MAIL_PORTS = (25, 143, 465, 587, 993)
SIEVE = 4190
PORTS = (*MAIL_PORTS, SIEVE)


def _nginx(vps, text, ports):
    vps.write("/etc/nginx/postern.conf", text)
    vps.write("/etc/nginx/nginx.conf", NGINX_CONF)
    vps.run("mkdir", "-p", "/var/log/nginx")
    _load_proxy_rules(vps)
    vps.service("nginx", "nginx", "-g", "daemon off;")
    vps.wait_listening("nginx", *[f"tcp:{port}" for port in ports])


def _nginx_file():
    return uncommented(filled("conf/nginx/postern.conf"),
                       rf"    #server {{\n    #    listen {SIEVE} [^}}]*}}\n")


def nginx_without_smtp(vps):
    """Port 25 is free for another server."""
    text = vps.read("/etc/nginx/postern.conf")
    vps.write("/etc/nginx/postern.conf", re.sub(
        r"    server \{\n        listen 25 .*?\n    \}\n", "", text, count=1, flags=re.S))
    _reload_nginx(vps, False)


def nginx_again(vps):
    vps.write("/etc/nginx/postern.conf", _nginx_file())
    _reload_nginx(vps, True)


def _reload_nginx(vps, takes_smtp):
    vps.run("kill", "-HUP", str(vps.service_pid("nginx")))
    until("nginx reloaded", lambda: vps.listens("tcp:25") == takes_smtp)


def _nginx_postern(vps):
    _nginx(vps, _nginx_file(), PORTS)


def _nginx_guide(vps):
    _nginx(vps, filled("conf/nginx/guide.conf"), MAIL_PORTS)


def _haproxy(vps):
    # A scenario does not wait for half a minute.
    text = filled("conf/haproxy/haproxy.cfg", {
        "inter 30s fastinter 5s downinter 5s": "inter 1s fastinter 500ms downinter 500ms"})
    vps.write("/etc/haproxy/haproxy.cfg", uncommented(text, r"#listen sieve\n(?:#.*\n)+"))
    _load_proxy_rules(vps)
    _run_haproxy(vps)


def haproxy_before_ingress(vps):
    """HAProxy starts again, with the lines out that its file names."""
    lines = vps.read("/etc/haproxy/haproxy.cfg").splitlines(keepends=True)
    vps.write("/etc/haproxy/haproxy.cfg", "".join(
        line for line in lines if not line.lstrip().startswith(
            ("option smtpchk", "option tcp-check", "tcp-check"))))
    vps.run("kill", str(vps.service_pid("haproxy")))
    until("end of HAProxy", lambda: not vps.service_lives("haproxy"))
    _run_haproxy(vps)


def _run_haproxy(vps):
    vps.service("haproxy", "haproxy", "-db", "-f", "/etc/haproxy/haproxy.cfg")
    vps.wait_listening("haproxy", *[f"tcp:{port}" for port in PORTS])


def _nftables(vps):
    _pass_on(vps, "conf/nftables/gateway.nft")


def _nftables_masquerade(vps):
    _pass_on(vps, "conf/nftables/gateway-masquerade.nft")


def _pass_on(vps, rules):
    vps.write("/etc/sysctl.d/90-postern-gateway.conf", filled("conf/sysctl/postern-gateway.conf"))
    vps.run("sysctl", "-q", "-p", "/etc/sysctl.d/90-postern-gateway.conf")
    _load_rules(vps, filled(rules))


def _load_proxy_rules(vps):
    _load_rules(vps, filled("conf/nftables/gateway-proxy.nft",
                            {"80, 443 }": f"80, 443, {SIEVE} }}"}))


def _load_rules(vps, rules):
    """By the command of the unit that does it at each boot."""
    vps.write("/etc/nftables.d/postern-gateway.nft", rules)
    unit = source("conf/systemd/postern-gateway.service")
    start = next(line for line in unit.splitlines() if line.startswith("ExecStart="))
    vps.run(*start.removeprefix("ExecStart=").split())


@dataclasses.dataclass(frozen=True)
class Gateway:
    """What a lab with this gateway is made of."""
    start: object  # of a host
    type: str  # in postern.conf
    header: tuple = PORTS  # the ports on which it sends a PROXY header
    keeps_client: bool = False  # home answers into the tunnel
    mapped: bool = False  # the provider maps its public IPv4 address
    second: object = None  # starts another one, on vps2


GATEWAYS = {
    "nginx": Gateway(_nginx_postern, "nginx"),
    "nginx-guide": Gateway(_nginx_guide, "nginx", header=(25,)),
    "nginx-mapped": Gateway(_nginx_postern, "nginx", mapped=True),
    "haproxy": Gateway(_haproxy, "haproxy"),
    "nftables": Gateway(_nftables, "nftables", header=(), keeps_client=True),
    "nftables-masquerade": Gateway(_nftables_masquerade, "nftables-masquerade", header=()),
    "two": Gateway(_nginx_postern, "nginx", second=_haproxy),
}
