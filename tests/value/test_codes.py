"""Every error that the document names for rewards, redemptions, reversals and transfers, provoked one by one.

The tables below and the document say the same, or these tests fail: a code that nothing provokes is not
documented, and a documented one has a line here. What every operation of the API may answer (no key, too many
requests, a body too large, a bug, no database) is tested for the API as a whole.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from werkzeug.test import Client as WsgiClient
from werkzeug.test import TestResponse

from app.api.errors import STATUS, InternalError, Unavailable
from app.api.openapi import errors_of
from app.api.routing import ROUTES
from app.domain import errors
from tests.api.client import ABSENT, error_of, new_caller
from tests.value.conftest import Store, open_store

EVERYWHERE = {
    each.code for each in (
        errors.Unauthorized, errors.TooManyRequests, errors.PayloadTooLarge, InternalError, Unavailable,
    )
}
Ask = Callable[[Store], TestResponse]
Table = dict[str, list[Ask]]


def at_path(path: str) -> Table:
    """What every read under an id refuses: what is no id, nobody's, or a parameter that it does not have."""
    nowhere, unsaid = path.replace("{id}", ABSENT), path.replace("{id}", "x")
    return {
        "not_found": [lambda s: s.api.get(fill(s, nowhere))],
        "validation_error": [lambda s: s.api.get(fill(s, unsaid))],
        "invalid_request": [lambda s: s.api.get(fill(s, nowhere), colour="red")],
    }


def fill(store: Store, path: str) -> str:
    """A path with the shop's own ids."""
    return path.replace("{program}", store.program)


def suspended(store: Store, what: str = "SUSPENDED") -> Store:
    """The shop after its program was suspended, or archived."""
    assert store.api.patch(f"/v1/programs/{store.program}", {"status": what}).status_code == 200
    return store


def archived_asset(store: Store) -> Store:
    """The shop after its asset was archived."""
    assert store.api.patch(f"/v1/assets/{store.asset}", {"status": "ARCHIVED"}).status_code == 200
    return store


def closed(store: Store) -> Store:
    """The shop after its customer left."""
    path = f"/v1/participants/{store.person}/status"
    assert store.api.patch(path, {"status": "CLOSED"}).status_code == 200
    return store


def limited(store: Store) -> Store:
    """The shop after one transaction was limited to 5.00."""
    changed = store.api.patch(f"/v1/assets/{store.asset}", {"max_transaction_amount": "5.00"})
    assert changed.status_code == 200
    return store


def elsewhere(store: Store) -> Store:
    """The shop with an asset that another program has linked."""
    return replace(store, asset=store.api.asset(store.api.program(), "ELSE", scale=2))


def unlinked(store: Store) -> tuple[Store, str]:
    """The shop with a reward whose asset was taken out of the program before anybody had any of it."""
    other = replace(store, asset=store.api.asset(store.program, "GONE", scale=2))
    reward = other.reward("Unpriced")
    gone = store.api.delete(f"/v1/programs/{store.program}/assets/{other.asset}")
    assert gone.status_code == 204, gone.json
    return other, reward


def twice(first: TestResponse, second: TestResponse) -> TestResponse:
    """The second answer, where the first was given what it asked for."""
    assert first.status_code < 300, first.json
    return second


def quote(store: Store, reward: str, **fields: Any) -> TestResponse:
    """Ask for a quote."""
    path = f"/v1/programs/{store.program}/rewards/{reward}/quote"
    return store.api.post(path, {"participant_id": store.person, **fields})


def send(store: Store, to: Any = "bob", amount: str = "1.00", **fields: Any) -> TestResponse:
    """Transfer from Ann to Bob, who comes to be where he was not yet, or to the recipients given."""
    if store.api.get("/v1/participants", external_id="bob").json["data"] == []:
        store.api.participant("bob", program_id=store.program)
    recipients = [{"external_id": to, "amount": amount}] if isinstance(to, str) else to
    return store.api.post("/v1/transfers", {
        "program_id": store.program, "asset_id": store.asset, "description": "x",
        "source_external_id": "ann", "recipients": recipients, **fields,
    })


def sold(store: Store, **fields: Any) -> str:
    """A redemption of 10.00 in one unit."""
    return str(store.take(store.reward(), **fields).json["id"])


def spent(store: Store) -> str:
    """A redemption of 10.00."""
    return str(store.spend("10.00").json["id"])


def returned(store: Store, change: Callable[[Store], Store], **fields: Any) -> TestResponse:
    """Reverse a redemption of 10.00 after something has changed."""
    redemption = spent(store)
    return change(store).give_back(redemption, **fields)


def archived_group(store: Store) -> TestResponse:
    """Transfer to a group that is archived."""
    group = store.api.group(store.person)
    assert store.api.delete(f"/v1/groups/{group}").status_code in (200, 204)
    return send(store, [{"group_id": group, "amount": "1.00"}])


