# SPDX-License-Identifier: MIT
"""Redis at home: one server as conf/redis has it, or many of them."""

from .fill import filled
from .keys import secret

STORES = ("file", "redis")
SOCKET = "/run/redis/redis-server.sock"
PASSWORD_FILE = "/etc/postern/redis.password"
CONF = "/etc/redis/redis.conf"


def prepare(home):
    """Its password and its configuration; policyd may use its socket."""
    password = secret()
    home.write(PASSWORD_FILE, password, mode=0o640, owner="root:postern")
    home.write(CONF, home.read(CONF) + filled("conf/redis/redis.conf", {"@PASSWORD@": password}),
               mode=0o640, owner="root:redis")
    home.run("install", "-d", "-o", "redis", "-g", "redis", "/run/redis", "/var/lib/redis",
             "/var/log/redis")
    home.run("usermod", "-aG", "redis", "postern")


def start(home):
    """What its unit does."""
    home.service("redis-server", "runuser", "-u", "redis", "--", "redis-server", CONF,
                 "--daemonize", "no")
    home.wait_listening("redis-server", f"unix:{SOCKET}")


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
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text
