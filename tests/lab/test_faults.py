#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The table in postern-policyd(8), WHEN IT FAILS: what the neighbours' users see, line by line."""

import contextlib
import json
import os
import subprocess
import time

from scenario import (ALICE, BOB, PASSWORDS, expect, expect_equal, main, marked, message, new_mark,
                      ours, side_by_side, until)
from labkit.errors import LabError
from labkit.home import start_policyd

POLICYD = "postern-policyd"
STORE = "/var/lib/postern"
BANNED, CLIENT, GUESSER = "203.0.113.94", "203.0.113.95", "203.0.113.96"
FIRST_TIME = "203.0.113.97"   # banned once: a second ban would be longer
LIFTED = "203.0.113.93"
SET_BACK = "/run/lab/set-back"


# --- the neighbours' users ---

def took(function, *argv):
    """The answer, and how many seconds it took."""
    begun = time.monotonic()
    return function(*argv), time.monotonic() - begun


def ctl(lab, *argv):
    """posternctl's exit status and what it says."""
    done = lab.home.call(["posternctl", *argv], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def store_status(lab):
    """What posternctl status says of the store, and its exit status."""
    done = lab.home.call(["posternctl", "status", "--json"], capture_output=True, text=True)
    return json.loads(done.stdout)["store"], done.returncode


def bans(lab):
    return {x["ban"]: x for x in json.loads(lab.home.run("posternctl", "bans", "--json"))["bans"]}


def ban(lab, prefix=BANNED):
    expect_equal(ctl(lab, "ban", prefix)[0], 0, "ban")


def submit(lab, seconds=300):
    """What submission says to a recipient outside; a new one, for Postfix remembers the last."""
    with lab.smtp(CLIENT, 587) as session:
        session.sock.settimeout(seconds)
        session.login(BOB, PASSWORDS[BOB])
        session.mail(BOB)
        return session.rcpt(f"{new_mark('friend')}@friend.example.org")[0]


def login(lab, client=CLIENT):
    return lab.imap(client, ALICE, PASSWORDS[ALICE])


def mail_is_judged(lab):
    expect("spf=pass" in ours(lab.deliver("203.0.113.50", message())), "no judged mail")


def the_banned_is_refused(lab, client=BANNED):
    expect_equal(lab.smtp_answer(client), 421, "SMTP of the banned")
    expect(login(lab, client) != "ok", "IMAP of the banned")


def the_others_are_served(lab):
    mail_is_judged(lab)
    expect_equal(login(lab), "ok", "IMAP")
    expect_equal(submit(lab), 250, "submission")


def mail_leaves(lab):
    mark = new_mark("leaves")
    with lab.smtp(CLIENT, 587) as session:
        session.login(BOB, PASSWORDS[BOB])
        session.sendmail(BOB, [f"{mark}@friend.example.org"], marked(mark, message(author=BOB)))
    until("the mail at the relay", lambda: lab.find_relayed("brevo", mark), 30)


def as_if_there_were_none(lab):
    """The line "not running"."""
    mail_is_judged(lab)
    answer, seconds = took(lab.smtp_answer, BANNED)
    expect(answer == 250 and seconds < 3, f"SMTP of the banned: {answer}, {seconds:.1f} s")
    answer, seconds = took(login, lab, BANNED)
    expect(answer == "ok" and seconds < 2, f"IMAP of the banned: {answer}, {seconds:.1f} s")
    answer, seconds = took(submit, lab)
    expect(answer == 451 and seconds < 3, f"submission: {answer}, {seconds:.1f} s")
    code, text = ctl(lab, "bans")
    expect(code == 2 and "is postern-policyd running?" in text, f"posternctl: {code} {text}")


def guess_some(lab, *numbers, guesser=GUESSER):
    lab.imap_many(guesser, ALICE, [f"guess {number}" for number in numbers])


def guess(lab, guesser=GUESSER):
    guess_some(lab, *range(5), guesser=guesser)
    until("a ban of the guesser", lambda: guesser in bans(lab), 20)


def restart(lab):
    lab.kill(POLICYD)
    lab.start(POLICYD)


# --- the lines ---

def mail_of_a_stranger(lab, mark, said):
    """The last answer, of a sender whom Postfix has not looked up before; said: seconds."""
    with lab.smtp(BANNED) as session:
        session.sock.settimeout(300)
        (code, _), said["MAIL"] = took(session.mail, f"joe@{new_mark('other')}.example.org")
        if code == 250:
            (code, _), said["RCPT"] = took(session.rcpt, ALICE)
        if code == 250:
            (code, _), said["DATA"] = took(session.data, marked(mark, message()))
        return code


def arrival(lab, mark):
    """What was accepted, after what Postfix put off meanwhile is tried again."""
    def find():
        lab.home.run("postqueue", "-f")
        return lab.find_mail(mark)
    return until("the mail that was accepted", find, 30)


def test_stopped(lab):
    ban(lab)
    pid = str(lab.home.service_pid(POLICYD))
    mark, said = new_mark("hung"), {}
    users = {"out": (submit, lab), "in": (mail_of_a_stranger, lab, mark, said),
             "login": (login, lab, BANNED), "ctl": (ctl, lab, "ban", GUESSER)}
    lab.home.run("kill", "-STOP", pid)
    try:
        found = dict(zip(users, side_by_side(lambda user: took(*user), list(users.values()))))
    finally:
        lab.home.run("kill", "-CONT", pid)
    for user, answer, least, most in [("out", 451, 90, 250), ("in", 250, 90, 250),
                                      ("login", "ok", 1.5, 8)]:
        told, seconds = found[user]
        expect(told == answer and least < seconds < most, f"{user}: {told}, {seconds:.1f} s")
    # One trivial-rewrite may serve both, and looks up one address after the other.
    first = min(found["out"][1], found["in"][1])
    expect(first < 150, f"the first of them waited {first:.1f} s")
    expect(90 < said["MAIL"] and 2 < said["RCPT"] < 6 and said["DATA"] < 6, f"mail in: {said}")
    expect("spf=" in ours(arrival(lab, mark)), "the milter did not judge it")
    (code, text), seconds = found["ctl"]
    expect(code == 2 and "no answer" in text and 9 < seconds < 15,
           f"posternctl: {code} {text} {seconds:.1f} s")
    until("the ban that was asked for", lambda: GUESSER in bans(lab), 10)
    the_banned_is_refused(lab)
    until("submission again", lambda: submit(lab) == 250, 30)
    lab.unban_all()


def test_not_running_and_started_again(lab):
    ban(lab)
    before = bans(lab)
    lab.kill(POLICYD)
    try:
        as_if_there_were_none(lab)
    finally:
        lab.start(POLICYD)
    expect_equal(set(bans(lab)), set(before), "bans after the start")
    expect(0 < bans(lab)[BANNED]["seconds"] <= before[BANNED]["seconds"], "longer than before")
    the_banned_is_refused(lab)
    until("submission again", lambda: submit(lab) == 250, 30)
    the_others_are_served(lab)
    lab.unban_all()


def wait_until_counted_on_disk(lab):
    """Two commits after what was counted: the first may have been under way."""
    path = lab.home.path(f"{STORE}/policyd.mdb")
    for number in range(2):
        before = os.stat(path).st_mtime_ns
        lab.imap(f"203.0.113.{97 + number}", ALICE, "wrong")  # something more to write
        until("a commit", lambda then=before: os.stat(path).st_mtime_ns != then)


def the_fifth_guess_bans(lab, number):
    """After four: none is forgotten, and none is counted twice."""
    expect_equal(bans(lab), {}, "bans after four guesses")
    guess_some(lab, number)
    until("a ban for the fifth guess", lambda: GUESSER in bans(lab), 10)
    lab.unban_all()


def test_counts_go_on_after_a_crash(lab):
    guess_some(lab, *range(4))
    wait_until_counted_on_disk(lab)
    restart(lab)
    the_fifth_guess_bans(lab, 4)


def test_counts_go_on_after_an_end(lab):
    guess_some(lab, *range(4))
    lab.home.run("kill", str(lab.home.service_pid(POLICYD)))
    until("its end", lambda: not lab.home.service_lives(POLICYD), 30)
    lab.start(POLICYD)
    the_fifth_guess_bans(lab, 4)


def when_idle(lab, *argv):
    """A killed process's threads hold its files for a moment longer."""
    until(" ".join(argv), lambda: lab.home.call(argv, capture_output=True).returncode == 0, 10)


@contextlib.contextmanager
def small_store(lab):
    """policyd's directory on a file system of its own, which is soon full."""
    lab.kill(POLICYD)
    lab.home.run("mount", "-t", "tmpfs", "-o", "size=256k,mode=0700", "lab", STORE)
    lab.home.run("chown", "postern:postern", STORE)
    try:
        lab.start(POLICYD)
        yield
    finally:
        if lab.home.service_lives(POLICYD):
            lab.kill(POLICYD)
        when_idle(lab, "umount", STORE)
        lab.start(POLICYD)


def fill(lab):
    """Not a byte left; then bans until one does not fit: LMDB uses its free pages first."""
    lab.home.call(["sh", "-c", f"cat /dev/zero > {STORE}/fill"], stderr=subprocess.DEVNULL)
    for number in range(500):
        net = f"198.18.{number}.0/24" if number < 256 else f"198.19.{number - 256}.0/24"
        code, text = ctl(lab, "ban", net)
        expect_equal(code, 0, text)
        if not bans(lab)[net]["stored"]:
            expect("cannot write" in text, f"posternctl ban: {text}")
            return
    raise AssertionError("the directory did not fill")


def test_directory_full(lab):
    with small_store(lab):
        ban(lab)
        ban(lab, LIFTED)
        fill(lab)
        expect_equal(store_status(lab), ("degraded", 1), "status")
        unstored = [x for x, one in bans(lab).items() if not one["stored"]]
        expect(unstored and BANNED not in unstored, f"bans in memory only: {unstored}")
        expect("in memory only" in ctl(lab, "bans")[1], "posternctl bans does not tell")
        guess(lab)
        the_banned_is_refused(lab, GUESSER)
        the_banned_is_refused(lab)
        the_others_are_served(lab)
        mail_leaves(lab)
        code, text = ctl(lab, "unban", LIFTED)
        expect(code == 0 and "cannot write" in text, f"posternctl unban: {code} {text}")
        expect(LIFTED not in bans(lab), "lifted, and there")
        written = {x for x, one in bans(lab).items() if one["stored"]}
        restart(lab)  # it starts, with what was written
        expect_equal(set(bans(lab)), written | {LIFTED}, "bans after a full start")
        expect(BANNED in written and unstored[0] not in written, f"written: {written}")
        fill(lab)
        lab.home.run("rm", f"{STORE}/fill")
        until("all bans on disk", lambda: all(x["stored"] for x in bans(lab).values()), 45)
        expect_equal(store_status(lab), ("ok", 0), "status")


def test_directory_read_only(lab):
    with small_store(lab):
        lab.home.run("chmod", "0500", STORE)
        ban(lab)  # its files are there
        restart(lab)
        expect(BANNED in bans(lab), "a restart forgets")
        the_banned_is_refused(lab)
        the_others_are_served(lab)
        lab.kill(POLICYD)
        when_idle(lab, "mount", "-o", "remount,ro", STORE)
        try:
            lab.start(POLICYD)
            raise AssertionError("it starts on a file system that it cannot write to")
        except LabError:
            log = lab.home.read(f"/var/log/{POLICYD}.log")
        last = log.splitlines()[-1]
        expect("Read-only file system" in last and f"{STORE}/policyd." in last, log[-500:])
        as_if_there_were_none(lab)


@contextlib.contextmanager
def a_clock_of_its_own(lab):
    """A policyd whose wall clock can be set back while it runs; yields what starts it again."""
    source = os.path.join(os.path.dirname(os.path.realpath(__file__)), "set_back.c")
    library = "/run/lab/set_back.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", lab.home.path(library), source, "-ldl"],
                   check=True)

    def start():
        lab.kill(POLICYD)
        start_policyd(lab.home, "env", f"LD_PRELOAD={library}",
                      "ASAN_OPTIONS=verify_asan_link_order=0")

    try:
        start()
        yield start
    finally:
        lab.home.run("rm", "-f", SET_BACK)
        restart(lab)


def test_clock_set_back_an_hour(lab):
    with a_clock_of_its_own(lab) as start:
        ban(lab)
        before = bans(lab)[BANNED]
        lab.home.run("touch", SET_BACK)
        guess(lab, FIRST_TIME)
        after = bans(lab)
        expect(before["seconds"] - 60 < after[BANNED]["seconds"] <= before["seconds"],
               f"the ban: {before} before, {after[BANNED]} after")
        expect(after[FIRST_TIME]["since"] < before["since"] - 3000, "the clock was not set back")
        expect(after[FIRST_TIME]["seconds"] <= 3600, f"a new ban: {after[FIRST_TIME]}")
        the_banned_is_refused(lab)
        the_banned_is_refused(lab, FIRST_TIME)
        the_others_are_served(lab)
        lab.home.run("rm", SET_BACK)
        ban(lab)
        lab.home.run("touch", SET_BACK)
        start()
        expect(0 < bans(lab)[BANNED]["seconds"] <= 3600, "longer than it was meant to be")
        the_banned_is_refused(lab)
        lab.unban_all()


if __name__ == "__main__":
    main(globals())
