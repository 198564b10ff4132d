# SPDX-License-Identifier: MIT
"""Become a program as a service manager starts it: launch.py DESCRIPTORS FD,... PROGRAM...

DESCRIPTORS is the hard limit (0: as it is); the sockets FD,... become 3 and following, as
sd_listen_fds(3) has it. launched() makes such a command of a program's.
"""

import os
import resource
import sys


def launched(command, descriptors=None, sockets=()):
    """The command as it is, where nothing is asked for."""
    if not descriptors and not sockets:
        return command
    fds = ",".join(str(x.fileno()) for x in sockets)
    return [sys.executable, os.path.abspath(__file__), str(descriptors or 0), fds] + command


def main():
    limit, fds, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    sockets = [os.dup2(int(fd), 100 + at) for at, fd in enumerate(filter(None, fds.split(",")))]
    for at, fd in enumerate(sockets):
        os.dup2(fd, 3 + at)
        os.close(fd)
    if sockets:
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(sockets)))
    if limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
