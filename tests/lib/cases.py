# SPDX-License-Identifier: MIT
"""Cases as TAP around one daemon that has to outlive them all: what the harnesses share."""

import os
import sys
import time
import traceback

DATA = os.environ.get("POSTERN_TEST_DATA", "")
DEADLINE = 20
CASES = []


class Skip(Exception):
    pass


def case(function):
    CASES.append(function)
    return function


def eq(found, wanted):
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"


def has(text, *parts):
    for part in parts:
        assert text is not None and part in text, f"no {part!r} in {text!r}"


def captured(name):
    """What a neighbour really sent."""
    path = os.path.join(DATA, "captured", name)
    if not DATA or not os.path.exists(path):
        raise Skip("POSTERN_TEST_DATA names no folder with captured/" + name)
    with open(path, encoding="utf-8") as data:
        return data.read()


def wait_for(condition, what, seconds=DEADLINE):
    until = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def _passes(number, function, world):
    title = function.__name__.replace("_", " ")
    try:
        function(world)
        print(f"ok {number} - {title}", flush=True)
    except Skip as reason:
        print(f"ok {number} - {title} # SKIP {reason}", flush=True)
    except Exception:  # pylint: disable=broad-except
        print(f"not ok {number} - {title}")
        print("# " + traceback.format_exc().strip().replace("\n", "\n# "), flush=True)
        return False
    return True


def run(world, daemon, name, between=lambda: None):
    """Runs the cases, or those that the arguments name, and ends the daemon; 0 or 1.

    daemon has a process, a log() and an end(), which returns its exit status.
    """
    only, failed = sys.argv[1:], 0
    print(f"1..{len(CASES) + 1}")
    for number, function in enumerate(CASES, 1):
        if only and function.__name__ not in only:
            print(f"ok {number} - {function.__name__.replace('_', ' ')} # SKIP not asked for")
            continue
        between()
        failed += not _passes(number, function, world)
    code = daemon.end() if daemon.process.poll() is None else f"gone: {daemon.process.poll()}"
    if code != 0:
        failed += 1
        print("# " + daemon.log()[-8000:].replace("\n", "\n# "))
    print(f"{'ok' if code == 0 else 'not ok'} {len(CASES) + 1} - the {name} outlived it all "
          "and ended well", flush=True)
    return 1 if failed else 0
