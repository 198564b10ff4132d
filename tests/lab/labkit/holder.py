# SPDX-License-Identifier: MIT
"""One host: the first process of its own pid, net, mount, uts and ipc namespaces.

Its mount namespace has a private /run and /var, and /etc is a private copy, so
that files stand at their real paths and the machine keeps its own. When the
holder dies, the kernel ends all that ran in the host and drops all the rest.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys

from . import syscalls as sc
from .errors import LabError

# What Debian's packages expect to find in an empty /var.
VAR_FOLDERS = ["cache", "lib", "lib/nginx", "lib/nsd", "lib/postfix", "lib/dovecot",
               "log", "mail", "spool", "spool/postfix", "tmp"]


def start_host(name, log_folder, keep):
    """Starts a host and returns the pid of its holder.

    Its /var/log is log_folder; the paths in keep stay visible.
    """
    reader, writer = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(reader)
        _middle(name, log_folder, keep, writer)
    os.close(writer)
    # Two processes write, a line each, in either order.
    with os.fdopen(reader) as answer:
        said = dict(line.rstrip("\n").split(" ", 1) for line in answer)
    os.waitpid(middle, 0)
    if said.get("state") != "ready":
        raise LabError(f"host {name}: {said.get('state', 'the holder died')}")
    return int(said["pid"])


def _middle(name, log_folder, keep, writer):
    """Makes the namespaces, and the process that is number 1 in them."""
    try:
        os.setsid()
        sc.unshare(sc.CLONE_NEWNS | sc.CLONE_NEWUTS | sc.CLONE_NEWIPC | sc.CLONE_NEWPID
                   | sc.CLONE_NEWNET)
        pid = os.fork()
        if pid == 0:
            _holder(name, log_folder, keep, writer)
        os.write(writer, f"pid {pid}\n".encode())
    except OSError as error:
        os.write(writer, f"state {error}\n".encode())
    os._exit(0)


def _holder(name, log_folder, keep, writer):
    try:
        sc.set_process_name(f"lab-{name}")
        _private_mounts(log_folder, keep)
        socket.sethostname(name)
        message = "ready"
    except (OSError, LabError, shutil.Error, subprocess.CalledProcessError) as error:
        message = str(error)
    _detach(keep_fd=writer)
    os.write(writer, f"state {message}\n".encode())
    os.close(writer)
    if message != "ready":
        os._exit(1)
    _reap_forever()


def _detach(keep_fd):
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.chdir("/")
    for entry in os.listdir("/proc/self/fd"):
        if int(entry) > 2 and int(entry) != keep_fd:
            try:
                os.close(int(entry))
            except OSError:
                pass


def _reap_forever():
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            signal.pause()


def _private_mounts(log_folder, keep):
    _end_propagation()
    kept = [(path, os.open(path, os.O_PATH)) for path in [*keep, log_folder]]
    sc.mount("tmpfs", "/run", "tmpfs", sc.MS_NOSUID | sc.MS_NODEV, "mode=755")
    _private_etc()
    _private_var()
    for path, fd in kept:
        _show_again(path, fd)
    sc.mount(log_folder, "/var/log", flags=sc.MS_BIND)
    sc.mount("proc", "/proc", "proc", sc.MS_NOSUID | sc.MS_NODEV | sc.MS_NOEXEC)


def _end_propagation():
    """What is mounted here must not appear outside.

    In a chroot "/" need not be a mount point, and then its propagation cannot
    be changed from inside. Entering one's own mount namespace leads to its true
    root; from there it can, and then back.
    """
    root = os.open("/", os.O_PATH | os.O_DIRECTORY)
    own = os.open("/proc/self/ns/mnt", os.O_RDONLY)
    sc.setns(own, sc.CLONE_NEWNS)
    sc.mount("none", "/", flags=sc.MS_REC | sc.MS_PRIVATE)
    os.fchdir(root)
    os.chroot(".")
    os.close(own)
    os.close(root)


def _private_etc():
    os.mkdir("/run/etc", 0o755)
    subprocess.run(["cp", "-a", "/etc/.", "/run/etc/"], check=True)
    sc.mount("/run/etc", "/etc", flags=sc.MS_BIND)


def _private_var():
    sc.mount("tmpfs", "/var", "tmpfs", sc.MS_NOSUID | sc.MS_NODEV, "mode=755")
    for folder in VAR_FOLDERS:
        os.mkdir(f"/var/{folder}", 0o755)
    os.chmod("/var/tmp", 0o1777)
    os.symlink("/run", "/var/run")
    os.mkdir("/run/lock", 0o1777)
    os.symlink("/run/lock", "/var/lock")


def _show_again(path, fd):
    """A kept path that one of the private mounts has covered is bound there again."""
    try:
        if os.path.samestat(os.stat(path), os.fstat(fd)):
            return
    except OSError:
        pass
    os.makedirs(path, exist_ok=True)
    sc.mount(f"/proc/self/fd/{fd}", path, flags=sc.MS_BIND | sc.MS_REC)


def require_namespaces():
    """Names what the machine lacks, before anything is started."""
    if os.geteuid() != 0:
        raise LabError("the lab makes network namespaces: run it as root")
    for path, why in [("/proc/self/ns/net", "is /proc mounted?"),
                      ("/dev/null", "is /dev there? in a chroot: mount --rbind /dev DIR/dev"),
                      ("/proc/net/if_inet6", "the kernel has no IPv6")]:
        if not os.path.exists(path):
            raise LabError(f"{path} is missing: {why}")
    if subprocess.run([sys.executable, "-c", _PROBE], capture_output=True).returncode != 0:
        raise LabError("no right to make namespaces: in a container use --privileged")


_PROBE = "import ctypes, sys; sys.exit(ctypes.CDLL(None).unshare(%d) and 1)" % (
    sc.CLONE_NEWNS | sc.CLONE_NEWNET | sc.CLONE_NEWPID | sc.CLONE_NEWUTS | sc.CLONE_NEWIPC)
