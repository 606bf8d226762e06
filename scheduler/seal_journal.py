"""Rings a worker to seal what was posted; an entry is sealed within a minute, usually within seconds."""

from app.queue import send
from scheduler.duty import Duty


def run_once() -> None:
    """Ring; the worker finds out by itself whether there is something to seal."""
    send("seal_journal")


DUTY = Duty("seal_journal", 5.0, run_once)
