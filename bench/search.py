"""How long a page of participants takes: searches of every length and rarity, filters, sorts; with many rows.

    DATABASE_URL=… python3 dev.py bench search [--people 1000000] [--runs 200] [--without-index]

It makes an organization of its own by SQL, and removes nothing: run it on a scratch database. The bound: the
99th percentile of a search stays under 50 ms. `--without-index` drops the trigram index.
"""

import itertools
import json
import random
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any
from uuid import UUID

import psycopg

from app import db
from app.domain.ids import new_id
from app.settings import settings
from app.store import organizations, participants
from app.store.pages import Page, Slice
from bench.load import percentile

MS = 1000
_FILL = """
CREATE TEMP TABLE made AS
SELECT gen_random_uuid() AS id, n, read_clock() - n * interval '1 second' AS at
FROM generate_series(1, %(people)s) n;
INSERT INTO owners (organization_id, id, kind) SELECT %(o)s, id, 'PARTICIPANT' FROM made;
INSERT INTO participants (organization_id, id, external_id, status, email, phone, first_name, last_name,
    created_at, updated_at)
SELECT %(o)s, id, 'customer-' || n, CASE WHEN n %% 10000 = 0 THEN 'CLOSED' ELSE 'ACTIVE' END,
    substr(md5(n::text), 1, 8) || '@example.com', '+49' || (n::bigint * 7919 %% 10000000),
    CASE WHEN n = %(people)s - 5 THEN 'Zoë Ωq' ELSE 'Ada' END, 'N' || substr(md5((-n)::text), 1, 6), at, at
FROM made;
INSERT INTO enrollments (organization_id, program_id, participant_id, enrolled_at, updated_at)
SELECT %(o)s, %(program)s, id, at, at FROM made WHERE n %% 5000 = 0;
DROP TABLE made;
"""
_PROGRAM = """
INSERT INTO owners (organization_id, id, kind) VALUES (%(o)s, %(program)s, 'PROGRAM');
INSERT INTO programs (organization_id, id, name, created_at, updated_at)
    VALUES (%(o)s, %(program)s, 'Small', read_clock(), read_clock());
"""
# What is looked for: in many rows, in some, in one at the end of the list, in none; long and short.
TEXTS = (
    "a", "q", "7", "Ω", "%", "zq", "Ωq", "q1", "ë", "ada", "example", "999999", "customer-1", "zzz", "c-9",
    "@e", "a@", "nobody at all", "n0", "4711", "abc", "Zoë", "ada example", "customer-77777",
    "9999", "ab1@example.com", "ada N0a",
)


def fill(people: int) -> tuple[UUID, UUID]:
    """Make an organization with so many participants; returns its id and that of a small program."""
    organization_id, program_id = new_id(), new_id()
    values = {"o": organization_id, "program": program_id, "people": people}
    with db.transaction() as c:
        c.execute("SET LOCAL statement_timeout = 0")
        organizations.insert(
            c, organization_id=organization_id, name="Bench", rate_limit_per_second=0, rate_limit_burst=0,
            now=db.read_clock(c),
        )
        psycopg.ClientCursor(c).execute(_PROGRAM + _FILL, values)
    # Only the owner of the tables may; without statistics the planner reads all of the organization.
    with psycopg.connect(settings().migration_database_url, autocommit=True) as c:
        for table in ("participants", "enrollments", "owners"):
            c.execute(f"VACUUM ANALYZE {table}")
    return organization_id, program_id


def reader(organization_id: UUID) -> Callable[..., Slice]:
    """Return a function that reads one page by the filters given."""

    def read(after: Any = None, sort_by: str = "created_at", descending: bool = True, **given: Any) -> Slice:
        filters = {"external_id": None, "program_id": None, "status": None, "search": None, **given}
        order = participants.order(sort_by, descending=descending)
        with db.connection() as c:
            return participants.page(
                c, organization_id, order, Page(50, after), window=(None, None), **filters
            )

    return read


def measure(read: Callable[..., Slice], runs: int, **query: Any) -> dict[str, float]:
    """Time pages of a list: the first one, and others along it."""
    times, after = [], None
    for _ in range(runs):
        began = time.perf_counter()
        after = read(after, **query).next
        times.append(MS * (time.perf_counter() - began))
    return summary(times)


def summary(times: list[float]) -> dict[str, float]:
    """Return the figures of one line."""
    return {
        "p50_ms": percentile(times, 0.5), "p99_ms": percentile(times, 0.99), "max_ms": round(max(times), 1),
    }


def main(argv: list[str]) -> int:
    """Measure and print the figures."""
    parser = ArgumentParser(prog="dev.py bench search", description=__doc__)
    parser.add_argument("--people", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--without-index", action="store_true")
    asked = parser.parse_args(argv)
    if asked.without_index:
        with db.transaction() as c:
            c.execute("DROP INDEX IF EXISTS participants_search")
    organization_id, program_id = fill(asked.people)
    read = reader(organization_id)
    found: dict[str, Any] = {
        f"search {text!r}": measure(read, asked.runs, search=text) for text in TEXTS
    }
    lists: dict[str, dict[str, Any]] = {"all": {}, "status": {"status": "CLOSED"},
                                        "program": {"program_id": program_id}}
    for (name, query), sort_by, down in itertools.product(lists.items(), participants.SORTS, (True, False)):
        label = f"{name} by {sort_by} {'desc' if down else 'asc'}"
        found[label] = measure(read, asked.runs, sort_by=sort_by, descending=down, **query)
    mixed = [MS * _once(read, text) for text in random.Random(1).choices(TEXTS, k=asked.runs * 5)]
    found["mixed searches, first page"] = summary(mixed)
    print(json.dumps(found, indent=1))
    return 0


def _once(read: Callable[..., Slice], text: str) -> float:
    began = time.perf_counter()
    read(None, search=text)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
