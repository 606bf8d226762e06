"""Showing rows: which fields an answer has, and which of them appear only when set."""

from collections.abc import Iterable, Mapping
from typing import Any


def present(
    row: Mapping[str, Any], *, required: Iterable[str], optional: Iterable[str] = ()
) -> dict[str, Any]:
    """Pick the fields of an answer; `optional` ones are left out where they are None."""
    shown = {name: row[name] for name in required}
    for name in optional:
        if row[name] is not None:
            shown[name] = row[name]
    return shown
