# SPDX-License-Identifier: MIT
"""policyd's control socket for the milter's reports: one that answers, or does not. TAP's helper."""

import contextlib
import os
import socket
import threading
import time

OK = b"status=ok\nstored=yes\nenforce=yes\n\n"


class FakePolicyd:
    """Takes reports and keeps them, as dicts, in the order they came."""

    def __init__(self, folder, name, reads=True, delay=0.0, answer=OK, listen=True):
        self.path = os.path.join(folder, name + ".control")
        self.reads, self.delay, self.answer = reads, delay, answer
        self.reports = []
        self.answered = 0
        self.connections = []
        self.listener = None
        self.wake = threading.Event()    # set: a hung one goes on
        if listen:
            self.start()

    @property
    def address(self):
        return f"unix:{self.path}"

    def start(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen()
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def stop(self):
        """As when it is killed: the socket file stays, nobody listens."""
        listener, self.listener = self.listener, None
        if listener:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for sock in self.connections:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self.connections = []

    def go_on(self):
        self.reads = True
        self.wake.set()

    def _accept(self, listener):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                self.connections.append(sock)
                threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        if not self.reads:
            self.wake.wait()
        data = b""
        with contextlib.suppress(OSError), sock:
            while piece := sock.recv(65536):
                data += piece
                while b"\n\n" in data:
                    request, data = data.split(b"\n\n", 1)
                    self._take(sock, request)

    def _take(self, sock, request):
        time.sleep(self.delay)
        pairs = [line.split("=", 1) for line in request.decode().split("\n")]
        assert pairs[0] == ["request", "report"], pairs
        self.reports.append(dict(pairs))
        sock.sendall(self.answer)
        self.answered += 1
