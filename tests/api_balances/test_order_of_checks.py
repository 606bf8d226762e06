"""The order of checks on every operation on value (decision A6): of several obstacles the first is told.

All of them stand in the way at first; each step names the one that is told, and takes it away. Beside that:
who may do what in which state, and that a repetition is answered whatever has changed since.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.client import ABSENT, Caller, error_of
from tests.api_balances.conftest import Shop, open_shop

OPERATIONS = (
    "credit", "debit", "hold", "release", "forfeit", "void-hold", "redeem", "transfer", "fund", "burn",
)
OF_PARTICIPANTS = OPERATIONS[:8]
# Taking value away stays possible for those who are suspended or left (decision E7).
TAKING = ("forfeit", "void-hold")
NO_LIMIT = ("hold", "release", "forfeit", "void-hold", "fund", "burn")
WITHOUT_AMOUNT = ("void-hold",)
ALWAYS_ENOUGH = ("fund",)


@dataclass
class Desk:
    """A PREFUNDED asset with lots, a customer with 100.00 of which 40.00 are held, and 30.00 provisional."""

    shop: Shop
    bob: str

    def send(self, operation: str, key: str | None = None, **more: Any) -> TestResponse:
        """Send an operation of 10.00; `more` replaces fields, and the path's ids by their names."""
        shop, api = self.shop, self.shop.api
        program, person = more.pop("program", shop.program), more.pop("person", shop.person)
        asset = more.pop("asset", shop.asset)
        fields: dict[str, Any] = {
            "program_id": program, "asset_id": asset, "description": "x", "amount": "10.00",
        }
        if key is not None:
            fields["idempotency_key"] = key
        path = f"/v1/participants/{person}/balances/{operation}"
        match operation:
            case "credit" | "debit":
                path = f"/v1/participants/{person}/balances/adjust"
                fields["type"] = operation.upper()
            case "forfeit":
                fields["bucket"] = "AVAILABLE"
            case "void-hold":
                fields["reference_id"] = "auth"
                del fields["amount"]
            case "redeem":
                path = f"/v1/participants/{person}/redemptions"
            case "transfer":
                path = "/v1/transfers"
                fields["source_participant_id"] = person
                amount = more.pop("amount", fields.pop("amount"))
                fields["recipients"] = [{"participant_id": self.bob, "amount": amount}]
            case "fund" | "burn":
                path = f"/v1/programs/{program}/assets/{asset}/{operation}"
                for name in ("program_id", "asset_id"):
                    del fields[name]
        return api.post(path, fields | more)

    def program_is(self, status: str) -> None:
        """Set the program's status."""
        done = self.shop.api.patch(f"/v1/programs/{self.shop.program}", {"status": status})
        assert done.status_code == 200, done.json

    def person_is(self, status: str, person: str | None = None) -> None:
        """Set the participant's status."""
        path = f"/v1/participants/{person or self.shop.person}/status"
        assert self.shop.api.patch(path, {"status": status}).status_code == 200

    def limit(self, amount: str | None) -> None:
        """Set the asset's limit of one transaction."""
        changed = self.shop.api.patch(f"/v1/assets/{self.shop.asset}", {"max_transaction_amount": amount})
        assert changed.status_code == 200, changed.json


@pytest.fixture
def desk(api: Caller) -> Desk:
    """Everything that the operations need to succeed."""
    from app.domain.names import Bucket
    from tests.book.test_concurrency import provisional

    shop = open_shop(api, "CASH", inventory_mode="LOT", issuance_policy="PREFUNDED")
    api.post("/v1/participants", {"external_id": "ann-CASH", "program_id": shop.program})
    made = Desk(shop, api.participant("bob", program_id=shop.program))
    assert made.send("fund", amount="500.00").status_code == 200
    shop.give("100.00")
    shop.act("hold", amount="40.00")
    provisional(shop, 30, Bucket.HELD, "auth")()
    return made


