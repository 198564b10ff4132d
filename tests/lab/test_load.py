#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What fails while mail comes and goes and people log in: what they see, and what is lost.

Each case prints a line of what its users saw; nothing that was acknowledged is lost.
postern-policyd(8), WHEN IT FAILS, says the same for each neighbour by itself.
POSTERN_LAB_TUNNEL_DOWN: for so many seconds the tunnel is down, in place of 4.
"""

import contextlib
import os
import re
import socket
import threading
import time

from labkit.network import ROUTER, shook_hands
from load import BANNED, Control, Load, without_limits
from places import TOKEN, banned, dovecot_says, everywhere, is_dropped
from scenario import HOME, expect, expect_equal, main, until
from test_faults import POLICYD, SET_BACK, STORE, a_clock_of_its_own, fill, small_store

STAYS, LIFTED, SHORT, LATE = (f"203.0.113.{last}" for last in (95, 96, 97, 98))
TUNNEL_DOWN = int(os.environ.get("POSTERN_LAB_TUNNEL_DOWN", "4"))   # seconds at least
MANY = 5000   # bans: more than any socket holds
LAST_OF_MANY = f"198.51.{(MANY - 1) // 250}.{(MANY - 1) % 250 + 1}"


def nobody_notices(load, seconds=2):
    """All is as ever: nobody is refused, and nobody waits."""
    load.expect_all(*load.users)
    for name in load.users:
        load.expect_fast(name, seconds)


def lift_all(lab):
    with Control(lab.home) as control:
        for prefix in lab.bans():
            control.ask(request="unban", prefix=prefix)


def forget_all(lab):
    """Faster than to lift so many."""
    lab.kill(POLICYD)
    lab.home.run("sh", "-c", f"rm -f {STORE}/*")
    lab.start(POLICYD)


@contextlib.contextmanager
def load_on(lab, **more):
    """Its end is the end of what was banned meanwhile."""
    with Load(lab, **more) as load:
        yield load
    until("policyd", lambda: lab.home.call(
        ["posternctl", "status"], capture_output=True).returncode != 2)
    lift_all(lab)


# --- policyd ---

def test_killed_and_started_again(lab):
    with load_on(lab) as load:
        lab.kill(POLICYD)
        load.wait(4)
        lab.start(POLICYD)
        begun = time.monotonic()
        # Of itself: what stands before it has not let him in all the time.
        until("Dovecot's question", lambda: dovecot_says(lab, BANNED) != "ok", 30)
        seconds = time.monotonic() - begun
        load.wait(5)
        load.stop()
        load.expect_all("in", "login", "banned")
        expect_equal(set(load.failures("out")), {"451"}, "mail out")
        for name in load.users:
            load.expect_fast(name, 3)
        load.tell("policyd killed, and started again",
                  f"Dovecot asks it again after {seconds:.1f} s")


def test_hung(lab):
    """Shorter than systemd's watchdog would let it."""
    with load_on(lab) as load:
        pid = str(lab.home.service_pid(POLICYD))
        lab.home.run("kill", "-STOP", pid)
        try:
            load.wait(3, users=["login"])
        finally:
            lab.home.run("kill", "-CONT", pid)
        load.wait(5)
        load.stop()
        load.expect_all(*load.users)
        load.expect_fast("login", 5)
        for name in ("in", "out", "ban"):
            load.expect_fast(name, 15)
        expect(load.longest("login") > 2, "nothing hung")
        load.tell("policyd hung for three logins")


def test_disk_full(lab):
    with small_store(lab), load_on(lab) as load:
        fill(lab)
        load.wait(5)
        lab.home.run("rm", f"{STORE}/fill")
        load.stop()
        expect_equal(set(load.failures("ban")), {"in memory only"}, "bans")
        load.expect_all("in", "out", "login", "banned")
        for name in load.users:
            load.expect_fast(name, 2)
        load.tell("the disk full")


def test_clock_set_back_an_hour(lab):
    with a_clock_of_its_own(lab), load_on(lab) as load:
        lab.home.run("touch", SET_BACK)
        load.wait(5)
        lab.home.run("rm", SET_BACK)
        load.wait(5)
        load.stop()
        nobody_notices(load)
        load.tell("the clock back an hour, and right again")


# --- readers that do not read ---

def ban_many(lab):
    """As fast as one connection can."""
    with Control(lab.home) as control:
        requests = "".join(f"request=ban\nprefix=198.51.{n // 250}.{n % 250 + 1}\nseconds=3600\n\n"
                           for n in range(MANY)).encode()
        sender = threading.Thread(target=control.socket.sendall, args=(requests,))
        sender.start()
        answers = [control.hear() for _ in range(MANY)]
        sender.join()
    expect_equal({answer["status"] for answer in answers}, {"ok"}, "bans")


def a_follower_of_the_stream(lab):
    """A connection of the gateway's to what its nft reads, with little room to wait in."""
    with lab.network_of(lab.vps):
        follower = socket.socket()
    follower.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    follower.settimeout(20)
    follower.connect((HOME, 8894))
    follower.sendall(f"GET /bans.nft?follow=1 HTTP/1.0\r\n"
                     f"Authorization: Bearer {TOKEN}\r\n\r\n".encode())
    return follower


