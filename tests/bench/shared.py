# SPDX-License-Identifier: MIT
"""The store of several hosts: policyd on Redis, beside Redis that runs the same script alone."""

import csv
import io
import os
import shutil
import socket
import struct
import subprocess
import threading
import time

from benchkit import Server, median, ratios, run_load, table, wait_for
from policy import CLIENTS, MANY, Policyd, measure, medians, row

SOURCE = os.environ.get("POSTERN_SRCDIR", os.path.join(os.path.dirname(__file__), "..", ".."))
CONNECTIONS = [8, 50]
STARTS = 5
CALLS = 40000       # of redis-benchmark, a round
FINDTIMES = {"each": 600, "hour": 3600, "day": 86400}
JAILS = "".join(f'jail "{name}" {{ events = {{"connect"}}  maxretry = 1000000  '
                f'findtime = "{seconds}s"  distinct = "" }}\n'
                for name, seconds in FINDTIMES.items())


class Redis(Server):
    """Debian's, with nothing on disk."""

    name = "redis-server"

    def start(self):
        path = self.addresses["unix"].removeprefix("unix:")
        self.addresses = {"unix": self.addresses["unix"]}
        self.spawn("redis-server", "--port", "0", "--unixsocket", path, "--unixsocketperm", "777",
                   "--save", "", "--dir", self.folder, stdout=subprocess.DEVNULL)

    def run(self, program, *words, **options):
        path = self.addresses["unix"].removeprefix("unix:")
        return subprocess.run([program, "-s", path, *words], check=True, capture_output=True,
                              **options).stdout.decode().strip()

    def memory(self):
        lines = self.run("redis-cli", "info", "memory").split()
        return int(next(x for x in lines if x.startswith("used_memory:")).split(":")[1])


class SharingPolicyd(Policyd):
    """Jails that count each request, by one call of the script."""

    def __init__(self, redis, jails=JAILS):
        super().__init__(jails=jails)
        self.redis = redis

    def config(self, store="", control=""):
        socket = self.redis.addresses["unix"].removeprefix("unix:")
        return super().config(store or f"redis://{socket}", control)


def packed(number, seconds):
    """A jail as policyd tells it to the script (policyd/store_redis_text.h)."""
    return (struct.pack(">I", number) + (seconds * 1000).to_bytes(6, "big") +
            struct.pack(">IHBB", 1000000, 1, 1, 0))


def load_script(redis):
    """The script with its arguments in it: redis-benchmark cannot send a zero byte."""
    values = [b"0", b"0", b"-1", b"postern:changes",
              *(packed(i, s) for i, s in enumerate(FINDTIMES.values(), 1))]
    words = ",".join('"' + "".join(f"\\{byte:03d}" for byte in value) + '"' for value in values)
    with open(os.path.join(SOURCE, "policyd/redis_hit.lua"), "rb") as script:
        text = f"local ARGV = {{{words}}}\n".encode() + script.read()
    return redis.run("redis-cli", "-x", "script", "load", input=text)


def run_benchmark(redis, sha, depth):
    before = redis.cpu_seconds()
    said = redis.run("redis-benchmark", "-c", "1", "-P", str(depth), "-n", str(CALLS),
                     "-r", str(CLIENTS), "--csv", "EVALSHA", sha, "1", "bench:c:{10.__rand_int__}")
    line = list(csv.reader(io.StringIO(said)))[-1]
    cpu_us = (redis.cpu_seconds() - before) * 1e6 / CALLS
    return {"rate": float(line[1]), "p50_us": float(line[4]) * 1000,
            "p99_us": float(line[6]) * 1000, "cpu_us": cpu_us, "both_us": cpu_us}


def measure_policyd(policyd, redis, connections):
    before = redis.cpu_seconds()
    figures = measure(policyd, "unix", connections)
    figures["redis_us"] = (redis.cpu_seconds() - before) * 1e6 / figures["count"]
    return figures


def compare(rounds):
    rows = []
    with Redis() as redis, SharingPolicyd(redis) as policyd:
        sha = load_script(redis)
        for connections in CONNECTIONS:
            runs = [[measure_policyd(policyd, redis, connections),
                     run_benchmark(redis, sha, connections)] for _ in range(rounds)]
            ours, theirs = zip(*runs)
            spent = median([run["redis_us"] for run in ours])
            rows.append(row(f"{connections} policyd", ours, [ratios(ours, theirs)[0], f"{spent:.1f}"]))
            rows.append(row(f"{connections} redis-benchmark", theirs,
                            ["", f"{medians(theirs)['cpu_us']:.1f}"]))
    print(f"\nPolicy requests that Redis counts, unix sockets, three jails, medians of {rounds} "
          "runs; the same script by redis-benchmark -c 1 -P N")
    table(["", "requests/s", "p50 ms", "p99 ms", "CPU us", "policyd is x", "Redis CPU us"], rows)


