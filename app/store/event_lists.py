"""Lists of events: filters, three orders, keyset pages.

The status of an event is nowhere a column, so each status is a list of its own, driven by what makes it so:
the inbox for waiting events, the index of failures for failed ones, the events for the rest. The order by
status is these lists one after another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from app.db import Connection
from app.domain.ids import partition_of
from app.domain.json import dumps
from app.domain.names import EventStatus, EventType
from app.store.events import COLUMNS, FROM
from app.store.pages import Column, Order, Page, Slice, Where, cut, fetch, ordered

# So many events are looked at for one page: some tenths of a second. So a page may hold fewer rows than asked
# for, or none, and its cursor goes on behind the last event looked at. An index of the matches of rules, or
# one for each filter, would burden every event for a question that is rarely asked.
LOOKED_AT_MAX = 50_000
FEW = 20_000  # So many rows of a status are read and sorted; where there are more, any order meets some soon.

_SEQ = Column("e.seq", "seq", "bigint")
_CREATED = Column("e.created_at", "created_at", "timestamptz")
_HAPPENED = Column("e.event_timestamp", "event_timestamp", "timestamptz")
_STATUS = Column("''", "status", "text")
_COLUMNS: dict[str, tuple[Column, ...]] = {
    "created_at": (_CREATED, _SEQ),
    "event_timestamp": (_HAPPENED, _SEQ),
    "status": (_STATUS, _CREATED, _SEQ),
}

_WAITS: LiteralString = "i.position IS NOT NULL"
_LEASED: LiteralString = (
    "COALESCE(l.worker IS NOT NULL AND i.position BETWEEN l.from_position AND l.to_position, false)"
)
# The same as app/store/event_status says of one row.
_IS: dict[EventStatus, LiteralString] = {
    EventStatus.RECEIVED: f"{_WAITS} AND NOT {_LEASED} AND i.attempts = 0 AND d.status IS NULL",
    EventStatus.PENDING: f"{_WAITS} AND NOT {_LEASED} AND (i.attempts > 0 OR d.status IS NOT NULL)",
    EventStatus.PROCESSING: f"{_WAITS} AND {_LEASED}",
    EventStatus.COMPLETED: "i.position IS NULL AND d.status = 'COMPLETED'",
    EventStatus.FAILED: "i.position IS NULL AND d.status = 'FAILED'",
}
# What names the events of a status, where one can: the numbers of those that may have it.
_NUMBERS: dict[EventStatus, LiteralString] = {
    EventStatus.RECEIVED: "SELECT event_seq FROM inbox WHERE organization_id = %(organization_id)s",
    EventStatus.PENDING: (
        "SELECT event_seq FROM inbox WHERE organization_id = %(organization_id)s"
        " AND (attempts > 0 OR position <> event_seq)"
    ),
    EventStatus.PROCESSING: (
        "SELECT w.event_seq FROM partition_leases h JOIN inbox w ON w.partition = h.partition"
        " AND w.position BETWEEN h.from_position AND h.to_position"
        " WHERE h.worker IS NOT NULL AND w.organization_id = %(organization_id)s"
    ),
    EventStatus.FAILED: (
        "SELECT event_seq FROM decisions WHERE organization_id = %(organization_id)s AND status = 'FAILED'"
    ),
}
# Nothing below waits: an event waits at its own number, or is found by the index of retried ones.
_WAITING_FROM: LiteralString = """e.seq >= LEAST(
    (SELECT min(event_seq) FROM inbox WHERE position <> event_seq),
    (SELECT min(h.lowest) FROM (SELECT (SELECT min(w.position) FROM inbox w WHERE w.partition = k) AS lowest
        FROM generate_series(0, 63) k) h))"""
# With these, few rows are left to sort: a participant's, or those of a window on the clock that is not the
# list's own. The clock of the list is its index.
_SELECTIVE = {
    _CREATED: frozenset(("participant_id", "happened_from", "happened_to")),
    _HAPPENED: frozenset(("participant_id", "created_from", "created_to")),
}
# With these, or a status, a page may have to look at many events for one that fits.
_SPARSE = frozenset(("matched_0", "program_id", "event_type"))
# A rule matched where it ran or its credit did not fit the budget. Packed evaluations name it by its number.
_MATCHED = ("SUCCESS", "FAILED", "BUDGET_EXCEEDED")


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events; all given conditions hold together."""

    program_id: UUID | None = None
    status: EventStatus | None = None
    event_type: EventType | None = None
    participant_id: UUID | None = None
    rule_id: UUID | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    happened_from: datetime | None = None
    happened_to: datetime | None = None


def order(sort_by: str, *, descending: bool) -> Order:
    """Return the order of a list by `created_at`, `event_timestamp` or `status`."""
    return Order(_COLUMNS[sort_by], descending)


def page(c: Connection, organization_id: UUID, order: Order, page: Page, wanted: Filter) -> Slice:
    """Return one page of events, as app/store/events reads them, without what was evaluated."""
    number = None
    if wanted.rule_id is not None:
        rule = c.execute(
            "SELECT number, program_id FROM rules WHERE organization_id = %s AND id = %s",
            (organization_id, wanted.rule_id),
        ).fetchone()
        if rule is None or wanted.program_id not in (None, rule["program_id"]):
            return Slice([], None)
        number = rule["number"]
        wanted = replace(wanted, program_id=rule["program_id"])
    read = _by_status if order.columns[0] is _STATUS else _page
    return read(c, _where(organization_id, wanted, number), order, page, wanted.status)


