"""The verdict of `chaos`: what must hold after the storm, and the undisturbed run it is compared with.

Everything is read from the databases, not asked of the system that was shaken. This is the verdict on the
events of the program Chaos; that on all other work stands in app/cli/chaos_books.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.rows import dict_row

from app.cli.chaos_faults import Fault
from app.cli.chaos_traffic import Traffic

RECOVERY_SECONDS_MAX = 15.0

_OUTCOMES = """
SELECT e.id, e.seq, e.created_at, e.idempotency_key, e.external_id, e.participant_id, d.status, d.error_code,
    d.commit_order, extract(epoch FROM d.decided_at)::float8 AS decided_at,
    count(d.event_seq) OVER (PARTITION BY e.seq) AS decisions
FROM events e LEFT JOIN decisions d ON d.organization_id = e.organization_id AND d.event_seq = e.seq
WHERE e.idempotency_key LIKE 'chaos-%'
ORDER BY e.seq
"""
_STATES = """
SELECT p.external_id, w.tags, w.counters, w.attributes, a.available, a.held
FROM participants p
JOIN owners w ON w.organization_id = p.organization_id AND w.id = p.id
LEFT JOIN accounts a ON a.organization_id = p.organization_id AND a.owner_id = p.id
WHERE p.external_id LIKE 'person-%'
"""
_ENTRIES = """
SELECT e.idempotency_key, j.action_type, o.line, o.account_id > 0 AS of_owner, o.bucket, o.amount
FROM journal_entries j
JOIN events e ON e.organization_id = j.organization_id AND e.seq = j.event_seq
JOIN postings o ON o.organization_id = j.organization_id AND o.entry_id = j.id
WHERE e.idempotency_key LIKE 'chaos-%'
ORDER BY e.seq, j.id, o.line
"""
_HISTORY = """
SELECT e.idempotency_key, jsonb_agg(c.value - 5 ORDER BY h.id, c.ordinality) AS changes
FROM state_history h
JOIN events e ON e.organization_id = h.organization_id AND e.seq = h.event_seq
CROSS JOIN jsonb_array_elements(h.changes) WITH ORDINALITY AS c
WHERE e.idempotency_key LIKE 'chaos-%'
GROUP BY 1
"""


@dataclass(frozen=True)
class Picture:
    """What a database holds, by names that are the same in both runs."""

    outcomes: dict[str, tuple[str | None, str | None]]
    states: dict[str, Any]
    entries: dict[str, list[tuple[Any, ...]]]
    history: dict[str, Any]


def rows(url: str, statement: str) -> list[dict[str, Any]]:
    """Read with a connection of our own."""
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as c:
        return c.execute(statement).fetchall()


def picture(url: str) -> Picture:
    """Look at a database."""
    entries: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows(url, _ENTRIES):
        entries.setdefault(row["idempotency_key"], []).append(
            (row["action_type"], row["line"], row["of_owner"], row["bucket"], row["amount"])
        )
    return Picture(
        {row["idempotency_key"]: (row["status"], row["error_code"]) for row in rows(url, _OUTCOMES)},
        {row["external_id"]: (
            sorted(row["tags"]), row["counters"], row["attributes"], row["available"] or Decimal(0),
            row["held"] or Decimal(0),
        ) for row in rows(url, _STATES)},
        entries,
        {row["idempotency_key"]: row["changes"] for row in rows(url, _HISTORY)},
    )


def faults_of_acceptance(url: str, traffic: Traffic, expected: int) -> Iterator[str]:
    """Say what of the promises of the API does not hold: nothing lost, nothing doubled, order kept."""
    found = rows(url, _OUTCOMES)
    by_key = {row["idempotency_key"]: row for row in found}
    if len(traffic.accepted) != expected:
        yield f"{expected - len(traffic.accepted)} of {expected} events were never accepted"
    yield from traffic.refused[:5]
    lost = [key for key, name in traffic.accepted.items() if str(by_key.get(key, {}).get("id")) != name]
    if lost:
        yield f"{len(lost)} accepted events are not stored, such as {lost[0]}"
    if len(by_key) != len(found) or len(found) != expected:
        yield f"{len(found)} rows for {len(by_key)} events, {expected} were sent"
    undecided = [row for row in found if row["decisions"] != 1]
    if undecided:
        yield f"{len(undecided)} events are not decided exactly once, such as {undecided[0]}"
    yield from _disorder(found, traffic)


def _disorder(found: list[dict[str, Any]], traffic: Traffic) -> Iterator[str]:
    """Name the first event that was decided before one that had to come first.

    That is one of the same batch, or one that was answered before it was sent; of two requests that were
    under way together, the one that drew the lower number may commit, and so be decided, later.
    """
    earlier: dict[Any, list[dict[str, Any]]] = {}
    for row in found:
        sent_at = traffic.sent_at.get(row["idempotency_key"], 0.0)
        before = earlier.setdefault(row["participant_id"], [])
        for one in before:
            answered_at = traffic.accepted_at.get(one["idempotency_key"], float("inf"))
            bound = one["created_at"] == row["created_at"] or answered_at < sent_at
            if bound and (one["commit_order"] or 0) >= (row["commit_order"] or 0):
                yield f"{row['external_id']}: {row['idempotency_key']} came before {one['idempotency_key']}"
                return
        before.append(row)


def differences(shaken: Picture, calm: Picture) -> Iterator[str]:
    """Say where the shaken run came out otherwise than the calm one."""
    for what in ("outcomes", "states", "entries", "history"):
        one: Mapping[str, Any] = getattr(shaken, what)
        other: Mapping[str, Any] = getattr(calm, what)
        unequal = [key for key in one.keys() | other.keys() if one.get(key) != other.get(key)]
        if unequal:
            key = sorted(unequal)[0]
            yield f"{len(unequal)} {what} differ; {key}: {one.get(key)} instead of {other.get(key)}"


@dataclass(frozen=True)
class Recovery:
    """How long after a fault events went on: new ones, and all that had been sent before."""

    fault: Fault
    new_seconds: float
    old_seconds: float

    @property
    def fine(self) -> bool:
        """Whether both came within the limit."""
        return max(self.new_seconds, self.old_seconds) <= RECOVERY_SECONDS_MAX


def recoveries(url: str, traffic: Traffic, struck: list[Fault]) -> list[Recovery]:
    """Measure each fault: until the first event sent after it was decided, and all sent before it were.

    Where nothing was sent after a fault, only the second is known.
    """
    decided = {row["idempotency_key"]: row["decided_at"] or float("inf") for row in rows(url, _OUTCOMES)}
    found = []
    for fault in struck:
        after = [decided[key] - fault.at for key, at in traffic.sent_at.items() if at > fault.at]
        before = [decided[key] - fault.at for key, at in traffic.sent_at.items() if at <= fault.at]
        found.append(Recovery(fault, max(0.0, min(after, default=0.0)), max(0.0, max(before, default=0.0))))
    return found
