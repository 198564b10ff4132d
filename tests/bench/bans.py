# SPDX-License-Identifier: MIT
"""Many bans in postern-policyd: in memory, at its start, and told to those who follow."""

import contextlib
import http.client
import os
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

from benchkit import ROOT, ratios, run_load, table, wait_for
from policy import JAIL, Policyd, row

COUNTS = [100000, 1000000]
WATCHERS = 100
LINES = 200             # connections that set bans: one waits for its commit
MILLISECONDS = 400
PAUSE = 10              # milliseconds between two questions of one who only looks for delays

SECTION = 'http "bans" {{ listen = "unix:{folder}/http"  serve = {{"bans"}}  group = "" }}\n'


def client(number):
    """Banned: never one that the generator asks about."""
    return socket.inet_ntoa(struct.pack("!I", (60 << 24) + number * 7))


class Banning(Policyd):
    """With one jail that counts each request, and bans that it was told."""

    def __init__(self):
        super().__init__(jails=JAIL)

    def config(self, store="", control=""):
        return (super().config(control=control or f"unix:{self.folder}/control") +
                SECTION.format(folder=self.folder))

    def connect(self, name):
        line = socket.socket(socket.AF_UNIX)
        line.connect(self.path(name))
        return line

    def answers_again(self):
        try:
            with self.connect("control") as line:
                line.sendall(b"request=status\n\n")
                return line.recv(4096).startswith(b"status=ok")
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def restart(self):
        """Seconds from its start to its first answer."""
        pid = self.pids.pop()
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: self.is_gone(pid), "its end", 60)
        began = time.monotonic()
        self.run()
        wait_for(self.answers_again, "its first answer", 60)
        return time.monotonic() - began

    def ban(self, count):
        """Set so many, each acknowledged."""
        numbers = iter(range(count))
        with selectors.DefaultSelector() as selector, contextlib.ExitStack() as lines:
            for _ in range(LINES):
                selector.register(lines.enter_context(self.connect("control")),
                                  selectors.EVENT_READ)
            for key in list(selector.get_map().values()):
                self.__ask(key.fileobj, numbers, selector)
            while selector.get_map():
                for key, _ in selector.select():
                    answer = key.fileobj.recv(4096)
                    assert answer.startswith(b"status=ok") and answer.endswith(b"\n\n"), answer
                    self.__ask(key.fileobj, numbers, selector)

    @staticmethod
    def __ask(line, numbers, selector):
        number = next(numbers, None)
        if number is None:
            selector.unregister(line)
        else:
            line.sendall(f"request=ban\nprefix={client(number)}\nseconds=86400\n\n".encode())


# --- those who follow -----------------------------------------------------------------------

def watching(server):
    """The connection of a watch client that has every ban."""
    line, last = server.connect("control"), b""
    line.sendall(b"request=watch\n\n")
    while b"sync=done\n" not in last:
        last = last[-20:] + line.recv(1 << 16)
    return line


def watch(server):
    watching(server).close()


def follow(server, path, end):
    """Until the answer over HTTP holds this."""
    with server.connect("http") as line:
        line.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        last = b""
        while end not in last:
            last = last[-20:] + line.recv(1 << 16)


def in_step(server, *arguments, way):
    began = time.monotonic()
    way(server, *arguments)
    return time.monotonic() - began


WAYS = {
    "watch": (watch,),
    "nft stream": (follow, "/bans.nft?follow=1", b"#end\n"),
    "bans.txt": (follow, "/bans.txt", b"0\r\n\r\n"),
    "CrowdSec": (follow, "/v1/decisions/stream?startup=true", b"0\r\n\r\n"),
}


def waits(server, others):
    """How long each request waits, in ms, on one connection while others are at work."""
    found, request = [], (b"request=smtpd_access_policy\nprotocol_state=RCPT\n"
                          b"client_address=203.0.113.9\n\n")
    with server.connect("socket") as line:
        while any(other.is_alive() for other in others) or not found:
            began = time.monotonic()
            line.sendall(request)
            assert line.recv(4096) == b"action=DUNNO\n\n"
            found.append((time.monotonic() - began) * 1000)
            time.sleep(PAUSE / 1000)
    return sorted(found)


