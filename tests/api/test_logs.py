"""Request logs and usage: what they hold, and what they never do."""

import json
import time
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from app import db
from app.api import recorder
from app.api.application import Florin
from app.api.measures import Measures
from app.api.recorder import BODY_BYTES_MAX, Noted, Recorder, answer_text, body_text
from app.flows.trim_logs import trim_some
from app.queue import client
from app.store import clock
from tests.api.client import ABSENT, Caller, error_of, walk
from tests.waiting import wait_until


def test_a_request_can_be_looked_up_with_its_bodies(api: Caller, application: Florin) -> None:
    answer = api.send("POST", "/v1/programs", {"name": "Rewards"}, headers={"User-Agent": "test/1"})
    application.server.recorder.flush()
    request_id = answer.headers["X-Request-Id"]
    for asked in (request_id, request_id.removeprefix("req_")):
        rows = api.get("/v1/logs", request_id=asked).json["data"]
        assert len(rows) == 1
    row = rows[0]
    assert set(row) == {
        "id", "request_id", "method", "path", "route_pattern", "status_code", "duration_ms", "error_code",
        "auth_type", "created_at",
    }
    assert (row["method"], row["path"], row["status_code"]) == ("POST", "/v1/programs", 201)
    detail = api.get(f"/v1/logs/{row['id']}").json
    assert detail["request_body"] == {"name": "Rewards"}
    assert detail["response_body"] == answer.json
    assert (detail["user_agent"], detail["ip_address"]) == ("test/1", "127.0.0.1")
    error_of(api.get(f"/v1/logs/{ABSENT}"), 404, "not_found")


def _others(api: Caller, **query: object) -> list[dict[str, Any]]:
    """Return the logs but for those of reading logs, which are written while the test reads on."""
    rows = walk(api, "/v1/logs", **query)
    return [row for row in rows if not (row["route_pattern"] or "").startswith("/v1/logs")]


def test_logs_are_filtered_and_sorted(api: Caller, application: Florin) -> None:
    person = api.participant("ada")
    api.get(f"/v1/participants/{person}")
    api.get(f"/v1/participants/{ABSENT}")
    api.post("/v1/programs", {})
    application.server.recorder.flush()

    def statuses(**query: object) -> list[int]:
        return [row["status_code"] for row in _others(api, limit=1, **query)]

    assert statuses() == [400, 404, 200, 201]
    assert statuses(route_pattern="/v1/participants/{id}") == [404, 200]
    assert statuses(method="post") == [400, 201]
    assert statuses(status_min=400) == [400, 404]
    assert statuses(status_min=200, status_max=201) == [200, 201]
    assert statuses(sort_by="status_code", sort_dir="asc") == [200, 201, 400, 404]
    assert sorted(statuses(sort_by="duration_ms")) == [200, 201, 400, 404]
    assert statuses(auth_type="jwt") == []
    assert statuses(from_="2100-01-01T00:00:00Z") == []
    assert [row["error_code"] for row in walk(api, "/v1/logs", status_min=404)] == ["not_found"]
    error_of(api.get("/v1/logs", limit=101), 400, "validation_error")
    error_of(api.get("/v1/logs", status_min=500, status_max=400), 400, "validation_error")


def test_a_request_to_no_path_is_logged_without_a_pattern(api: Caller, application: Florin) -> None:
    answer = api.get("/v1/nothing", x="1")
    api.send("PUT", "/v1/programs")
    application.server.recorder.flush()
    rows = api.get("/v1/logs", status_min=404).json["data"]
    assert [(row["path"], row["route_pattern"], row["error_code"]) for row in rows] == [
        ("/v1/programs", None, "method_not_allowed"), ("/v1/nothing", None, "not_found"),
    ]
    assert rows[1]["request_id"] == answer.headers["X-Request-Id"]


@pytest.mark.parametrize("query", ["%00=1", "a%00b=1", "search=%00", "%00=1&%00=2", "x%00=1&y=2"])
def test_a_request_is_logged_whatever_its_parameters_are_called(
    api: Caller, application: Florin, query: str
) -> None:
    answer = api.send("GET", "/v1/programs", query_string=query)
    assert answer.status_code == 400
    application.server.recorder.flush()
    rows = api.get("/v1/logs", request_id=answer.headers["X-Request-Id"]).json["data"]
    assert [row["status_code"] for row in rows] == [400]
    assert api.get(f"/v1/logs/{rows[0]['id']}").json["response_body"] == answer.json


