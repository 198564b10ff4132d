# SPDX-License-Identifier: MIT
"""Peers of postern-policyd that do as no good neighbour does."""

import contextlib
import json
import os
import selectors
import socket
import struct
import time

from daemon import DEADLINE, TOKEN

PLAIN = {"login": "alice@example.com", "protocol": "imap", "pwhash": "0abc",
         "remote": "203.0.113.99", "session_id": "S1", "success": True, "policy_reject": False}


def policy_request(client="203.0.113.99", more=b""):
    return (b"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=" +
            client.encode() + b"\n" + more + b"\n")


def netstring(payload):
    return b"%d:%s," % (len(payload), payload)


def http_request(body, command="allow", more=b""):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return (b"POST /auth?command=%s HTTP/1.1\r\nHost: x\r\nX-API-Key: %s\r\n%s"
            b"Content-Length: %d\r\n\r\n%s" %
            (command.encode(), TOKEN.encode(), more, len(body), body))


# One whole request for each listener, and what its answer begins with.
VALID = {
    "policy": (policy_request(), b"action=DUNNO\n\n"),
    "socketmap": (netstring(b"transport a@example.com"), b"32:OK smtp:[other.example.net]:2525,"),
    "control": (b"request=status\n\n", b"status=ok\n"),
    "http": (http_request(PLAIN), b"HTTP/1.1 200 "),
}


# The same of a listener for those who watch, and of one for gateways, which watched() adds.
WATCH = (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 200 ")


def bans_request(path="/bans.txt", method="GET", token=TOKEN, more=b""):
    return (f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n".encode() +
            more + b"\r\n")


def watched(world, name, options=""):
    """http_options for the daemon of that name: all sections have these options."""
    folder = os.path.join(world.folder, name)
    return (f'{options} }}\nhttp "watch" {{ listen = "unix:{folder}/watch"'
            f'  serve = {{"metrics", "status"}}  {options} }}\n'
            f'http "gateway" {{ listen = "unix:{folder}/gateway"  serve = {{"bans"}}'
            f'  token_file = "{folder}/token"  {options}')


def connect(daemon, name, timeout=DEADLINE):
    peer = socket.socket(socket.AF_UNIX)
    peer.settimeout(timeout)
    peer.connect(os.path.join(daemon.folder, name))
    return peer


def connect_tcp(daemon):
    return socket.create_connection(("127.0.0.1", daemon.port), DEADLINE)


def send(peer, data):
    """As much as is taken; whether all was. The daemon may close at any byte."""
    try:
        peer.sendall(data)
        return True
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        return False


def receive(peer, enough=1):
    """Bytes until there are enough, or the end."""
    got = b""
    with contextlib.suppress(ConnectionResetError):
        while len(got) < enough and (data := peer.recv(65536)):
            got += data
    return got


def reset(peer):
    """Closed with a TCP reset, or with unread data on a Unix socket."""
    with contextlib.suppress(OSError):
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def asked(daemon, name, data):
    """What the daemon answers to these bytes, "" when it closes."""
    with connect(daemon, name) as peer:
        send(peer, data)
        return receive(peer, len(VALID.get(name, WATCH)[1]))


def all_closed(peers, seconds):
    """Wait until the daemon has closed them all; what each had received."""
    got, until = {peer: b"" for peer in peers}, time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for peer in peers:
            selector.register(peer, selectors.EVENT_READ)
        while selector.get_map():
            assert time.monotonic() < until, f"{len(selector.get_map())} of {len(peers)} open"
            for key, _ in selector.select(0.1):
                data = b""
                with contextlib.suppress(ConnectionResetError):
                    data = key.fileobj.recv(65536)
                got[key.fileobj] += data
                if not data:
                    selector.unregister(key.fileobj)
    return list(got.values())
