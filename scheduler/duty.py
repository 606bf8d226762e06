"""What a duty is: a name, how often it runs, and one idempotent step."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Duty:
    """A background duty. `run_once` may be called at any time, twice, or late; it does what is due."""

    name: str
    every_seconds: float
    run_once: Callable[[], object]


def in_batches(step: Callable[[], int], most: int) -> Callable[[], int]:
    """Return a `run_once` that repeats a counting step until nothing is left, or `most` times."""

    def run_once() -> int:
        total = 0
        for _ in range(most):
            done = step()
            total += done
            if not done:
                break
        return total

    return run_once