def _where(organization_id: UUID, wanted: Filter, rule_number: int | None) -> Where:
    where = Where.of(organization_id, "e.organization_id")
    where.equal("e.program_id", "program_id", wanted.program_id)
    where.equal("e.event_type", "event_type", wanted.event_type)
    if wanted.participant_id is not None:
        # One partition holds all events of a participant; its index finds them.
        where.equal("e.participant_id", "participant_id", wanted.participant_id)
        where.equal("e.partition", "partition", partition_of(wanted.participant_id))
    where.window("e.created_at", wanted.created_from, wanted.created_to, "created")
    where.window("e.event_timestamp", wanted.happened_from, wanted.happened_to, "happened")
    if rule_number is not None:
        where.add(
            "(d.evaluations @> %(matched_0)s::jsonb OR d.evaluations @> %(matched_1)s::jsonb"
            " OR d.evaluations @> %(matched_2)s::jsonb)",
            **{f"matched_{i}": dumps([[rule_number, word]]) for i, word in enumerate(_MATCHED)},
        )
    return where


def _by_status(c: Connection, where: Where, order: Order, page: Page, only: EventStatus | None) -> Slice:
    within = Order(order.columns[1:], order.descending)
    statuses: Sequence[EventStatus] = sorted(EventStatus, reverse=order.descending)
    after = page.after
    if after is not None:
        statuses = statuses[statuses.index(EventStatus(after[0])):]
    rows: list[dict[str, Any]] = []
    for status in statuses:
        if only not in (None, status):
            continue
        start = after[1:] if after is not None and after[0] == status else None
        # One more than is left, so that the last row of a page knows of the first of the next status.
        found = _page(c, where, within, Page(page.limit + 1 - len(rows), start), status)
        rows += ({**row, "status": status.value} for row in found.rows)
        if len(rows) > page.limit:
            break
        if found.next is not None:
            return Slice(rows, (status.value, *found.next))
    return cut(rows, order, page.limit)


def _page(c: Connection, where: Where, order: Order, page: Page, status: EventStatus | None) -> Slice:
    clauses = list(where.clauses)
    few = False
    if status is not None:
        clauses.append(_IS[status])
        few = _is_rare(c, where.parameters["organization_id"], status)
        if few:
            clauses.append(f"e.seq IN ({_NUMBERS[status]})")
        elif status is EventStatus.RECEIVED:
            clauses.append(_WAITING_FROM)
    walks = not few and _SELECTIVE[order.columns[0]].isdisjoint(where.parameters)
    with c.transaction():
        edge = None
        if walks:
            # The planner takes the conditions on a status for rare and would sort the whole table: walk the
            # index in the order of the list instead, and stop when the page is full.
            c.execute("SET LOCAL enable_sort = off")
            if status is not None or not _SPARSE.isdisjoint(where.parameters):
                edge = _edge(c, where.parameters, order, page)
        parameters = where.parameters
        if edge is not None:
            way = ">=" if order.descending else "<="
            clauses.append(f"({order.columns[0].sql}, e.seq) {way} (%(edge_at)s, %(edge)s)")
            parameters = {**parameters, "edge_at": edge[0], "edge": edge[1]}
        sql = f"SELECT {COLUMNS} {FROM} WHERE {' AND '.join(clauses)}"
        found = fetch(c, sql, parameters, order, page)
    return Slice(found.rows, edge) if found.next is None else found


def _edge(c: Connection, parameters: Mapping[str, Any], order: Order, page: Page) -> tuple[Any, ...] | None:
    """Return the place of the last event that a page may look at, None where the list ends before."""
    clock = order.columns[0]
    where = Where.of(parameters["organization_id"], "e.organization_id")
    if clock is _CREATED:
        where.window(clock.sql, parameters.get("created_from"), parameters.get("created_to"))
        sql = f"SELECT e.created_at, e.seq FROM events e WHERE {where.sql()}"
    else:
        where.window(clock.sql, parameters.get("happened_from"), parameters.get("happened_to"))
        sql = f"SELECT e.event_timestamp, e.seq FROM events e WHERE {where.sql()}"
    text, values = ordered(sql, where.parameters, order, page, 1)
    row = c.execute(f"{text} OFFSET {LOOKED_AT_MAX - 1}", values).fetchone()
    return None if row is None else (row[clock.name], row["seq"])


def _is_rare(c: Connection, organization_id: UUID, status: EventStatus) -> bool:
    """Say whether so few events can have a status that reading and sorting them all is cheap."""
    numbers = _NUMBERS.get(status)
    if numbers is None:
        return False
    row = c.execute(
        f"SELECT count(*) AS n FROM ({numbers} LIMIT %(few)s) w",
        {"organization_id": organization_id, "few": FEW},
    ).fetchone()
    return row is not None and row["n"] < FEW
