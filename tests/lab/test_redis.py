#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Two policyd on one Redis: they agree; and what is lost when Redis fails under a load.

The second one runs on the vps and reaches Redis through the tunnel. Each case prints what
the users of the first saw; "requests" are Postfix's, each counted in Redis by a jail.
"""

import contextlib
import json
import re
import statistics
import struct
import time

from labkit import store
from labkit.errors import LabError
from labkit.home import add_users, prepare_postern, start_policyd
from load import Control, without_limits
from places import everywhere
from scenario import Lab, expect, expect_equal, main, until
from test_faults import POLICYD
from test_load import load_on

CONF = "/etc/postern/postern.conf"
BY_SOCKET, BY_TUNNEL = f"redis://{store.SOCKET}", "redis://10.8.0.2:6379"
COUNTED, GUESSER = "198.51.100.7", "203.0.113.82"
BUSY = '''
jail "busy" { events = {"connect"}  maxretry = 1000000  findtime = "1h"  action = "log" }
'''
WITHIN = 1     # second, from one host to the other
WAIT = 0.02    # at most, for Redis
MEASURED = 0.03   # what the machine adds to one request in twenty, as it is busy itself
A_SECOND = 60  # requests
TWICE = 20     # that were on their way when the connection broke


# --- two hosts ---

@contextlib.contextmanager
def two_hosts(home):
    """Both with Redis as conf/redis has it; home's servers as everywhere() has them."""
    lab = Lab()
    before = {path: home.read(path) for path in (CONF, store.CONF)}
    store.start_with(home)
    home.append(CONF, BUSY)
    try:
        with without_limits(home):
            prepare_second(lab, home.read(CONF))
            with everywhere(home):
                yield
    finally:
        lab.vps.run("kill", "-9", str(lab.vps.service_pid(POLICYD)))
        store.end(home, "redis-server")
        for path, text in before.items():
            home.write(path, text)
        lab.kill(POLICYD)
        lab.start(POLICYD)


def prepare_second(lab, text):
    add_users(lab.vps)
    relays = re.findall(r"/etc/postern/(\w+)\.key", text)
    prepare_postern(lab.vps, dict.fromkeys(relays, "none"))
    for path in (store.PASSWORD_FILE, "/etc/postern/auth.token"):
        lab.vps.write(path, lab.home.read(path), mode=0o640, owner="root:postern")
    lab.vps.write(CONF, text.replace(BY_SOCKET, BY_TUNNEL))
    start_policyd(lab.vps)


def bans_at(host):
    return {ban["ban"] for ban in json.loads(host.run("posternctl", "bans", "--json"))["bans"]}


def agree(lab, seconds):
    begun = time.monotonic()
    try:
        until("the same bans", lambda: bans_at(lab.vps) == bans_at(lab.home), seconds)
    except LabError:
        at_home, at_vps = bans_at(lab.home), bans_at(lab.vps)
        raise AssertionError(f"at home alone {sorted(at_home - at_vps)}, on the vps alone "
                             f"{sorted(at_vps - at_home)}") from None
    return time.monotonic() - begun


def store_is(host, word):
    done = host.call(["posternctl", "status", "--json"], capture_output=True, text=True)
    return done.returncode != 2 and json.loads(done.stdout)["store"] == word


def wrong_password(host, number):
    """As Dovecot reports it."""
    report = (f'{{"login": "carol@example.com", "remote": "{GUESSER}", "pwhash": "{number:04x}", '
              '"success": false, "policy_reject": false, "tls": false, "protocol": "imap"}')
    host.run("sh", "-c", 'curl -sf -H "X-API-Key: $(cat /etc/postern/auth.token)" '
             f"-d '{report}' 'http://127.0.0.1:8893/auth?command=report'")


def test_a_ban_by_hand_and_its_end_on_either_host(lab):
    for one, other in [(lab.home, lab.vps), (lab.vps, lab.home)]:
        one.run("posternctl", "ban", GUESSER)
        until("the ban on the other host", lambda host=other: GUESSER in bans_at(host), WITHIN)
        other.run("posternctl", "unban", GUESSER)
        until("its end on the first", lambda host=one: GUESSER not in bans_at(host), WITHIN)


def test_guesses_on_both_hosts_are_counted_together(lab):
    for number in range(5):
        expect_equal(bans_at(lab.home), set(), f"bans after {number}")
        wrong_password([lab.home, lab.vps][number % 2], number)
    for host in (lab.home, lab.vps):
        until("the ban", lambda host=host: bans_at(host) == {GUESSER}, WITHIN)
    lab.home.run("posternctl", "unban", GUESSER)
    agree(lab, WITHIN)


# --- Redis fails ---