def test_a_new_keys_text_is_in_no_log(api: Caller, application: Florin) -> None:
    created = api.post("/v1/api-keys", {"name": "k"}).json
    api.post("/v1/programs", {"name": created["key"]})
    api.get("/v1/programs", search=created["key"])
    application.server.recorder.flush()
    rows = [api.get(f"/v1/logs/{row['id']}").json for row in _others(api)]
    assert created["key"] not in json.dumps(rows)
    assert len(rows) == 3


@pytest.mark.parametrize(("raw", "kept"), [
    (b'{"secret": "abc", "a": 1}', '{"secret":"[removed]", "a": 1}'),
    (b'{"x": "whsec_abcdefghijkl"}', '{"x": "[removed]"}'),
    (b"", None),
])
def test_secrets_are_blanked_out(raw: bytes, kept: str | None) -> None:
    assert body_text(raw) == kept
    assert answer_text(raw) == kept


@pytest.mark.parametrize("raw", [
    b"not json", b"[1]", b'{"a": NaN}', b'{"a": "\\u0000"}', b"\xff\x00", b'{"a": 1e999999}',
    b'{"a": "' + b"x" * BODY_BYTES_MAX + b'"}',
])
def test_whatever_was_sent_can_be_stored_and_is_cut(raw: bytes) -> None:
    text = body_text(raw)
    assert text is not None
    stored = json.loads(text)
    assert "\x00" not in stored["text"]
    assert set(stored) == {"text", "truncated"}
    assert stored["truncated"] is (len(raw) > BODY_BYTES_MAX)
    assert len(stored["text"]) <= BODY_BYTES_MAX


def test_usage_counts_requests_and_errors_by_day(api: Caller, application: Florin) -> None:
    api.program()
    api.get(f"/v1/programs/{ABSENT}")
    application.server.recorder.flush()
    days = api.get("/v1/usage").json["data"]
    assert len(days) == 1
    assert set(days[0]) == {"date", "requests", "errors", "avg_latency_ms", "events"}
    assert (days[0]["requests"], days[0]["errors"], days[0]["events"]) == (2, 1, 0)
    assert days[0]["avg_latency_ms"] > 0
    assert api.get("/v1/usage", from_="2020-01-01T00:00:00Z", to="2020-02-01T00:00:00Z").json == {"data": []}
    error_of(api.get("/v1/usage", from_="2100-01-01T00:00:00Z"), 400, "validation_error")


def test_the_last_use_of_a_key_is_noted(api: Caller, application: Florin) -> None:
    api.program()
    application.server.recorder.flush()
    assert "last_used_at" in walk(api, "/v1/api-keys")[0]


def test_where_much_happens_logs_are_written_before_their_time(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "FLUSH_SECONDS", 3600.0)
    monkeypatch.setattr(recorder, "FLUSH_COUNT", 3)
    key_id = UUID(walk(api, "/v1/api-keys")[0]["id"])
    made = Recorder(Measures(client()))
    for number in range(3):
        made.note(Noted(
            api.organization_id, key_id, f"req_{number}", "GET", "/v1/burst", None, 200, 0.001, None,
            time.monotonic(), b"", b"{}", None, None, 0,
        ))
    wait_until(
        lambda: len([row for row in walk(api, "/v1/logs") if row["path"] == "/v1/burst"]) == 3, "three logs"
    )
    made.stop()


def test_what_there_was_no_room_for_is_told(
    api: Caller, application: Florin, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dropped() -> int:
        application.server.recorder.flush()
        lines = api.http.get("/metrics").text.splitlines()
        return round(float(next(
            (line.split()[1] for line in lines if line.startswith("florin_request_logs_dropped_total ")), "0"
        )))

    api.program()
    before = dropped()
    monkeypatch.setattr(recorder, "QUEUE_MAX", 0)
    for _ in range(3):
        assert api.get("/v1/programs").status_code == 200
    monkeypatch.undo()
    assert dropped() == before + 3
    api.get("/v1/programs")
    assert dropped() == before + 3


def test_logs_are_kept_for_thirty_days_and_no_longer(api: Caller, application: Florin) -> None:
    api.program()
    application.server.recorder.flush()
    assert len(walk(api, "/v1/logs")) == 1
    for days, left in ((29, 1), (31, 0)):
        with db.transaction() as c:
            clock.move_ahead(c, timedelta(days=days))
        assert (trim_some() > 0) is (left == 0)  # The test's own reading may have been logged as well.
        with db.connection() as c:
            rows = c.execute("SELECT 1 FROM request_logs WHERE path = '/v1/programs'").fetchall()
        assert len(rows) == left
