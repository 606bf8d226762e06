"""The web process over real sockets: whoever sends slowly, endlessly or nothing takes no thread from others.

The worker has two threads here, so two connections that hold one each would stop it.
"""

import contextlib
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import web
from app.cli.datafolder import ROOT
from app.cli.servers_ports import free_port
from tests.waiting import wait_until

ANSWERED_SECONDS = 2.0
BEGUN = b"GET / HTTP/1.1\r\nHost: x\r\nX-Drip: "
WHOLE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Web:
    """A gunicorn as the Procfile starts it, with one process, two threads and an application of its own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.log = folder / "gunicorn.log"
        self.process = subprocess.Popen(
            [
                sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{self.port}", "--workers", "1",
                "--threads", "2", "--worker-class", "tests.security.echo.Worker", "--no-control-socket",
                "--keep-alive", "75", "--log-file", str(self.log), "tests.security.echo:application",
            ],
            cwd=ROOT,
        )  # fmt: skip
        wait_until(self.answers, "gunicorn answers", 20)

    def connect(self, first: bytes = b"") -> socket.socket:
        """A connection that has sent these bytes."""
        made = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        made.sendall(first)
        return made

    def answers(self) -> bool:
        """Whether a whole request is answered in good time."""
        with contextlib.suppress(OSError), self.connect(WHOLE) as made:
            made.settimeout(ANSWERED_SECONDS)
            return made.recv(1000).startswith(b"HTTP/1.1 200")
        return False


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One server for all these tests: none may leave it with less than two threads."""
    made = Web(tmp_path_factory.mktemp("web"))
    yield made
    made.process.terminate()
    made.process.wait(timeout=20)


def read_to_end(connection: socket.socket) -> bytes:
    """All that the server still sends; a reset is an end too."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while data := connection.recv(65_536):
            found += data
    return found


def read_until(connection: socket.socket, wanted: bytes) -> bool:
    """Whether these bytes come before the connection ends."""
    found = b""
    while wanted not in found and (data := connection.recv(65_536)):
        found += data
    return wanted in found


def test_the_procfile_starts_this_worker() -> None:
    line = next(each for each in (ROOT / "Procfile").read_text().splitlines() if each.startswith("web:"))
    assert f"--worker-class {web.Worker.__module__}.{web.Worker.__name__} " in line


@pytest.mark.parametrize("sent", [b"", b"G", BEGUN], ids=["nothing", "a byte", "half a head"])
def test_connections_that_say_nothing_more_take_no_thread(server: Web, sent: bytes) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(20):
            held.enter_context(server.connect(sent))
        for _ in range(5):
            assert server.answers()


def test_a_head_that_drips_in_is_cut_off_in_time_and_others_are_served(server: Web) -> None:
    with server.connect(BEGUN) as dripping:
        started = time.monotonic()
        while not select.select([dripping], [], [], 0.1)[0]:
            dripping.send(b"x")
            assert server.answers()
            assert time.monotonic() - started < 5
        assert read_to_end(dripping) == b""


def test_a_kept_connection_whose_next_head_does_not_come_is_closed(server: Web) -> None:
    """The first byte of the next request came with the end of the last."""
    with server.connect(WHOLE + WHOLE + b"G") as kept:
        started = time.monotonic()
        assert read_to_end(kept).count(b"HTTP/1.1 200") == 2
        assert time.monotonic() - started < 5
    assert server.answers()


def test_a_request_in_many_pieces_is_answered(server: Web) -> None:
    with server.connect() as patient:
        for byte in b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc":
            patient.sendall(bytes([byte]))
        assert read_until(patient, b"POST 3")
        patient.sendall(WHOLE)
        assert read_until(patient, b"GET 0")


def test_a_body_that_never_ends_is_cut_off_and_its_thread_comes_free(server: Web) -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc"
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(server.connect(head)) for _ in range(2)]
        for each in slow:
            assert read_until(each, b"POST 3")
    assert server.answers()


def test_an_answer_that_nobody_reads_is_given_up(server: Web) -> None:
    with contextlib.ExitStack() as held:
        for _ in range(2):
            held.enter_context(server.connect(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n"))
        wait_until(server.answers, "the threads come free", 15)


@pytest.mark.parametrize("head", [
    b"GET /" + b"a" * 8_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 200 + b"\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000,
    b"GET /" + b"a" * 200_000,
], ids=["line", "field", "fields", "endless field", "endless line"])  # fmt: skip
def test_a_head_that_is_too_large_is_refused_at_once(server: Web, head: bytes) -> None:
    with contextlib.suppress(ConnectionError), server.connect() as made:
        made.settimeout(ANSWERED_SECONDS)
        made.sendall(head)
        answer = read_to_end(made)
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert server.answers()


@pytest.mark.parametrize("head", [
    b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX Y: z\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
    b"\r\n\r\n",
    b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
], ids=["framings", "lengths", "encoding", "space", "folded", "colon", "blank", "version"])  # fmt: skip
def test_a_head_that_two_servers_could_read_in_two_ways_is_refused(server: Web, head: bytes) -> None:
    with server.connect(head) as made:
        answer = read_to_end(made)
        assert answer == b"" or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")), answer
    assert server.answers()