def size_of(jails):
    """Bytes of Redis for each of a million clients that these jails count."""
    with Redis() as redis:
        with SharingPolicyd(redis, jails) as policyd:
            before = redis.memory()
            figures = run_load(policyd, "policy_load", "-1", "-c", 50, "-k", MANY,
                               policyd.addresses["unix"])
            return (redis.memory() - before) / MANY, figures["rate"]


def memory():
    rows = []
    for count in (1, 2, 3):
        size, rate = size_of("\n".join(JAILS.splitlines()[:count]) + "\n")
        rows.append([f"{count}", f"{size:.0f}", f"{rate:,.0f}"])
    print(f"\nRedis with {MANY:,} keys, by jails that count each")
    table(["jails", "bytes a key", "filled at requests/s"], rows)


# --- bans that stand there at the start -------------------------------------------------------

FILL = """
local ends = ARGV[1] .. ' ' .. (ARGV[1] + 86400000) .. ' ' .. ARGV[1] .. ' 3 '
for i = ARGV[2], ARGV[3] - 1 do
    local n = i * 7
    local net = string.format('%d.%d.%d.%d', 60 + math.floor(n / 16777216),
        math.floor(n / 65536) % 256, math.floor(n / 256) % 256, n % 256)
    redis.call('SET', 'postern:b:{' .. net .. '}', ends .. net .. ' logins', 'PX', 86400000)
end"""
PORTION = 10000     # bans that are put there in one go
REQUEST = b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=203.0.113.9\n\n"


class StartingPolicyd(SharingPolicyd):
    """Started when told so."""

    def __init__(self, redis):
        super().__init__(redis)
        self.control = self.path("control")

    def config(self, store="", control=""):
        return super().config(store, f"unix:{self.control}")

    def status(self):
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(self.control)
            line.sendall(b"request=status\n\n")
            text = b""
            while not text.endswith(b"\n\n"):
                text += line.recv(1 << 16)
        return dict(x.split("=", 1) for x in text.decode().split("\n") if x)

    def has(self, count):
        try:
            return int(self.status()["bans"]) == count
        except (FileNotFoundError, ConnectionRefusedError):
            return False


class Asker(threading.Thread):
    """Asks one question again and again; the longest wait in ms once it was answered."""

    def __init__(self, path, question):
        super().__init__()
        self.path, self.question, self.is_over, self.longest = path, question, False, 0
        self.start()

    def run(self):
        waits = []
        with socket.socket(socket.AF_UNIX) as line:
            while not self.is_over and line.connect_ex(self.path):
                time.sleep(0.01)
            while not self.is_over:
                began = time.monotonic()
                line.sendall(self.question)
                line.recv(4096)
                waits.append((time.monotonic() - began) * 1000)
                time.sleep(0.002)
        self.longest = max(waits[1:], default=0)

    def end(self):
        self.is_over = True
        self.join()
        return self.longest


def start_once(redis, count):
    """Seconds until all bans are here, of processor time, and what others waited for meanwhile."""
    cpu, began = redis.cpu_seconds(), time.monotonic()
    policyd = StartingPolicyd(redis)
    askers = [Asker(policyd.addresses["unix"].removeprefix("unix:"), REQUEST),
              Asker(redis.addresses["unix"].removeprefix("unix:"), b"PING\r\n")]
    with policyd:
        wait_for(lambda: policyd.has(count), f"{count} bans")
        seconds = time.monotonic() - began
        ours, theirs = policyd.cpu_seconds(), redis.cpu_seconds() - cpu
        return [seconds, ours, theirs, *(asker.end() for asker in askers)]


def starts(rounds):
    with Redis() as redis:
        for first in range(0, MANY, PORTION):
            redis.run("redis-cli", "eval", FILL, "0", str(int(time.time() * 1000)), str(first),
                      str(min(first + PORTION, MANY)))
        runs = [start_once(redis, MANY) for _ in range(rounds)]
    print(f"\nA start with {MANY:,} bans in Redis, until all are here, medians of {rounds}")
    table(["s", "CPU s", "Redis CPU s", "a request's longest ms", "of Redis's others"],
          [[f"{median(column):.2f}" for column in zip(*runs)]])


def redis(rounds):
    if not shutil.which("redis-server"):
        print("\nno redis-server here")
        return
    compare(rounds)
    memory()
    starts(min(rounds, STARTS))
