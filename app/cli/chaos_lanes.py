"""The lanes of `chaos`: threads that send pieces of work, each in its turn, while the system is shaken.

An answer is definite when the system says that it did the work (2xx) or will not do it (4xx but 429).
Whatever else happens, time-outs and closed connections among it, is none, and the sender tries again.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import urllib3

from app.domain.json import loads

REQUEST_SECONDS = 12.0
PAUSE_SECONDS = 0.1  # Between two attempts.
JSON = "application/json"

Work = TypeVar("Work")


def start(
    lanes: int, work: Sequence[Work], seconds: float, send: Callable[[urllib3.PoolManager, int, Work], None]
) -> list[threading.Thread]:
    """Start so many threads, over which the work is dealt out and which send it spread over the time.

    `send` gets a lane's connections, and the number of the piece with the piece.
    """
    begin = time.time()

    def run(lane: int) -> None:
        pool = urllib3.PoolManager(timeout=REQUEST_SECONDS, retries=False)
        for index in range(lane, len(work), lanes):
            pause = begin + index * seconds / len(work) - time.time()
            if pause > 0:
                time.sleep(pause)  # Its turn comes by the clock: the load is to be steady.
            send(pool, index, work[index])

    threads = [threading.Thread(target=run, args=(lane,), daemon=True) for lane in range(lanes)]
    for thread in threads:
        thread.start()
    return threads


def post(
    pool: urllib3.PoolManager, url: str, key: str, body: str, content_type: str = JSON
) -> tuple[int, Any] | None:
    """Send once, and return status and document of a definite answer."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": content_type}
    try:
        answer = pool.request("POST", url, body=body, headers=headers)
    except urllib3.exceptions.HTTPError:
        return None
    if answer.status == 429 or answer.status >= 500:
        return None
    return answer.status, loads(answer.data)


def rest() -> None:
    """Wait before the next attempt: a system that starts again should not be stormed."""
    time.sleep(PAUSE_SECONDS)  # Who could say that it is back is what is away.
