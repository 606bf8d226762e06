"""Every type of message, provoked through the API, delivered, and held against its documented schema."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jsonschema_rs
import pytest

from app import db
from app.api.openapi import document
from app.book.due import DueKind
from app.domain.json import loads
from app.domain.names import WebhookType
from app.flows import post_due_lots
from app.flows.deliver_webhooks import Pump
from tests.api.client import Caller
from tests.events.scene import PURCHASE, Scene, credit, open_scene
from tests.events.scene import work as decide
from tests.webhooks.receiver import Receiver, receiver
from tests.webhooks.stage import endpoint, later, verified, work

Messages = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def schemas(application: object) -> dict[str, dict[str, Any]]:
    """The schema of each type's whole body, with what it refers to."""
    made = document()
    return {
        kind: {
            **operation["post"]["requestBody"]["content"]["application/json"]["schema"],
            "components": made["components"],
        }
        for kind, operation in made["webhooks"].items()
    }


@dataclass
class Play:
    """A scene whose messages somebody listens to."""

    scene: Scene
    pump: Pump
    there: Receiver
    secret: str
    schemas: dict[str, dict[str, Any]]

    def heard(self) -> Messages:
        """Deliver what waits; return the data of each message by type, each checked against its schema."""
        work(self.pump)
        found: Messages = defaultdict(list)
        for one in self.there.received:
            verified(self.secret, one)
            body = loads(one.body)
            validator = jsonschema_rs.validator_for(self.schemas[body["type"]], validate_formats=True)
            errors = [error.message for error in validator.iter_errors(body)]
            assert errors == [], (body, errors)
            assert body["organization_id"] == str(self.scene.api.organization_id)
            found[body["type"]].append(body["data"])
        self.there.received.clear()
        return found

    def balances(self, verb: str, person: str, asset: str, **fields: Any) -> dict[str, Any]:
        """Use one of the balance operations."""
        answer = self.scene.api.post(f"/v1/participants/{person}/balances/{verb}", {
            "program_id": self.scene.program, "asset_id": asset, "description": verb, **fields,
        })
        assert answer.status_code == 200, answer.json
        return dict(answer.json)


@pytest.fixture
def play(api: Caller, pump: Pump, schemas: dict[str, dict[str, Any]]) -> Iterator[Play]:
    """A scene with a listener to everything."""
    with receiver() as there:
        made = endpoint(api, there.url, "*")
        yield Play(open_scene(api), pump, there, made["secret"], schemas)


def test_the_document_has_a_schema_and_an_example_for_each_type(application: object) -> None:
    made = document()
    assert set(made["webhooks"]) == {str(kind) for kind in WebhookType}
    for operation in made["webhooks"].values():
        content = operation["post"]["requestBody"]["content"]["application/json"]
        assert jsonschema_rs.is_valid(
            {**content["schema"], "components": made["components"]}, content["example"]
        )


def test_events_people_and_credits_of_rules(play: Play) -> None:
    play.scene.rule(PURCHASE, credit("event.amount", description="Thanks"))
    play.scene.rule('event.type == "spend"', {"type": "DEBIT", "amount": "1000"})
    done = play.scene.run(external_id="ann")
    failed = play.scene.run(data={"type": "spend"}, external_id="ann")
    person = play.scene.person("ann")
    found = play.heard()
    assert {kind: len(data) for kind, data in found.items()} == {
        "participant.created": 1, "balance.credited": 1, "event.completed": 1, "event.failed": 1,
    }
    (created,), (credited,) = found["participant.created"], found["balance.credited"]
    assert (created["id"], created["external_id"], created["sequence"]) == (person, "ann", 1)
    assert created["program_ids"] == [play.scene.program]
    assert credited["participant_id"] == person
    assert (credited["external_id"], credited["amount"], credited["bucket"]) == ("ann", "10.00", "AVAILABLE")
    assert credited["balance"] == {"available": "10.00", "held": "0.00", "deferred": "0.00"}
    assert (credited["action_type"], credited["description"]) == ("CREDIT", "Thanks")
    assert (credited["event_id"], credited["sequence"]) == (done["id"], 2)
    assert "rule_id" in credited
    assert (found["event.completed"][0]["id"], found["event.completed"][0]["sequence"]) == (done["id"], 3)
    assert found["event.failed"][0]["id"] == failed["id"]
    assert (found["event.failed"][0]["error_code"], found["event.failed"][0]["sequence"]) == (
        "insufficient_funds", 4,
    )
    assert "event_data" not in found["event.completed"][0]


