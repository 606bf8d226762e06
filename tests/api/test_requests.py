"""Broken and hostile requests: each is a clear 4xx in the contract's shape, and nothing is written."""

import json
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

import psycopg
import pytest
import sqlalchemy.exc
from werkzeug.test import Client as WsgiClient

from app.api.bodies import DEPTH_MAX
from app.api.errors import InternalError, Unavailable
from app.api.routing import BODY_BYTES_MAX, ROUTES
from app.api.serve import outcome_of
from tests.api.client import ABSENT, Caller, error_of

DEEP = b'{"name": ' + b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1) + b"}"


class Broken(BytesIO):
    """A body whose transfer breaks off, as a server tells it."""

    def read(self, *_: Any) -> bytes:
        """Fail."""
        raise LookupError("a chunk of no known size")


@pytest.mark.parametrize(("raw", "code"), [
    (b"", "invalid_request"),
    (b"{", "invalid_request"),
    (b"name=x", "invalid_request"),
    (b'{"name": NaN}', "invalid_request"),
    (b'{"name": Infinity}', "invalid_request"),
    (b'{"name": "a", "name": "b"}', "invalid_request"),
    (b'{"name": "a"} {}', "invalid_request"),
    (b'\xff\xfe{"name": "a"}', "invalid_request"),
    (b'{"name": "\xc3\x28"}', "invalid_request"),
    (b"null", "validation_error"),
    (b"[]", "validation_error"),
    (b'"text"', "validation_error"),
    (b"17", "validation_error"),
    (b'{"name": "a\\u0000b"}', "validation_error"),
    (b'{"name": "\\ud800"}', "validation_error"),
    (b'{"\\u0000": "a"}', "validation_error"),
    (b'{"name": 1e400}', "validation_error"),
    (b'{"name": 1e-99999999999999999999}', "validation_error"),
    (b'{"name": ' + b"9" * 5000 + b"}", "validation_error"),
    (b'{"name": 0.' + b"1" * 61 + b"}", "validation_error"),
    (DEEP, "validation_error"),
    (b"[" * 100_000, "validation_error"),
    (b'{"name": 5}', "validation_error"),
    (b'{"name": null}', "validation_error"),
    (b'{"name": ""}', "validation_error"),
    (b'{"name": "a", "naem": "b"}', "validation_error"),
])
def test_a_broken_body_is_refused_and_writes_nothing(api: Caller, raw: bytes, code: str) -> None:
    answer = api.send("POST", "/v1/programs", data=raw, content_type="application/json")
    error_of(answer, 400, code)
    assert api.get("/v1/programs").json["data"] == []


def test_every_field_at_fault_is_named_and_no_value_is_repeated(api: Caller) -> None:
    answer = api.post("/v1/assets", {
        "program_id": "no-uuid-41", "name": "", "symbol": "A B-41", "inventory_mode": "MANY-41",
        "issuance_policy": "UNLIMITED", "scale": True, "max_transaction_amount": 41,
    })
    details = error_of(answer, 400, "validation_error")
    assert set(details) == {
        "program_id", "name", "symbol", "inventory_mode", "scale", "max_transaction_amount",
    }
    assert "41" not in json.dumps(answer.json["details"])


def test_a_fault_inside_of_a_list_is_named_by_its_place(api: Caller) -> None:
    answer = api.post("/v1/participants/batch", {"participants": [{"external_id": "a"}, {"external_id": 1}]})
    assert error_of(answer, 400, "validation_error") == {"participants[1].external_id": "must be a string"}


def test_only_amounts_at_fault_have_the_code_of_amounts(api: Caller) -> None:
    program_id = api.program()
    for wrong in ("-1", "0", "1e3", "", "1.", "1" * 21, "0." + "1" * 19):
        answer = api.post("/v1/assets", {
            "program_id": program_id, "name": "x", "symbol": "X", "inventory_mode": "LOT",
            "issuance_policy": "UNLIMITED", "scale": 2, "max_transaction_amount": wrong,
        })
        assert list(error_of(answer, 400, "invalid_amount")) == ["max_transaction_amount"]


def test_a_body_that_is_not_json_by_its_type_is_refused(api: Caller) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = api.send("POST", "/v1/programs", data=b'{"name": "a"}', content_type=kind)
        error_of(answer, 400, "invalid_request")
    answer = api.send(
        "POST", "/v1/programs", data=b'{"name": "a"}', content_type="application/json; charset=utf-8"
    )
    assert answer.status_code == 201


