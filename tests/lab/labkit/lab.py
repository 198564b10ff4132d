# SPDX-License-Identifier: MIT
"""lab up and lab down: the order in which the hosts and their services come."""

import concurrent.futures
import os
import sys
import time

from . import (fill, holder, home as home_parts, internet as internet_parts, keys, network, state,
               store as stores, vps)
from .errors import LabError
from .fill import TOP
from .host import Host


class Step:
    """Says what is being done, and how long it took."""

    def __init__(self, quiet):
        self.quiet = quiet
        self.started = time.monotonic()

    def __call__(self, text):
        if not self.quiet:
            print(f"{time.monotonic() - self.started:6.2f} s  {text}", flush=True)


def up(gateway, forward_as, store, build=None, quiet=False, link="wireguard"):
    say = Step(quiet)
    _check_choices(gateway, forward_as, store, link)
    fill.names = network.LINKS[link]
    holder.require_namespaces()
    network.require_tools()
    programs = home_parts.find_programs(build)
    state.create()
    try:
        hosts = _start_hosts(programs, gateway, link, say)
        _start_services(hosts, gateway, link, forward_as, store, say)
    except BaseException as error:
        _show_log(error)
        state.remove()
        raise


def down():
    state.remove()


def _check_choices(gateway, forward_as, store, link):
    for option, value, known in [("--gateway", gateway, vps.GATEWAYS),
                                 ("--link", link, network.LINKS),
                                 ("--forward-as", forward_as, home_parts.WAYS),
                                 ("--store", store, stores.STORES)]:
        if value not in known:
            raise LabError(f"{option} {value}: this version knows {', '.join(known)}")
    if forward_as != "proxy" and not vps.GATEWAYS[gateway].header:
        raise LabError(f"--forward-as {forward_as}: postern-ingress must learn the client from a "
                       f"PROXY header, and the gateway {gateway} sends none")


def _start_hosts(programs, gateway, link, say):
    folder = state.folder()
    facts = {"name": state.name(), "programs": programs, "gateway": gateway, "link": link,
             "hosts": {}}
    hosts = {}
    names = [*state.HOSTS, *([state.SECOND] if vps.GATEWAYS[gateway].second else [])]
    for name in names:
        log_folder = os.path.join(folder, name)
        os.mkdir(log_folder, 0o755)
        pid = holder.start_host(name, log_folder, [TOP, programs, folder])
        facts["hosts"][name] = {"pid": pid, "started": state.start_time(pid)}
        state.save(facts)
        hosts[name] = Host(name, pid, log_folder, programs)
        _write_names(hosts[name])
    say("hosts: " + ", ".join(names))
    return hosts


def _write_names(host):
    host.write("/etc/resolv.conf", f"nameserver {network.DNS}\noptions timeout:2 attempts:2\n")
    host.write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {host.name}\n")
    host.write("/etc/mailname", "example.com\n")
    host.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n"
               "hosts: files dns\nservices: files\nprotocols: files\n")


def _start_services(hosts, name, link, forward_as, store, say):
    internet, gate, home = (hosts[name] for name in state.HOSTS)
    gateway, second = vps.GATEWAYS[name], hosts.get(state.SECOND)
    folder = os.path.join(state.folder(), "keys")
    os.mkdir(folder, 0o700)
    passwords = {relay: keys.secret() for relay in network.RELAYS}

    network.connect(internet, gate, home, gateway.mapped)
    if second:
        network.connect_second(internet, second)
    keys.make_authority(folder)
    internet_parts.start_dns(internet, keys.make_dkim_key(folder))
    say("links, CGNAT in front of home, DNS")
    say("tunnel: " + network.make_tunnel(link, gate, home, second, gateway.keeps_client))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = [pool.submit(_start_internet, internet, folder, passwords, say),
                pool.submit(_start_home, home, gateway, forward_as, store, folder, passwords, say)]
        for job in concurrent.futures.as_completed(jobs):
            job.result()
    # Last: HAProxy looks at once whether home answers.
    _start_vps(gate, name, second, say)
    if forward_as != "proxy":
        _spare_the_ingress(filter(None, (gate, second)))
    say("up")


def _start_internet(internet, folder, passwords, say):
    vmail = home_parts.add_users(internet)
    internet_parts.start_relays(internet, folder, vmail, passwords)
    say("internet: the relays smtp-relay.brevo.com and smtp.mailgun.org")


def _start_vps(gate, name, second, say):
    vps.GATEWAYS[name].start(gate)
    say(f"vps: {name} on 203.0.113.1 and 2001:db8::1")
    if second:
        vps.GATEWAYS[name].second(second)
        say("vps2: another one on 203.0.113.2 and 2001:db8::2")


def _spare_the_ingress(gates):
    """HAProxy's health checks see that it is there, and no more."""
    for gate in gates:
        if gate.service_lives("haproxy"):
            vps.haproxy_before_ingress(gate)


def _start_home(home, gateway, forward_as, store, folder, passwords, say):
    home_parts.add_users(home)
    with open(os.path.join(folder, "ca.pem")) as file:
        home_parts.prepare(home, folder, file.read())
    home_parts.start_firewall(home, gateway)
    home_parts.prepare_postern(home, passwords)
    home_parts.write_configuration(home, gateway)
    if store == "redis":
        stores.start_with(home)
        say("home: Redis")
    home_parts.start_policyd(home)
    home_parts.start_milter(home)
    say("home: postern-policyd and postern-milter")
    home_parts.start_dovecot(home, gateway)
    home_parts.start_postfix(home, gateway)
    say("home: Postfix and Dovecot")
    if forward_as != "proxy":
        _start_ingress(home, gateway, forward_as)
        say(f"home: postern-ingress before them, {forward_as}")


def _start_ingress(home, gateway, forward_as):
    home_parts.put_servers_behind(home, gateway, forward_as)
    if forward_as == "transparent":
        home_parts.bring_answers_back(home)
    home_parts.start_ingress(home)


def _show_log(error):
    log = getattr(error, "log", None)
    if log and os.path.exists(log):
        with open(log, errors="replace") as file:
            tail = file.read().splitlines()[-20:]
        print(f"--- the end of {os.path.basename(log)}:", *tail, sep="\n", file=sys.stderr)