@pytest.mark.parametrize("operation", OPERATIONS)
def test_of_several_obstacles_the_first_is_told(desk: Desk, operation: str) -> None:
    shop, about_person = desk.shop, operation in OF_PARTICIPANTS
    elsewhere = shop.api.asset(shop.api.program(), "ELSE", scale=2)
    first = desk.send(operation, "used")
    assert first.status_code in (200, 201), first.json
    desk.program_is("SUSPENDED")
    if about_person:
        desk.person_is("CLOSED")
    desk.limit("0.50")
    wrong: dict[str, Any] = {} if operation in WITHOUT_AMOUNT else {"amount": "0.001"}
    huge: dict[str, Any] = {} if operation in WITHOUT_AMOUNT else {"amount": "99999.00"}

    def refused(status: int, code: str, **more: Any) -> None:
        error_of(desk.send(operation, more.pop("key", None), **more), status, code)

    # 400: the body, then 404: what it names, in the order program, participant, asset.
    refused(400, "validation_error", **wrong, program=ABSENT, person=ABSENT, asset=ABSENT, surprise=1)
    refused(404, "not_found", **wrong, program=ABSENT, asset=elsewhere)
    if about_person:
        refused(404, "not_found", **wrong, person=ABSENT)
    refused(404, "not_found", **wrong, asset=ABSENT)
    refused(400, "asset_not_linked", **wrong, asset=elsewhere)
    if wrong:
        scale = "invalid_scale" if operation in ("credit", "debit") else "invalid_amount"
        refused(400, scale, **wrong, key="used")
    # The key: another payload is a conflict, the same payload is answered, in whatever state things are.
    refused(409, "idempotency_conflict", key="used", description="y")
    again = desk.send(operation, "used")
    assert (again.status_code, again.json) == (200, first.json)
    assert again.headers["Idempotency-Replayed"] == "true"
    # 409: the program, then the participant.
    refused(409, "program_suspended", **huge)
    desk.program_is("ARCHIVED")
    refused(409, "program_archived", **huge)
    desk.program_is("ACTIVE")
    if about_person and operation not in TAKING:
        refused(409, "participant_inactive", **huge)
        desk.person_is("ACTIVE")
    # 422: the limit of one transaction, then what is there.
    if operation not in NO_LIMIT:
        refused(422, "transaction_limit_exceeded", **huge)
    desk.limit(None)
    if operation == "release":
        assert desk.send("release").json["amount_processed"] == "10.00"
    elif operation == "void-hold":
        refused(422, "insufficient_funds")  # It was voided under the key.
    elif operation not in ALWAYS_ENOUGH:
        refused(422, "insufficient_funds", **huge)
        assert desk.send(operation).status_code in (200, 201)
    shop.api.patch(f"/v1/assets/{shop.asset}", {"status": "ARCHIVED"})
    refused(422, "asset_archived", **huge)
    assert desk.send(operation, "used").json == first.json


@pytest.mark.parametrize("status", ["SUSPENDED", "CLOSED"])
@pytest.mark.parametrize("operation", OF_PARTICIPANTS)
def test_who_is_not_active_can_only_lose_value(desk: Desk, operation: str, status: str) -> None:
    desk.person_is(status)
    answer = desk.send(operation)
    if operation in TAKING:
        assert answer.status_code == 200, answer.json
    else:
        error_of(answer, 409, "participant_inactive")
    desk.person_is("ACTIVE")
    if operation == "transfer":
        desk.person_is(status, desk.bob)
        error_of(desk.send(operation), 409, "participant_inactive")
    elif operation not in TAKING:
        assert desk.send(operation).status_code in (200, 201)


@pytest.mark.parametrize("status", ["FROZEN", "LOCKED", "CLOSED"])
@pytest.mark.parametrize("operation", OF_PARTICIPANTS)
def test_an_enrollment_that_is_not_active_counts_as_well(desk: Desk, operation: str, status: str) -> None:
    path = f"/v1/programs/{desk.shop.program}/participants/{desk.shop.person}"
    assert desk.shop.api.patch(path, {"status": status}).status_code == 200
    answer = desk.send(operation)
    if operation in TAKING:
        assert answer.status_code == 200, answer.json
    else:
        error_of(answer, 409, "participant_inactive")


READS: dict[str, Callable[[Shop], str]] = {
    "balances": lambda s: f"/v1/participants/{s.person}/balances",
    "lots": lambda s: f"/v1/participants/{s.person}/balances/lots?asset_id={s.asset}",
    "history": lambda s: f"/v1/participants/{s.person}/activity/history",
    "statement": lambda s: f"/v1/participants/{s.person}/statement?asset_id={s.asset}",
    "redemptions": lambda s: f"/v1/participants/{s.person}/redemptions",
    "wallet": lambda s: f"/v1/programs/{s.program}/balance",
    "wallet history": lambda s: f"/v1/programs/{s.program}/history",
    "wallet statement": lambda s: f"/v1/programs/{s.program}/statement?asset_id={s.asset}",
    "journal": lambda s: f"/v1/journal-entries?program_id={s.program}",
}


@pytest.mark.parametrize("what", READS)
def test_everything_stays_readable_when_all_is_closed(desk: Desk, what: str) -> None:
    path = READS[what](desk.shop)
    before = desk.shop.api.get(path)
    assert before.status_code == 200, before.json
    desk.person_is("CLOSED")
    desk.program_is("ARCHIVED")
    desk.shop.api.patch(f"/v1/assets/{desk.shop.asset}", {"status": "ARCHIVED"})
    after = desk.shop.api.get(path)
    assert (after.status_code, after.json) == (200, before.json)
