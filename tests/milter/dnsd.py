# SPDX-License-Identifier: MIT
"""A small authoritative DNS server over UDP and TCP, with answers that go wrong on purpose."""

import socket
import socketserver
import struct
import threading

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28}


def encode_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            out += bytes([len(label)]) + label.encode()
    return out + b"\0"


def decode_name(packet, at):
    labels = []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += packet[at] + 1
    return ".".join(labels).lower(), at + 1


def rdata(kind, value):
    if kind == "A":
        return socket.inet_pton(socket.AF_INET, value)
    if kind == "AAAA":
        return socket.inet_pton(socket.AF_INET6, value)
    if kind in ("PTR", "CNAME", "NS"):
        return encode_name(value)
    if kind == "MX":
        preference, name = value.split()
        return struct.pack("!H", int(preference)) + encode_name(name)
    raw = value.encode("latin-1")
    return b"".join(bytes([len(raw[i:i + 255])]) + raw[i:i + 255]
                    for i in range(0, max(len(raw), 1), 255))


def kind_of(number):
    return {v: k for k, v in TYPES.items()}.get(number, str(number))


def spoiled(how, number, question):
    """An answer with a TXT record that passes all and forbids nothing, and that is none."""
    text = rdata("TXT", "v=spf1 +all")
    record = b"\xc0\x0c" + struct.pack("!HHIH", TYPES["TXT"], 1, 60, len(text)) + text
    flags = 0x8580
    if how == "WRONG-ID":
        number = bytes(x ^ 0x55 for x in number)
    elif how == "WRONG-NAME":
        question = b"\1x" + question[question[0] + 1:]
    elif how == "TRUNCATED":
        flags, record = flags | 0x200, record[:-4]
    elif how == "CUT":
        record = record[:-4]
    else:
        raise ValueError(how)
    return number + struct.pack("!HHHHH", flags, 1, 1, 0, 0) + question + record


class Dns:
    """zone: {"name TYPE": [values] | "SERVFAIL" | "SILENT" | how it is spoiled}; a name without
    records does not exist. A CNAME answers for all types. default: for all names that have
    no records."""

    def __init__(self, zone, default=None):
        self.zone, self.default = {}, default
        for key, values in zone.items():
            name, kind = key.split()
            self.zone[(name.lower(), kind)] = values
        self.asked = []
        outer = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                packet, sock = self.request
                reply = outer.answer(packet, 1200)
                if reply:
                    sock.sendto(reply, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                size = self.rfile.read(2)
                while len(size) == 2:
                    reply = outer.answer(self.rfile.read(struct.unpack("!H", size)[0]), 65535)
                    if reply:
                        self.wfile.write(struct.pack("!H", len(reply)) + reply)
                    size = self.rfile.read(2)

        socketserver.ThreadingTCPServer.daemon_threads = True
        while True:
            self.udp = socketserver.UDPServer(("127.0.0.1", 0), Udp)
            self.port = self.udp.server_address[1]
            try:
                self.tcp = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Tcp)
                break
            except OSError:
                self.udp.server_close()
        for server in (self.udp, self.tcp):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()

    def answer(self, packet, limit):
        name, at = decode_name(packet, 12)
        number, = struct.unpack("!H", packet[at:at + 2])
        kind = kind_of(number)
        question = packet[12:at + 4]
        self.asked.append((name, kind))
        found = self.zone.get((name, kind), self.default)
        if (name, kind) not in self.zone and (name, "CNAME") in self.zone:
            found, number = self.zone[(name, "CNAME")], TYPES["CNAME"]
        if found == "SILENT":
            return None
        if found == "SERVFAIL":
            return packet[:2] + struct.pack("!HHHHH", 0x8582, 1, 0, 0, 0) + question
        if isinstance(found, str):
            return spoiled(found, packet[:2], question)
        if found:
            records = b"".join(
                b"\xc0\x0c" + struct.pack("!HHIH", number, 1, 60, len(rdata(kind_of(number), v))) +
                rdata(kind_of(number), v) for v in found)
            if 12 + len(question) + len(records) > limit:
                return packet[:2] + struct.pack("!HHHHH", 0x8780, 1, 0, 0, 0) + question
            return (packet[:2] + struct.pack("!HHHHH", 0x8580, 1, len(found), 0, 0) + question +
                    records)
        exists = any(n == name or n.endswith("." + name) for n, _ in self.zone)
        soa = encode_name("ns.example.net") + encode_name("h.example.net") + struct.pack(
            "!IIIII", 1, 3600, 600, 86400, 60)
        authority = b"\0" + struct.pack("!HHIH", 6, 1, 60, len(soa)) + soa
        return (packet[:2] + struct.pack("!HHHHH", 0x8580 if exists else 0x8583, 1, 0, 1, 0) +
                question + authority)
