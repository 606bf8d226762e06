"""Organizations are walls: on every route, another organization's id answers like one that does not exist.

The requests are made from the route table, so that a new route cannot be forgotten.
"""

import json
from functools import cache
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.api.application import load_nouns
from app.api.openapi import document
from app.api.routing import ROUTES, Route, is_id
from app.api.samples import sample
from tests.api.client import ABSENT, Caller, new_caller

load_nouns()
GUARDED = [route for route in ROUTES if any(is_id(name) for name in route.parameters)]


@cache
def _document() -> dict[str, Any]:
    return document()


def _possessions(owner: Caller) -> dict[str, str]:
    """Make one of each kind and return the ids by the words of paths and fields."""
    program_id = owner.program()
    person = owner.participant("ada", program_id=program_id)
    return {
        "programs": program_id,
        "participants": person,
        "assets": owner.asset(program_id),
        "groups": owner.group(person),
        "ledger-entities": owner.post("/v1/ledger-entities", {"name": "L"}).json["id"],
        "api-keys": owner.post("/v1/api-keys", {"name": "k"}).json["id"],
    }


def _id_for(name: str, pattern: str, owned: dict[str, str]) -> str:
    """Return the foreign id for a place: by the parameter's name, else by the path before it."""
    plural = name.removesuffix("_id") + "s"
    if plural in owned:
        return owned[plural]
    before = pattern.split("{" + name + "}")[0].rstrip("/").rsplit("/", 1)[-1]
    return owned.get(before, owned["programs"])


def _filled(value: Any, replace: Any) -> Any:
    """Put ids into a body wherever a field takes one."""
    if isinstance(value, dict):
        return {
            key: replace(key) if is_id(key) and isinstance(inner, str) else _filled(inner, replace)
            for key, inner in value.items()
        }
    return [_filled(each, replace) for each in value] if isinstance(value, list) else value


def _ask(caller: Caller, route: Route, made: dict[str, Any], id_of: Any) -> TestResponse:
    path = route.pattern
    for name in route.parameters:
        path = path.replace("{" + name + "}", id_of(name) if is_id(name) else "some_key")
    operation = made["paths"][route.pattern][route.method.lower()]
    required = [
        each for each in operation.get("parameters", ()) if each["in"] == "query" and each["required"]
    ]
    query = {
        each["name"]: id_of(each["name"])
        if is_id(each["name"])
        else str(sample(each["schema"], made["components"]["schemas"]))
        for each in required
    }
    body = None
    if route.body is not None:
        body = _filled(operation["requestBody"]["content"]["application/json"]["example"], id_of)
    return caller.send(route.method, path, body, query_string=query)


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: route.operation_id)
def test_a_foreign_id_answers_like_an_absent_one(api: Caller, route: Route) -> None:
    made = _document()
    owned = _possessions(new_caller(api.http))
    foreign = _ask(api, route, made, lambda name: _id_for(name, route.pattern, owned))
    absent = _ask(api, route, made, lambda name: ABSENT)

    def body(answer: TestResponse) -> Any:
        return (
            {key: value for key, value in answer.json.items() if key != "request_id"}
            if answer.data
            else None
        )

    assert foreign.status_code == absent.status_code
    assert foreign.status_code in (400, 404)
    assert body(foreign) == body(absent)
    assert not any(each in json.dumps(foreign.json) for each in owned.values())


def test_lists_show_nothing_of_another_organization(api: Caller) -> None:
    owned = _possessions(new_caller(api.http))
    for route in ROUTES:
        required = route.query is not None and any(
            field.is_required() for field in route.query.model_fields.values()
        )
        if route.method == "GET" and not route.parameters and not route.public and not required:
            shown = api.get(route.pattern)
            assert not any(each in shown.get_data(as_text=True) for each in owned.values()), route.pattern
            # Reports about the organization itself have rows of their own shape; lists have `data`.
            rows = shown.json.get("data", [])
            if route.pattern in ("/v1/logs", "/v1/usage"):
                # These tell of the asking itself, as soon as that is written; the owner sent more than GETs.
                rows = [row for row in rows if row.get("method", "GET") != "GET" or row.get("events")]
            assert [row for row in rows if row.get("name") != "test"] == [], route.pattern
