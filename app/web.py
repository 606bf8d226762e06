"""The worker of the web processes: gunicorn's threads, behind a door where connections wait for their heads.

gunicorn's own worker lends a thread to each new connection for five seconds, and to one that has sent a byte
for as long as its sender likes; eight of those and nobody else is served. Here a connection waits in the
poller, where it costs a descriptor, and gets a thread when its request line and headers are whole. What
follows is bounded as well: reading a body, and writing the answer to one who does not read it.
"""

import contextlib
import errno
import selectors
import socket
import time
from concurrent.futures import Future
from functools import partial
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from app.collection import leave_loaded_alone

HEAD_SECONDS = 10.0  # From connecting, or from the first byte of a later request, to the end of the headers.
BODY_SECONDS = 60.0  # From there to the end of the body: 8 MiB at 1.1 Mbit/s.
ANSWER_SECONDS = 300.0  # From there to the end of the answer.
HEAD_BYTES_MAX = 65_536  # Request line and headers; the parser bounds each of them further.
READ_BYTES = 16_384

_END = b"\r\n\r\n"
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types.
    """A connection with what has come of its next request's head."""

    head = b""


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types.
    """gunicorn's threaded worker with these bounds. TLS ends at the proxy in front."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start with no connection that has a thread."""
        super().__init__(*args, **kwargs)
        self.served_since: dict[Connection, float] = {}  # In the order of their times.

    def load_wsgi(self) -> None:
        """Load the application, after the fork, and keep the garbage collector off it."""
        super().load_wsgi()
        leave_loaded_alone()

    def accept(self, listener: socket.socket) -> None:
        """Let a new connection wait for its head."""
        try:
            client, address = listener.accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR:
                time.sleep(0.05)  # Those that wait expire within seconds; asking on would only spin.
            elif error.errno not in (errno.EAGAIN, errno.EWOULDBLOCK, errno.ECONNABORTED):
                raise
            return
        self.nr_conns += 1
        self._let_wait(Connection(self.cfg, client, address, listener.getsockname()))

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Take the first bytes of a kept connection's next request."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        if not self._receive(conn):
            self._let_wait(conn)

    def on_pending_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Take more of a head."""
        if self._receive(conn):
            self.poller.unregister(client)
            self.pending_conns.remove(conn)

    def finish_request(self, conn: Connection, fs: "Future[Any]") -> None:
        """Wait for a whole head again where the client has sent more than one request at once."""
        self.served_since.pop(conn, None)
        kept = not fs.cancelled() and fs.exception() is None and fs.result() is True
        if kept and (ahead := conn.parser.unreader.take_buffered()):
            conn.sock.setblocking(False)
            if not self._take(conn, ahead):
                self._let_wait(conn)
            return
        super().finish_request(conn, fs)

    def enqueue_req(self, conn: Connection) -> None:
        """Note since when a connection has a thread."""
        self.served_since[conn] = time.monotonic()
        super().enqueue_req(conn)

    def murder_pending(self) -> None:
        """Close what has waited too long, and end reading and writing that takes too long."""
        super().murder_pending()
        now = time.monotonic()
        for conn, since in self.served_since.items():
            if now - since < BODY_SECONDS:
                break
            # The thread finds the end of the body, or a broken connection, and comes free.
            with contextlib.suppress(OSError):
                conn.sock.shutdown(socket.SHUT_RDWR if now - since > ANSWER_SECONDS else socket.SHUT_RD)

    def _let_wait(self, conn: Connection) -> None:
        conn.timeout = time.monotonic() + HEAD_SECONDS
        self.pending_conns.append(conn)
        readable = partial(self.on_pending_socket_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, readable)

    def _receive(self, conn: Connection) -> bool:
        try:
            data = conn.sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            data = b""
        return self._take(conn, data)

    def _take(self, conn: Connection, data: bytes) -> bool:
        """Add to a head; give it a thread when it is whole, and close it where it never will be.

        Return whether the connection waits no longer."""
        head = conn.head + data if conn.head else data
        if data and _END not in head and len(head) < HEAD_BYTES_MAX:
            conn.head = head
            return False
        if data and _END in head:
            conn.head = b""
            conn.init()
            conn.parser.unreader.buf.write(head)  # Nothing else is in there: the connection was waiting.
            conn.data_ready = True
            self.enqueue_req(conn)
            return True
        if data:
            with contextlib.suppress(OSError):
                conn.sock.send(_TOO_LARGE)
        self.nr_conns -= 1
        conn.close()
        return True
