"""Idempotency keys of synchronous operations: one performs, the others wait and repeat the answer."""

import threading
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app import db
from app.domain.errors import IdempotencyConflict, InsufficientFunds
from app.domain.ids import new_id
from app.flows.idempotency import Outcome, hash_of, once, take_turn

PATH = UUID("6f1c2f3e-0f57-4f3c-9a2e-0d8f3b7f2a11")


def _once(
    organization_id: UUID, program_id: UUID, perform: Any, *, key: str = "k", what: str = "a"
) -> Outcome:
    with db.transaction() as c:
        turn = take_turn(
            c, organization_id, program_id, "hold", key, hash_of("hold", [], {"what": what})
        )
        return once(turn, perform)


def test_the_first_answer_is_repeated_and_nothing_is_done_again(database: str) -> None:
    organization_id, program_id = new_id(), new_id()
    calls: list[int] = []

    def perform() -> dict[str, Any]:
        calls.append(1)
        return {"amount": "5.00", "lots": [{"id": "x"}]}

    assert _once(organization_id, program_id, perform) == Outcome(
        {"amount": "5.00", "lots": [{"id": "x"}]}, replayed=False
    )
    assert _once(organization_id, program_id, perform) == Outcome(
        {"amount": "5.00", "lots": [{"id": "x"}]}, replayed=True
    )
    assert len(calls) == 1


def test_another_payload_under_the_key_is_a_conflict_and_other_names_are_free(database: str) -> None:
    organization_id, program_id = new_id(), new_id()
    _once(organization_id, program_id, dict)
    with pytest.raises(IdempotencyConflict):
        _once(organization_id, program_id, dict, what="b")
    for free in ((organization_id, new_id()), (new_id(), program_id)):
        assert not _once(*free, dict, what="b").replayed
    assert not _once(organization_id, program_id, dict, key="other", what="b").replayed


def test_a_refusal_leaves_the_key_free(database: str) -> None:
    organization_id, program_id = new_id(), new_id()

    def refuse() -> dict[str, Any]:
        raise InsufficientFunds()

    with pytest.raises(InsufficientFunds):
        _once(organization_id, program_id, refuse)
    assert not _once(organization_id, program_id, lambda: {"fine": True}, what="b").replayed


def test_of_many_at_once_one_performs(database: str) -> None:
    organization_id, program_id = new_id(), new_id()
    calls: list[int] = []
    outcomes: list[Outcome] = []
    gate = threading.Barrier(6)

    def perform() -> dict[str, Any]:
        calls.append(1)
        return {"by": len(calls)}

    def ask() -> None:
        gate.wait()
        outcomes.append(_once(organization_id, program_id, perform))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert [outcome.response for outcome in outcomes] == [{"by": 1}] * 6
    assert sum(outcome.replayed for outcome in outcomes) == 5


def test_spelling_makes_no_difference_and_meaning_does() -> None:
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    first = hash_of("hold", [PATH], {"amount": Decimal("5.00"), "at": noon, "lots": [PATH], "x": None})
    there = noon.astimezone(timezone(timedelta(hours=5)))
    same = {"lots": [PATH], "at": there, "amount": Decimal("5"), "idempotency_key": "z"}
    assert hash_of("hold", [PATH], same) == first
    for different in (
        hash_of("release", [PATH], same),
        hash_of("hold", [], same),
        hash_of("hold", [PATH], {**same, "amount": Decimal("5.01")}),
        hash_of("hold", [PATH], {**same, "amount": "5"}),
        hash_of("hold", [PATH], {**same, "extra": False}),
    ):
        assert different != first
