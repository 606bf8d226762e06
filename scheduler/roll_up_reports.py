"""Rings a worker to roll up the sealed journal, so that reports read sums instead of the whole journal."""

from app.queue import send
from scheduler.duty import Duty


def run_once() -> None:
    """Ring; the worker finds out by itself whether there is something to roll up."""
    send("roll_up_reports")


DUTY = Duty("roll_up_reports", 60.0, run_once)
