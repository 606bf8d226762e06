"""How far one step of the sealing looks: further over gaps, less where it is full, always within bounds."""

import pytest

from app.book import seal
from app.flows.seal import adapted

FEW = seal.ENTRIES_WANTED // 2 - 1


@pytest.mark.parametrize(("step", "entries", "after"), [
    (8, seal.ENTRIES_MAX, 4), (8, seal.ENTRIES_MAX - 1, 8), (1, seal.ENTRIES_MAX, 1),
    (8, FEW, 16), (8, FEW + 1, 8), (8, 0, 16),
    (seal.STEP_MAX, 0, seal.STEP_MAX), (seal.STEP_MAX - 1, 0, seal.STEP_MAX),
])
def test_the_next_step_fits_what_was_found(step: int, entries: int, after: int) -> None:
    assert adapted(step, entries) == after
