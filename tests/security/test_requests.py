"""Requests that want more than they say: SQL in filters, fields that nobody offered, tricks with paths and
headers. What is attacked comes from the route table, so that a new route cannot be forgotten.
"""

from functools import cache
from typing import Any
from urllib.parse import urlencode

import pytest
from pydantic import BaseModel
from werkzeug.test import Client as WsgiClient

from app.api.application import load_nouns
from app.api.openapi import document
from app.api.routing import ROUTES, Route, is_id
from app.api.tables import as_csv
from tests.api.client import ABSENT, Caller, error_of

load_nouns()
SQL = [
    "'; DROP TABLE programs; --", "' OR '1'='1", "x' UNION SELECT key_hash FROM api_keys --", "1; SELECT 1",
    "created_at; SELECT pg_sleep(9)", "(SELECT 1/0)", '"', "\\", "%s", "%(organization_id)s", "$1", "{0}",
    "%", "\u02bc OR 1=1", "now()", "NULL", "1e309", "-1", "9" * 30,
]  # fmt: skip
LISTS = [route for route in ROUTES if route.query is not None]
BODIES = [route for route in ROUTES if route.body is not None]
SMUGGLED = {"organization_id": ABSENT, "is_admin": True, "created_at": "2020-01-01T00:00:00Z", "__class__": 1}


@cache
def examples() -> dict[str, Any]:
    """The document of the API, in which each body has an example."""
    return document()


def filled(route: Route) -> str:
    """A path that fits the route and names nothing that exists."""
    path = route.pattern
    for name in route.parameters:
        path = path.replace("{" + name + "}", ABSENT if is_id(name) else "some_key")
    return path


def name_of(route: Route) -> str:
    """How a failure names a route."""
    return f"{route.method} {route.pattern}"


def test_sql_in_a_query_parameter_is_a_value_or_refused(api: Caller) -> None:
    wrong = []
    for route in LISTS:
        assert route.query is not None
        for name in [field.alias or name for name, field in route.query.model_fields.items()]:
            for text in SQL[:6]:
                answer = api.send(route.method, f"{filled(route)}?{urlencode({name: text})}")
                if answer.status_code >= 500:
                    wrong.append((name_of(route), name, text))
        assert api.send(route.method, f"{filled(route)}?{urlencode({SQL[0]: 'x'})}").status_code == 400
    assert wrong == []


def test_a_search_takes_its_text_literally(api: Caller) -> None:
    for name in ("100% gold", "100 gold", "a_b", "axb", "x' OR 'y", "back\\slash"):
        api.program(name=name)

    def found(text: str) -> list[str]:
        return sorted(row["name"] for row in api.get("/v1/programs", search=text).json["data"])

    assert found("100%") == ["100% gold"]
    assert found("a_b") == ["a_b"]
    assert found("' OR '") == ["x' OR 'y"]
    assert found("\\") == ["back\\slash"]
    assert found("%") == ["100% gold"]


@pytest.mark.parametrize("text", SQL)
def test_sql_in_names_keys_and_files_is_stored_as_it_is(api: Caller, text: str) -> None:
    program_id = api.program(name=text)
    assert api.get(f"/v1/programs/{program_id}").json["name"] == text
    person = api.participant(text)
    assert api.get("/v1/participants", external_id=text).json["data"][0]["id"] == person
    api.put(f"/v1/participants/{person}/state/tags/{text.replace('%', '%25')}")
    tags = api.get(f"/v1/participants/{person}/state/tags").json["data"]
    assert [row["tag"] for row in tags] == [text.lower()]
    assert [row["id"] for row in api.get("/v1/programs").json["data"]] == [program_id]


def test_a_field_that_nobody_offered_is_refused(api: Caller) -> None:
    """Nothing of a body reaches a row but through a field of its model, and models know no others."""
    assert len(BODIES) > 30
    for route in BODIES:
        refuses_more_fields(api, route)


def refuses_more_fields(api: Caller, route: Route) -> None:
    """Send the document's example with one more field, several times."""
    operation = examples()["paths"][route.pattern][route.method.lower()]
    body = operation["requestBody"]["content"]["application/json"]["example"]
    assert isinstance(route.body, type)
    assert issubclass(route.body, BaseModel)
    offered = route.body.model_fields.keys()
    needed = {each["name"]: ABSENT for each in operation.get("parameters", ()) if each["in"] == "query"}
    for name, value in SMUGGLED.items():
        if name in offered:
            continue
        answer = api.send(route.method, filled(route), {**body, name: value}, query_string=needed)
        assert name in error_of(answer, 400, "validation_error")


@pytest.mark.parametrize("path", [
    "//v1/programs", "/v1//programs", "/V1/programs", "/v1/programs/", "/v1/./programs", "/v1/x/../programs",
    "/v1/programs;x=1", "/v1/%70rograms/../../metrics", "/v1/programs%00",
    "/v1/programs%0d%0aX-Injected:%201", "/v1/programs/..%2f..%2fapi-keys", "/v1/programs/%2e%2e",
])  # fmt: skip
def test_only_the_written_path_leads_to_a_route(api: Caller, http: WsgiClient, path: str) -> None:
    assert http.get(path).status_code in (401, 404)
    answer = api.send("GET", path)
    assert answer.status_code in (400, 404)
    assert "X-Injected" not in answer.headers


@pytest.mark.parametrize("name", [
    "X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix",
    "X-Forwarded-User", "X-Organization-Id", "Host", "X-Forwarded-Host",
])  # fmt: skip
def test_no_header_changes_the_method_the_path_or_the_caller(
    api: Caller, http: WsgiClient, name: str
) -> None:
    program_id = api.program()
    for value in ("DELETE", "/v1/api-keys", "evil.example", str(api.organization_id)):
        answer = api.send("GET", "/v1/programs", headers={name: value})
        assert [row["id"] for row in answer.json["data"]] == [program_id]
        assert "evil.example" not in str(answer.headers)
        assert http.get("/v1/programs", headers={name: value}).status_code == 401


def test_no_answer_repeats_a_line_break_in_a_header(api: Caller) -> None:
    for value in ("a\u0085b", "req_x y", "req_" + "a" * 500, "<script>"):
        answer = api.send("GET", "/v1/programs", headers={"X-Request-Id": value})
        assert answer.headers["X-Request-Id"] != value


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", '=HYPERLINK("http://x","y")', "＝1"]
)
def test_no_cell_of_a_csv_is_a_formula(text: str) -> None:
    reply = as_csv("x", [{"some": text, "amount": "-5.00", "other": "a=b"}], ["some", "amount", "other"])
    assert reply.text is not None
    cells = reply.text.removeprefix("some,amount,other\r\n")
    assert cells.lstrip('"').startswith("'" + text[0])
    assert ",-5.00,a=b" in cells


def test_a_report_with_a_formula_for_a_name_is_safe_to_open(api: Caller) -> None:
    program_id = api.program(name="=cmd|' /C calc'!A0")
    api.asset(program_id, name="@SUM(1)")
    report = api.get("/v1/reports/program-activity", format="csv").get_data(as_text=True)
    assert "'=cmd|" in report
    assert "\n=cmd" not in report
    assert ",=cmd" not in report
    assert "'@SUM(1)" in api.get("/v1/reports/ledger-summary", format="csv").get_data(as_text=True)