def test_a_person_created_through_the_api(play: Play) -> None:
    api = play.scene.api
    api.participant("bea", email="bea@example.com", tags=["vip"], attributes={"a": "b"})
    (created,) = play.heard()["participant.created"]
    shown = api.get(f"/v1/participants/{created['id']}").json
    assert {name: value for name, value in created.items() if name != "sequence"} == shown


def test_balance_operations(play: Play) -> None:
    person = play.scene.api.participant("ann", program_id=play.scene.program)
    asset = play.scene.asset
    play.balances("adjust", person, asset, type="CREDIT", amount="100")
    play.balances("hold", person, asset, amount="40")
    play.balances("release", person, asset, amount="10")
    play.balances("forfeit", person, asset, amount="5", bucket="HELD")
    play.balances("adjust", person, asset, type="DEBIT", amount="1")
    found = play.heard()
    assert [one["action_type"] for one in found["balance.credited"]] == ["ADJUST_CREDIT"]
    assert sorted(one["action_type"] for one in found["balance.debited"]) == ["ADJUST_DEBIT", "FORFEIT"]
    (held,), (released,) = found["balance.held"], found["balance.released"]
    assert (held["bucket"], held["amount"], held["balance"]["held"]) == ("HELD", "40.00", "40.00")
    assert (released["bucket"], released["amount"]) == ("AVAILABLE", "10.00")
    everything = sorted(one["sequence"] for data in found.values() for one in data)
    assert everything == list(range(1, 7))


def test_holds_that_are_settled_and_voided(play: Play) -> None:
    lots = play.scene.api.asset(play.scene.program, "LOT", inventory_mode="LOT", scale=2)
    reference = {"asset_id": lots, "type": "CREDIT", "reference_id": "event.ref"}
    play.scene.rule('event.type == "hold"', {**reference, "amount": "event.amount", "bucket": "HELD"})
    play.scene.rule('event.type == "settle"', {**reference, "amount": "event.amount"})
    play.scene.rule('event.type == "void"', {
        "type": "VOID_HOLD", "asset_id": lots, "reference_id": "event.ref",
    })
    for kind, ref, amount in (
        ("hold", "a", "3"), ("settle", "a", "3.5"), ("hold", "b", "2"), ("void", "b", "0"),
    ):
        done = play.scene.run(data={"type": kind, "ref": ref, "amount": float(amount)})
        assert done["status"] == "COMPLETED", done
    found = play.heard()
    settled = next(one for one in found["balance.credited"] if one["action_type"] == "SETTLE")
    assert (settled["amount"], settled["reference_id"]) == ("3.50", "a")
    assert settled["settle"] == {"held_amount": "3.00", "delta": "0.50"}
    assert all("settle" not in one for one in found["balance.credited"] if one is not settled)
    (voided,) = found["balance.debited"]
    assert (voided["action_type"], voided["amount"], voided["reference_id"]) == ("VOID_HOLD", "2.00", "b")


def test_expiry_and_maturity(play: Play) -> None:
    lots = play.scene.api.asset(play.scene.program, "LOT", inventory_mode="LOT", scale=2)
    play.scene.rule(PURCHASE, {"type": "CREDIT", "asset_id": lots, "amount": "7", "expires_at": "720h"})
    play.scene.rule(PURCHASE, {"type": "CREDIT", "asset_id": lots, "amount": "9", "matures_at": "24h"})
    assert play.scene.run()["status"] == "COMPLETED"
    later(days=31)
    for kind in (DueKind.MATURITY, DueKind.EXPIRY):
        assert post_due_lots.post_batch(kind) == 1
    decide()
    found = play.heard()
    (expired,), (matured,) = found["balance.expired"], found["balance.released"]
    assert (expired["amount"], expired["action_type"]) == ("7.00", "EXPIRATION")
    assert [lot["amount"] for lot in expired["lots"]] == ["7.00"]
    assert (matured["action_type"], matured["amount"], matured["bucket"]) == ("MATURITY", "9.00", "AVAILABLE")