REWARDS: dict[str, Table] = {
    "create_reward": {
        "validation_error": [lambda s: s.make(name="")],
        "invalid_request": [lambda s: s.make(redemption_type="AMOUNT_BASED", max_total=1)],
        "invalid_amount": [lambda s: s.make(unit_cost="0.001"), lambda s: s.make(unit_cost="0")],
        "asset_not_linked": [lambda s: elsewhere(s).make()],
        "not_found": [lambda s: replace(s, program=ABSENT).make(), lambda s: s.make(asset_id=ABSENT)],
        "program_archived": [lambda s: suspended(s, "ARCHIVED").make()],
        "key_exists": [lambda s: twice(s.make(), s.make())],
        "asset_archived": [lambda s: archived_asset(s).make()],
    },
    "list_rewards": at_path("/v1/programs/{id}/rewards"),
    "get_reward": at_path("/v1/programs/{program}/rewards/{id}"),
    "update_reward": {
        "validation_error": [lambda s: s.change(s.reward(), name="")],
        "invalid_request": [
            lambda s: s.change(s.reward(redemption_type="AMOUNT_BASED"), max_per_participant=1)
        ],
        "invalid_amount": [lambda s: s.change(s.reward(), unit_cost="0.001")],
        "not_found": [lambda s: s.change(ABSENT, name="x")],
        "program_archived": [lambda s: (r := s.reward()) and suspended(s, "ARCHIVED").change(r, name="x")],
        "key_exists": [lambda s: twice(s.make("Other"), s.change(s.reward(), name="Other"))],
        "reward_unavailable": [lambda s: s.change(s.reward(status="ARCHIVED"), name="x")],
        "asset_not_linked": [lambda s: (u := unlinked(s))[0].change(u[1], name="x")],
    },
    "quote_reward": {
        "validation_error": [lambda s: quote(s, s.reward(), participant_id="x")],
        "invalid_request": [lambda s: quote(s, s.reward(), amount="1.00")],
        "invalid_amount": [lambda s: quote(s, s.reward(redemption_type="AMOUNT_BASED"), amount="0.001")],
        "invalid_quantity": [lambda s: quote(s, s.reward(), quantity=0)],
        "not_found": [lambda s: quote(s, ABSENT), lambda s: quote(s, s.reward(), participant_id=ABSENT)],
        "reward_program_mismatch": [lambda s: quote(replace(s, program=s.api.program()), s.reward())],
        "asset_not_linked": [lambda s: quote(*unlinked(s))],
    },
}
REDEMPTIONS: dict[str, Table] = {
    "redeem_amount": {
        "validation_error": [lambda s: s.spend("1.00", description="x" * 501)],
        "invalid_request": [lambda s: s.api.post(f"/v1/participants/{s.person}/redemptions?colour=red", {})],
        "invalid_amount": [lambda s: s.spend("0.00"), lambda s: s.spend("0.001"), lambda s: s.spend("-1")],
        "asset_not_linked": [lambda s: elsewhere(s).spend("1.00")],
        "not_found": [
            lambda s: replace(s, person=ABSENT).spend("1.00"), lambda s: replace(s, asset=ABSENT).spend("1"),
            lambda s: replace(s, program=ABSENT).spend("1.00"),
            lambda s: replace(s, person=s.api.participant("stranger")).spend("1.00"),
        ],
        "idempotency_conflict": [lambda s: twice(
            s.spend("1.00", idempotency_key="k"), s.spend("2.00", idempotency_key="k")
        )],
        "participant_inactive": [lambda s: closed(s).spend("1.00")],
        "program_suspended": [lambda s: suspended(s).spend("1.00")],
        "program_archived": [lambda s: suspended(s, "ARCHIVED").spend("1.00")],
        "insufficient_funds": [lambda s: s.spend("100.01")],
        "asset_archived": [lambda s: archived_asset(s).spend("1.00")],
        "transaction_limit_exceeded": [lambda s: limited(s).spend("5.01")],
    },
    "redeem_item": {
        "validation_error": [lambda s: s.take(s.reward(), description="x" * 501)],
        "invalid_request": [lambda s: s.take(s.reward(), amount="10.00")],
        "invalid_amount": [lambda s: s.take(s.reward(redemption_type="AMOUNT_BASED"), amount="9.99")],
        "invalid_quantity": [
            lambda s: s.take(s.reward(), quantity=0), lambda s: s.take(s.reward(), quantity=-1),
        ],
        "asset_not_linked": [lambda s: (u := unlinked(s))[0].take(u[1])],
        "reward_program_mismatch": [lambda s: replace(s, program=s.api.program()).take(s.reward())],
        "not_found": [lambda s: s.take(ABSENT), lambda s: s.take(s.reward(), ABSENT)],
        "idempotency_conflict": [lambda s: (r := s.reward()) and twice(
            s.take(r, idempotency_key="k"), s.take(r, quantity=2, idempotency_key="k")
        )],
        "participant_inactive": [lambda s: (r := s.reward()) and closed(s).take(r)],
        "program_suspended": [lambda s: (r := s.reward()) and suspended(s).take(r)],
        "program_archived": [lambda s: (r := s.reward()) and suspended(s, "ARCHIVED").take(r)],
        "max_total_exceeded": [lambda s: s.take(s.reward(max_total=1), quantity=2)],
        "max_per_participant_exceeded": [lambda s: s.take(s.reward(max_per_participant=1), quantity=2)],
        "reward_unavailable": [
            lambda s: s.take(s.reward(status="DRAFT")), lambda s: s.take(s.reward(status="ARCHIVED")),
            lambda s: s.take(s.reward(available_from="2999-01-01T00:00:00Z")),
            lambda s: s.take(s.reward(available_until="2026-01-01T00:00:00Z")),
        ],
        "not_eligible": [lambda s: s.take(s.reward(eligibility="false"))],
        "insufficient_funds": [lambda s: s.take(s.reward(unit_cost="100.01"))],
        "asset_archived": [lambda s: (r := s.reward()) and archived_asset(s).take(r)],
        "transaction_limit_exceeded": [lambda s: (r := s.reward()) and limited(s).take(r)],
    },
    "list_redemptions": at_path("/v1/participants/{id}/redemptions"),
    "get_redemption": at_path("/v1/redemptions/{id}"),
    "list_reversals": at_path("/v1/redemptions/{id}/reversals"),
    "reverse_redemption": {
        "validation_error": [lambda s: s.give_back(spent(s), reason="")],
        "invalid_request": [
            lambda s: s.give_back(spent(s), quantity=1), lambda s: s.give_back(sold(s), amount="1.00"),
        ],
        "invalid_amount": [lambda s: s.give_back(spent(s), amount="0.001")],
        "invalid_quantity": [lambda s: s.give_back(sold(s), quantity=0)],
        "not_found": [lambda s: s.give_back(ABSENT)],
        "idempotency_conflict": [lambda s: (r := spent(s)) and twice(
            s.give_back(r, amount="1.00", idempotency_key="k"),
            s.give_back(r, amount="2.00", idempotency_key="k"),
        )],
        "participant_inactive": [lambda s: returned(s, closed)],
        "program_suspended": [lambda s: returned(s, suspended)],
        "program_archived": [lambda s: returned(s, lambda it: suspended(it, "ARCHIVED"))],
        "already_reversed": [lambda s: (r := spent(s)) and twice(s.give_back(r), s.give_back(r))],
        "amount_exceeds_remaining": [lambda s: s.give_back(spent(s), amount="10.01")],
        "quantity_exceeds_remaining": [lambda s: s.give_back(sold(s), quantity=2)],
        "asset_archived": [lambda s: returned(s, archived_asset)],
    },
}
TRANSFERS: dict[str, Table] = {
    "create_transfer": {
        "validation_error": [lambda s: send(s, []), lambda s: send(s, description="")],
        "invalid_request": [
            lambda s: send(s, [{"external_id": "bob", "amount": "1"}] * 2),
            # Naming somebody twice is the mistake to tell of, whether or not there is such a person.
            lambda s: send(s, [{"external_id": "nobody", "amount": "1"}] * 2),
            lambda s: send(s, [{"participant_id": ABSENT, "amount": "1"}] * 2),
            lambda s: send(s, source_group_id=ABSENT),
        ],
        "invalid_amount": [lambda s: send(s, amount="0"), lambda s: send(s, amount="0.001")],
        "asset_not_linked": [lambda s: send(elsewhere(s))],
        "self_transfer": [lambda s: send(s, "ann")],
        "not_found": [
            lambda s: send(s, source_external_id="nobody"), lambda s: send(replace(s, asset=ABSENT)),
        ],
        "idempotency_conflict": [lambda s: twice(
            send(s, idempotency_key="k"), send(s, amount="2.00", idempotency_key="k")
        )],
        "participant_inactive": [lambda s: send(closed(s))],
        "group_archived": [archived_group],
        "program_suspended": [lambda s: send(s) and send(suspended(s))],
        "program_archived": [lambda s: send(s) and send(suspended(s, "ARCHIVED"))],
        "recipient_not_found": [
            lambda s: send(s, "nobody"), lambda s: send(s, [{"group_id": ABSENT, "amount": "1"}]),
            lambda s: s.api.participant("stranger") and send(s, "stranger"),
        ],
        "insufficient_funds": [lambda s: send(s, amount="100.01")],
        "asset_archived": [lambda s: send(s) and send(archived_asset(s))],
        "transaction_limit_exceeded": [lambda s: send(limited(s), amount="5.01")],
    },
}
OPERATIONS = REWARDS | REDEMPTIONS | TRANSFERS


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_error_that_the_document_names_is_given(http: WsgiClient, operation: str) -> None:
    documented = next(
        {error.code for error in errors_of(each)} for each in ROUTES if each.operation_id == operation
    )
    table = OPERATIONS[operation]
    assert set(table) == documented - EVERYWHERE
    for code, asks in table.items():
        for ask in asks:
            error_of(ask(open_store(new_caller(http), inventory_mode="SIMPLE")), STATUS[code], code)


def test_no_operation_of_these_is_left_out(http: WsgiClient) -> None:
    tags = ("Rewards", "Redemptions", "Transfers")
    assert {each.operation_id for each in ROUTES if each.tag in tags} == set(OPERATIONS)
