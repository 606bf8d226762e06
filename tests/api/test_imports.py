"""Imports: every kind and format, reports of bad lines, dry runs, parts, crashes in the middle."""

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app import db
from app.flows.due import STEPS
from app.flows.lanes import ROOM_EVENTS_MAX, Lane
from tests.api.client import ABSENT, Caller, error_of, new_caller, walk

CSV = "text/csv"
LINES = "application/x-ndjson"


def _send(api: Caller, content: str | bytes, kind: str, file_type: str = CSV, **query: Any) -> TestResponse:
    return api.send(
        "POST", "/v1/imports", data=content, content_type=file_type, query_string={"kind": kind, **query}
    )


def _step() -> bool:
    """Take one step of the lane, as a worker would."""
    with db.transaction() as c:
        return STEPS[Lane.IMPORTS](c).more


def _empty_inbox() -> None:
    """Take away all but a few of the events that wait: the workers that would decide them are not here."""
    with db.transaction() as c:
        c.execute("DELETE FROM inbox WHERE position > (SELECT min(position) + 9 FROM inbox)")


def _work_off(api: Caller, import_id: str) -> dict[str, Any]:
    while _step():
        _empty_inbox()
    found: dict[str, Any] = api.get(f"/v1/imports/{import_id}").json
    return found


def _run(
    api: Caller, content: str | bytes, kind: str, file_type: str = CSV, **query: Any
) -> dict[str, Any]:
    answer = _send(api, content, kind, file_type, **query)
    assert answer.status_code == 202, answer.json
    assert answer.json["status"] == "PENDING"
    return _work_off(api, answer.json["id"])


