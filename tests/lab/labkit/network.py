# SPDX-License-Identifier: MIT
"""Links between the hosts, home's CGNAT, and the tunnel."""

import os
import subprocess

from .errors import LabError, until
from . import fill
from .fill import filled

ROUTER = "203.0.113.254"
DNS = "203.0.113.53"
RELAYS = {"brevo": "203.0.113.101", "mailgun": "203.0.113.102"}
CLIENTS4 = [f"203.0.113.{last}" for last in range(50, 100) if last != 53]
# How vps and home are linked: what stands for the samples' names of the tunnel.
LINKS = {
    "wireguard": {},
    "tailscale": {"wg0": "tailscale0", "10.8.0.1": "100.101.0.1", "10.8.0.2": "100.101.0.2",
                  "10.8.0.3": "100.101.0.3", "fd7a:10:8::": "fd7a:115c:a1e0::"},
}
# Each in a net of its own, as customers of different providers are.
CLIENTS6 = [f"2001:db8:{net}::{net}" for net in range(50, 60)]

CGNAT = """
define inside = { 100.64.0.0/24, 192.168.1.0/24 }
table inet cgnat {
    chain out {
        type nat hook postrouting priority srcnat
        iifname "home" oifname != "home" ip saddr $inside snat ip to 203.0.113.254
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

# The provider's: the vps has a private address, and the world does not see it.
MAPPING = """
define public = 203.0.113.1
define private = 10.0.0.5
table ip mapping {
    chain from_outside {
        type nat hook prerouting priority dstnat
        ip daddr $public dnat to $private
    }
    chain from_clients {
        type nat hook output priority -100
        ip daddr $public dnat to $private
    }
}
"""


def connect(internet, vps, home, mapped=False):
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
           f"address add {'10.0.0.5' if mapped else '203.0.113.1'}/24 dev wan",
           "address add 2001:db8::1/64 dev wan nodad",
           "link set wan up",
           f"route add default via {'10.0.0.1' if mapped else ROUTER}",
           "route add ::/0 via 2001:db8::fe")
    home.ip("link set lo up",
            "address add 100.64.0.2/24 dev wan", "address add 192.168.1.2/24 dev wan",
            "link set wan up", "route add default via 100.64.0.1")
    internet.run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
    internet.nft(CGNAT)
    if mapped:
        internet.ip("address add 10.0.0.1/24 dev vps")
        internet.nft(MAPPING)


def connect_second(internet, vps2):
    """The second gateway has a wire of its own, and the net of the first."""
    _allow_ipv6(vps2)
    internet.ip(f"link add vps2 type veth peer name wan netns {vps2.pid}",
                f"address add {ROUTER}/32 dev vps2",
                "address add 2001:db8::fe/128 dev vps2 nodad",
                "link set vps2 up",
                f"route add 203.0.113.2/32 dev vps2 src {CLIENTS4[0]}",
                f"route add 2001:db8::2/128 dev vps2 src {CLIENTS6[0]}")
    vps2.ip("link set lo up",
            "address add 203.0.113.2/24 dev wan", "address add 2001:db8::2/64 dev wan nodad",
            "link set wan up",
            f"route add default via {ROUTER}", "route add ::/0 via 2001:db8::fe")


def _allow_ipv6(host):
    """A new network has the machine's settings, and the machine may do without."""
    host.run("sh", "-c", "cd /proc/sys/net/ipv6/conf && "
             "for where in all default lo; do echo 0 > $where/disable_ipv6; done")


def make_tunnel(link, vps, home, vps2=None, keeps_client=False):
    """From the gateways to home; returns what it is, in words."""
    if link == "tailscale":
        _plain_link(vps, home)
        return "plain link with Tailscale's addresses"
    if os.path.exists("/dev/net/tun"):
        _wireguard(vps, home, vps2, keeps_client)
        return "WireGuard"
    if vps2 or keeps_client:
        raise LabError("no /dev/net/tun for WireGuard, which this gateway needs")
    _plain_link(vps, home)
    return "plain link, because there is no /dev/net/tun for WireGuard"