class Counting:
    """A user whose requests Redis counts, and what it has counted of them."""

    def __init__(self, lab, read):
        self.lab, self.read, self.seconds = lab, read, []
        self.before = self.counted()

    def ask(self, _):
        with Control(self.lab.home, "/run/postern/policy") as postfix:
            for _ in range(5):
                begun = time.monotonic()
                answer = postfix.ask(request="smtpd_access_policy", protocol_state="CONNECT",
                                     protocol_name="ESMTP", client_address=COUNTED,
                                     client_name="unknown")
                expect_equal((answer or {}).get("action"), "DUNNO", "answer to Postfix")
                self.seconds.append(time.monotonic() - begun)
        return "ok"

    def counted(self):
        raw = self.read(f"postern:c:{{{COUNTED}}}")
        if not raw:
            return 0
        current, previous = struct.unpack(">BB", raw[10:12])
        return sum(struct.unpack(">II", raw[12:20]) if current == 255 else (current, previous))

    def difference(self):
        """What Redis has counted too often, or, below 0, has lost."""
        return self.counted() - self.before - len(self.seconds)

    def words(self):
        number = self.difference()
        return (f"of {self.before} + {len(self.seconds)} requests counted " +
                (f"{number} twice" if number > 0 else f"{-number} lost" if number else "all"))

    def waited(self):
        """20 ms at most for Redis."""
        usual = statistics.quantiles(self.seconds, n=20)[18]
        expect(usual < WAIT + MEASURED, f"19 of 20 requests within {usual:.3f} s")
        return (f"19 of 20 within {1000 * usual:.1f} ms, "
                f"longest {1000 * max(self.seconds):.0f} ms")


@contextlib.contextmanager
def counting_load(lab, read):
    counting = Counting(lab, read)
    with load_on(lab, ask=counting.ask) as load:
        yield load, counting


def read_first(lab):
    def read(key):
        done = lab.home.call(["redis-cli", "--raw", "-s", store.SOCKET, *auth(lab), "get", key],
                             capture_output=True, check=True)
        return done.stdout[:-1]
    return read


def auth(lab):
    return ["--no-auth-warning", "--user", "postern", "--pass", lab.home.read(store.PASSWORD_FILE)]


def nobody_waits(load):
    """And nobody is refused anything, but that a ban may not be in Redis yet."""
    load.expect_all(*(load.users.keys() - {"ban"}))
    expect(set(load.failures("ban")) <= {"in memory only"}, f"bans: {load.failures('ban')}")
    for name in load.users:
        load.expect_fast(name, 3)


def fails(lab, what, load, counting, least=0, most=0):
    """After Redis is back: both agree, and the counts are right but for so many."""
    until("Redis again", lambda: store_is(lab.home, "ok") and store_is(lab.vps, "ok"), 20)
    load.wait(5)
    load.stop()
    nobody_waits(load)
    seconds = agree(lab, 10)
    with contextlib.suppress(LabError):   # what is lost does not come
        until("the counts", lambda: counting.difference() >= 0, 1)
    load.tell(what, counting.words(), counting.waited(),
              f"both hosts agree {seconds:.1f} s later")
    expect(least <= counting.difference() <= most,
           f"counted {counting.difference()} more than asked, not {least} to {most}")
    all_bans_are_in_redis(lab)


def start_again(host):
    host.run("kill", "-9", str(host.service_pid(POLICYD)))
    until("its end", lambda: not host.service_lives(POLICYD))
    start_policyd(host)


def all_bans_are_in_redis(lab):
    """Who starts anew has them from there alone."""
    before = bans_at(lab.home)
    start_again(lab.vps)
    expect(len(before) > 10, f"bans {before}")
    expect_equal(bans_at(lab.vps), before, "bans from Redis")


def test_stopped_and_started(lab):
    with counting_load(lab, read_first(lab)) as (load, counting):
        store.end(lab.home, "redis-server", "TERM")
        until("it is noticed", lambda: store_is(lab.home, "degraded"), 5)
        load.wait(5)
        store.start(lab.home)
        fails(lab, "Redis stopped, and started", load, counting, most=TWICE)


def test_started_while_redis_is_away(lab):
    lab.home.run("posternctl", "ban", GUESSER)
    store.end(lab.home, "redis-server", "TERM")
    start_again(lab.vps)
    expect_equal(bans_at(lab.vps), set(), "bans without Redis")
    expect(store_is(lab.vps, "degraded"), "status says nothing")
    store.start(lab.home)
    agree(lab, 10)
    expect_equal(bans_at(lab.vps), {GUESSER}, "bans with Redis")
    lab.home.run("posternctl", "unban", GUESSER)


def test_killed_and_started(lab):
    """Its file has all but the last second of it."""
    with counting_load(lab, read_first(lab)) as (load, counting):
        store.end(lab.home, "redis-server", "KILL")
        load.wait(5)
        store.start(lab.home)
        fails(lab, "Redis killed, and started", load, counting, -A_SECOND, TWICE)


def test_hung(lab):
    """What it was sent meanwhile it counts afterwards, and what it was sent again."""
    with counting_load(lab, read_first(lab)) as (load, counting):
        pid = str(lab.home.service_pid("redis-server"))
        lab.home.run("kill", "-STOP", pid)
        until("it is noticed", lambda: store_is(lab.home, "degraded"), 5)
        load.wait(5)
        lab.home.run("kill", "-CONT", pid)
        fails(lab, "Redis hung", load, counting, most=3 * A_SECOND)