def _jsonl(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_participants_come_from_csv(api: Caller) -> None:
    program_id = api.program()
    text = (
        "\ufeffexternal_id,email,first_name,tags,attributes.city,status\r\n"
        'a,a@example.com,"Ada, Countess",vip|Early,London,SUSPENDED\r\n'
        '"b\n2",,,,,\r\n'
        "c,nobody,,,,\r\n"
        "\r\n"
        "d\r\n"
        "e,,,,,GONE\r\n"
    )
    done = _run(api, text, "participants", program_id=program_id)
    assert (done["status"], done["accepted_lines"], done["rejected_lines"]) == ("COMPLETED", 1, 4)
    report = walk(api, f"/v1/imports/{done['id']}/errors", limit=1)
    assert [(row["line"], row["code"]) for row in report] == [
        (3, "validation_error"),
        (5, "validation_error"),
        (7, "validation_error"),
        (8, "validation_error"),
    ]
    slim = api.get("/v1/participants", external_id="a").json["data"][0]
    person = api.get(f"/v1/participants/{slim['id']}").json
    assert (person["first_name"], person["tags"], person["attributes"], person["status"]) == (
        "Ada, Countess",
        ["vip", "early"],
        {"city": "London"},
        "SUSPENDED",
    )
    assert person["program_ids"] == [program_id]


def test_participants_come_from_json_lines_and_bad_ones_are_named(api: Caller) -> None:
    text = (
        '{"external_id": "a", "attributes": {"x": "1"}, "tags": ["t"]}\n'
        "not json\n"
        "[1]\n"
        '{"external_id": "b", "emial": "x"}\n'
        '{"external_id": "\\u0000"}\n'
        '{"external_id": 5}\n'
        "\n"
        '{"external_id": "c"}'
    )
    done = _run(api, text, "participants", LINES)
    assert (done["accepted_lines"], done["rejected_lines"]) == (2, 5)
    assert [row["line"] for row in walk(api, f"/v1/imports/{done['id']}/errors")] == [2, 3, 4, 5, 6]
    assert len(walk(api, "/v1/participants")) == 2


def test_opening_balances_keep_the_dates_of_their_lots_and_happen_once(api: Caller) -> None:
    program_id = api.program()
    lots = api.asset(program_id, "MILES", inventory_mode="LOT", scale=2)
    person = api.participant("a")
    text = _jsonl(
        [
            {
                "external_id": "a",
                "asset": "MILES",
                "amount": "10.50",
                "created_at": "2020-01-01T00:00:00Z",
                "expires_at": "2090-01-01T00:00:00Z",
                "idempotency_key": "one",
            },
            {"participant_id": person, "asset": "MILES", "amount": "1"},
            {"external_id": "nobody", "asset": "MILES", "amount": "1"},
            {"external_id": "a", "asset": "OTHER", "amount": "1"},
            {"external_id": "a", "asset": "MILES", "amount": "1.005"},
            {"external_id": "a", "asset": "MILES", "amount": "-1"},
            {"external_id": "a", "asset": "MILES", "amount": "1", "expires_at": "2000-01-01T00:00:00Z"},
        ]
    )
    done = _run(api, text, "balances", LINES, program_id=program_id)
    assert (done["accepted_lines"], done["rejected_lines"]) == (2, 5)
    balance = api.get(f"/v1/participants/{person}").json["balances"]
    assert balance == [{"asset_id": lots, "available": "11.50", "held": "0.00", "deferred": "0.00"}]
    with db.connection() as c:
        rows = c.execute(
            "SELECT l.created_at::date::text AS vintage, e.action_type FROM lots l JOIN journal_entries e"
            " ON e.organization_id = l.organization_id AND e.id = l.entry_id"
            " WHERE l.organization_id = %s ORDER BY l.created_at",
            (api.organization_id,),
        ).fetchall()
    assert rows[0] == {"vintage": "2020-01-01", "action_type": "ADJUST_CREDIT"}
    again = _run(api, text.splitlines()[0], "balances", LINES, program_id=program_id)
    assert again["accepted_lines"] == 1
    assert api.get(f"/v1/participants/{person}").json["balances"] == balance
    other = text.splitlines()[0].replace("10.50", "11.50")
    changed = _run(api, other, "balances", LINES, program_id=program_id)
    assert [row["code"] for row in walk(api, f"/v1/imports/{changed['id']}/errors")] == [
        "idempotency_conflict"
    ]


def test_events_are_accepted_in_order_once(api: Caller) -> None:
    program_id = api.program()
    rows = [
        {
            "external_id": f"p{number % 3}",
            "idempotency_key": f"k{number}",
            "event_timestamp": "2020-01-01T00:00:00Z",
            "event_data": {"type": "purchase", "amount": number},
        }
        for number in range(700)
    ]
    done = _run(api, _jsonl(rows), "events", LINES, program_id=program_id)
    assert (done["accepted_lines"], done["rejected_lines"]) == (700, 0)
    with db.connection() as c:
        kept = c.execute(
            "SELECT idempotency_key FROM events WHERE organization_id = %s ORDER BY seq",
            (api.organization_id,),
        ).fetchall()
    assert [row["idempotency_key"] for row in kept] == [row["idempotency_key"] for row in rows]
    again = _run(api, _jsonl(rows[:5]), "events", LINES, program_id=program_id)
    assert again["accepted_lines"] == 5
    with db.connection() as c:
        assert c.execute("SELECT count(*) AS n FROM events").fetchone() == {"n": 700}


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (r'{"a": "\u0000"}', "contains NUL or half a surrogate pair"),
        (r'{"\ud800": 1}', "contains NUL or half a surrogate pair"),
        ('{"a": [{"b": 1e30000}]}', "contains a number that is too large or too long"),
        ('{"a": 1e999999999}', "contains a number that is too large or too long"),
        ('{"a": 1e99999999999999999999}', "must be JSON"),
        ('{"a": 1e-101}', "contains a number that is too large or too long"),
        ("{" + '"a": {' * 32 + "}" * 33, "must not be nested more than 32 levels deep"),
        ("[1]", "must be an object"),
        ("{", "must be JSON"),
    ],
)
def test_what_hides_in_a_columns_text_costs_its_own_line_alone(api: Caller, data: str, why: str) -> None:
    def line(number: int, text: str) -> str:
        return f'ada,k{number},2020-01-01T00:00:00Z,"{text.replace(chr(34), chr(34) * 2)}"\n'

    head = "external_id,idempotency_key,event_timestamp,event_data\n"
    whole = head + line(1, '{"a": 1e99, "b": 1e-100}') + line(2, data) + line(3, "{}")
    done = _run(api, whole, "events", program_id=api.program())
    assert (done["status"], done["accepted_lines"], done["rejected_lines"]) == ("COMPLETED", 2, 1)
    assert walk(api, f"/v1/imports/{done['id']}/errors") == [
        {"line": 3, "code": "validation_error", "message": f"event_data {why}"}
    ]