def test_a_body_above_its_limit_is_too_large(api: Caller) -> None:
    raw = b'{"name": "a"}' + b" " * BODY_BYTES_MAX
    answer = api.send("POST", "/v1/programs", data=raw, content_type="application/json")
    error_of(answer, 413, "payload_too_large")


def test_a_refused_body_is_read_to_its_end_so_that_the_connection_can_go_on(api: Caller) -> None:
    body = BytesIO(b"x" * (BODY_BYTES_MAX + 500_000))
    answer = api.send("POST", "/v1/programs", input_stream=body, content_type="application/json")
    error_of(answer, 413, "payload_too_large")
    assert body.read() == b""


def test_a_stranger_is_not_waited_for(http: WsgiClient) -> None:
    body = BytesIO(b"x" * 500_000)
    answer = http.post("/v1/programs", input_stream=body, content_type="application/json")
    assert answer.status_code == 401
    assert body.tell() == 0


@pytest.mark.parametrize("body", [BytesIO(b'{"name": "x"}'), Broken()])
def test_a_body_that_ends_early_or_breaks_is_refused_and_writes_nothing(api: Caller, body: BytesIO) -> None:
    answer = api.send("POST", "/v1/programs", input_stream=body, content_type="application/json",
                      environ_overrides={"CONTENT_LENGTH": "100"})
    error_of(answer, 400, "invalid_request")
    assert api.get("/v1/programs").json["data"] == []


def test_unknown_and_repeated_query_parameters_are_refused(api: Caller) -> None:
    assert error_of(api.get("/v1/programs", serch="x"), 400, "invalid_request") == {
        "serch": "is not a known field"
    }
    error_of(api.get("/v1/programs?limit=1&limit=2"), 400, "invalid_request")
    error_of(api.get(f"/v1/programs/{ABSENT}?limit=1"), 400, "invalid_request")


@pytest.mark.parametrize("query", [
    {"limit": "0"}, {"limit": "201"}, {"limit": "ten"}, {"limit": "1.0"}, {"limit": ""},
    {"include_archived": "yes"}, {"status": "active"}, {"sort_by": "id"}, {"sort_dir": "up"},
    {"search": "\x00"}, {"search": "x" * 256},
])
def test_a_wrong_query_value_is_named(api: Caller, query: dict[str, str]) -> None:
    details = error_of(api.get("/v1/programs", **query), 400, "validation_error")
    assert set(details) == set(query)


@pytest.mark.parametrize(("query", "field"), [
    ({"to": "2024-01-01T00:00:00Z"}, "from"),
    ({"from_": "2024-01-01T00:00:00Z", "to": "2024-01-01T00:00:00Z"}, "from"),
    ({"from_": "2024-02-30T00:00:00Z"}, "from"),
    ({"from_": "2024-01-01"}, "from"),
])
def test_a_window_needs_a_start_before_its_end(api: Caller, query: dict[str, str], field: str) -> None:
    assert field in error_of(api.get("/v1/participants", **query), 400, "validation_error")


@pytest.mark.parametrize("wrong", ["1", "xyz", ABSENT[:-1], "{" + ABSENT + "}", ABSENT.replace("-", "")])
def test_an_id_in_the_path_must_be_a_uuid(api: Caller, wrong: str) -> None:
    assert error_of(api.get(f"/v1/programs/{wrong}"), 400, "validation_error") == {"id": "must be a UUID"}


def test_an_unknown_path_is_not_found_and_a_wrong_method_is_named(api: Caller) -> None:
    error_of(api.get("/v1/nothing"), 404, "not_found")
    error_of(api.get("/v1/programs/"), 404, "not_found")
    answer = api.delete("/v1/programs")
    error_of(answer, 405, "method_not_allowed")
    assert answer.headers["Allow"] == "GET, HEAD, POST"
    error_of(api.send("TRACE", "/v1/programs"), 405, "method_not_allowed")


def test_the_methods_named_for_a_path_are_those_that_it_has(api: Caller) -> None:
    for path, allowed in (
        ("/v1/participants/batch", "POST"),
        ("/v1/events/by-key", "GET, HEAD"),
        (f"/v1/participants/{ABSENT}", "DELETE, GET, HEAD, PATCH"),
    ):
        answer = api.send("PUT", path)
        error_of(answer, 405, "method_not_allowed")
        assert answer.headers["Allow"] == allowed
    error_of(api.get("/v1/participants/batch"), 405, "method_not_allowed")
    assert api.send("HEAD", "/v1/participants").status_code == 200


