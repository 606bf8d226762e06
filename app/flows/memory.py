"""What a process has seen and looks up no more: bounded, and forgotten as a whole when it is full."""

from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")

SEEN_MAX = 50_000  # Some megabytes.


def remember(seen: dict[K, V], key: K, value: V) -> V:
    """Keep a value under its key; returns the value."""
    if len(seen) >= SEEN_MAX:
        seen.clear()
    seen[key] = value
    return value
