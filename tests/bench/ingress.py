# SPDX-License-Identifier: MIT
"""Connections from a gateway: postern-ingress and HAProxy, one thread each, same server."""

import os
import resource
import shutil
import socket
import struct
import subprocess

from benchkit import (BUILD, USER, Server, free_port, median, ratios, run_load, table, wait_for)

MILLISECONDS = 400
IDLE = 9000
BANS = 100000

CONFIG = '''
hostname = "mail.example.org"
user = "{user}"
store = "file:{folder}/store"
gateway "vps1" {{ public_addresses = {{"198.51.100.25"}}  tunnel_addresses = {{"127.0.0.1"}} }}
policyd {{ policy = {{}}  socketmap = {{}}  control = "unix:{folder}/control"  group = "" }}
milter {{ listen = "" }}
ingress "smtp" {{
  listen = "{tcp}"  to = "{sink}"  max_connections = 20000  max_per_client = 20000
}}
'''

HAPROXY = '''
global
  nbthread 1
  maxconn 9500
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen smtp
  bind {tcp} accept-proxy
  server sink {sink} send-proxy-v2
'''


class Sink(Server):
    """What both forward to."""

    name = "the server alone"

    def __init__(self):
        super().__init__()
        self.addresses.pop("unix")

    def start(self):
        self.spawn(os.path.join(BUILD, "tests/bench/proxy_sink"), self.addresses["tcp"], stdout=-3)


class Forwarder(Server):
    def __init__(self, sink):
        super().__init__()
        self.addresses.pop("unix")
        self.sink = sink.addresses["tcp"]

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="ascii") as out:
            out.write(text.format(user=USER, folder=self.folder, sink=self.sink, **self.addresses))
        return path


class Ingress(Forwarder):
    name = "postern-ingress"

    def start(self):
        path = self.write("postern.conf", CONFIG)
        with open(os.path.join(self.folder, "log"), "wb") as log:
            self.spawn(os.path.join(BUILD, "postern-ingress"), "-f", "-c", path, stderr=log)

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as log:
            return log.read()