def bans_of(lab, stream):
    """What an nft of its own makes of it, from the last whole transaction on."""
    lines = stream.splitlines()
    whole = [number for number, line in enumerate(lines) if line.startswith("add table")]
    expect(len(whole) > 1, "the stream had room for all")
    shown = lab.vps.run("unshare", "-n", "sh", "-c", "nft -f - && nft -n list ruleset",
                        stdin="\n".join(lines[whole[-1]:]) + "\n")
    return set(re.findall(r"([0-9a-f.:]+) timeout \d", shown))


def read_all(follower):
    """The body of the answer as far as it has come."""
    follower.settimeout(1)
    read = b""
    with contextlib.suppress(TimeoutError):
        while piece := follower.recv(1 << 20):
            read += piece
    return read.partition(b"\r\n\r\n")[2].decode()


def is_closed_at_the_end(watcher):
    """Or it has heard of the last of the bans."""
    while found := watcher.hear():
        if found.get("ban") == LAST_OF_MANY:
            return False
    return True


def test_readers_that_do_not_read(lab):
    with load_on(lab) as load, Control(lab.home) as watcher, \
            a_follower_of_the_stream(lab) as follower:
        watcher.say(request="watch")
        ban_many(lab)
        load.wait(5)
        load.stop()
        nobody_notices(load)
        wanted = set(lab.bans())
        until("the gateway in step", lambda: banned(lab) == wanted, 10)
        expect_equal(bans_of(lab, read_all(follower)), wanted, "bans by the stream")
        told = "closed" if is_closed_at_the_end(watcher) else "in step"
        load.tell(f"{MANY} bans, and a reader of watch and one of the stream that do not read",
                  f"watch is {told} when it reads again, the stream in step")
        forget_all(lab)


# --- the tunnel ---

@contextlib.contextmanager
def tunnel_cut(lab):
    """Nothing comes through, and nobody is told."""
    lab.home.nft("table inet cut {\nchain in {\ntype filter hook input priority -300\n"
                 'iifname "wg0" drop\n}\nchain out {\ntype filter hook output priority -300\n'
                 'oifname "wg0" drop\n}\n}')
    try:
        yield
    finally:
        lab.home.run("nft", "delete", "table", "inet", "cut")


def test_tunnel_down_and_up(lab):
    with load_on(lab) as load:
        for prefix, seconds in [(STAYS, "1h"), (LIFTED, "1h"), (SHORT, "4s")]:
            lab.home.run("posternctl", "ban", prefix, "--for", seconds)
            # Thousands of changes of the case before may come first.
            until(f"{prefix} at the gateway", lambda one=prefix: one in banned(lab), 30)
        with tunnel_cut(lab):
            begun = time.monotonic()
            lab.home.run("posternctl", "unban", LIFTED)
            lab.home.run("posternctl", "ban", LATE)
            until("the end of the short one", lambda: SHORT not in banned(lab))
            expect({STAYS, LIFTED} <= banned(lab), "bans at the gateway while the tunnel is down")
            expect(is_dropped(lab, STAYS, 25), "the banned gets to the gateway")
            time.sleep(max(0, begun + TUNNEL_DOWN - time.monotonic()))
            expect(LATE not in banned(lab), "the tunnel is up")
            expect({STAYS, LIFTED} <= banned(lab), "bans at the gateway at the end of it")
            # As it does by itself when it has heard nothing for 45 seconds.
            lab.vps.call(["pkill", "-x", "curl"])
        until("the new ban at the gateway", lambda: LATE in banned(lab), 30)
        expect(LIFTED not in banned(lab), "what was lifted is still banned at the gateway")
        load.wait(5)
        load.stop()
        load.expect_all("ban")
        for name in ("in", "out", "login"):
            expect(load.longest(name) > 3, f"{name}: nobody saw it")
        load.tell(f"the tunnel down for {max(TUNNEL_DOWN, 4)} s, and up again")


def test_banned_by_hand_home_keeps_its_tunnel(lab):
    """Its address as the gateway sees it, which it may share with strangers."""
    with load_on(lab) as load:
        lab.home.run("posternctl", "ban", ROUTER)
        until("the ban at the gateway", lambda: ROUTER in banned(lab))
        # A new key exchange, which home begins.
        lab.home.run("wg-quick", "down", "wg0")
        lab.home.run("wg-quick", "up", "wg0")
        until("the tunnel", lambda: shook_hands(lab.home))
        load.wait(5)
        load.stop()
        expect_equal(load.attempts["in"][-1].answer, "ok", "the last mail in")
        load.tell("home's outer address banned by hand, and its tunnel opened anew")
    until("the gateway in step", lambda: not banned(lab), 60)


@contextlib.contextmanager
def loaded(home):
    with without_limits(home), everywhere(home):
        yield


if __name__ == "__main__":
    main(globals(), around=loaded)
