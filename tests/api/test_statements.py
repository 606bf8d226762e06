"""The second wall: no statement of app/store or app/book gives or changes anything across organizations.

Every statement in the source is run with the ids of one organization under the name of another. Those for
which that has no meaning are listed with the reason; a new one is run, or fails here until it is listed.
"""

import re
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from app import db
from app.api.application import Florin
from tests.api.client import Caller, new_caller
from tests.api.sql_texts import Statement, found, prepare
from tests.events.scene import work

SAMPLES_MAX = 2
REACHED_MIN = 100
_LANE = "finds the work of all organizations for workers, lanes, trimming or the auditor"
_NOBODYS = "touches rows that belong to no organization"
_BIRTH = "makes, lists or finds organizations themselves"
_TEMPLATE = "is a text whose gaps a function fills; the functions are called by routes that are walked"
# By the place of a statement, or of all in a module.
EXCEPTIONS = {
    "store/automations:any_due": _LANE, "store/automations:any_refresh_due": _LANE,
    "store/due_work:first": _LANE, "store/due_work:any_due": _LANE, "store/firings:_UNPARK": _LANE,
    "store/firings:_TRIM": _LANE, "store/firings:any_due": _LANE, "store/imports:_NEXT": _LANE,
    "store/imports:any_unfinished": _LANE, "store/outbox:_TAKE": _LANE, "store/outbox:_ANY_PENDING": _LANE,
    "store/outbox:_TRIM": _LANE, "store/request_logs:_TRIM": _LANE, "store/subscriptions:any_due": _LANE,
    "store/tier_states:_DUE": _LANE, "store/webhook_deliveries:_ANY_DUE": _LANE,
    "store/webhook_deliveries:_TRIM": _LANE, "store/webhook_replays:_ANY_READY": _LANE,
    "book/audits:_NEXT": _LANE, "book/report_marks:_BEHIND": _LANE,
    "store/inbox": "is keyed by partition; which organization a row has, the drained event says",
    "store/replays": "concerns whole databases: a replay is an operator's, no request reaches it",
    "store/leases": _NOBODYS, "store/clock": _NOBODYS, "store/idempotency:_WAIT": _NOBODYS,
    "store/participants:_INDEXED": _NOBODYS, "book/accounts:_DRAW": _NOBODYS,
    "store/report_events:_HORIZON": _NOBODYS, "store/report_events:move_horizon": _NOBODYS,
    "book/seal:_TOO_MANY": _LANE, "store/report_events:_MORE_THAN": _TEMPLATE,
    "book/seal:_HORIZON": _NOBODYS, "book/seal:_advance": _NOBODYS,
    "store/report_events:forget": _LANE, "store/report_rules:forget": _LANE,
    "store/webhook_endpoints:_ONE_BY_ONE": "locks a name that holds the organization",
    "store/organizations": _BIRTH, "store/identities:_FIND": _BIRTH, "book/chain:organizations": _BIRTH,
    "store/vitals": "counts the whole installation for /metrics and health",
    "store/request_logs:_INSERT": "COPY of rows that each carry their organization",
    "store/participants:page": "ends where Where.of begins, which names the organization",
    "store/participants:_narrowing": "counts rows of that very statement",
    "store/rule_history:_PAGE": "ends where Where.of begins, which names the organization",
    "store/firings:_AS_AUTOMATION": "is a part of other statements", "store/groups:_MEMBERS": "is a part",
    "store/states:_HISTORY": "is a part", "store/tier_history:_SELECT": "is a part",
    "store/tiers:_SELECT": "is a part", "book/journal:_ENTRY": "is a part",
    "book/report_details:VINTAGES": "is a part",
    "store/audience:_ENROLLED": _TEMPLATE, "store/event_lists:_page": _TEMPLATE,
    "store/event_lists:_is_rare": _TEMPLATE, "store/report_events:_ROLL_UP": _TEMPLATE,
    "store/report_rules": _TEMPLATE, "book/balance_sources": _TEMPLATE, "book/check": _TEMPLATE,
    "book/due": _TEMPLATE, "book/journal:page": _TEMPLATE, "book/journal:_NTH": _TEMPLATE,
    "book/report_holders:_HOLDERS": _TEMPLATE,
}
# What a value of a type is where no row of the owner has one.
_BY_TYPE: dict[str, Any] = {
    "text": "ada", "uuid": UUID(int=1), "integer": 1000, "bigint": 1000, "smallint": 100, "numeric": 1,
    "boolean": True, "timestamp with time zone": "2100-01-01T00:00:00Z", "date": "2026-01-01",
    "interval": "1 day", "jsonb": {}, "json": {}, "bytea": b"x", "double precision": 1.0, "xid8": "1",
}
# The same in Python: a column of a fitting name may have another type.
_PYTHON: dict[str, type | tuple[type, ...]] = {
    "text": str, "uuid": UUID, "integer": int, "bigint": int, "smallint": int, "numeric": (int, Decimal),
    "boolean": bool, "timestamp with time zone": datetime, "date": date, "interval": timedelta,
    "bytea": bytes, "double precision": float,
}
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE)\b")
Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def owned(api: Caller, application: Florin) -> Caller:
    """An organization with something in as many tables as a few requests fill."""
    caller = new_caller(api.http)
    program = caller.program()
    lots, plain = caller.asset(program, "LOTS", inventory_mode="LOT"), caller.asset(program, "PTS")
    person = caller.participant("ada", program_id=program, tags=["vip"], attributes={"city": "London"})
    other = caller.participant("bob", program_id=program)
    group = caller.group(person, other)
    everything: list[tuple[str, str, dict[str, Any]]] = [
        ("PUT", f"/v1/participants/{person}/state/counters/n", {"value": "5"}),
        ("POST", f"/v1/programs/{program}/tiers", {"key": "t", "levels": [
            {"key": "base", "rank": 0}, {"key": "gold", "rank": 1}]}),
        ("PUT", f"/v1/participants/{person}/state/tiers/t?program_id={program}", {"level": "gold"}),
        ("POST", "/v1/webhook-endpoints", {"url": "https://example.com/x", "enabled_events": ["*"]}),
        ("POST", "/v1/rules", {"program_id": program, "name": "r", "condition": "true", "actions": [
            {"type": "CREDIT", "asset_id": lots, "amount": "3"}],
            "budgets": [{"asset_id": lots, "limit": "9"}]}),
        ("POST", f"/v1/programs/{program}/automations", {
            "name": "a", "event_name": "news", "scope": "participants",
            "trigger": {"type": "cron", "cron_expression": "0 9 * * *"}}),
        ("POST", f"/v1/programs/{program}/rewards", {
            "name": "w", "asset_id": plain, "redemption_type": "UNIT_BASED", "unit_cost": "1",
            "status": "ACTIVE"}),
        ("POST", "/v1/ledger-entities", {"name": "L"}), ("POST", "/v1/api-keys", {"name": "k"}),
        ("POST", f"/v1/participants/{person}/balances/adjust", {
            "program_id": program, "asset_id": plain, "type": "CREDIT", "amount": "50", "description": "d"}),
        ("POST", f"/v1/participants/{person}/redemptions", {
            "program_id": program, "asset_id": plain, "amount": "5", "description": "d",
            "idempotency_key": "x"}),
        ("POST", f"/v1/groups/{group}/balances/adjust", {
            "program_id": program, "asset_id": lots, "type": "CREDIT", "amount": "5", "description": "d"}),
        ("POST", "/v1/events", {
            "program_id": program, "external_id": "ada", "idempotency_key": "e", "event_data": {"type": "x"},
            "event_timestamp": "2026-01-01T00:00:00Z"}),
    ]
    for method, path, body in everything:
        answer = caller.send(method, path, body)
        assert answer.status_code < 300, (path, answer.json)
    caller.send("POST", "/v1/imports", data="external_id\nzoe\n", content_type="text/csv",
                query_string={"kind": "participants"})
    work()
    application.server.recorder.flush()
    return caller