def _wireguard(vps, home, vps2, keeps_client):
    keys = {host: _key_pair() for host in ("vps", "vps2", "home")}
    end = "home-kept" if keeps_client else "home"
    at_home = filled(f"conf/wireguard/{end}.conf", {"@HOME_PRIVATE_KEY@": keys["home"][0],
                                                    "@VPS_PUBLIC_KEY@": keys["vps"][1]})
    if vps2:
        at_home += _second_peer(keys["vps2"][1])
        _wireguard_up(vps2, _vps_end(keys, "vps2", {"10.8.0.1/24": "10.8.0.3/24",
                                                    "fd7a:10:8::1/64": "fd7a:10:8::3/64"}))
    _wireguard_up(vps, _vps_end(keys, "vps"))
    _wireguard_up(home, at_home)
    until("WireGuard's first handshakes", lambda: shook_hands(home))


def _vps_end(keys, which, values=None):
    return filled("conf/wireguard/vps.conf", {"@VPS_PRIVATE_KEY@": keys[which][0],
                                              "@HOME_PUBLIC_KEY@": keys["home"][1],
                                              **(values or {})})


def _second_peer(public_key):
    text = filled("conf/wireguard/home.conf", {
        "@HOME_PRIVATE_KEY@": "", "@VPS_PUBLIC_KEY@": public_key, "203.0.113.1": "203.0.113.2",
        "10.8.0.1/32": "10.8.0.3/32", "fd7a:10:8::1/128": "fd7a:10:8::3/128"})
    return text[text.index("[Peer]"):]


def _wireguard_up(host, text):
    host.write("/etc/wireguard/wg0.conf", text, mode=0o600)
    host.run("wg-quick", "up", "wg0")


def shook_hands(home):
    shown = home.run("wg", "show", "wg0", "latest-handshakes").split()
    return "0" not in shown[1::2]


def _key_pair():
    private = subprocess.run(["wg", "genkey"], capture_output=True, text=True, check=True).stdout
    public = subprocess.run(["wg", "pubkey"], input=private, capture_output=True, text=True,
                            check=True).stdout
    return private.strip(), public.strip()


def _plain_link(vps, home):
    """Single addresses with a route to the other end, as Tailscale makes them."""
    name = fill.names.get("wg0", "wg0")
    ends = {host: [fill.names.get(f"10.8.0.{last}", f"10.8.0.{last}"),
                   fill.names.get("fd7a:10:8::", "fd7a:10:8::") + last]
            for host, last in ((vps, "1"), (home, "2"))}
    vps.ip(f"link add {name} type veth peer name {name} netns {home.pid}")
    for host, other in ((vps, home), (home, vps)):
        host.ip(f"address add {ends[host][0]}/32 dev {name}",
                f"address add {ends[host][1]}/128 dev {name} nodad", f"link set {name} up",
                f"route add {ends[other][0]}/32 dev {name} src {ends[host][0]}",
                f"route add {ends[other][1]}/128 dev {name} src {ends[host][1]}")


def require_tools():
    """Names the packages of which a program is missing."""
    wanted = {"ip": "iproute2", "nft": "nftables", "nsenter": "util-linux", "nsd": "nsd",
              "nginx": "nginx libnginx-mod-stream", "postfix": "postfix",
              "dovecot": "dovecot-imapd dovecot-lmtpd", "openssl": "openssl",
              "managesieve-login": "dovecot-managesieved", "haproxy": "haproxy",
              "sysctl": "procps", "wg-quick": "wireguard-tools", "wireguard-go": "wireguard-go",
              "redis-server": "redis-server"}
    path = os.pathsep.join(["/usr/sbin", "/sbin", "/usr/lib/dovecot",
                            os.environ.get("PATH", "")])
    missing = [package for program, package in wanted.items()
               if not any(os.access(os.path.join(folder, program), os.X_OK)
                          for folder in path.split(os.pathsep))]
    if missing:
        raise LabError("missing: apt install " + " ".join(sorted(missing)))