class Haproxy(Forwarder):
    name = "HAProxy"

    def start(self):
        self.spawn("haproxy", "-db", "-q", "-f", self.write("haproxy.cfg", HAPROXY),
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def need_descriptors():
    """Two a connection in the forwarder, one here: what the hard limit allows."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def medians(runs):
    return {name: median([run[name] for run in runs]) for name in runs[0]}


def load(server, *arguments):
    return run_load(server, "proxy_load", *arguments, "-t", MILLISECONDS, server.addresses["tcp"])


def compare(rounds):
    """New connections, and bytes; each round sees the same machine."""
    need_descriptors()
    if not shutil.which("haproxy"):
        print("\nNo haproxy here: install tests/bench/packages to compare with it.")
        return
    with Sink() as sink, Ingress(sink) as ingress, Haproxy(sink) as haproxy:
        servers = (ingress, haproxy, sink)
        connections(rounds, servers)
        bulk(rounds, servers)


def connections(rounds, servers):
    rows = []
    for count in (1, 8, 50):
        runs = [[load(server, "-c", count) for server in servers] for _ in range(rounds)]
        for server, figures in zip(servers, zip(*runs)):
            of = medians(figures)
            compared = ratios(figures, [run[1] for run in runs]) if server is servers[0] else ["", ""]
            rows.append([f"{count} {server.name}", f"{of['rate']:,.0f}", f"{of['p50_us']:.0f}",
                         f"{of['p99_us']:.0f}", f"{of['cpu_us']:.1f}", *compared])
    print(f"\nNew connections (header, greeting, reset), medians of {rounds} runs of "
          f"{MILLISECONDS} ms, so many at a time")
    table(["", "connections/s", "p50 us", "p99 us", "CPU us", "to HAProxy", "by CPU"], rows)


def bulk(rounds, servers):
    rows = []
    runs = [[load(server, "-b", "-c", 4) for server in servers] for _ in range(rounds)]
    for server, figures in zip(servers, zip(*runs)):
        of = medians(figures)
        compared = ratios(figures, [run[1] for run in runs]) if server is servers[0] else ["", ""]
        rows.append([server.name, f"{of['rate']:,.0f}", f"{of['cpu_us']:.0f}", *compared])
    print("\nBytes of 4 connections")
    table(["", "MB/s", "CPU us a MB", "to HAProxy", "by CPU"], rows)


# --- idle connections ---------------------------------------------------------------------

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def header(number):
    return SIGNATURE + struct.pack("!BBH4s4sHH", 0x21, 0x11, 12, struct.pack("!I", (20 << 24) + number),
                                   socket.inet_aton("198.51.100.25"), 40000, 25)


def open_many(server, count):
    host, port = server.addresses["tcp"].rsplit(":", 1)
    held = []
    for number in range(count):
        held.append(socket.create_connection((host, int(port)), 30))
        held[-1].sendall(header(number))
        if number % 500 == 499:     # within the listeners' queues
            held[-1].recv(64)
    for connection in held:
        connection.setblocking(True)
    return held


def switches(server):
    """Voluntary context switches: how often it woke up."""
    with open(f"/proc/{server.pids[0]}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status
                    if line.startswith("voluntary_ctxt_switches:"))


def wake_ups(server, seconds=10):
    before = switches(server)
    subprocess.run(["sleep", str(seconds)], check=True)
    return (switches(server) - before) / seconds


def idle(_rounds):
    need_descriptors()
    rows = []
    with Sink() as sink:
        for kind in (Ingress, Haproxy) if shutil.which("haproxy") else (Ingress,):
            with kind(sink) as server:
                open_many(server, 10)[0].close()
                before, quiet = server.anonymous_bytes(), wake_ups(server)
                held = open_many(server, IDLE)
                rows.append([server.name, f"{(server.anonymous_bytes() - before) / IDLE:,.0f}",
                             f"{quiet:.1f}", f"{wake_ups(server):.1f}"])
                for connection in held:
                    connection.close()
    print(f"\n{IDLE:,} idle connections")
    table(["", "bytes each", "wake-ups/s without", "and with them"], rows)


# --- bans ---------------------------------------------------------------------------------

def ban_many(control, count):
    """Over policyd's control socket, many requests at a time."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(control)
        answers = line.makefile("rb")
        for first in range(0, count, 100):
            line.sendall(b"".join(
                b"request=ban\nprefix=%s\nseconds=86400\n\n" %
                socket.inet_ntoa(struct.pack("!I", (60 << 24) + n * 7)).encode()
                for n in range(first, first + 100)))
            done = 0
            while done < 100:
                row = answers.readline()
                assert row and not row.startswith(b"status=error"), row
                done += row == b"\n"


def bans(rounds):
    """The same ingress with as many bans as a bad week brings, beside one without."""
    need_descriptors()
    with Sink() as sink, Ingress(sink) as without, Ingress(sink) as banned:
        with open(os.path.join(banned.folder, "policyd.log"), "wb") as log:
            policyd = subprocess.Popen(
                [os.path.join(BUILD, "postern-policyd"), "-f", "-c",
                 os.path.join(banned.folder, "postern.conf")], stderr=log)
        try:
            wait_for(lambda: "bans-followed" in banned.log(), "bans are followed")
            ban_many(os.path.join(banned.folder, "control"), BANS)
            runs = [[load(server, "-c", 8) for server in (banned, without)] for _ in range(rounds)]
        finally:
            policyd.terminate()
            policyd.wait(300)
    ours, theirs = zip(*runs)
    rows = []
    for label, figures, compared in ((f"{BANS:,} bans", ours, ratios(ours, theirs)),
                                     ("none", theirs, ["", ""])):
        of = medians(figures)
        rows.append([label, f"{of['rate']:,.0f}", f"{of['p99_us']:.0f}", f"{of['cpu_us']:.2f}",
                     *compared])
    print("\nNew connections with bans, 8 at a time")
    table(["", "connections/s", "p99 us", "CPU us", "with to without", "by CPU"], rows)
