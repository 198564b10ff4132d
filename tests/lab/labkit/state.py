# SPDX-License-Identifier: MIT
"""What a running lab leaves on the machine: one folder, gone with the lab."""

import json
import os
import shutil
import signal

from .errors import LabError, until
from .host import Host

HOSTS = ("internet", "vps", "home")
SECOND = "vps2"  # a lab with two gateways has it


def name():
    """The lab's name: two labs with different names run beside each other."""
    return os.environ.get("POSTERN_LAB", "lab")


def folder():
    base = os.environ.get("TMPDIR", "/run")
    return os.path.join(base, f"postern-lab-{name()}")


def create():
    path = folder()
    try:
        os.mkdir(path, 0o755)
    except FileExistsError:
        if alive():
            raise LabError(f'lab "{name()}" is up already: take it down with lab down, '
                           "or choose another name with POSTERN_LAB=NAME") from None
        remove()
        os.mkdir(path, 0o755)
    return path


def save(facts):
    path = os.path.join(folder(), "state.json")
    with open(path + ".new", "w") as file:
        json.dump(facts, file, indent=1)
    os.replace(path + ".new", path)


def load():
    try:
        with open(os.path.join(folder(), "state.json")) as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def host(which, facts=None):
    """One host of the running lab."""
    facts = facts or load()
    entry = (facts or {}).get("hosts", {}).get(which)
    if entry is None or not _is_ours(entry):
        raise LabError(f'lab "{name()}" is not up: start it with lab up')
    return Host(which, entry["pid"], os.path.join(folder(), which), facts["programs"])


def alive():
    facts = load() or {}
    return any(_is_ours(entry) for entry in facts.get("hosts", {}).values())


def remove():
    """Ends all hosts, and with them everything in them; then removes the folder."""
    facts = load() or {}
    holders = [entry for entry in facts.get("hosts", {}).values() if _is_ours(entry)]
    for entry in holders:
        os.kill(entry["pid"], signal.SIGKILL)
    for entry in holders:
        until("end of a host", lambda entry=entry: not _is_ours(entry))
    shutil.rmtree(folder(), ignore_errors=True)


def start_time(pid):
    """Tells a process from a later one with the same pid; None when there is none."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _is_ours(entry):
    return start_time(entry["pid"]) == entry["started"]