def test_back_and_empty(lab):
    with counting_load(lab, read_first(lab)) as (load, counting):
        store.end(lab.home, "redis-server", "KILL")
        lab.home.run("sh", "-c", "rm -rf /var/lib/redis/*")
        store.start(lab.home)
        counting.before = 0
        fails(lab, "Redis back and empty", load, counting, -A_SECOND, TWICE)


# --- one of several fails ---

@contextlib.contextmanager
def stored_in(lab, where, ports):
    """Both policyd use this; these servers end with it."""
    before = {host: host.read(CONF) for host in (lab.home, lab.vps)}
    try:
        use(lab, {host: re.sub(r'(?m)^store = ".*"', f'store = "{where}"', text)
                  for host, text in before.items()})
        yield
    finally:
        for port in ports:
            if lab.home.service_lives(f"redis-{port}"):
                store.end(lab.home, f"redis-{port}")
        use(lab, before)


def use(lab, texts):
    for host, text in texts.items():
        host.write(CONF, text)
        start_again(host)
    until("Redis", lambda: all(store_is(host, "ok") for host in texts), 10)


def at(ports):
    return ",".join(f"{store.HOME}:{port}" for port in ports)


def read_at(lab, port_of, *options):
    """port_of(): of the server to ask."""
    def read(key):
        done = lab.home.call(["redis-cli", "--raw", *options, "-p", str(port_of()), "get", key],
                             capture_output=True, check=True)
        return done.stdout[:-1]
    return read


MASTERS, SENTINELS = (7001, 7002, 7003), (7011, 7012, 7013)


def start_sentinels(lab):
    first, *others = MASTERS
    announced = f"replica-announce-ip {store.HOME}"
    store.start_node(lab.home, first, announced)
    for port in others:
        store.start_node(lab.home, port, announced, f"replicaof {store.HOME} {first}")
    for port in SENTINELS:
        store.start_node(lab.home, port, f"sentinel announce-ip {store.HOME}",
                         f"sentinel monitor mymaster {store.HOME} {first} 2",
                         "sentinel down-after-milliseconds mymaster 1000",
                         "sentinel failover-timeout mymaster 3000", sentinel=True)
    are_copied(lab, MASTERS, 2)
    until("three sentinels that know them", lambda: all(re.search(
        "slaves=2,sentinels=3", store.say(lab.home, port, "info", "sentinel"))
        for port in SENTINELS), 20)


def are_copied(lab, ports, count):
    """So many of these servers have all that their master has."""
    until("the replicas", lambda: sum("master_link_status:up" in store.say(
        lab.home, port, "info", "replication") for port in ports) == count, 20)


def master(lab):
    said = store.say(lab.home, SENTINELS[0], "sentinel", "get-master-addr-by-name", "mymaster")
    return int(said.split()[-1])


def test_the_master_lost_with_sentinel(lab):
    start_sentinels(lab)
    with stored_in(lab, f"redis+sentinel://{at(SENTINELS)}", MASTERS + SENTINELS), \
            counting_load(lab, read_at(lab, lambda: master(lab))) as (load, counting):
        store.end(lab.home, f"redis-{MASTERS[0]}")
        until("another master", lambda: master(lab) != MASTERS[0], 20)
        fails(lab, "the master lost, with Sentinel", load, counting, -A_SECOND, TWICE)


NODES = tuple(range(7101, 7107))


def start_cluster(lab):
    for port in NODES:
        store.start_node(lab.home, port, "cluster-enabled yes", "cluster-node-timeout 1000",
                         f"cluster-announce-ip {store.HOME}")
    lab.home.run("redis-cli", "--cluster", "create", *at(NODES).split(","),
                 "--cluster-replicas", "1", "--cluster-yes")
    until("the Cluster", lambda: all("cluster_state:ok" in store.say(
        lab.home, port, "cluster", "info") for port in NODES), 20)
    are_copied(lab, NODES, 3)


def node_of(lab, key, ask):
    """The port of the master that has this key."""
    slot = int(store.say(lab.home, ask, "cluster", "keyslot", key))
    for line in store.say(lab.home, ask, "cluster", "nodes").splitlines():
        words = line.split()
        for first, last in (map(int, span.split("-")) for span in words[8:] if "-" in span):
            if "fail" not in words[2].split(",") and first <= slot <= last:
                return int(re.search(r":(\d+)@", words[1])[1])
    return None


def test_a_node_of_a_cluster_lost(lab):
    start_cluster(lab)
    key = f"postern:c:{{{COUNTED}}}"
    lost = node_of(lab, key, NODES[0])
    other = next(port for port in NODES if port != lost)
    with stored_in(lab, f"redis+cluster://{at(NODES)}", NODES), \
            counting_load(lab, read_at(lab, lambda: other, "-c")) as (load, counting):
        store.end(lab.home, f"redis-{lost}")
        until("its replica in its place", lambda: node_of(lab, key, other) not in (lost, None), 20)
        fails(lab, "a node of a Cluster lost", load, counting, -A_SECOND, TWICE)


if __name__ == "__main__":
    main(globals(), around=two_hosts)
