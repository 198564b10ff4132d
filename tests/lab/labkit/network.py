# SPDX-License-Identifier: MIT
"""Links between the hosts, home's CGNAT, and the tunnel."""

import os
import subprocess

from .errors import LabError, until
from .fill import filled

ROUTER = "203.0.113.254"
DNS = "203.0.113.53"
RELAYS = {"brevo": "203.0.113.101", "mailgun": "203.0.113.102"}
CLIENTS4 = [f"203.0.113.{last}" for last in range(50, 100) if last != 53]
# Each in a net of its own, as customers of different providers are.
CLIENTS6 = [f"2001:db8:{net}::{net}" for net in range(50, 60)]

CGNAT = """
define inside = { 100.64.0.0/24, 192.168.1.0/24 }
table inet cgnat {
    chain out {
        type nat hook postrouting priority srcnat
        iifname "home" oifname "vps" ip saddr $inside snat ip to 203.0.113.254
    }
    chain to_internet {
        type nat hook input priority 100
        iifname "home" ip saddr $inside snat ip to 203.0.113.254
    }
    chain forward {
        type filter hook forward priority filter
        oifname "home" ct state != { established, related } drop
    }
    chain own {
        type filter hook output priority filter
        oifname "home" ct state != { established, related } drop
    }
}
"""


def connect(internet, vps, home):
    """internet and vps share 203.0.113.0/24; home sits behind internet's CGNAT."""
    for host in (internet, vps, home):
        _allow_ipv6(host)
    internet.ip("link set lo up",
                f"link add vps type veth peer name wan netns {vps.pid}",
                f"link add home type veth peer name wan netns {home.pid}",
                # The first is what a client has that does not choose: the right sender's.
                *[f"address add {client}/24 dev vps" for client in CLIENTS4],
                f"address add {ROUTER}/32 dev vps",
                f"address add {DNS}/32 dev vps",
                *[f"address add {relay}/32 dev vps" for relay in RELAYS.values()],
                "address add 2001:db8::fe/64 dev vps nodad noprefixroute",
                *[f"address add {client}/64 dev lo nodad" for client in CLIENTS6],
                "address add 100.64.0.1/24 dev home",
                "link set vps up", "link set home up",
                f"route add 2001:db8::/64 dev vps src {CLIENTS6[0]}",
                "route add 192.168.1.0/24 via 100.64.0.2")
    vps.ip("link set lo up",
           "address add 203.0.113.1/24 dev wan", "address add 2001:db8::1/64 dev wan nodad",
           "link set wan up",
           f"route add default via {ROUTER}", "route add ::/0 via 2001:db8::fe")
    home.ip("link set lo up",
            "address add 100.64.0.2/24 dev wan", "address add 192.168.1.2/24 dev wan",
            "link set wan up", "route add default via 100.64.0.1")
    internet.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    internet.nft(CGNAT)


def _allow_ipv6(host):
    """A new network has the machine's settings, and the machine may do without."""
    host.run("sh", "-c", "cd /proc/sys/net/ipv6/conf && "
             "for where in all default lo; do echo 0 > $where/disable_ipv6; done")


def make_tunnel(vps, home):
    """WireGuard where it can run, else a plain link; returns which, in words."""
    if os.path.exists("/dev/net/tun"):
        _wireguard(vps, home)
        return "WireGuard"
    _plain_link(vps, home)
    return "plain link, because there is no /dev/net/tun for WireGuard"


def _wireguard(vps, home):
    keys = {host: _key_pair() for host in ("vps", "home")}
    for host in (vps, home):
        other = "home" if host.name == "vps" else "vps"
        values = {f"@{host.name.upper()}_PRIVATE_KEY@": keys[host.name][0],
                  f"@{other.upper()}_PUBLIC_KEY@": keys[other][1]}
        host.write("/etc/wireguard/wg0.conf", filled(f"conf/wireguard/{host.name}.conf", values),
                   mode=0o600)
        host.run("wg-quick", "up", "wg0")
    until("WireGuard's first handshake", lambda: _shook_hands(home))


def _shook_hands(home):
    return home.run("wg", "show", "wg0", "latest-handshakes").split()[1] != "0"


def _key_pair():
    private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout
    public = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True,
                            check=True).stdout
    return private.strip(), public.strip()


def _plain_link(vps, home):
    vps.ip(f"link add wg0 type veth peer name wg0 netns {home.pid}",
           "address add 10.8.0.1/24 dev wg0", "link set wg0 up")
    home.ip("address add 10.8.0.2/24 dev wg0", "link set wg0 up")


def require_tools():
    """Names the packages of which a program is missing."""
    wanted = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux", "nsd": "nsd",
              "nginx": "nginx libnginx-mod-stream", "postfix": "postfix",
              "dovecot": "dovecot-imapd dovecot-lmtpd", "openssl": "openssl",
              "wg-quick": "wireguard-tools", "wireguard-go": "wireguard-go"}
    path = os.pathsep.join(["/usr/sbin", "/sbin", os.environ.get("PATH", "")])
    missing = [package for program, package in wanted.items()
               if not any(os.access(os.path.join(folder, program), os.X_OK)
                          for folder in path.split(os.pathsep))]
    if missing:
        raise LabError("missing: apt install " + " ".join(sorted(missing)))
