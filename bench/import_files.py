"""The files of a move from another system, and the questions whose answers say that all of it arrived once.

People with a profile, an opening lot each with its vintage and expiry, their history of events; bad lines at
known places. Used by bench/imports at full size and by a test at a small one.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

PART_BYTES = 8 << 20
BAD_EVERY = 1_000
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_FORM = "%Y-%m-%dT%H:%M:%SZ"
_RANK = """
SELECT count(*) FROM (
    SELECT idempotency_key::int AS place, lag(idempotency_key::int) OVER (ORDER BY seq) AS before
    FROM events WHERE organization_id = %s
) e WHERE place < before
"""
_BALANCES = """
SELECT COALESCE(sum(a.available), 0)::int FROM accounts a JOIN assets s ON s.id = a.asset_id
WHERE a.organization_id = %s AND a.owner_type = 'PARTICIPANT' AND s.symbol = %s
"""

Ask = Callable[..., Any]
Send = Callable[[str, str, dict[str, str], bytes, str], dict[str, Any]]  # method, path, query, body, type


@dataclass(frozen=True)
class Move:
    """How much is moved."""

    people: int
    events: int

    def participants(self) -> Iterator[str]:
        """A CSV file; a bad line comes after every thousandth good one."""
        yield "external_id,email,first_name,tags,attributes.city\n"
        for i in range(self.people):
            yield f"c{i:07},c{i}@example.com,Name {i},vip|t{i % 5},City {i % 50}\n"
            if i % BAD_EVERY == BAD_EVERY - 1:
                yield ",nobody@example.com,,,\n"

    def balances(self) -> Iterator[str]:
        """JSON Lines: a lot for everybody; a line of an unknown person after every thousandth."""
        for i in range(self.people):
            earned = _BEGIN + timedelta(days=i % 300)
            yield (
                f'{{"external_id": "c{i:07}", "asset": "MILES", "amount": "{i % 50 + 1}.00", "created_at": '
                f'"{earned:{_FORM}}", "expires_at": "{earned + timedelta(days=4000):{_FORM}}"}}\n'
            )
            if i % BAD_EVERY == BAD_EVERY - 1:
                yield '{"external_id": "nobody", "asset": "MILES", "amount": "1"}\n'

    def history(self) -> Iterator[str]:
        """JSON Lines: events of everybody in turns; a line that is not JSON after every thousandth."""
        for i in range(self.events):
            at = _BEGIN + timedelta(seconds=i)
            yield (
                f'{{"external_id": "c{i % self.people:07}", "idempotency_key": "{i}", "event_timestamp": '
                f'"{at:{_FORM}}", "event_data": {{"type": "purchase", "amount": {i % 100}}}}}\n'
            )
            if i % BAD_EVERY == BAD_EVERY - 1:
                yield "not json\n"

    def bad(self, kind: str) -> int:
        """How many lines of a file are bad."""
        return (self.events if kind == "events" else self.people) // BAD_EVERY

    def files(self) -> Iterator[tuple[str, str, Iterator[str]]]:
        """The files in the order in which they are imported: kind, type, lines."""
        yield "participants", "text/csv", self.participants()
        yield "balances", "application/x-ndjson", self.balances()
        yield "events", "application/x-ndjson", self.history()

    def faults(self, ask: Ask, organization_id: UUID) -> list[str]:
        """What is missing, double, out of order or wrong, once everything has been imported and decided."""
        count = "SELECT count(*) FROM "
        mine = " WHERE organization_id = %s"
        lots = sum(i % 50 + 1 for i in range(self.people))
        # Nothing is credited for an amount of zero.
        points, gains = (sum(f(i % 100) for i in range(self.events)) for f in (int, bool))
        wanted: list[tuple[str, Any, str, tuple[Any, ...]]] = [
            ("people", self.people, count + "participants" + mine, ()),
            ("enrollments", self.people, count + "enrollments" + mine, ()),
            ("people with tags", self.people, count + "owners" + mine + " AND cardinality(tags) = 2", ()),
            ("lots", self.people, count + "lots" + mine, ()),
            ("lots with vintage and expiry", self.people, count + "lots" + mine
             + " AND created_at < '2025-01-01' AND expires_at - created_at = interval '4000 days'", ()),
            ("opening balances", lots, _BALANCES, ("MILES",)),
            ("events", self.events, count + "events" + mine, ()),
            ("keys of events", self.events, "SELECT count(DISTINCT idempotency_key) FROM events" + mine, ()),
            ("events out of order", 0, _RANK, ()),
            ("completed events", self.events, count + "decisions" + mine + " AND status = 'COMPLETED'", ()),
            ("credits", gains, count + "journal_entries" + mine + " AND action_type = 'CREDIT'", ()),
            ("opening entries", self.people, count + "journal_entries" + mine
             + " AND action_type = 'ADJUST_CREDIT'", ()),
            ("points", points, _BALANCES, ("PTS",)),
        ]
        found = ((name, right, ask(sql, organization_id, *more)) for name, right, sql, more in wanted)
        return [f"{name}: {there}, not {right}" for name, right, there in found if there != right]


def prepare(post: Callable[[str, dict[str, Any]], dict[str, Any]]) -> str:
    """Make the program that everything is moved to, its two assets and its rule; returns its id."""
    program_id: str = post("/v1/programs", {"name": "Moved"})["id"]
    made = {
        symbol: post("/v1/assets", {
            "program_id": program_id, "name": symbol, "symbol": symbol, "inventory_mode": mode, "scale": 2,
            "issuance_policy": "UNLIMITED",
        })["id"]
        for symbol, mode in (("MILES", "LOT"), ("PTS", "SIMPLE"))
    }
    post("/v1/rules", {
        "program_id": program_id, "name": "points", "condition": 'event.type == "purchase"',
        "actions": [{"type": "CREDIT", "asset_id": made["PTS"], "amount": "event.amount"}],
    })
    return program_id


def upload(send: Send, kind: str, file_type: str, lines: Iterable[str], program_id: str) -> tuple[str, int]:
    """Send a file in parts; returns the import's id and how many bytes it has."""
    import_id, start = "", 0
    for part, last in _parts(lines):
        more = "false" if last else "true"
        if import_id:
            query = {"start": str(start), "more": more}
            send("PUT", f"/v1/imports/{import_id}/parts", query, part, file_type)
        else:
            query = {"kind": kind, "program_id": program_id, "more": more}
            import_id = send("POST", "/v1/imports", query, part, file_type)["id"]
        start += len(part)
    return import_id, start


def _parts(lines: Iterable[str]) -> Iterator[tuple[bytes, bool]]:
    """Cut a file where a part is full, wherever that is in a line; the last part is marked."""
    held = bytearray()
    for line in lines:
        held += line.encode()
        if len(held) > PART_BYTES:
            yield bytes(held[:PART_BYTES]), False
            del held[:PART_BYTES]
    yield bytes(held), True
