"""Amounts as wide as they can be, 20 digits before the point and 18 behind it, through every answer.

Python's own arithmetic rounds to 28 digits without a word: wherever a sum, a sign or a difference is made
outside of the ledger's exact context, one of these answers loses its last digits.
"""

from typing import Any

import pytest

from app import db
from tests.api.client import Caller, walk
from tests.value.conftest import Store

WHOLE = "98765432109876543210.123456789012345678"
PART = "12345678901234567890.100000000000000009"
REST = "86419753208641975320.023456789012345669"  # WHOLE less PART.
ZERO = "0." + "0" * 18


@pytest.fixture(params=["SIMPLE", "LOT"])
def vault(api: Caller, request: pytest.FixtureRequest) -> Store:
    """Ann with WHOLE of an asset of 18 decimals; somebody listens to every message."""
    program = api.program()
    made = Store(
        api, program, api.asset(program, "WEI", scale=18, inventory_mode=request.param),
        api.participant("ann", program_id=program),
    )
    with db.transaction() as c:
        c.execute(
            "INSERT INTO webhook_endpoints (organization_id, id, url, enabled_events, secret, created_at,"
            " updated_at) VALUES (%s, gen_random_uuid(), 'https://example.com', '{*}', '', read_clock(),"
            " read_clock())", (api.organization_id,),
        )
    made.give(made.person, WHOLE)
    return made


def messages(kind: str) -> list[dict[str, Any]]:
    """What the outbox says of one type, oldest first."""
    with db.connection() as c:
        rows = c.execute("SELECT data FROM outbox WHERE type = %s ORDER BY id", (kind,)).fetchall()
    return [row["data"] for row in rows]


def act(vault: Store, operation: str, owner: str = "", **fields: Any) -> dict[str, Any]:
    """Move value, of Ann or of the owner at a path."""
    path = owner or f"/v1/participants/{vault.person}"
    answer = vault.api.post(f"{path}/balances/{operation}", {
        "program_id": vault.program, "asset_id": vault.asset, "description": "wide", **fields,
    })
    assert answer.status_code == 200, answer.json
    return dict(answer.json)


def test_balances_and_lists_keep_every_digit(vault: Store) -> None:
    held = act(vault, "hold", amount=PART)
    assert (held["amount_processed"], held["message"]) == (PART, f"Processed {PART}")
    assert held["balance"] == {"available": REST, "held": PART, "deferred": ZERO}
    path = f"/v1/participants/{vault.person}"
    shown = {"asset_id": vault.asset, "available": REST, "held": PART, "deferred": ZERO}
    assert vault.api.get(path).json["balances"] == [shown]
    assert vault.api.get(f"{path}/balances").json["data"] == [shown]
    rows = walk(vault.api, f"{path}/activity/history", limit=1)
    assert [row["amount"] for row in rows] == [PART, f"-{PART}", WHOLE]
    at = rows[0]["created_at"]
    assert vault.api.get(f"{path}/balances", as_of=at).json["data"] == [shown]
    statement = walk(vault.api, f"{path}/statement", asset_id=vault.asset, limit=1)
    assert [row["running_balance"] for row in statement] == [WHOLE, REST, WHOLE]
    told = messages("balance.held")
    assert [(one["amount"], one["balance"]) for one in told] == [
        (PART, {"available": REST, "held": PART, "deferred": ZERO})
    ]


def test_a_group_s_total_keeps_every_digit(vault: Store) -> None:
    group = vault.api.group(vault.person)
    path = f"/v1/groups/{group}"
    act(vault, "adjust", path, type="CREDIT", amount=WHOLE)
    act(vault, "hold", path, amount=PART)
    assert vault.api.get(path).json["balances"] == {vault.asset: WHOLE}
    assert vault.api.get(f"{path}/balances").json["data"] == [{"asset_id": vault.asset, "balance": WHOLE}]
    assert [one["amount"] for one in messages("balance.credited") if "group_id" in one] == [WHOLE]


def test_the_journal_is_filtered_by_the_last_digit(vault: Store) -> None:
    above, below = WHOLE[:-1] + "9", WHOLE[:-1] + "7"
    for filters, count in (
        ({"min_amount": WHOLE}, 1), ({"min_amount": above}, 0), ({"max_amount": f"-{WHOLE}"}, 1),
        ({"max_amount": f"-{above}"}, 0), ({"min_amount": below, "max_amount": WHOLE}, 1),
        ({"min_amount": WHOLE, "max_amount": below}, 0),
    ):
        assert len(walk(vault.api, "/v1/journal-entries", **filters)) == count, filters


def test_transfers_redemptions_and_reversals_keep_every_digit(vault: Store) -> None:
    bob = vault.api.participant("bob", program_id=vault.program)
    sent = vault.api.post("/v1/transfers", {
        "program_id": vault.program, "asset_id": vault.asset, "description": "wide",
        "source_participant_id": vault.person, "recipients": [{"participant_id": bob, "amount": PART}],
    })
    assert sent.json["total_amount"] == PART
    assert messages("transfer.completed")[0]["recipients"] == [{"participant_id": bob, "amount": PART}]
    assert (vault.balance(), vault.balance(bob)) == (REST, PART)
    redemption = vault.spend(REST).json
    undone = vault.give_back(redemption["id"], amount="0." + "0" * 17 + "1").json
    assert undone["amount"] == "0." + "0" * 17 + "1"
    left = vault.api.get(f"/v1/redemptions/{redemption['id']}").json
    assert (left["amount"], left["reversed_amount"]) == (REST, "0." + "0" * 17 + "1")
    assert vault.give_back(redemption["id"]).json["amount"] == REST[:-1] + "8"
    assert vault.balance() == REST
    assert [one["amount"] for one in messages("balance.debited")] == [PART, REST]
    assert messages("redemption.reversed")[-1]["reversed_amount"] == REST


def test_prices_quotes_and_what_is_owed_keep_every_digit(vault: Store) -> None:
    price = "49382716054938271605.061728394506172839"  # Half of WHOLE.
    reward = vault.reward(unit_cost=price)
    path = f"/v1/programs/{vault.program}/rewards/{reward}/quote"
    asked = vault.api.post(path, {"participant_id": vault.person, "quantity": 2}).json
    assert (asked["amount"], asked["missing"], asked["redeemable"]) == (WHOLE, ZERO, True)
    act(vault, "adjust", type="DEBIT", amount="0." + "0" * 17 + "1")
    asked = vault.api.post(path, {"participant_id": vault.person, "quantity": 2}).json
    assert (asked["missing"], asked["redeemable"]) == ("0." + "0" * 17 + "1", False)
    assert vault.take(reward).json["amount"] == price
    owed = vault.api.get("/v1/reports/liability").json["data"]
    assert [row["balance"] for row in owed] == ["49382716054938271605.061728394506172838"]