def test_a_line_is_held_to_what_a_request_is_held_to(api: Caller) -> None:
    program_id = api.program()
    event = {"external_id": "ada", "event_timestamp": "2020-01-01T00:00:00Z", "event_data": {}}
    rows = [
        {**event, "idempotency_key": "both", "recipient_id": ABSENT, "recipient_external_id": "bob"},
        {**event, "idempotency_key": "system:1"},
        {**event, "idempotency_key": "other", "participant_id": ABSENT},
    ]
    done = _run(api, _jsonl(rows), "events", LINES, program_id=program_id)
    assert (done["accepted_lines"], done["rejected_lines"]) == (0, 3)
    for row in rows:
        assert api.send("POST", "/v1/events", {**row, "program_id": program_id}).status_code == 400
    people = [
        {"external_id": "a", "email": "a\x01b@example.com"}, {"external_id": "b", "tags": ["\u0130" * 200]},
        {"external_id": "c\x85"},
    ]
    done = _run(api, _jsonl(people), "participants", LINES)
    assert (done["accepted_lines"], done["rejected_lines"]) == (0, 3)
    for row in people:
        assert api.send("POST", "/v1/participants", row).status_code == 400


def test_events_wait_while_many_wait(api: Caller) -> None:
    program_id = api.program()
    row = {
        "external_id": "a",
        "idempotency_key": "k",
        "event_timestamp": "2020-01-01T00:00:00Z",
        "event_data": {},
    }
    _fill_the_inbox(api)
    import_id = _send(api, _jsonl([row]), "events", LINES, program_id=program_id).json["id"]
    assert _step()
    assert api.get(f"/v1/imports/{import_id}").json["status"] == "PENDING"
    _empty_inbox()
    assert _work_off(api, import_id)["accepted_lines"] == 1


def _fill_the_inbox(api: Caller) -> None:
    with db.transaction() as c:
        c.execute(
            "INSERT INTO inbox (partition, position, organization_id, event_seq, owner_id)"
            " SELECT 0, n, %s, n, %s FROM generate_series(1, %s) n",
            (api.organization_id, ABSENT, ROOM_EVENTS_MAX),
        )


def test_an_import_that_waits_for_room_lets_those_of_others_pass(api: Caller) -> None:
    program_id = api.program()
    row = {
        "external_id": "a", "idempotency_key": "k", "event_timestamp": "2020-01-01T00:00:00Z",
        "event_data": {},
    }
    _fill_the_inbox(api)
    waiting = _send(api, _jsonl([row]), "events", LINES, program_id=program_id).json["id"]
    behind = _send(api, "external_id\nb\n", "participants").json["id"]
    other = new_caller(api.http)
    passing = _send(other, "external_id\nc\n", "participants").json["id"]
    for _ in range(3):
        assert _step()
    assert other.get(f"/v1/imports/{passing}").json["status"] == "COMPLETED"
    # Its own organization's later file stays behind: it may need what the first one brings.
    for each in (waiting, behind):
        assert api.get(f"/v1/imports/{each}").json["status"] == "PENDING"
    _empty_inbox()
    assert _work_off(api, behind)["status"] == "COMPLETED"
    assert api.get(f"/v1/imports/{waiting}").json["status"] == "COMPLETED"


def test_organizations_take_turns_window_by_window(api: Caller) -> None:
    long = "external_id\n" + "".join(f"long-{number}\n" for number in range(1_500))
    first = _send(api, long, "participants").json["id"]
    assert _step()
    other = new_caller(api.http)
    short = _send(other, "external_id\nshort\n", "participants").json["id"]
    for _ in range(2):
        _step()
    assert other.get(f"/v1/imports/{short}").json["status"] == "COMPLETED"
    assert api.get(f"/v1/imports/{first}").json["status"] == "PROCESSING"
    assert _work_off(api, first)["accepted_lines"] == 1_500