def together(server, names):
    """Seconds until each is in step, all at once, and how long others wait meanwhile."""
    seconds = {}

    def one(name):
        way, *arguments = WAYS[name]
        seconds[name] = in_step(server, *arguments, way=way)
    others = [threading.Thread(target=one, args=[name]) for name in names]
    for other in others:
        other.start()
    found = waits(server, others)
    for other in others:
        other.join()
    return seconds, found[len(found) * 99 // 100], found[-1]


# --- the kernel of a gateway ---------------------------------------------------------------

TAKER = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "conf", "nftables",
                     "postern-bans")
TAKERS = {"conf/": TAKER + " {0}",
          "nft -i": "curl --config {0} | grep --line-buffered '#end$' | nft -i >/dev/null"}


def apply(server, taker):
    """Seconds until a network's own nftables have all, processor time, and memory at the most."""
    with open(server.path("curl"), "w", encoding="ascii") as config:
        config.write(f'unix-socket = "{server.path("http")}"\nsilent\n'
                     'url = "http://localhost/bans.nft"\n')
    began = time.monotonic()
    shell = subprocess.Popen(["unshare", "--net", "sh", "-c", taker.format(server.path("curl"))])
    _, status, usage = os.wait4(shell.pid, 0)
    assert status == 0, taker
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000


def can_apply():
    return ROOT and all(map(shutil.which, ("curl", "nft", "perl", "unshare")))


# --- the tables -----------------------------------------------------------------------------

def look_up(server):
    return run_load(server, "policy_load", "-c", 8, "-k", 1000, "-t", MILLISECONDS,
                    server.addresses["unix"])


def many(rounds):
    rows, told = [], []
    with contextlib.ExitStack() as servers:
        none, watched, *held = [servers.enter_context(Banning()) for _ in [0, 0, *COUNTS]]
        for server, count in zip(held, COUNTS):
            server.ban(count)
        for server, count in zip(held, COUNTS):
            seconds = server.restart()
            size = server.anonymous_bytes() - none.anonymous_bytes()
            rows.append([f"{count:,}", f"{seconds:.2f}", f"{size / 1e6:.1f}",
                         f"{size / count:.0f}"])
        for _ in range(WATCHERS):
            servers.enter_context(watching(watched))
        runs = [[look_up(server) for server in (none, watched, *held)] for _ in range(rounds)]
        taken = [[f"{count:,}, {name}", *map("{:.1f}".format, apply(server, taker))]
                 for server, count in zip(held, COUNTS) if can_apply()
                 for name, taker in TAKERS.items()]
        for names in (["watch", "nft stream"], list(WAYS)):
            seconds, p99, longest = together(held[-1], names)
            told += [[f"{name}, of {len(names)}", f"{seconds[name]:.2f}", f"{p99:.1f}",
                      f"{longest:.1f}"] for name in names]
    print("\nBans, from the file store")
    table(["", "s to start", "RssAnon MB more", "bytes each"], rows)
    print("\nPolicy requests with bans and watch clients, 8 connections over unix, medians of "
          f"{rounds} runs of {MILLISECONDS} ms")
    labels = ["none", f"{WATCHERS} watch clients", *(f"{count:,} bans" for count in COUNTS)]
    ours = list(zip(*runs))
    table(["", "requests/s", "p50 ms", "p99 ms", "CPU us", "to none", "by CPU"],
          [row(label, part, ratios(part, ours[0]) if part is not ours[0] else ["", ""])
           for label, part in zip(labels, ours)])
    print(f"\n{COUNTS[-1]:,} bans told to those who follow, all of them at once, and how long "
          "others wait meanwhile")
    table(["", "s until in step", "others' p99 ms", "longest ms"], told)
    print("\nTaken over by a gateway's nftables, in a network of its own")
    table(["", "s", "CPU s", "MB at the most"], taken)
