"""One of everything that a path can name, and the route table with these ids in its paths."""

from typing import Any

from app.api.openapi import document
from app.api.routing import Route, is_id
from app.api.samples import sample
from tests.api.client import Caller
from tests.events.scene import work

_DEFINITIONS = document()["components"]["schemas"]


def one_of_each(api: Caller) -> dict[str, str]:
    """Make one of each kind; ids by the word before them in paths. Tags and keys are `loyalty`."""
    program = api.program()
    asset = api.asset(program, "PTS", inventory_mode="LOT", scale=2)
    person = api.participant("ann", program_id=program)
    group = api.group(person)
    rule = made(api, "/v1/rules", {
        "program_id": program, "name": "r", "condition": "true",
        "actions": [{"type": "CREDIT", "asset_id": asset, "amount": "100"}],
    })
    event = made(api, "/v1/events", {
        "program_id": program, "external_id": "ann", "idempotency_key": "k",
        "event_timestamp": "2026-01-01T00:00:00Z", "event_data": {"type": "t"},
    })
    made(api, f"/v1/programs/{program}/tiers", {"key": "loyalty", "levels": [{"key": "gold", "rank": 1}]})
    reward = made(api, f"/v1/programs/{program}/rewards", {
        "name": "Mug", "redemption_type": "UNIT_BASED", "asset_id": asset, "unit_cost": "1",
        "status": "ACTIVE",
    })
    automation = made(api, f"/v1/programs/{program}/automations", {
        "name": "later", "scope": "program", "event_name": "x",
        "trigger": {"type": "one_time", "trigger_at": "2099-01-01T00:00:00Z"},
    })
    endpoint = made(api, "/v1/webhook-endpoints", {"url": "https://example.com/x", "enabled_events": ["*"]})
    entity = made(api, "/v1/ledger-entities", {"name": "Partner"})
    work()
    redemption = made(api, f"/v1/participants/{person}/redemptions/items", {
        "program_id": program, "reward_id": reward, "quantity": 1,
    })
    for kind, host in (("participants", person), ("groups", group)):
        path = f"/v1/{kind}/{host}/state/tiers/loyalty?program_id={program}"
        assert api.put(path, {"level": "gold"}).status_code == 200
    for kind, host in (("participants", person), ("groups", group), ("programs", program)):
        path = f"/v1/{kind}/{host}/state"
        assert api.put(f"{path}/tags/loyalty").status_code == 201
        for noun in ("counters", "attributes"):
            assert api.put(f"{path}/{noun}/loyalty", {"value": "1"}).status_code == 200
    return {
        "programs": program, "assets": asset, "participants": person, "members": person, "groups": group,
        "rules": rule, "events": event, "rewards": reward, "automations": automation,
        "webhook-endpoints": endpoint, "ledger-entities": entity, "redemptions": redemption,
        "api-keys": made(api, "/v1/api-keys", {"name": "k"}),
        "journal-entries": api.get("/v1/journal-entries").json["data"][0]["id"],
        "imports": _import(api), "logs": _log(api),
    }


def made(api: Caller, path: str, body: dict[str, Any]) -> str:
    """Create something and return its id."""
    answer = api.post(path, body)
    assert answer.status_code in (201, 202), (path, answer.json)
    return str(answer.json["id"])


def _import(api: Caller) -> str:
    answer = api.send("POST", "/v1/imports?kind=participants", data=b"external_id\nx\n",
                      content_type="text/csv")
    assert answer.status_code == 202, answer.json
    return str(answer.json["id"])


def _log(api: Caller) -> str:
    api.http.application.server.recorder.flush()
    return str(api.get("/v1/logs").json["data"][0]["id"])


def path_of(route: Route, things: dict[str, str]) -> str | None:
    """Return a route's path with ids of things in it, or None where there is no such thing."""
    path = route.pattern
    for name in route.parameters:
        before = path.split("{" + name + "}")[0].rstrip("/").rsplit("/", 1)[-1]
        value = things.get(before) if is_id(name) else "loyalty"
        if value is None:
            return None
        path = path.replace("{" + name + "}", value)
    return path


def required_query(route: Route, things: dict[str, str]) -> dict[str, str]:
    """Return a query that holds what the route cannot do without."""
    if route.query is None:
        return {}
    found = {}
    properties = route.query.model_json_schema(by_alias=True)["properties"]
    for name, field in route.query.model_fields.items():
        if field.is_required():
            shown = field.alias or name
            known = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"} | {
                f"{noun.removesuffix('s')}_id": value for noun, value in things.items()
            }
            found[shown] = known.get(shown) or str(sample(properties[shown], _DEFINITIONS))
    return found
