"""What holds on every route alike, made from the route table, so that a new route cannot be forgotten."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from app.api.application import load_nouns
from app.api.openapi import document
from app.api.routing import ROUTES, Route
from tests.api.client import ABSENT, Caller, error_of
from tests.api.one_of_each import one_of_each, path_of, required_query

load_nouns()
GUARDED = [route for route in ROUTES if not route.public]
START, END = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
# How many rows a page has by default and at most, where the contract does not say 50 and 200.
LIMITS = {
    "/v1/logs": (50, 100),
    "/v1/participants/{id}/activity/state-history": (50, 100),
    "/v1/groups/{id}/activity/state-history": (50, 100),
    "/v1/programs/{id}/activity/state-history": (50, 100),
    "/v1/rules/{id}/history": (20, 100),
    "/v1/webhook-endpoints": (20, 100),
    "/v1/webhook-endpoints/{id}/deliveries": (20, 100),
}


def _routes(things: dict[str, str], *fields: str) -> Iterator[tuple[Route, str, dict[str, str]]]:
    """Yield guarded routes whose query has these fields, each with a path and query that are right."""
    for route in GUARDED:
        has = route.query.model_fields if route.query is not None else {}
        path = path_of(route, things)
        if path is not None and all(field in has for field in fields):
            yield route, path, required_query(route, things)


@pytest.fixture
def things(api: Caller) -> dict[str, str]:
    return one_of_each(api)


def test_every_list_has_its_limit_on_both_sides(api: Caller, things: dict[str, str]) -> None:
    seen = set()
    for route, path, query in _routes(things, "limit"):
        seen.add(route.pattern)
        default, most = LIMITS.get(route.pattern, (50, 200))
        assert route.query is not None
        assert route.query.model_fields["limit"].default == default, path
        for right in ("1", str(most)):
            answer = api.get(path, **{**query, "limit": right})
            assert answer.status_code == 200, (path, answer.json)
            shown = answer.json["pagination"]
            assert set(shown) == ({"has_more", "next_cursor"} if shown["has_more"] else {"has_more"}), path
            assert len(answer.json["data"]) <= int(right), path
        for wrong in ("0", "-1", str(most + 1), "", "1.0", " 1", "१", "null", "1e1"):
            details = error_of(api.get(path, **{**query, "limit": wrong}), 400, "validation_error")
            assert list(details) == ["limit"], (path, wrong)
    assert seen >= set(LIMITS)
    assert len(seen) > 50


def test_no_list_takes_the_cursor_of_another(api: Caller, things: dict[str, str]) -> None:
    api.program()
    other = api.get("/v1/programs", limit=1).json["pagination"]["next_cursor"]
    for route, path, query in _routes(things, "cursor"):
        for wrong in ("", "x", "ä", other):
            if wrong != other or route.pattern != "/v1/programs":
                answer = api.get(path, **{**query, "cursor": wrong})
                assert list(error_of(answer, 400, "invalid_request")) == ["cursor"], path


@pytest.mark.parametrize(("start", "end"), [("from", "to"), ("event_from", "event_to")])
def test_every_window_has_a_start_before_its_end(
    api: Caller, things: dict[str, str], start: str, end: str
) -> None:
    seen = 0
    field = "from_" if start == "from" else start
    for route, path, query in _routes(things, field, end):
        query = {name: value for name, value in query.items() if name not in (start, end)}
        seen += 1
        right = api.get(path, **{**query, start: START, end: END})
        assert right.status_code == 200, (path, right.json)
        for wrong in ((START, START), (END, START), ("2026-01-01", END), ("", END), (START, "")):
            answer = api.get(path, **{**query, start: wrong[0], end: wrong[1]})
            details = error_of(answer, 400, "validation_error")
            assert set(details) <= {start, end}, (path, wrong)
        if route.pattern != "/v1/usage":  # Its window starts thirty days before its end by default.
            details = error_of(api.get(path, **{**query, end: END}), 400, "validation_error")
            assert list(details) == [start], path
    assert seen >= 5


def test_no_route_takes_a_parameter_that_it_does_not_have_or_takes_one_twice(
    api: Caller, things: dict[str, str]
) -> None:
    for route, path, query in _routes(things):
        answer = api.send(route.method, path, query_string={**query, "nonsense": "1"})
        assert list(error_of(answer, 400, "invalid_request")) == ["nonsense"], path
        for name, value in query.items():
            twice = [*query.items(), (name, value)]
            answer = api.send(route.method, path, query_string=twice)
            assert list(error_of(answer, 400, "invalid_request")) == [name], path


def test_an_id_in_a_path_is_the_same_in_capitals(api: Caller, things: dict[str, str]) -> None:
    upper = {name: value.upper() for name, value in things.items()}
    for route, path, query in _routes(things):
        if route.method == "GET" and route.parameters and route.pattern != "/v1/participants/{id}/export":
            capitals = path_of(route, upper)
            first, second = api.get(path, **query), api.get(str(capitals), **query)
            assert first.status_code == 200, (path, first.json)
            assert first.json == second.json, path


def test_what_is_wrong_with_a_body_is_said_before_what_is_absent_is_looked_for(
    api: Caller, things: dict[str, str]
) -> None:
    absent = dict.fromkeys(things, ABSENT)
    for route in GUARDED:
        if route.body is None or route.pattern == "/v1/test/clock":
            continue
        path, query = str(path_of(route, absent)), required_query(route, absent)
        for wrong in ([], "text", 5, {"nonsense": 1}):
            answer = api.send(route.method, path, wrong, query_string=query)
            details = error_of(answer, 400, "validation_error")
            assert ("nonsense" in details) == isinstance(wrong, dict), (path, details)
        null = api.send(route.method, path, query_string=query, data=b"null", content_type="application/json")
        error_of(null, 400, "validation_error")


def _bounds(field: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield values of a field that are just right, each with one that is just wrong."""
    for choice in field.get("anyOf", [field]):
        if choice.get("type") == "integer":
            for bound, step in (("minimum", -1), ("maximum", 1)):
                if bound in choice:
                    yield choice[bound], choice[bound] + step
        most = choice.get("maxLength")
        if most is not None and re.search(choice.get("pattern", ""), "é" * most):
            yield "é" * most, "é" * (most + 1)
        if choice.get("minLength") == 1 and most is not None and re.search(choice.get("pattern", ""), "é"):
            yield "é", ""


