# SPDX-License-Identifier: MIT
"""What the tests of posternctl share: running it, comparing, telling TAP."""

import functools
import json
import os
import pwd
import subprocess
import sys
import tempfile
import traceback

ROOT = os.environ.get("POSTERN_SRCDIR", ".")
BUILD = os.environ.get("POSTERN_BUILDDIR", ".")
PROGRAM = os.path.join(BUILD, "posternctl")
USER = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
CASES = []


class Skip(Exception):
    """The reason why a case cannot run here."""


def case(function):
    CASES.append(function)
    return function


def eq(found, wanted):
    assert found == wanted, f"found {found!r}, wanted {wanted!r}"


def has(text, *parts):
    for part in parts:
        assert part in text, f"no {part!r} in {text!r}"


class Said:
    """What a run printed, and its exit status."""

    def __init__(self, arguments, stdin=b"", **options):
        done = subprocess.run([PROGRAM, *arguments], input=stdin, capture_output=True,
                              timeout=60, check=False, **options)
        self.code = done.returncode
        self.out = done.stdout.decode("utf-8", "replace")
        self.err = done.stderr.decode("utf-8", "replace")

    def json(self):
        return json.loads(self.out)


def ctl(*arguments, **options):
    return Said(arguments, **options)


class Folder:
    """Files of a run."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, name, content=None):
        path = os.path.join(self.folder, name)
        if content is not None:
            with open(path, "wb") as out:
                out.write(content)
        return path

    def close(self):
        pass


def run(number, function, world):
    title = function.__name__.replace("_", " ")
    try:
        function(world)
        print(f"ok {number} - {title}", flush=True)
    except Skip as reason:
        print(f"ok {number} - {title} # SKIP {reason}", flush=True)
    except Exception:  # pylint: disable=broad-except
        print(f"not ok {number} - {title}")
        print("# " + traceback.format_exc().strip().replace("\n", "\n# "), flush=True)
        return 1
    return 0


def main(make_world):
    """Run all cases, or those named on the command line, in a world of their own."""
    only = sys.argv[1:]
    cases = [function for function in CASES if not only or function.__name__ in only]
    print(f"1..{len(cases)}")
    with tempfile.TemporaryDirectory(prefix="pn-ctl-") as folder:
        world = make_world(folder)
        failed = sum(run(number, function, world) for number, function in enumerate(cases, 1))
        world.close()
    return 1 if failed else 0

