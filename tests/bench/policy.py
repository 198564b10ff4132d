# SPDX-License-Identifier: MIT
"""Policy delegation: postern-policyd, a server that does nothing, and postfwd."""

import os
import shutil

from benchkit import (BUILD, GROUP, ROOT, USER, Server, answers, median, ratios, run_load,
                      table, wait_for)

CONNECTIONS = [1, 8, 50]
CLIENTS = 1000
MANY = 1000000
MILLISECONDS = 400      # short: a disturbance hits one run, and medians are of many

CONFIG = '''
hostname = "mail.example.org"
user = "{user}"
store = "{store}"
policyd {{
  policy = {{"{unix}", "{tcp}"}}
  socketmap = {{}}
  control = "{control}"
  control_group = ""
  group = ""
  max_keys = {keys}
}}
{jails}
'''
JAILS = '''
jail "each" { events = {"connect"}  maxretry = 1000000  findtime = "1h" }
jail "long" { events = {"connect"}  maxretry = 1000000  findtime = "1d" }
jail "net" { events = {"connect"}  maxretry = 1000000  findtime = "1h"  prefix4 = 24 }
'''
JAIL = JAILS.splitlines()[1]


class Nothing(Server):
    """Answers and does nothing else: what the kernel and the generator allow."""

    name = "do-nothing"

    def start(self):
        self.spawn(os.path.join(BUILD, "tests/bench/policy_null"), *self.addresses.values(),
                   stdout=-3)


class Policyd(Server):
    """Jails that count each request, three if not told otherwise."""

    name = "policyd"

    def __init__(self, keys=200000, jails=JAILS):
        super().__init__()
        self.keys, self.jails = keys, jails

    def config(self, store="", control=""):
        return CONFIG.format(user=USER, store=store or f"file:{self.folder}/store", keys=self.keys,
                             control=control, jails=self.jails, **self.addresses)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        with open(self.path("postern.conf"), "w", encoding="ascii") as config:
            config.write(self.config())
        self.run()

    def run(self):
        with open(self.path("log"), "ab") as log:
            self.spawn(os.path.join(BUILD, "postern-policyd"), "-f", "-c",
                       self.path("postern.conf"), stderr=log)


class Postfwd(Server):
    """Debian's, with its arguments and one rule that counts each request; without its log."""

    name = "postfwd"
    rule = ("id=EACH; protocol_state=CONNECT; "
            "action=rate(client_address/1000000/3600/421 4.7.0 too many)")

    def __init__(self, transport):
        super().__init__()
        self.addresses = {transport: self.addresses[transport]}

    def start(self):
        (transport, address), = self.addresses.items()
        pid_file = os.path.join(self.folder, "pid")
        listen = address.replace("unix:", "unix::") if transport == "unix" else f"tcp:{address}"
        user = ["-u", USER, "-g", GROUP] if ROOT else []
        self.spawn("postfwd2", "--perfmon", *user, f"--server_socket={listen}",
                   "--server_umask=0111", f"--cache_socket=unix::{self.folder}/cache",
                   f"--pidfile={pid_file}", "--cache=600", "--cache-rdomain-only",
                   "--cache-no-size", "-r", self.rule)
        os.waitpid(self.pids.pop(), 0)
        wait_for(lambda: os.path.exists(pid_file) and answers(address), "postfwd has started")
        with open(pid_file, encoding="ascii") as pid:
            self.pids = [int(pid.read())]


def measure(server, transport, connections, depth=1, clients=CLIENTS):
    figures = run_load(server, "policy_load", "-c", connections, "-d", depth, "-k", clients,
                       "-t", MILLISECONDS, server.addresses[transport])
    assert figures["other"] == 0, f"{server.name} answered with more than DUNNO"
    return figures


def medians(runs):
    return {name: median([run[name] for run in runs]) for name in runs[0]}


def row(label, runs, compared):
    figures = medians(runs)
    return [label, f"{figures['rate']:,.0f}", f"{figures['p50_us'] / 1000:.3f}",
            f"{figures['p99_us'] / 1000:.3f}", f"{figures['cpu_us']:.1f}", *compared]


def compare(transport, rounds):
    """All three in turn, so that each round sees the same machine."""
    rows = []
    with Nothing() as nothing, Policyd() as policyd:
        for connections, depth in [(c, 1) for c in CONNECTIONS] + [(8, 16)]:
            runs = [[measure(s, transport, connections, depth) for s in (policyd, nothing)]
                    for _ in range(rounds)]
            ours, none = zip(*runs)
            label = f"{connections} x {depth}"
            rows.append(row(f"{label} policyd", ours, ratios(ours, none)))
            rows.append(row(f"{label} do-nothing", none, ["", ""]))
        if shutil.which("postfwd2"):
            rows += compare_postfwd(transport, rounds, policyd)
    print(f"\nPolicy requests over {transport}, medians of {rounds} runs of {MILLISECONDS} ms, "
          f"{CLIENTS} clients, connections x requests under way on each")
    table(["", "requests/s", "p50 ms", "p99 ms", "CPU us", "policyd is x", "by CPU"], rows)


def compare_postfwd(transport, rounds, policyd):
    rows = []
    with Postfwd(transport) as postfwd:
        for connections in CONNECTIONS:
            runs = [[measure(s, transport, connections) for s in (policyd, postfwd)]
                    for _ in range(rounds)]
            ours, theirs = zip(*runs)
            figures = row(f"{connections} x 1 postfwd", theirs, ratios(ours, theirs))
            figures[4] = figures[6] = ""    # its workers' time is not its parent's
            rows.append(figures)
    return rows


def fill(policyd, clients):
    """Ask once about each client; the longest wait shows whether a growing table stalls."""
    return run_load(policyd, "policy_load", "-1", "-c", 8, "-k", clients, policyd.addresses["unix"])


def memory(rounds):
    with Policyd(MANY, JAIL) as few, Policyd(MANY, JAIL) as many:
        fill(few, CLIENTS)
        filled = fill(many, MANY)
        runs = [[measure(many, "unix", 8, clients=MANY), measure(few, "unix", 8)]
                for _ in range(rounds)]
        sizes = {MANY: many.anonymous_bytes(), CLIENTS: few.anonymous_bytes()}
    print(f"\nKeys, 8 connections over unix, medians of {rounds} runs of {MILLISECONDS} ms")
    rows = []
    for clients, part in zip((MANY, CLIENTS), zip(*runs)):
        is_many = clients == MANY
        rows.append(row(f"{clients:,} keys", part, [
            *(ratios(*zip(*runs)) if is_many else ["", ""]),
            f"{sizes[clients] / 1e6:.1f}", f"{sizes[clients] / clients:.0f}" if is_many else ""]))
    table(["", "requests/s", "p50 ms", "p99 ms", "CPU us", "many to few", "by CPU", "RssAnon MB",
           "bytes a key"], rows)
    print(f"Filling the table: {filled['rate']:,.0f} requests/s, "
          f"p99 {filled['p99_us'] / 1000:.3f} ms, longest {filled['max_us'] / 1000:.1f} ms")
