# SPDX-License-Identifier: MIT
"""The mail server's side of the milter protocol, version 6, as far as a test needs it."""

import socket
import struct

SKIP = 0x400
RCPT_REJ = 0x800
LEADSPC = 0x100000
ALL_ACTIONS = 0x1ff
ALL_STEPS = 0x1fffff  # what Postfix 3.7 offers
NR = {b"C": 0x1000, b"H": 0x2000, b"M": 0x4000, b"R": 0x8000, b"T": 0x10000,
      b"U": 0x20000, b"L": 0x80, b"N": 0x40000, b"B": 0x80000}
NO = {b"C": 0x1, b"H": 0x2, b"M": 0x4, b"R": 0x8, b"B": 0x10, b"L": 0x20, b"N": 0x40,
      b"U": 0x100, b"T": 0x200}


class Closed(Exception):
    """The milter ended the connection."""


class Outcome:
    """What the milter asked for at the end of one message."""

    def __init__(self):
        self.reply = None
        self.changes = []   # in the order they came: ("insert", index, name, value), …

    @property
    def inserted(self):
        return [c for c in self.changes if c[0] == "insert"]

    @property
    def field(self):
        """The value of the one field added, unfolded, or None."""
        if not self.inserted:
            return None
        (_, _, _, value), = self.inserted
        return " ".join(value.split())

    @property
    def deleted(self):
        return [(c[2], c[1]) for c in self.changes if c[0] == "delete"]


class Mta:
    def __init__(self, path, actions=ALL_ACTIONS, steps=ALL_STEPS, version=6, timeout=30,
                 negotiate=True):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.symlists = {}
        self.actions = self.steps = 0
        self.skip_body = False
        self.reply_to_body = None
        if negotiate:
            self.negotiate(version, actions, steps)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def send(self, command, data=b""):
        self.sock.sendall(struct.pack("!I", len(data) + 1) + command + data)

    def _read(self, count):
        out = b""
        while len(out) < count:
            piece = self.sock.recv(count - len(out))
            if not piece:
                raise Closed()
            out += piece
        return out

    def receive(self):
        length, = struct.unpack("!I", self._read(4))
        data = self._read(length)
        return data[:1], data[1:]

    def negotiate(self, version, actions, steps):
        self.send(b"O", struct.pack("!III", version, actions, steps))
        command, data = self.receive()
        assert command == b"O", command
        self.version, self.actions, self.steps = struct.unpack("!III", data[:12])
        rest = data[12:]
        while rest:
            stage, = struct.unpack("!I", rest[:4])
            names, rest = rest[4:].split(b"\0", 1)
            self.symlists[stage] = names.decode().split()

    def macros(self, command, values):
        data = b"".join(k.encode() + b"\0" + v.encode() + b"\0" for k, v in values.items())
        self.send(b"D", command + data)

    def step(self, command, data=b""):
        """Send one step; the reply, or None where none is due or the step is not wanted."""
        if self.steps & NO.get(command, 0):
            return None
        self.send(command, data)
        if self.steps & NR.get(command, 0):
            return None
        reply, _ = self.receive()
        return reply

    def connect(self, address, port=40000, daemon=None, host="client", macros=()):
        values = {"j": "mail.example.org"}
        if daemon:
            values["{daemon_addr}"] = daemon
        self.macros(b"C", values | dict(macros))
        if address is None:
            return self.step(b"C", host.encode() + b"\0U")
        family = b"6" if ":" in address else b"4"
        return self.step(b"C", host.encode() + b"\0" + family + struct.pack("!H", port) +
                         address.encode() + b"\0")

    def helo(self, name):
        return self.step(b"H", name.encode() + b"\0")

    def mail(self, argument, login=None):
        self.macros(b"M", {"{auth_authen}": login} if login else {"{mail_addr}": "x"})
        reply = self.step(b"M", argument.encode("latin-1") + b"\0")
        self.step(b"R", b"<bob@example.org>\0")
        return reply

    def rcpt(self, argument, mailer=None, host=None):
        """A recipient as Postfix shows it: refused ones have the mailer "error"."""
        if mailer:
            self.macros(b"R", {"{rcpt_mailer}": mailer, "{rcpt_host}": host, "{rcpt_addr}": "x"})
        return self.step(b"R", argument.encode("latin-1") + b"\0")

    def header(self, name, value):
        if not self.steps & LEADSPC:
            value = value.lstrip(" ")
        return self.step(b"L", name.encode("latin-1") + b"\0" + value.encode("latin-1") + b"\0")

    def body(self, data):
        """In pieces of 64 kB, as servers send it."""
        self.skip_body = False
        self.reply_to_body = None
        for at in range(0, len(data), 65535):
            self.reply_to_body = self.step(b"B", data[at:at + 65535])
            if self.reply_to_body == b"s":
                self.skip_body = True
                break

    def end(self, queue_id="4QUEUE"):
        outcome = Outcome()
        if queue_id:
            self.macros(b"E", {"i": queue_id})
        self.send(b"E")
        while True:
            command, data = self.receive()
            if command == b"i":
                index, = struct.unpack("!I", data[:4])
                name, value = data[4:].split(b"\0")[:2]
                outcome.changes.append(("insert", index, name.decode(), value.decode()))
            elif command == b"m":
                index, = struct.unpack("!I", data[:4])
                name, value = data[4:].split(b"\0")[:2]
                kind = "change" if value else "delete"
                outcome.changes.append((kind, index, name.decode(), value.decode()))
            elif command == b"p":
                continue
            else:
                outcome.reply = command
                outcome.text = data.rstrip(b"\0").decode()
                return outcome

    def message(self, headers, body=b"Hello\r\n", queue_id="4QUEUE"):
        """Headers to end for a transaction that MAIL opened."""
        for name, value in headers:
            self.header(name, value)
        self.step(b"N")
        self.body(body)
        return self.end(queue_id)

    def abort(self):
        self.send(b"A")

    def quit(self):
        self.send(b"Q")
        self.sock.close()
