# SPDX-License-Identifier: MIT
"""Cases as TAP around one postern-policyd that has to outlive them all."""

import contextlib
import os
import pwd
import tempfile
import time

from daemon import Daemon, USER   # which finds tests/lib
from cases import Skip, captured, case, eq, has, run, wait_for  # noqa: F401


AT_ONCE = 0.1   # seconds; Dovecot waits 2, twice for a login, and then goes on by the password alone


def at_once(ask):
    """Its answer, where asking again is the same again. None takes long, and one of five comes in
    time: what waits does so each time, a busy machine not."""
    took = []
    while len(took) < 5 and min(took, default=AT_ONCE) >= AT_ONCE:
        begin = time.monotonic()
        answer = ask()
        took.append(time.monotonic() - begin)
    assert min(took) < AT_ONCE and max(took) < 1, took
    return answer


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
    with tempfile.TemporaryDirectory(prefix="pn-policyd-") as folder:
        os.chmod(folder, 0o755)
        world = World(folder)
        return run(world, world.daemon, "daemon")
