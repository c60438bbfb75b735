"""A TCP proxy that misbehaves on command: refuse new connections, cut those there are, or hold back every byte."""

import contextlib
import socket
import struct
import threading
from typing import Self

LINGER = struct.pack("ii", 1, 0)  # closing sends RST: the peer sees a reset at once


class Proxy:
    """Listens on a port of its own and passes bytes on to `target`. A context manager."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._refusing = False
        self._flows = threading.Event()
        self._flows.set()
        self._sockets: set[socket.socket] = set()
        self.connections = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._flows.set()
        self.cut()

    def refuse(self) -> None:
        """Cut what there is, and every new connection at once."""
        self._refusing = True
        self.cut()

    def cut(self) -> None:
        """Reset every connection there is."""
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                each.shutdown(socket.SHUT_RDWR)
                each.close()

    def hold(self) -> None:
        """A black hole: nothing is closed, and not a byte gets through."""
        self._flows.clear()

    def let(self) -> None:
        """Behave."""
        self._refusing = False
        self._flows.set()

    def _accept(self) -> None:
        while True:
            try:
                came, _ = self._server.accept()
            except OSError:
                return
            if self._refusing:
                came.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
                came.close()
                continue
            try:
                went = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                came.close()
                continue
            went.settimeout(None)
            self.connections += 1
            self._sockets |= {came, went}
            for source, sink in ((came, went), (went, came)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._flows.wait()
                sink.sendall(data)
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.close()
            self._sockets.discard(each)
