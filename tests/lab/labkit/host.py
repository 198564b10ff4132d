# SPDX-License-Identifier: MIT
"""What one does to a host: run commands, start services, write and read files."""

import os
import shlex
import subprocess

from .errors import LabError, until

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Host:
    def __init__(self, name, pid, log_folder, programs):
        self.name = name
        self.pid = pid
        self.log_folder = log_folder
        self.programs = programs

    # --- commands ---

    def command(self, argv):
        """The command line that runs argv inside the host."""
        return ["nsenter", "-t", str(self.pid), "-m", "-u", "-i", "-n", "-p", "-r", "-w",
                "--", *argv]

    def environment(self):
        env = {key: value for key, value in os.environ.items()
               if key in ("HOME", "TERM", "LANG", "USER")}
        env["PATH"] = f"{self.programs}:{PATH}"
        return env

    def call(self, argv, **options):
        """Runs argv in the host and returns subprocess's CompletedProcess."""
        return subprocess.run(self.command(argv), env=self.environment(), **options)

    def run(self, *argv, stdin=None, log=None):
        """Runs argv, which must succeed; returns what it printed."""
        done = self.call(argv, input=stdin, stdin=None if stdin else subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise LabError(f"{self.name}: {shlex.join(argv)} failed ({done.returncode})\n"
                           f"{done.stdout.strip()}", log and self.log(log))
        return done.stdout

    def ip(self, *lines):
        """Runs ip in the host's network, with pids as they are outside."""
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-n", "ip", "-batch", "-"],
                              input="\n".join(lines) + "\n", env=self.environment(),
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode != 0:
            raise LabError(f"{self.name}: ip: {done.stdout.strip()}")

    def nft(self, ruleset):
        self.run("nft", "-f", "-", stdin=ruleset)

    # --- services ---

    def service(self, name, *argv):
        """Starts a program that stays in the foreground; its output goes to its log."""
        # Gone before it starts, so that nobody takes an earlier one's pid for its own.
        self.run("sh", "-c", f"mkdir -p /run/lab; rm -f /run/lab/{name}.pid")
        script = (f"cd /run/lab; echo $$ > {name}.new; mv {name}.new {name}.pid; cd /; "
                  f"exec {shlex.join(argv)} >> /var/log/{name}.log 2>&1 < /dev/null")
        self.run("setsid", "-f", "sh", "-c", script)

    def service_pid(self, name):
        """The service's pid as the host itself sees it."""
        return int(self.read(f"/run/lab/{name}.pid"))

    def service_lives(self, name):
        """Until its last thread is gone: one that waits for the disk keeps the sockets open."""
        try:
            pid = self.service_pid(name)
            state = self.read(f"/proc/{pid}/stat").rpartition(")")[2].split()[0]
            threads = os.listdir(self.path(f"/proc/{pid}/task"))
        except (OSError, ValueError):
            return False
        return state != "Z" or len(threads) > 1

    def _service_ended(self, name):
        return os.path.exists(self.path(f"/run/lab/{name}.pid")) and not self.service_lives(name)

    def wait_listening(self, service, *places, answers=None, seconds=10):
        """Until all places ("tcp:25" or "unix:/path") listen, and this command ends without 2."""
        def ready():
            if service and self._service_ended(service):
                raise LabError(f"{self.name}: {service} ended while starting", self.log(service))
            return (all(self.listens(place) for place in places) and
                    (answers is None or self.call(answers, capture_output=True).returncode != 2))

        try:
            until(f"{self.name}: {service or ''} listening on {', '.join(places)}", ready, seconds)
        except LabError as error:
            error.log = error.log or (service and self.log(service))
            raise

    def listens(self, place):
        kind, _, where = place.partition(":")
        if kind == "unix":
            return any(line.split()[3] == "00010000" and line.split()[-1] == where
                       for line in self._net("unix"))
        port = f"{int(where):04X}"
        return any(line.split()[1].endswith(":" + port) and line.split()[3] == "0A"
                   for table in ("tcp", "tcp6") for line in self._net(table))

    def _net(self, table):
        try:
            with open(f"/proc/{self.pid}/net/{table}") as file:
                return file.read().splitlines()[1:]
        except FileNotFoundError:
            return []

    # --- files, seen from outside ---

    def path(self, inside):
        return f"/proc/{self.pid}/root{inside}"

    def read(self, inside):
        with open(self.path(inside), errors="replace") as file:
            return file.read()

    def write(self, inside, text, mode=0o644, owner=None):
        path = self.path(inside)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        # Replaced, never written into: /etc/resolv.conf may be a link, and seen
        # from outside a link leads to the machine's own file.
        with open(path + ".new", "w") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
        os.replace(path + ".new", path)
        if owner:
            self.run("chown", owner, inside)

    def append(self, inside, text):
        with open(self.path(inside), "a") as file:
            file.write(text)

    def log(self, name):
        return os.path.join(self.log_folder, f"{name}.log")
