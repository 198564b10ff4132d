# SPDX-License-Identifier: MIT
"""lab up and lab down: the order in which the hosts and their services come."""

import concurrent.futures
import os
import sys
import time

from . import holder, home as home_parts, internet as internet_parts, keys, network, state, vps
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


def up(gateway, forward_as, store, build=None, quiet=False):
    say = Step(quiet)
    _check_choices(gateway, forward_as, store)
    holder.require_namespaces()
    network.require_tools()
    programs = home_parts.find_programs(build)
    state.create()
    try:
        hosts = _start_hosts(programs, say)
        _start_services(hosts, gateway, say)
    except BaseException as error:
        _show_log(error)
        state.remove()
        raise


def down():
    state.remove()


def _check_choices(gateway, forward_as, store):
    for option, value, known in [("--gateway", gateway, vps.GATEWAYS),
                                 ("--forward-as", forward_as, ("proxy",)),
                                 ("--store", store, ("file",))]:
        if value not in known:
            raise LabError(f"{option} {value}: this version knows {', '.join(known)}")


def _start_hosts(programs, say):
    folder = state.folder()
    facts = {"name": state.name(), "programs": programs, "hosts": {}}
    hosts = {}
    for name in state.HOSTS:
        log_folder = os.path.join(folder, name)
        os.mkdir(log_folder, 0o755)
        pid = holder.start_host(name, log_folder, [TOP, programs, folder])
        facts["hosts"][name] = {"pid": pid, "started": state.start_time(pid)}
        state.save(facts)
        hosts[name] = Host(name, pid, log_folder, programs)
        _write_names(hosts[name])
    say("three hosts: internet, vps, home")
    return hosts


def _write_names(host):
    host.write("/etc/resolv.conf", f"nameserver {network.DNS}\noptions timeout:2 attempts:2\n")
    host.write("/etc/hosts", f"127.0.0.1 localhost\n::1 localhost\n127.0.1.1 {host.name}\n")
    host.write("/etc/mailname", "example.com\n")
    host.write("/etc/nsswitch.conf", "passwd: files\ngroup: files\nshadow: files\n"
               "hosts: files dns\nservices: files\nprotocols: files\n")


def _start_services(hosts, gateway, say):
    internet, gate, home = (hosts[name] for name in state.HOSTS)
    folder = os.path.join(state.folder(), "keys")
    os.mkdir(folder, 0o700)
    passwords = {relay: keys.secret() for relay in network.RELAYS}

    network.connect(internet, gate, home)
    keys.make_authority(folder)
    internet_parts.start_dns(internet, keys.make_dkim_key(folder))
    say("links, CGNAT in front of home, DNS")
    say("tunnel: " + network.make_tunnel(gate, home))

    with concurrent.futures.ThreadPoolExecutor() as pool:
        jobs = [pool.submit(_start_internet, internet, folder, passwords, say),
                pool.submit(_start_vps, gate, gateway, say),
                pool.submit(_start_home, home, folder, passwords, say)]
        for job in concurrent.futures.as_completed(jobs):
            job.result()
    say("up")


def _start_internet(internet, folder, passwords, say):
    vmail = home_parts.add_users(internet)
    internet_parts.start_relays(internet, folder, vmail, passwords)
    say("internet: the relays smtp-relay.brevo.com and smtp.mailgun.org")


def _start_vps(gate, gateway, say):
    vps.start_gateway(gate)
    say(f"vps: {gateway} on 203.0.113.1 and 2001:db8::1")


def _start_home(home, folder, passwords, say):
    home_parts.add_users(home)
    with open(os.path.join(folder, "ca.pem")) as file:
        home_parts.prepare(home, folder, file.read())
    home_parts.start_firewall(home)
    home_parts.prepare_postern(home, passwords)
    home_parts.write_configuration(home)
    home_parts.start_policyd(home)
    home_parts.start_milter(home)
    say("home: postern-policyd and postern-milter")
    home_parts.start_dovecot(home)
    home_parts.start_postfix(home)
    say("home: Postfix and Dovecot")


def _show_log(error):
    log = getattr(error, "log", None)
    if log and os.path.exists(log):
        with open(log, errors="replace") as file:
            tail = file.read().splitlines()[-20:]
        print(f"--- the end of {os.path.basename(log)}:", *tail, sep="\n", file=sys.stderr)
