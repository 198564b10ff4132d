# SPDX-License-Identifier: MIT
"""An ingress and the processes that take its place, one after the other."""

import contextlib
import ctypes
import os
import re
import shutil
import signal

import harness
from harness import eq, is_closed, read, wait_for

PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans():
    """The new processes are nobody's children: whose status this process is to know."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Chain:
    """One ingress after the other: the first is the harness's, the others are orphans, which
    this process adopts."""

    def __init__(self, ingress):
        self.ingress, self.pids = ingress, [ingress.process.pid]

    def send(self, signo=signal.SIGUSR2, pid=None):
        os.kill(pid or self.pids[-1], signo)

    def next(self, signo=signal.SIGUSR2):
        """A hand-over from end to end; the number of the new process."""
        done, started = (len(self.ingress.lines(f" {x} ")) for x in ("handed-over", "started"))
        self.send(signo)
        wait_for(lambda: len(self.ingress.lines(" handed-over ")) > done
                 and len(self.ingress.lines(" started ")) > started, "it hands over")
        self.pids.append(int(re.search(r"pid=(\d+)", self.ingress.lines(" handed-over ")[-1])[1]))
        order = [x.split()[2] for x in self.ingress.lines(" (handed-over|started) ")[-2:]]
        eq(order, ["handed-over", "started"])
        return self.pids[-1]

    def begun(self):
        """The number of a process that is on its way."""
        lines = wait_for(lambda: self.ingress.lines(" handing-over "), "it has begun")
        return int(re.search(r"pid=(\d+)", lines[-1])[1])

    def fails(self):
        """A hand-over that comes to nothing."""
        failed = len(self.ingress.lines(" handover-failed "))
        self.send()
        wait_for(lambda: len(self.ingress.lines(" handover-failed ")) > failed, "it fails")
        assert self.begun() not in self.pids

    def is_gone(self, pid):
        if pid == self.ingress.process.pid:
            return self.ingress.process.poll() is not None
        with contextlib.suppress(ChildProcessError):
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        return True

    def ends(self, pid, signo=None):
        """Its exit status, 0 for one whose it is not known."""
        if signo:
            os.kill(pid, signo)
        if pid == self.ingress.process.pid:
            return self.ingress.process.wait(harness.DEADLINE)
        found = wait_for(lambda: [x for x in [os.waitpid(pid, os.WNOHANG)] if x[0]], "it ends")
        return os.waitstatus_to_exitcode(found[0][1])

    def close(self):
        codes = [self.ends(pid, signal.SIGTERM) for pid in self.pids if not self.is_gone(pid)]
        eq(codes, [0] * len(codes))

    def edit(self, old, new):
        with open(self.ingress.config, encoding="ascii") as file:
            text = file.read()
        assert not old or old in text
        with open(self.ingress.config, "w", encoding="ascii") as file:
            file.write(text.replace(old, new, 1) if old else text + new)


@contextlib.contextmanager
def linked(ingress):
    links = Chain(ingress)
    try:
        yield ingress, links
    finally:
        links.close()


@contextlib.contextmanager
def chain(world, name, **options):
    with world.another(name, **options) as ingress, linked(ingress) as both:
        yield both


@contextlib.contextmanager
def chain_of_copy(world, name, **options):
    """With a copy of the program, which a case may change."""
    ingress = harness.Ingress(world.sub(name), world.upstream, **options)
    ingress.program = os.path.join(world.sub(name + "-program"), "ingress")
    shutil.copy(os.path.join(harness.BUILD, "postern-ingress"), ingress.program)
    ingress.start()
    with linked(ingress) as both:
        yield both


@contextlib.contextmanager
def instead(program, text):
    """A script in its place."""
    os.rename(program, program + ".good")
    with open(program, "w", encoding="ascii") as script:
        script.write("#!/bin/sh\n" + text)
    os.chmod(program, 0o755)
    try:
        yield
    finally:
        os.rename(program + ".good", program)  # as an upgrade does: another file


STOPS = 'kill -STOP $$\nexec "$0.good" "$@"\n'  # a new process that begins when it is told to


def state_of(pid, name):
    """A line of proc(5), as "State" or "SigCgt"."""
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(x.split()[1] for x in status if x.startswith(name + ":"))


def speaks(client, server):
    client.sendall(b"EHLO x\r\n")
    eq(read(server, 8), b"EHLO x\r\n")
    server.sendall(b"250 y\r\n")
    eq(read(client, 7), b"250 y\r\n")


def ends(client, server):
    client.close()
    eq(is_closed(server), "end")
    server.close()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))