def test_every_bound_of_a_field_holds_on_both_sides(api: Caller) -> None:
    made, tried = document(), 0
    for route in GUARDED:
        if route.body is None:
            continue
        content = made["paths"][route.pattern][route.method.lower()]["requestBody"]["content"]
        example = content["application/json"]["example"]
        schema = made["components"]["schemas"][route.body.__name__]
        path = route.pattern
        for name in route.parameters:
            path = path.replace("{" + name + "}", ABSENT)
        query = required_query(route, {"programs": ABSENT})
        for name, field in schema.get("properties", {}).items():
            for right, wrong in _bounds(field):
                tried += 1
                fine = api.send(route.method, path, {**example, name: right}, query_string=query)
                told = str((fine.json or {}).get("details", {}).get(name, ""))
                # A text that is no expression has another fault than its length.
                assert not re.search("must have|must be between|positive", told), (path, name, told)
                answer = api.send(route.method, path, {**example, name: wrong}, query_string=query)
                assert name in answer.json.get("details", ()), (path, name, wrong, answer.json)
    assert tried > 50


def test_what_is_absent_is_told_before_anything_else(api: Caller, things: dict[str, str]) -> None:
    absent = dict.fromkeys(things, ABSENT)
    paths = document()["paths"]
    for route in GUARDED:
        if not route.parameters or route.pattern in ("/v1/imports/{id}/parts",):
            continue
        body: Any = None
        if route.body is not None:
            content = paths[route.pattern][route.method.lower()]["requestBody"]["content"]
            body = content["application/json"]["example"]
        answer = api.send(
            route.method, str(path_of(route, absent)), body, query_string=required_query(route, absent)
        )
        error_of(answer, 404, "not_found")


def test_a_field_that_is_null_is_absent_under_a_key_in_the_header(
    api: Caller, things: dict[str, str]
) -> None:
    path = f"/v1/participants/{things['participants']}/balances/hold"
    body = {"program_id": things["programs"], "asset_id": things["assets"], "amount": "1", "description": "d"}

    def hold(key: str, **more: Any) -> Any:
        return api.send("POST", path, {**body, **more}, headers={"Idempotency-Key": key})

    first = hold("a", idempotency_key=None)
    assert first.status_code == 200
    for again in (hold("a"), hold("a", idempotency_key="a")):
        assert again.json == first.json
        assert again.headers["Idempotency-Replayed"] == "true"
    error_of(hold("a", idempotency_key="b"), 400, "invalid_request")
    error_of(hold("a", amount="2"), 409, "idempotency_conflict")
