# SPDX-License-Identifier: MIT
"""What tests/demo --store redis tells besides: two hosts with one Redis."""

import re
import threading
import time

from labkit import store
from labkit.errors import until
from load import Control
from scenario import ALICE, BOB, PASSWORDS, expect
from telling import answers_everywhere, heading, serves, show, show_answers, tell
from test_redis import CONF, WITHIN, auth, prepare_second, store_is

GUESSER, ANOTHER, BYSTANDER = "203.0.113.61", "203.0.113.62", "203.0.113.64"
OTHERS_KEY, OTHERS_VALUE = "mailcow:greeting", "not ours"


class Watch:
    """When a host's policyd tells of what: (attribute, value) to a time."""

    def __init__(self, host):
        self.control, self.times = Control(host, seconds=None), {}
        self.control.say(request="watch", bans="no")
        self.control.hear()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while record := self.control.hear():
            self.times.update(dict.fromkeys(record.items(), time.monotonic()))

    def when(self, *what):
        return until("=".join(what), lambda: self.times.get(what))


def two_hosts(lab):
    heading("5. A second host on the same Redis")
    tell("""Another mail host has a policyd of its own, which counts and bans in the Redis at
         home. Here it runs on the vps, and reaches Redis through the tunnel:""")
    as_another(lab, "set", OTHERS_KEY, OTHERS_VALUE)
    prepare_second(lab, lab.home.read(CONF))
    show("vps# grep ^store " + CONF + "\n" + lab.vps.run("grep", "^store", CONF))
    watches = {host: Watch(host) for host in (lab.home, lab.vps)}
    shared = banned_at_both(lab, watches)
    what_redis_holds(lab)
    lifted_at_the_other(lab, watches)
    without_redis(lab)
    return shared


def banned_at_both(lab, watches):
    tell(f"{GUESSER} tries five passwords for Bob, all of them at home.")
    lab.imap_many(GUESSER, BOB, [f"guess {number}" for number in range(1, 5)])
    begun = time.monotonic()
    lab.imap(GUESSER, BOB, "guess 5")
    took = in_ms(watches, ("ban", GUESSER), begun)
    bans = "vps# posternctl bans\n" + lab.vps.run("posternctl", "bans")
    show(bans)
    tell(f"""From the connection with the fifth password to the ban it took {took}. To a
         Postfix policyd now says:""")
    show_answers({host.name: answer_to_postfix(host, GUESSER) for host in watches})
    return f"{bans.rstrip()}\n\n{took}"


def in_ms(watches, what, begun):
    """How long after this each host had it."""
    seconds = {host.name: watch.when(*what) - begun for host, watch in watches.items()}
    expect(max(seconds.values()) < WITHIN, f"{what}: not within {WITHIN} s: {seconds}")
    return f"{seconds['home'] * 1000:.0f} ms at home, {seconds['vps'] * 1000:.0f} ms on the vps"


def answer_to_postfix(host, client):
    with Control(host, "/run/postern/policy") as postfix:
        answer = postfix.ask(request="smtpd_access_policy", protocol_state="CONNECT",
                             protocol_name="ESMTP", client_address=client, client_name="unknown")
    expect(answer["action"].startswith("421 "), f"not banned: {answer}")
    return answer["action"]


def what_redis_holds(lab):
    tell("What Redis holds of it, each key with the seconds that it has left, and its bytes:")
    keys = sorted(as_postern(lab, "keys", "postern:*").split())
    expect(any(GUESSER in key for key in keys), f"no key has the guesser: {keys}")
    show("\n".join(f"{key:60} {left:>7} {size:>5}" for key, left, size in
                   [("key", "seconds", "bytes"), *((key, as_postern(lab, "ttl", key),
                                                    as_postern(lab, "memory", "usage", key))
                                                   for key in keys)]))
    tell("""c: is what was counted, b: a ban. Others use this Redis, too. Our user may not even
         read what is theirs:""")
    refused = as_postern(lab, "get", OTHERS_KEY)
    show(f"home# redis-cli --user postern get {OTHERS_KEY}\n{refused}")
    expect(refused.startswith("NOPERM"), "somebody else's key is open to us")


def as_postern(lab, *words):
    return lab.home.run("redis-cli", "-s", store.SOCKET, *auth(lab), *words).strip()


def as_another(lab, *words):
    """Not our user: Redis's own, who may do all."""
    password = re.search(r"(?m)^requirepass (\S+)", lab.home.read(store.CONF))[1]
    return lab.home.run("redis-cli", "--raw", "-s", store.SOCKET, "--no-auth-warning",
                        "--pass", password, *words).strip()


def lifted_at_the_other(lab, watches):
    tell("The operator lifts the ban, on the vps:")
    begun = time.monotonic()
    said = lab.vps.run("posternctl", "unban", GUESSER)
    took = in_ms(watches, ("unban", GUESSER), begun)
    show(f"vps# posternctl unban {GUESSER}\n{said}")
    answer = lab.imap(GUESSER, ALICE, PASSWORDS[ALICE])
    tell(f"""From that command to its end it took {took}. IMAP at home, asked by {GUESSER} with
         Alice's password: {answer}.""")
    expect(answer == "ok", "the ban holds on at home")


def without_redis(lab):
    tell(f"Redis is stopped. {ANOTHER} goes on with its mail, and waits for nothing:")
    store.end(lab.home, "redis-server", "TERM")
    until("that it is noticed", lambda: store_is(lab.home, "degraded"))
    begun = time.monotonic()
    answers = answers_everywhere(lab, ANOTHER)
    took = f"{(time.monotonic() - begun) * 1000:.0f} ms"
    show_answers({**answers, "all three": took})
    expect(all(map(serves, answers.values())), "somebody is refused without Redis")
    tell(f"{BYSTANDER} tries two passwords. Home counts in memory, and says so:")
    lab.imap_many(BYSTANDER, BOB, ["guess 1", "guess 2"])
    show(counters(lab.home))
    store.start(lab.home)
    begun = time.monotonic()
    until("Redis again", lambda: all(store_is(host, "ok") for host in (lab.home, lab.vps)), 20)
    until("what home has counted", lambda: "2 of 5" in counters(lab.vps))
    tell(f"""Redis is started again. {time.monotonic() - begun:.1f} s later it has been told, and
         the vps counts on from there:""")
    show(counters(lab.vps))
    theirs = as_another(lab, "get", OTHERS_KEY)
    tell(f"""What others have in it, {OTHERS_KEY}, is as it was: "{theirs}".""")
    expect(theirs == OTHERS_VALUE, "somebody else's key has changed")


def counters(host):
    said = host.run("posternctl", "counters", BYSTANDER)
    return f"{host.name}# posternctl counters {BYSTANDER}\n{said}"
