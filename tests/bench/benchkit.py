# SPDX-License-Identifier: MIT
"""What the benchmarks share: servers to measure, load generators, tables."""

import glob
import os
import pwd
import resource
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


def wait_for(condition, what, seconds=DEADLINE):
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, f"not within {seconds} s: {what}"
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


def own_children_seconds():
    """Processor time of the children that have ended: generators, when no server ends meanwhile."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def run_load(server, program, *arguments):
    """
    The figures of one run of a generator, by name, and for each request or message, in
    microseconds, cpu_us of the server and both_us of the two: these hold on a busy machine, too.
    """
    served, generated = server.cpu_seconds(), own_children_seconds()
    done = subprocess.run([os.path.join(BUILD, "tests/bench", program), *map(str, arguments)],
                          stdout=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 0, f"{program} {' '.join(map(str, arguments))}"
    figures = {name: float(value) for name, value in
               (word.split("=") for word in done.stdout.split())}
    served = server.cpu_seconds() - served
    figures["cpu_us"] = served * 1e6 / figures["count"]
    figures["both_us"] = (served + own_children_seconds() - generated) * 1e6 / figures["count"]
    return figures


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
            # What counted a million keys writes them out first.
            wait_for(lambda p=pid: self.is_gone(p), f"{self.name} has ended", 10 * DEADLINE)
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
        """Of its threads that live; of a parent with workers, not theirs."""
        total = 0
        for pid in self.pids:
            for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
                with open(path, encoding="ascii") as stat:
                    total += int(stat.read().split()[0])
        return total / 1e9

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


def ratios(ours, theirs):
    """
    By requests/s, and by the processor time of server and generator together. Run by run: what
    disturbs the machine disturbs both.
    """
    return [f"{median([a['rate'] / b['rate'] for a, b in zip(ours, theirs)]):.2f}",
            f"{median([b['both_us'] / a['both_us'] for a, b in zip(ours, theirs)]):.2f}"]


def table(head, rows):
    """Right-aligned but for the first column."""
    widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        cells = [str(row[0]).ljust(widths[0])]
        cells += [str(cell).rjust(width) for cell, width in zip(row[1:], widths[1:])]
        print("  ".join(cells).rstrip(), flush=True)