def _rows(c: db.Connection, organization_id: UUID) -> Rows:
    """Return a few rows of every table, all of one organization."""
    tables = c.execute(
        "SELECT table_name AS name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND column_name = 'organization_id'"
    ).fetchall()
    return {
        each["name"]: c.execute(
            f"SELECT * FROM {each['name']} WHERE organization_id = %s LIMIT {SAMPLES_MAX}", (organization_id,)
        ).fetchall()
        for each in tables
    }


def _state(c: db.Connection, tables: list[str], organization_id: UUID) -> list[str]:
    """Return a digest of all that an organization has in the tables."""
    return [
        str(c.execute(
            f"SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) AS sum FROM {table} t"
            " WHERE organization_id = %s", (organization_id,)
        ).fetchone())
        for table in tables
    ]


def _value(name: str, kind: str, row: dict[str, Any], organization_id: UUID, rows: Rows) -> Any:
    """Return what a parameter is given: the other organization, else what the owner's row has."""
    single = kind.removesuffix("[]")
    if "organization" in name or name == "o":
        made: Any = organization_id
    else:
        made = row.get(name, row.get(name.removesuffix("s")))
        if not isinstance(made, _PYTHON.get(single, object)) and not isinstance(made, list):
            made = None
        if made is None and single == "uuid" and kind.endswith("[]"):
            return [each["id"] for some in rows.values() for each in some if "id" in each]
        if made is None:
            made = _BY_TYPE.get(single, "1")
    if single in ("jsonb", "json"):
        return [Jsonb(made)] if kind.endswith("[]") else Jsonb(made)
    return [made] if kind.endswith("[]") and not isinstance(made, list) else made


