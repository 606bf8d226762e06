"""A sampling profiler: where the CPU time of this process goes, without slowing down what is watched.

Counting calls (cProfile) triples the price of small functions and so names the wrong ones. Here the kernel
interrupts after every millisecond of CPU, and the function that runs is counted.
"""

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from app.cli.datafolder import ROOT

EVERY_SECONDS = 0.001


@dataclass
class Samples:
    """How often each function was on top (`own`), somewhere in the stack (`all`), and each whole stack."""

    total: int = 0
    own: Counter[str] = field(default_factory=Counter)
    all: Counter[str] = field(default_factory=Counter)
    stacks: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def take(self, frame: FrameType | None) -> None:
        """Count one interruption."""
        self.total += 1
        if frame is not None:
            self.own[_name(frame)] += 1
        stack: list[str] = []
        while frame is not None:
            stack.append(_name(frame))
            frame = frame.f_back
        self.all.update(set(stack))
        self.stacks[tuple(reversed(stack))] += 1

    def top(self, count: int) -> list[tuple[str, float]]:
        """The functions that were on top most often, with their share."""
        return [(name, hits / max(self.total, 1)) for name, hits in self.own.most_common(count)]


@contextmanager
def sampled() -> Iterator[Samples]:
    """Sample the main thread while a block runs."""
    samples = Samples()
    before = signal.signal(signal.SIGPROF, lambda number, frame: samples.take(frame))
    signal.setitimer(signal.ITIMER_PROF, EVERY_SECONDS, EVERY_SECONDS)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _name(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    if path.is_relative_to(ROOT) and ".venv" not in path.parts:
        place = path.relative_to(ROOT).with_suffix("").as_posix()
    else:
        place = "/".join(path.with_suffix("").parts[-2:])
    return f"{place}:{frame.f_code.co_qualname}"
