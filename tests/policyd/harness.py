# SPDX-License-Identifier: MIT
"""Cases as TAP around one postern-policyd that has to outlive them all."""

import contextlib
import os
import pwd
import sys
import tempfile
import traceback

from daemon import Daemon, USER

DATA = os.environ.get("POSTERN_TEST_DATA", "")
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
        assert part in text, f"no {part!r} in {text!r}"


def captured(name):
    path = os.path.join(DATA, "captured", name)
    if not DATA or not os.path.exists(path):
        raise Skip("POSTERN_TEST_DATA names no folder with captured/" + name)
    with open(path, encoding="utf-8") as data:
        return data.read()


class World:
    def __init__(self, folder):
        self.folder = folder
        self.last_host = 0
        self.daemon = Daemon(self.sub("main")).start()

    def sub(self, name):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        if os.geteuid() == 0:
            os.chown(path, pwd.getpwnam(USER).pw_uid, -1)
        return path

    def client(self):
        """An address that no case has used yet."""
        self.last_host += 1
        return f"203.0.113.{self.last_host}"

    @contextlib.contextmanager
    def another(self, name, **options):
        daemon = Daemon(self.sub(name), **options).start()
        try:
            yield daemon
        finally:
            if daemon.process.poll() is None:
                eq(daemon.end(), 0)


def main():
    """Run the cases of the script, or those that its arguments name."""
    print(f"1..{len(CASES) + 1}")
    failed = 0
    with tempfile.TemporaryDirectory(prefix="pn-policyd-") as folder:
        os.chmod(folder, 0o755)
        world = World(folder)
        only = sys.argv[1:]
        for number, function in enumerate(CASES, 1):
            title = function.__name__.replace("_", " ")
            if only and function.__name__ not in only:
                print(f"ok {number} - {title} # SKIP")
                continue
            try:
                function(world)
                print(f"ok {number} - {title}", flush=True)
            except Skip as reason:
                print(f"ok {number} - {title} # SKIP {reason}", flush=True)
            except Exception:  # pylint: disable=broad-except
                failed += 1
                print(f"not ok {number} - {title}")
                print("# " + traceback.format_exc().strip().replace("\n", "\n# "), flush=True)
        daemon = world.daemon
        code = daemon.end() if daemon.process.poll() is None else daemon.process.poll()
        if code != 0:
            failed += 1
            print("# " + daemon.log()[-8000:].replace("\n", "\n# "))
        print(f"{'ok' if code == 0 else 'not ok'} {len(CASES) + 1} - the daemon outlived it all "
              "and ended well", flush=True)
    return 1 if failed else 0
