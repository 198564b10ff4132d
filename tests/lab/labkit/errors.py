# SPDX-License-Identifier: MIT
"""What can go wrong, and waiting for what must come true."""

import time


class LabError(Exception):
    """Says what failed and, where there is one, shows the log that tells why."""

    def __init__(self, message, log=None):
        super().__init__(message)
        self.log = log


def until(what, condition, seconds=10):
    """Returns the first true answer of condition(); fails after some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise LabError(f"{what}: not within {seconds} s")
        time.sleep(0.02)
