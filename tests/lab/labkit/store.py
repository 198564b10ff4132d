# SPDX-License-Identifier: MIT
"""Redis at home: one server as conf/redis has it, or several by themselves."""

from .errors import LabError, until
from .fill import filled
from .keys import secret

STORES = ("file", "redis")
SOCKET = "/run/redis/redis-server.sock"
PASSWORD_FILE = "/etc/postern/redis.password"
CONF = "/etc/redis/redis.conf"
HOME = "10.8.0.2"

# For servers beside the first one, which are this lab's alone.
NODE = """
port {port}
bind 127.0.0.1 {home}
protected-mode no
dir /var/lib/redis-{port}
dbfilename dump.rdb
save ""
repl-diskless-sync-delay 0
"""


def prepare(home):
    """Its password and its configuration; policyd may use its socket."""
    password = secret()
    home.write(PASSWORD_FILE, password, mode=0o640, owner="root:postern")
    home.write(CONF, home.read(CONF) + _ours(password)
               # As it says for policyd on other hosts.
               + f"\nbind 127.0.0.1 {HOME}\nrequirepass {secret()}\n",
               mode=0o640, owner="root:redis")
    home.run("install", "-d", "-o", "redis", "-g", "redis", "/run/redis", "/var/lib/redis",
             "/var/log/redis")
    home.run("usermod", "-aG", "redis", "postern")


def _ours(password):
    return filled("conf/redis/redis.conf", {"@PASSWORD@": password})


def start(home):
    """What its unit does."""
    _run(home, "redis-server", CONF)
    home.wait_listening("redis-server", f"unix:{SOCKET}", "tcp:6379")


def _run(home, name, conf, *options):
    home.service(name, "setpriv", "--reuid=redis", "--regid=redis", "--init-groups",
                 "redis-server", conf, "--daemonize", "no", *options)


def start_with(home):
    """It runs, and postern.conf names it."""
    prepare(home)
    start(home)
    home.write("/etc/postern/postern.conf", configured(home.read("/etc/postern/postern.conf")))


def configured(text, store=f"redis://{SOCKET}"):
    """postern.conf with this store."""
    for old, new in [('#store = "file:/var/lib/postern"', f'store = "{store}"'),
                     ('#user = ""', 'user = "postern"'),
                     ('#password_file = ""', f'password_file = "{PASSWORD_FILE}"')]:
        if text.count(old) != 1:
            raise LabError(f"postern.conf has {text.count(old)} lines {old}, not one")
        text = text.replace(old, new)
    return text


# --- several ---

def start_node(home, port, *lines, sentinel=False):
    """A server of its own, called redis-PORT; these are more lines of its configuration."""
    rights = next(line for line in _ours(home.read(PASSWORD_FILE)).splitlines()
                  if line.startswith("user "))
    folder, conf = f"/var/lib/redis-{port}", f"/etc/redis-{port}/redis.conf"
    home.run("rm", "-rf", folder)
    home.run("install", "-d", "-o", "redis", "-g", "redis", folder, f"/etc/redis-{port}")
    more = [] if sentinel else ["appendonly yes", rights]
    text = NODE.format(port=port, home=HOME) if not sentinel else (
        f"port {port}\nbind 127.0.0.1 {HOME}\nprotected-mode no\ndir {folder}\n")
    home.write(conf, text + "\n".join([*more, *lines]) + "\n", owner="redis:redis")
    restart_node(home, port, *(["--sentinel"] if sentinel else []))


def restart_node(home, port, *options):
    _run(home, f"redis-{port}", f"/etc/redis-{port}/redis.conf", *options)
    home.wait_listening(f"redis-{port}", f"tcp:{port}")


def say(home, port, *words):
    """What redis-cli prints."""
    return home.run("redis-cli", "-p", str(port), *words).strip()


def end(home, name, signal="KILL"):
    home.run("kill", f"-{signal}", str(home.service_pid(name)))
    until(f"end of {name}", lambda: not home.service_lives(name))
