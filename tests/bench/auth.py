# SPDX-License-Identifier: MIT
"""What Dovecot waits for: policyd's auth policy, on both stores, and while Redis hangs."""

import contextlib
import os
import shutil
import signal
import socket
import threading

from benchkit import free_port, run_load, table, wait_for
from policy import CLIENTS, MILLISECONDS, Policyd, medians
from shared import Redis, SharingPolicyd

CONNECTIONS = [1, 8]
ASKS = ["allow", "report"]
HANGS_AFTER = MILLISECONDS / 4      # of twice as many

TOKEN = "0123456789abcdef0123456789abcdef"  # ask.h's
SECTION = '''
http "auth" {{ listen = "{listen}"  serve = {{"auth"}}  token_file = "{token}" }}
'''
JAILS = '''
jail "each" { maxretry = 1000000  findtime = "1h"  distinct = "" }
jail "net" { maxretry = 1000000  findtime = "1h"  distinct = ""  prefix4 = 24 }
jail "login" {
  maxretry = 1000000  findtime = "1h"  distinct = ""  count_by = "login"  action = "delay"
}
'''


class Asked:
    """policyd that Dovecot asks: three jails count each report."""

    def __init__(self, *store):
        super().__init__(*store, jails=JAILS)
        self.addresses["http"] = f"127.0.0.1:{free_port()}"
        with open(self.path("token"), "w", encoding="ascii") as token:
            os.fchmod(token.fileno(), 0o600)
            token.write(TOKEN)

    def config(self, store="", control=""):
        return (super().config(store, control or f"unix:{self.path('control')}") +
                SECTION.format(listen=self.addresses["http"], token=self.path("token")))

    def is_on_its_store(self):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(self.path("control"))
            line.sendall(b"request=status\n\n")
            return b"\nstore=ok\n" in line.recv(4096)


class OnFile(Asked, Policyd):
    pass


class OnRedis(Asked, SharingPolicyd):
    pass


def measure(server, ask, connections, milliseconds=MILLISECONDS):
    figures = run_load(server, "policy_load", "-a", ask, "-c", connections, "-k", CLIENTS,
                       "-t", milliseconds, server.addresses["http"])
    assert figures["other"] == 0, f"{ask}: some are answered otherwise"
    return figures


def measure_hung(server, ask, connections):
    """Redis hangs from the first quarter on."""
    pid, = server.redis.pids
    wait_for(server.is_on_its_store, "Redis again")
    timer = threading.Timer(HANGS_AFTER / 1000, os.kill, (pid, signal.SIGSTOP))
    timer.start()
    try:
        return measure(server, ask, connections, 2 * MILLISECONDS)
    finally:
        timer.join()
        os.kill(pid, signal.SIGCONT)


def row(label, runs):
    figures = medians(runs)
    longest = max(run["max_us"] for run in runs)
    return [label, f"{figures['rate']:,.0f}", f"{figures['p50_us'] / 1000:.3f}",
            f"{figures['p99_us'] / 1000:.3f}", f"{longest / 1000:.1f}", f"{figures['cpu_us']:.1f}"]


def answers(rounds):
    rows = []
    with contextlib.ExitStack() as servers:
        ways = {"file": (servers.enter_context(OnFile()), measure)}
        if shutil.which("redis-server"):
            shared = servers.enter_context(OnRedis(servers.enter_context(Redis())))
            ways |= {"Redis": (shared, measure), "Redis hangs": (shared, measure_hung)}
        for name, (server, way) in ways.items():
            for ask in ASKS:
                for connections in CONNECTIONS:
                    runs = [way(server, ask, connections) for _ in range(rounds)]
                    rows.append(row(f"{name}: {ask}, {connections}", runs))
    print(f"\nDovecot's requests over HTTP, by connections, three jails, medians of {rounds} runs "
          f"of {MILLISECONDS} ms\n(Redis hangs: of {2 * MILLISECONDS} ms, from the first quarter "
          "on); wanted: under 5 ms")
    table(["", "requests/s", "p50 ms", "p99 ms", "longest ms", "CPU us"], rows)
