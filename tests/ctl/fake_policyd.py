# SPDX-License-Identifier: MIT
"""A control socket that answers what a test gives it, well or badly (postern-control(7))."""

import socket
import threading


class FakePolicyd:
    """answer: the bytes after one request; asked holds the requests as dictionaries."""

    def __init__(self, path, answer):
        self.asked, self.answer = [], answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(5)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                text = b""
                while not text.endswith(b"\n\n"):
                    more = peer.recv(4096)
                    if not more:
                        break
                    text += more
                self.asked.append(dict(line.split("=", 1) for line in
                                       text.decode().strip("\n").split("\n")))
                peer.sendall(self.answer)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)