def _arguments(statement: Statement, row: dict[str, Any], organization_id: UUID, rows: Rows) -> list[Any]:
    records = statement.records()
    made: list[Any] = []
    for place, (name, kind) in enumerate(zip(statement.names, statement.types, strict=True)):
        if place in records:
            fields = {each: row.get(each) for each in records[place]}
            fields |= {each: organization_id for each in fields if "organization" in each or each == "o"}
            made.append(Jsonb([{each: str(value) for each, value in fields.items() if value is not None}]))
        else:
            made.append(_value(name, kind, row, organization_id, rows))
    return made


def _run(c: db.Connection, statement: Statement, values: list[Any]) -> tuple[int, list[dict[str, Any]]]:
    """Run a statement; returns the rows that it touched and gave. One that the database refuses gave none."""
    slots = ", ".join(f"%s::{kind}" for kind in statement.types)
    try:
        with c.transaction():
            # EXECUTE takes no parameters of its own: the values are written into the text.
            done = psycopg.ClientCursor(c).execute(f"EXECUTE tried{f'({slots})' if slots else ''}", values)
            return done.rowcount, done.fetchall() if done.description else []
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.RaiseException,
            psycopg.errors.InsufficientPrivilege):
        return 0, []


def _told(given: Any) -> set[str]:
    """Return the ids in what a statement gave or was given."""
    return set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(given)))


def test_no_statement_reaches_into_another_organization(
    owned: Caller, api: Caller, database: str
) -> None:
    wrong, unlisted, reached, keys = [], [], 0, set()
    with psycopg.connect(database, autocommit=True, **db.connect_arguments()) as c, c.transaction():
        c.prepare_threshold = None  # Else psycopg deallocates ours with its own at every rollback.
        rows = _rows(c, owned.organization_id)
        secrets = _told(rows)
        for statement in found():
            keys |= {statement.key, statement.key.partition(":")[0]}
            if statement.key in EXCEPTIONS or statement.key.partition(":")[0] in EXCEPTIONS:
                continue
            problem = prepare(c, statement)
            if problem is not None or not statement.names_an_organization():
                unlisted.append((statement.key, problem or "names no organization"))
                continue
            tables = [each for each in statement.tables if each in rows]
            samples = [row for each in tables for row in rows[each]] or [{}]
            did = False
            c.execute(b"PREPARE tried AS " + statement.text.encode())
            for row in samples:
                with c.transaction(force_rollback=True):
                    control = _arguments(statement, row, owned.organization_id, rows)
                    did |= _run(c, statement, control)[0] > 0
                with c.transaction(force_rollback=True):
                    values = _arguments(statement, row, api.organization_id, rows)
                    changed = tables if _WRITES.search(statement.text) else []
                    before = _state(c, changed, owned.organization_id)
                    given = _run(c, statement, values)[1]
                    leaked = (_told(given) & secrets) - _told([getattr(each, "obj", each) for each in values])
                    if leaked or _state(c, changed, owned.organization_id) != before:
                        wrong.append((statement.key, leaked))
            c.execute("DEALLOCATE tried")
            reached += did
    assert wrong == []
    assert unlisted == []
    assert set(EXCEPTIONS) <= keys, set(EXCEPTIONS) - keys
    # What finds nothing under its own organization either proves little; so many do find something.
    assert reached >= REACHED_MIN, reached
