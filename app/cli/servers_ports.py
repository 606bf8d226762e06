"""Free ports, and the two questions that show whether a server is really there."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit
from zlib import crc32

import psycopg
import redis

from app.cli.datafolder import ROOT
from app.cli.failure import Failure

LOOPBACK = "127.0.0.1"
# An outside server that does not answer within this time fails the start; nothing falls back silently.
OUTSIDE_SECONDS = 5.0
OWN_PORTS = range(20_000, 32_000)
QUESTION_SECONDS = 2


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether nobody listens there; a port that only waits for late packets of its last owner is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True


def free_port(preferred: int = 0) -> int:
    """The preferred port where it is free, else one that the system picks."""
    if preferred and is_free(preferred):
        return preferred
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def own_port(preferred: int, folder: Path) -> int:
    """A port that belongs to a data folder: the preferred one of the default folder, else one of its path.

    A server that is down for a moment must find its port again. So another system that starts meanwhile takes
    none that is somebody's, and the port is none of those that the system lends to outgoing connections.
    """
    if folder == ROOT / ".data":
        return free_port(preferred)
    made = crc32(f"{preferred} {folder}".encode())
    return free_port(OWN_PORTS[made % len(OWN_PORTS)])


def ask_postgres(url: str) -> str | None:
    """None when a query is answered, else why not."""
    try:
        with psycopg.connect(url, connect_timeout=QUESTION_SECONDS, autocommit=True) as connection:
            connection.execute("SELECT 1")
        return None
    except psycopg.Error as error:
        return _first_line(error)


def ask_redis(url: str) -> str | None:
    """None when PING is answered, else why not."""
    client = redis.Redis.from_url(
        url, socket_connect_timeout=QUESTION_SECONDS, socket_timeout=QUESTION_SECONDS, retry=None
    )
    try:
        client.ping()
        return None
    except (redis.RedisError, OSError) as error:
        return _first_line(error)
    finally:
        client.close()


def require(name: str, url: str, ask: Callable[[str], str | None]) -> None:
    """Give an outside server 5 s to answer. Raises Failure with one sentence that names the variable."""
    end = time.monotonic() + OUTSIDE_SECONDS - QUESTION_SECONDS
    while problem := ask(url):
        if time.monotonic() >= end:
            raise Failure(f"{name} is set, but {_place(url)} does not answer: {problem}")
        time.sleep(0.1)  # Nothing tells when a server has come up.


def _place(url: str) -> str:
    # Never the whole address: it holds the password.
    return urlsplit(url).netloc.rpartition("@")[2]


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
