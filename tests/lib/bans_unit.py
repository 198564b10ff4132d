# SPDX-License-Identifier: MIT
"""What the gateway's unit runs, as its shell gets it from systemd."""

import os
import re

UNIT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", "conf", "systemd",
                    "postern-bans.service")


def command(config="/etc/postern/bans.curl"):
    """All of it, with the file where it would be given to it."""
    with open(UNIT, encoding="ascii") as file:
        shell = re.search(r"(?m)^ExecStart=/bin/sh -c '(.*)'$", file.read()).group(1)
    return shell.replace("%d/curl", config).replace("$$", "$")


def taker():
    """What stands behind its curl, and takes the stream."""
    return command().partition("|")[2]