def test_redemptions_and_transfers(play: Play) -> None:
    api, program, asset = play.scene.api, play.scene.program, play.scene.asset
    ann, bea = (api.participant(name, program_id=program) for name in ("ann", "bea"))
    group = api.group(bea)
    play.balances("adjust", ann, asset, type="CREDIT", amount="100")
    about = {"program_id": program, "asset_id": asset, "description": "x"}
    redeemed = api.post(f"/v1/participants/{ann}/redemptions", {**about, "amount": "30"})
    assert redeemed.status_code == 201, redeemed.json
    reverse = api.post(f"/v1/redemptions/{redeemed.json['id']}/reverse", {"reason": "back", "amount": "10"})
    assert reverse.status_code == 201, reverse.json
    moved = api.post("/v1/transfers", {**about, "source_participant_id": ann, "recipients": [
        {"participant_id": bea, "amount": "5"}, {"group_id": group, "amount": "6"},
    ]})
    assert moved.status_code == 201, moved.json
    found = play.heard()
    (completed,), (reversed_,) = found["redemption.completed"], found["redemption.reversed"]
    assert {name: completed[name] for name in redeemed.json} == redeemed.json
    assert (reversed_["status"], reversed_["reversed_amount"]) == ("PARTIALLY_REVERSED", "10.00")
    assert reversed_["reversal"] == reverse.json
    (transfer,) = found["transfer.completed"]
    assert {name: transfer[name] for name in moved.json} == moved.json
    assert transfer["recipients"] == [
        {"participant_id": bea, "amount": "5.00"}, {"group_id": group, "amount": "6.00"},
    ]
    types = {(one["action_type"], one.get("group_id")) for one in found["balance.credited"]}
    assert types == {
        ("ADJUST_CREDIT", None), ("REDEMPTION_REVERSAL", None), ("TRANSFER", None), ("TRANSFER", group),
    }
    assert {one["action_type"] for one in found["balance.debited"]} == {"REDEMPTION", "TRANSFER"}
    of_ann = [
        one["sequence"] for data in found.values() for one in data
        if ann in (one.get("participant_id"), one.get("id"), one.get("source_id"))
    ]
    assert sorted(of_ann) == list(range(1, len(of_ann) + 1))


def test_tiers_and_wallets(play: Play) -> None:
    api, program = play.scene.api, play.scene.program
    person = api.participant("ann", program_id=program)
    made = api.post(f"/v1/programs/{program}/tiers", {
        "key": "status", "levels": [{"key": "gold", "rank": 1, "benefits": {}}],
    })
    assert made.status_code == 201, made.json
    path = f"/v1/participants/{person}/state/tiers/status?program_id={program}"
    assert api.put(path, {"level": "gold"}).status_code == 200
    assert api.delete(path).status_code == 204
    funded = api.asset(program, "FND", issuance_policy="PREFUNDED", scale=2)
    for verb, amount in (("fund", "100"), ("burn", "40")):
        answer = api.post(f"/v1/programs/{program}/assets/{funded}/{verb}", {"amount": amount})
        assert answer.status_code == 200, answer.json
    found = play.heard()
    up, down = sorted(found["participant.tier_changed"], key=lambda one: one["sequence"])
    assert (up["from"], up["to"], up["reason"], up["tier"]) == (None, "gold", "API", "status")
    assert (down["from"], down["to"], down["reason"]) == ("gold", None, "REMOVED")
    assert [(one["amount"], one["available"]) for one in found["program.funded"]] == [("100.00", "100.00")]
    assert [(one["amount"], one["available"]) for one in found["program.burned"]] == [("40.00", "60.00")]


def test_nothing_is_written_where_nobody_subscribes(api: Caller, pump: Pump) -> None:
    scene = open_scene(api)
    scene.rule(PURCHASE, credit())
    with receiver() as there:
        endpoint(api, there.url, "event.failed")
        off = endpoint(api, there.url, "*")
        api.patch(f"/v1/webhook-endpoints/{off['id']}", {"status": "DISABLED"})
        scene.run()
        with db.connection() as c:
            rows = c.execute("SELECT type FROM outbox").fetchall()
        assert rows == []


def test_what_is_rolled_back_is_never_told(play: Play) -> None:
    play.scene.rule(PURCHASE, credit(), {"type": "DEBIT", "amount": "1000"})
    play.scene.run()
    assert set(play.heard()) == {"participant.created", "event.failed"}