@pytest.mark.parametrize(("path", "query"), [
    ("/v1/participants/%ff", ""), ("/v1/nothing%ff", ""), ("/v1/programs", "search=%ff"),
    ("/v1/programs", "search=%C3%28"), ("/v1/programs", "%ff=1"), ("/v1/programs", "search=%ED%A0%80"),
])
def test_text_in_a_path_or_query_that_is_not_utf_8_is_refused(api: Caller, path: str, query: str) -> None:
    raw = unquote_to_bytes(path).decode("latin-1")
    answer = api.send("GET", "/v1", query_string=query, environ_overrides={"PATH_INFO": raw})
    error_of(answer, 400, "invalid_request")


def test_a_tag_that_is_not_utf_8_is_refused_and_not_stored(api: Caller) -> None:
    tags = f"/v1/participants/{api.participant('a')}/state/tags"
    error_of(
        api.send("PUT", tags, environ_overrides={"PATH_INFO": tags + "/caf\xe9"}), 400, "invalid_request"
    )
    assert api.get(tags).json["data"] == []
    assert api.send("PUT", tags + "/caf%c3%a9").json == {"tag": "café"}
    assert api.get("/v1/participants", search="caf%c3%a9").status_code == 200


def test_a_key_in_the_header_is_read_as_utf_8_and_refused_where_it_is_not(api: Caller) -> None:
    program_id = api.program()
    body = {
        "program_id": program_id, "external_id": "a", "idempotency_key": "é",
        "event_timestamp": "2026-01-01T00:00:00Z", "event_data": {},
    }
    for raw, status in (("é".encode().decode("latin-1"), 202), ("é", 400), ("e", 400)):
        environ = {"HTTP_IDEMPOTENCY_KEY": raw}
        answer = api.send("POST", "/v1/events", body, environ_overrides=environ)
        assert answer.status_code == status, answer.json


def test_below_v1_a_stranger_learns_nothing_about_paths(api: Caller, http: WsgiClient) -> None:
    for method, path in (("GET", "/v1/nothing"), ("PUT", "/v1/programs"), ("GET", "/v1/participants/batch")):
        answer = http.open(path, method=method)
        error_of(answer, 401, "unauthorized")
        assert "Allow" not in answer.headers
    error_of(http.get("/nothing"), 404, "not_found")


def test_an_error_can_be_had_as_a_problem_document(api: Caller) -> None:
    answer = api.send("GET", f"/v1/programs/{ABSENT}", headers={"Accept": "application/problem+json"})
    assert answer.content_type == "application/problem+json"
    assert answer.json == {
        "type": "about:blank", "title": "Not found", "status": 404, "detail": "Program not found",
        "code": "not_found", "message": "Program not found", "request_id": answer.headers["X-Request-Id"],
    }


def test_every_answer_carries_the_headers(api: Caller, http: WsgiClient) -> None:
    for answer in (api.get("/v1/programs"), api.get("/v1/nothing"), http.get("/health/live"),
                   http.get("/v1/programs"), api.delete("/v1/programs")):
        assert answer.headers["X-Request-Id"].startswith("req_")
        for name in ("Limit", "Remaining", "Reset"):
            assert int(answer.headers[f"X-RateLimit-{name}"]) >= 0


def test_a_well_formed_request_id_is_kept_and_another_is_replaced(api: Caller) -> None:
    kept = api.send("GET", "/v1/programs", headers={"X-Request-Id": "req_0123456789abcdef"})
    assert kept.headers["X-Request-Id"] == "req_0123456789abcdef"
    for wrong in ("0123456789abcdef", "req_", "req_a b c d e f g h", "req_" + "x" * 200):
        answer = api.send("GET", "/v1/programs", headers={"X-Request-Id": wrong})
        assert answer.headers["X-Request-Id"] != wrong


@pytest.mark.parametrize("error", [
    psycopg.OperationalError("gone"), psycopg.errors.QueryCanceled(), psycopg.errors.DeadlockDetected(),
    sqlalchemy.exc.TimeoutError("the pool is empty"),
])
def test_a_database_that_is_away_or_too_busy_is_unavailable_and_a_bug_is_an_internal_error(
    error: Exception,
) -> None:
    assert isinstance(outcome_of(error, "req_1", ROUTES[0]), Unavailable)
    assert isinstance(outcome_of(ZeroDivisionError(), "req_1", ROUTES[0]), InternalError)
