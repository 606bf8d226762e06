"""Transfers over HTTP: shapes, codes, and one entry for all."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.client import ABSENT, error_of
from tests.value.conftest import Store


def send(store: Store, recipients: list[dict[str, Any]], **fields: Any) -> TestResponse:
    """Transfer from Ann unless told otherwise."""
    source = {} if any(name.startswith("source") for name in fields) else {"source_external_id": "ann"}
    return store.api.post("/v1/transfers", {
        "program_id": store.program, "asset_id": store.asset, "description": "gift",
        "recipients": recipients, **source, **fields,
    })


def test_a_transfer_reaches_people_and_groups_in_one_entry(store: Store) -> None:
    bob = store.customer("bob", "0.01")
    family = store.api.group(bob)
    answer = send(store, [
        {"external_id": "bob", "amount": "10.00"}, {"group_id": family, "amount": "5.50"},
    ])
    assert answer.status_code == 201, answer.json
    shown = answer.json
    assert shown == {
        "journal_entry_id": shown["journal_entry_id"], "source_id": store.person, "asset_id": store.asset,
        "recipient_count": 2, "total_amount": "15.50",
    }
    entry = store.api.get(f"/v1/journal-entries/{shown['journal_entry_id']}").json
    assert sorted(posting["amount"] for posting in entry["postings"]) == ["-15.50", "10.00", "5.50"]
    assert (store.balance(), store.balance(bob)) == ("84.50", "10.01")


@pytest.mark.parametrize(
    ("recipients", "fields", "status", "code"),
    [
        ([{"external_id": "ann", "amount": "1"}], {}, 400, "self_transfer"),
        ([{"external_id": "nobody", "amount": "1"}], {}, 422, "recipient_not_found"),
        ([{"external_id": "bob", "amount": "1"}, {"external_id": "bob", "amount": "2"}], {}, 400,
         "invalid_request"),
        ([{"external_id": "bob", "participant_id": ABSENT, "amount": "1"}], {}, 400, "invalid_request"),
        ([{"amount": "1"}], {}, 400, "invalid_request"),
        ([{"external_id": "bob", "amount": "1"}], {"source_external_id": "ann", "source_group_id": ABSENT},
         400, "invalid_request"),
        ([{"external_id": "bob", "amount": "100.01"}], {}, 422, "insufficient_funds"),
        ([{"external_id": "bob", "amount": "0.001"}], {}, 400, "invalid_amount"),
        ([{"external_id": "bob", "amount": "0"}], {}, 400, "invalid_amount"),
        ([], {}, 400, "validation_error"),
        ([{"external_id": "bob", "amount": "1"}], {"source_external_id": "nobody"}, 404, "not_found"),
    ],
)
def test_a_refused_transfer_moves_nothing(
    store: Store, recipients: list[dict[str, Any]], fields: dict[str, Any], status: int, code: str
) -> None:
    bob = store.customer("bob", "0.01")
    error_of(send(store, recipients, **fields), status, code)
    assert (store.balance(), store.balance(bob)) == ("100.00", "0.01")


def test_every_recipient_at_fault_is_named(store: Store) -> None:
    bob = store.customer("bob", "0.01")
    good = {"external_id": "bob", "amount": "1"}
    for recipients, status, code, named in (
        ([{**good, "amount": "0.001"}, {"external_id": "x", "amount": "2"}, {**good, "amount": "1.999"}],
         400, "invalid_request", ["recipients[2]"]),
        ([{**good, "amount": "0.001"}, {"external_id": "x", "amount": "1.999"}], 400, "invalid_amount",
         ["recipients[0].amount", "recipients[1].amount"]),
        ([{"external_id": "x", "amount": "1"}, good, {"group_id": ABSENT, "amount": "1"}], 422,
         "recipient_not_found", ["recipients[0]", "recipients[2]"]),
        ([good, {"participant_id": bob, "amount": "1"}], 400, "invalid_request", ["recipients[1]"]),
        ([good, {"participant_id": store.person, "amount": "1"}], 400, "self_transfer", ["recipients[1]"]),
        ([good, {"external_id": "x", "amount": "9" * 20}], 422, "recipient_not_found", ["recipients[1]"]),
        ([{**good, "amount": "9" * 20}, {"participant_id": store.customer("eve", "1"), "amount": "9" * 20}],
         400, "invalid_amount", ["recipients"]),
    ):
        assert list(error_of(send(store, recipients), status, code)) == named
    assert (store.balance(), store.balance(bob)) == ("100.00", "0.01")


@pytest.mark.parametrize(("count", "status"), [(100, 201), (101, 400)])
def test_a_transfer_has_up_to_a_hundred_recipients(store: Store, count: int, status: int) -> None:
    people = [store.api.participant(f"p{i}", program_id=store.program) for i in range(count)]
    answer = send(store, [{"participant_id": person, "amount": "0.01"} for person in people])
    assert answer.status_code == status, answer.json


def test_both_sides_must_be_active(store: Store) -> None:
    bob = store.customer("bob", "1.00")
    store.api.patch(f"/v1/participants/{bob}/status", {"status": "CLOSED"})
    error_of(send(store, [{"external_id": "bob", "amount": "1"}]), 409, "participant_inactive")
    source = {"source_participant_id": bob}
    error_of(send(store, [{"external_id": "ann", "amount": "1"}], **source), 409, "participant_inactive")


def test_a_key_transfers_once(store: Store) -> None:
    store.customer("bob", "1.00")
    first = send(store, [{"external_id": "bob", "amount": "1.00"}], idempotency_key="t")
    again = send(store, [{"external_id": "bob", "amount": "1"}], idempotency_key="t")
    assert (first.status_code, again.status_code, again.json) == (201, 200, first.json)
    error_of(
        send(store, [{"external_id": "bob", "amount": "2"}], idempotency_key="t"), 409,
        "idempotency_conflict",
    )
