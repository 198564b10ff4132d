# SPDX-License-Identifier: MIT
"""A network in which addresses and ports are free."""

import os
import subprocess
import sys


def in_own_network(*commands):
    """Goes on in a network namespace with lo, and what ip(8) is told to make there; where
    there is no right to one, nothing is tested."""
    if "POSTERN_OWN_NETWORK" not in os.environ:
        if os.geteuid() != 0 or subprocess.run(["unshare", "--net", "true"], check=False,
                                               capture_output=True).returncode != 0:
            print("1..0 # SKIP needs root and the right to make network namespaces")
            sys.exit(0)
        os.environ["POSTERN_OWN_NETWORK"] = "yes"
        os.execvp("unshare", ["unshare", "--net", sys.executable, *sys.argv])
    for command in ("link set lo up", *commands):
        subprocess.run(["ip", *command.split()], check=True)