@pytest.mark.parametrize("kind", ["participants", "balances", "events"])
def test_a_dry_run_reports_like_a_run_and_keeps_nothing(api: Caller, kind: str) -> None:
    program_id = api.program()
    api.asset(program_id)
    api.participant("known")
    rows: dict[str, list[dict[str, Any]]] = {
        "participants": [{"external_id": "new"}, {"external_id": ""}],
        "balances": [
            {"external_id": "known", "asset": "PTS", "amount": "5"},
            {"external_id": "lost", "asset": "PTS", "amount": "5"},
        ],
        "events": [
            {
                "external_id": "new",
                "idempotency_key": "k",
                "event_timestamp": "2020-01-01T00:00:00Z",
                "event_data": {},
            },
            {"external_id": "new"},
        ],
    }
    text = _jsonl(rows[kind])
    tried = _run(api, text, kind, LINES, program_id=program_id, dry_run="true")
    assert (tried["accepted_lines"], tried["rejected_lines"], tried["dry_run"]) == (1, 1, True)
    assert len(walk(api, "/v1/participants")) == 1
    with db.connection() as c:
        for table in ("events", "journal_entries", "inbox", "idempotency_keys"):
            assert c.execute(f"SELECT count(*) AS n FROM {table}").fetchone() == {"n": 0}
    real = _run(api, text, kind, LINES, program_id=program_id)
    assert (real["accepted_lines"], real["rejected_lines"]) == (1, 1)


def test_a_file_in_parts_is_one_file_wherever_it_is_cut(api: Caller) -> None:
    content = ("external_id,first_name\n" + "".join(f'p{n},"Ä\n{n}"\n' for n in range(30))).encode()
    first = _send(api, content[:101], "participants", more="true").json
    path = f"/v1/imports/{first['id']}/parts"

    def put(start: int, end: int, **query: Any) -> TestResponse:
        return api.send(
            "PUT", path, data=content[start:end], content_type=CSV, query_string={"start": start, **query}
        )

    assert not _step()
    assert put(101, 200, more="true").status_code == 202
    assert put(101, 200, more="true").status_code == 202
    error_of(put(250, 300, more="true"), 400, "invalid_request")
    assert put(200, len(content)).json["total_lines"] == content.count(b"\n")
    assert put(200, len(content)).status_code == 202
    done = _work_off(api, first["id"])
    assert (done["accepted_lines"], done["rejected_lines"]) == (30, 0)
    error_of(
        api.send("PUT", f"/v1/imports/{ABSENT}/parts?start=0", data=b"x", content_type=CSV),
        404,
        "not_found",
    )


def _crash_in_a_step() -> None:
    """Do all of a step but its commit."""
    with db.connection() as c, c.transaction(force_rollback=True):
        STEPS[Lane.IMPORTS](c)


def test_a_crash_between_steps_loses_nothing_and_doubles_nothing(api: Caller) -> None:
    program_id = api.program()
    api.asset(program_id)
    api.participant("a")
    rows = [{"external_id": "a", "asset": "PTS", "amount": "1"} for _ in range(1200)]
    import_id = _send(api, _jsonl(rows), "balances", LINES, program_id=program_id).json["id"]
    assert _step()
    assert api.get(f"/v1/imports/{import_id}").json["processed_lines"] == 500
    _crash_in_a_step()
    assert api.get(f"/v1/imports/{import_id}").json["processed_lines"] == 500
    done = _work_off(api, import_id)
    assert (done["processed_lines"], done["accepted_lines"]) == (1200, 1200)
    person = api.get("/v1/participants", external_id="a").json["data"][0]["id"]
    assert api.get(f"/v1/participants/{person}").json["balances"][0]["available"] == "1200"
    with db.connection() as c:
        assert c.execute("SELECT count(*) AS n FROM import_parts").fetchone() == {"n": 0}


def test_a_file_without_a_usable_header_fails_as_a_whole(api: Caller) -> None:
    for text in ("a,a\n1,2\n", 'external_id,"x\n', "external_id,\n1,2\n"):
        done = _run(api, text, "participants")
        assert done["status"] == "FAILED"
        assert "header" in done["error_message"]


def test_a_wrong_import_is_refused_at_once(api: Caller) -> None:
    program_id = api.program()
    error_of(_send(api, "x", "people"), 400, "validation_error")
    error_of(_send(api, "x", "events"), 400, "invalid_request")
    error_of(_send(api, "x", "events", program_id=ABSENT), 404, "not_found")
    error_of(_send(api, "x", "participants", "application/json"), 400, "invalid_request")
    api.patch(f"/v1/programs/{program_id}", {"status": "SUSPENDED"})
    error_of(_send(api, "x", "balances", program_id=program_id), 409, "program_suspended")
    assert walk(api, "/v1/imports") == []
    error_of(api.get(f"/v1/imports/{ABSENT}"), 404, "not_found")
    error_of(api.get(f"/v1/imports/{ABSENT}/errors"), 404, "not_found")
