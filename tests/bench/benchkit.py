# SPDX-License-Identifier: MIT
"""What the benchmarks share: servers to measure, load generators, tables."""

import os
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

BUILD = os.environ.get("POSTERN_BUILDDIR", ".")
ROOT = os.geteuid() == 0
USER = "nobody" if ROOT else pwd.getpwuid(os.geteuid()).pw_name
GROUP = "nogroup" if ROOT else ""
DEADLINE = 30
TICKS = os.sysconf("SC_CLK_TCK")


def wait_for(condition, what):
    until = time.monotonic() + DEADLINE
    while not (found := condition()):
        assert time.monotonic() < until, f"not within {DEADLINE} s: {what}"
        time.sleep(0.02)
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    """Whether somebody listens there."""
    kind, target = socket.AF_UNIX, address.removeprefix("unix:")
    if target == address:
        host, port = address.rsplit(":", 1)
        kind, target = socket.AF_INET, (host, int(port))
    with socket.socket(kind) as probe:
        try:
            probe.connect(target)
        except OSError:
            return False
    return True


def folder():
    """A new one that the servers' user may write to."""
    path = tempfile.mkdtemp(prefix="postern-bench-")
    os.chmod(path, 0o755)
    if ROOT:
        os.chown(path, pwd.getpwnam(USER).pw_uid, -1)
    return path


def run_load(program, *arguments):
    """The figures of one run of a generator, by name."""
    done = subprocess.run([os.path.join(BUILD, "tests/bench", program), *map(str, arguments)],
                          stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, f"{program} {' '.join(map(str, arguments))}"
    return {name: float(value) for name, value in
            (word.split("=") for word in done.stdout.split())}


class Server:
    """A process to measure, with one address for each transport."""

    name = ""

    def __init__(self):
        self.folder = folder()
        self.addresses = {"tcp": f"127.0.0.1:{free_port()}", "unix": f"unix:{self.folder}/socket"}
        self.pids = []

    def __enter__(self):
        self.start()
        for address in self.addresses.values():
            wait_for(lambda a=address: answers(a), f"{self.name} listens on {address}")
        return self

    def __exit__(self, *_):
        for pid in self.pids:
            os.kill(pid, signal.SIGTERM)
        for pid in self.pids:
            wait_for(lambda p=pid: self.is_gone(p), f"{self.name} has ended")
        shutil.rmtree(self.folder)

    @staticmethod
    def is_gone(pid):
        try:
            return os.waitpid(pid, os.WNOHANG)[0] == pid
        except ChildProcessError:
            return not os.path.exists(f"/proc/{pid}")

    def start(self):
        raise NotImplementedError

    def spawn(self, *command, **options):
        # Ended by its number in __exit__.
        process = subprocess.Popen(command, **options)  # pylint: disable=consider-using-with
        process.returncode = 0
        self.pids.append(process.pid)

    def cpu_seconds(self):
        """Of the process and its threads; of a parent with workers, not theirs."""
        total = 0
        for pid in self.pids:
            with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS

    def anonymous_bytes(self):
        with open(f"/proc/{self.pids[0]}/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) * 1024
        raise AssertionError("no RssAnon")


def machine():
    """What the figures depend on, in a line."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        names = [x.split(":", 1)[1].strip() for x in info if x.startswith("model name")]
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    return f"{os.cpu_count()} processors ({names[0] if names else 'unknown'}); load {load}"


def median(values):
    return statistics.median(values)


def table(head, rows):
    """Right-aligned but for the first column."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [str(row[0]).ljust(widths[0])]
        cells += [str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join(cells).rstrip(), flush=True)
