"""What time made due runs one job after another, in a thread of its own."""

import threading

from tests.waiting import wait_until
from workers.background import Background

SECONDS = 20.0


class Gated:
    """A job that waits in the middle until it is let go."""

    def __init__(self, ran: list[str], name: str) -> None:
        self.begun, self.go = threading.Event(), threading.Event()
        self.ran, self.name = ran, name

    def __call__(self) -> None:
        self.begun.set()
        assert self.go.wait(SECONDS)
        self.ran.append(self.name)


def test_jobs_run_one_after_another_in_their_order_and_one_that_waits_is_not_taken_twice() -> None:
    ran: list[str] = []
    background, first = Background(), Gated(ran, "first")
    background.hand_over("first", first)
    assert first.begun.wait(SECONDS)
    for name in ("second", "third", "second", "second"):
        background.hand_over(name, lambda name=name: ran.append(name))
    # It runs, so it may have looked already: it is taken once more.
    background.hand_over("first", first)
    assert ran == []
    first.go.set()
    wait_until(lambda: len(ran) == 4, "all jobs ran", SECONDS)
    background.stop()
    assert ran == ["first", "second", "third", "first"]


def test_a_job_that_fails_does_not_take_the_others_along() -> None:
    background, ran = Background(), threading.Event()

    def fails() -> None:
        raise RuntimeError("a statement was cancelled")

    background.hand_over("fails", fails)
    background.hand_over("works", ran.set)
    assert ran.wait(SECONDS)
    background.stop()


def test_stopping_waits_for_the_job_in_hand_and_drops_the_rest() -> None:
    ran: list[str] = []
    background, job = Background(), Gated(ran, "in hand")
    background.hand_over("in hand", job)
    assert job.begun.wait(SECONDS)
    background.hand_over("waits", lambda: ran.append("waits"))
    background.tell_to_stop()
    background.hand_over("too late", lambda: ran.append("too late"))
    stopping = threading.Thread(target=background.stop)
    stopping.start()
    assert ran == []
    job.go.set()
    stopping.join(SECONDS)
    assert not stopping.is_alive()
    assert ran == ["in hand"]
