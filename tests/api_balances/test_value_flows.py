"""Transfers, redemptions and reversals as flows: what they post, refuse, and answer a second time."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from app import db
from app.domain import errors
from app.domain.names import OwnerType
from app.flows import redeem, reverse, transfer
from app.flows.idempotency import Outcome
from app.flows.move_value import Call
from app.flows.redeem import Wanted
from app.flows.reverse import Reversal
from app.flows.transfer import Party, Transfer
from tests.api_balances.conftest import Shop
from tests.api_balances.test_due_lots import advance, credit_with_dates, lots

HASH = bytes(32)


def call(shop: Shop) -> Call:
    return Call(shop.api.organization_id, None, UUID(shop.program), UUID(shop.asset))


def enrolled(shop: Shop, name: str) -> str:
    return shop.api.participant(name, program_id=shop.program)


def give_away(shop: Shop, *shares: tuple[Party, str], key: str | None = None) -> Outcome:
    source = Party(OwnerType.PARTICIPANT, UUID(shop.person))
    recipients = tuple((party, Decimal(amount)) for party, amount in shares)
    return transfer.transfer(call(shop), Transfer(source, recipients, "gift"), key, HASH)


def person(participant_id: str) -> Party:
    return Party(OwnerType.PARTICIPANT, UUID(participant_id))


def spend(shop: Shop, amount: str, key: str | None = None) -> dict[str, Any]:
    shop.api.post("/v1/participants", {"external_id": f"ann-{symbol(shop)}", "program_id": shop.program})
    wanted = Wanted(UUID(shop.person), Decimal(amount), "coffee")
    return redeem.redeem(call(shop), wanted, key, HASH).response


def symbol(shop: Shop) -> str:
    return str(shop.api.get(f"/v1/assets/{shop.asset}").json["symbol"])


def give_back(
    shop: Shop, redemption: dict[str, Any], amount: str | None = None, key: str | None = None
) -> Outcome:
    wanted = Reversal("returned", None if amount is None else Decimal(amount))
    return reverse.reverse(shop.api.organization_id, None, UUID(redemption["id"]), wanted, key, HASH)


@pytest.mark.parametrize("fixture", ["shop", "lot_shop", "funded_shop"])
def test_a_transfer_is_one_entry_for_all_recipients(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    place: Shop = request.getfixturevalue(fixture)
    if fixture == "funded_shop":
        place.api.post(f"/v1/programs/{place.program}/assets/{place.asset}/fund", {"amount": "100"})
    place.give("50")
    bob, group = enrolled(place, "bob"), place.api.group(place.person)
    outcome = give_away(
        place, (Party(OwnerType.PARTICIPANT, external_id="bob"), "10.50"),
        (Party(OwnerType.GROUP, UUID(group)), "5"),
    )
    assert outcome.response == {
        "journal_entry_id": outcome.response["journal_entry_id"], "source_id": place.person,
        "asset_id": place.asset, "recipient_count": 2, "total_amount": "15.50",
    }
    entry = place.api.get(f"/v1/journal-entries/{outcome.response['journal_entry_id']}").json
    assert [(p["entity_type"], p["amount"]) for p in entry["postings"]] == [
        ("PARTICIPANT", "-15.50"), ("PARTICIPANT", "10.50"), ("GROUP", "5.00")
    ]
    assert place.balance()["available"] == "34.50"
    assert place.balance(bob)["available"] == "10.50"


def test_a_transfer_refuses_who_does_not_belong(shop: Shop) -> None:
    shop.give("50")
    bob, stranger = enrolled(shop, "bob"), shop.api.participant("stranger")
    with pytest.raises(errors.RecipientNotFound) as refusal:
        give_away(shop, (person(bob), "1"), (person(stranger), "1"))
    assert list(refusal.value.details) == ["recipients[1]"]
    with pytest.raises(errors.RecipientNotFound):
        give_away(shop, (Party(OwnerType.PARTICIPANT, external_id="nobody"), "1"))
    with pytest.raises(errors.SelfTransfer):
        give_away(shop, (person(shop.person), "1"))
    with pytest.raises(errors.InvalidRequest):
        give_away(shop, (person(bob), "1"), (Party(OwnerType.PARTICIPANT, external_id="bob"), "1"))
    with pytest.raises(errors.InsufficientFunds):
        give_away(shop, (person(bob), "50.01"))
    shop.api.patch(f"/v1/participants/{bob}/status", {"status": "SUSPENDED"})
    with pytest.raises(errors.ParticipantInactive):
        give_away(shop, (person(bob), "1"))
    assert shop.balance()["available"] == "50.00"


def test_a_transfer_under_a_key_happens_once(shop: Shop) -> None:
    shop.give("50")
    bob = enrolled(shop, "bob")
    first = give_away(shop, (person(bob), "10"), key="k")
    second = give_away(shop, (person(bob), "10"), key="k")
    assert second.replayed
    assert second.response == first.response
    assert shop.balance(bob)["available"] == "10.00"


def test_a_redemption_goes_to_the_target_and_comes_back_in_parts(shop: Shop) -> None:
    shop.give("50")
    made = spend(shop, "30")
    assert made["status"] == "COMPLETED"
    assert made["reversed_amount"] == "0.00"
    assert shop.balance()["available"] == "20.00"
    first = give_back(shop, made, "10").response
    assert first["amount"] == "10.00"
    assert give_back(shop, made).response["amount"] == "20.00"
    assert shop.balance()["available"] == "50.00"
    with pytest.raises(errors.AlreadyReversed):
        give_back(shop, made)


def test_more_than_is_left_is_not_reversed(shop: Shop) -> None:
    shop.give("50")
    made = spend(shop, "30")
    give_back(shop, made, "25")
    with pytest.raises(errors.AmountExceedsRemaining):
        give_back(shop, made, "5.01")
    with pytest.raises(errors.InvalidRequest):
        reverse.reverse(
            shop.api.organization_id, None, UUID(made["id"]), Reversal("x", quantity=1), None, HASH
        )


def test_a_redemption_returns_from_the_entity_it_went_to(shop: Shop) -> None:
    shop.give("50")
    entity = shop.api.post("/v1/ledger-entities", {"name": "Airline"}).json["id"]
    target = {"redemption_target_type": "LEDGER_ENTITY", "redemption_target_entity_id": entity}
    assert shop.api.patch(f"/v1/programs/{shop.program}", target).status_code == 200
    made = spend(shop, "30")
    assert holdings(shop, entity) == "30.00"
    shop.api.patch(f"/v1/programs/{shop.program}", {"redemption_target_type": "SYSTEM_BREAKAGE"})
    give_back(shop, made, "12")
    assert holdings(shop, entity) == "18.00"


def holdings(shop: Shop, entity: str) -> str:
    return str(shop.api.get(f"/v1/ledger-entities/{entity}").json["balances"][0]["available"])


def test_lots_are_restored_last_consumed_first(lot_shop: Shop) -> None:
    for amount in ("10", "20", "30"):
        lot_shop.give(amount)
    made = spend(lot_shop, "45")
    give_back(lot_shop, made, "20")
    left = sorted(remaining for _, remaining in lots(lot_shop).values())
    assert left == ["0.00", "30.00", "5.00"]


def test_a_reversal_into_an_expired_lot_gets_the_grace_of_the_program(lot_shop: Shop) -> None:
    lot_shop.api.patch(f"/v1/programs/{lot_shop.program}", {"reversal_grace": "1h"})
    lot = str(credit_with_dates(lot_shop, "10", expires=60))
    made = spend(lot_shop, "4")
    advance(61)
    give_back(lot_shop, made)
    assert lots(lot_shop)[lot] == ("AVAILABLE", "4.00")
    assert lot_shop.balance()["available"] == "4.00"
    advance(3601)
    assert lot_shop.balance()["available"] == "0.00"


@pytest.mark.parametrize(("status", "refused"), [("SUSPENDED", False), ("CLOSED", True)])
def test_the_suspended_get_their_value_back_and_the_closed_do_not(
    shop: Shop, status: str, refused: bool
) -> None:
    shop.give("50")
    made = spend(shop, "30")
    shop.api.patch(f"/v1/participants/{shop.person}/status", {"status": status})
    if refused:
        with pytest.raises(errors.ParticipantInactive):
            give_back(shop, made)
    else:
        give_back(shop, made)
        assert shop.balance()["available"] == "50.00"


def test_a_redemption_needs_an_enrollment(shop: Shop) -> None:
    shop.give("50")
    wanted = Wanted(UUID(shop.person), Decimal(5), "coffee")
    with pytest.raises(errors.NotFound):
        redeem.redeem(call(shop), wanted, None, HASH)


def test_every_flow_counts_the_messages_of_its_participant(shop: Shop) -> None:
    shop.give("50")
    with db.transaction() as c:
        c.execute(
            "INSERT INTO webhook_endpoints (organization_id, id, url, enabled_events, secret, created_at,"
            " updated_at) VALUES (%s, gen_random_uuid(), 'https://example.com', '{*}', '', read_clock(),"
            " read_clock())",
            (shop.api.organization_id,),
        )
    give_back(shop, spend(shop, "30"))
    with db.connection() as c:
        rows = c.execute(
            "SELECT type, data FROM outbox WHERE type <> 'participant.created' ORDER BY id"
        ).fetchall()
    assert [row["type"] for row in rows] == [
        "balance.debited", "redemption.completed", "balance.credited", "redemption.reversed"
    ]
    assert [row["data"]["sequence"] for row in rows] == [1, 2, 3, 4]
