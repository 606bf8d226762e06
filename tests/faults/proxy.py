"""A TCP proxy between the product and a server that can delay, swallow and cut what passes: a bad network."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

CHUNK = 65_536


class Proxy:
    """Forwards connections on loopback; every change of manner holds for those that are open, too."""

    def __init__(self, target: tuple[str, int]) -> None:
        """Listen on a free port."""
        self.target = target
        self.delay_seconds = 0.0
        self._flowing = threading.Event()
        self._flowing.set()
        self._refusing = False
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def address(self, url: str) -> str:
        """Return the address of a server as it is reached through this proxy."""
        parts = urlsplit(url)
        user = parts.netloc.rpartition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.port}"))

    def swallow(self) -> None:
        """Take bytes and pass nothing on, while connections stay open: the other side has gone silently."""
        self._flowing.clear()

    def flow(self) -> None:
        """Pass everything on, what was held back first; accept again."""
        self.delay_seconds = 0.0
        self._refusing = False
        self._flowing.set()

    def cut(self) -> None:
        """Reset every connection, and refuse new ones until `flow`."""
        self._refusing = True
        self.reset()

    def reset(self) -> None:
        """Break every connection that is open now; new ones work. What was swallowed is lost."""
        with self._lock:
            broken = list(self._open)
        for each in broken:
            _shut(each)

    def stop(self) -> None:
        """Close everything."""
        self._flowing.set()
        _shut(self._listener)
        self._listener.close()
        self.reset()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._refusing:
                client.close()
                continue
            try:
                server = socket.create_connection(self.target, timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open |= {client, server}
            threading.Thread(target=self._carry, args=(client, server), daemon=True).start()

    def _carry(self, client: socket.socket, server: socket.socket) -> None:
        """Carry a connection in both directions until it ends; then close both ends."""
        back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
        back.start()
        self._pump(client, server)
        back.join()
        with self._lock:
            self._open -= {client, server}
        client.close()
        server.close()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while data := source.recv(CHUNK):
                self._flowing.wait()
                if self.delay_seconds:
                    _rest(self.delay_seconds)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            _shut(source)
            _shut(sink)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)


def _rest(seconds: float) -> None:
    # The delay is what the proxy is for; nobody waits here for a condition.
    threading.Event().wait(seconds)


@contextmanager
def proxy_to(url: str) -> Iterator[Proxy]:
    """A proxy in front of the server of an address."""
    parts = urlsplit(url)
    made = Proxy((parts.hostname or "127.0.0.1", parts.port or 0))
    try:
        yield made
    finally:
        made.stop()
