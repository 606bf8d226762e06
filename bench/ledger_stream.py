"""One posting a commit, as bench/ledger measures it: in its own process, and in several clients at once.

    python -m bench.ledger_stream NUMBER COPIES

A client reads the book from its first line, then lines of "ours SECONDS"; it posts for so long and answers
each with JSON, as the peer's does (bench/hordak_peer.py).
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from app import db
from app.book import assets, post, read
from app.domain.assets import Asset
from app.domain.ids import TimeOrdered
from app.flows.locks import lock_owners
from app.ledger.accounts import AccountKey
from app.ledger.entries import Cause
from app.ledger.transfers import transfer
from bench.peer import ACCOUNTS, Peers


@dataclass(frozen=True, slots=True)
class Book:
    """Where transfers are posted: a SIMPLE asset, and people who have enough of it."""

    organization_id: UUID
    program_id: UUID
    asset: Asset
    people: list[UUID]


def one_a_commit(book: Book, seconds: float, first: int = 0) -> float:
    """Transfers per second with locks, reads and a commit for each, beginning with the first pair."""
    cause, one = Cause(book.program_id), Decimal(1)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        giver, taker = (book.people[(7 * (first + done) + n) % len(book.people)] for n in range(2))
        keys = [AccountKey(book.organization_id, person, book.asset.id) for person in (giver, taker)]
        with db.pipelined() as c:
            lock_owners(c, book.organization_id, [giver, taker])
            found, now = read.read_accounts_and_clock(read.start_accounts_and_clock(c, keys))
            plan = transfer(
                found[keys[0]], [(found[keys[1]], one)], book.asset, cause=cause, now=now,
                ids=TimeOrdered(now),
            )
            post.write_plans(c, [plan], now)
        done += 1
    return done / (time.perf_counter() - started)


@contextmanager
def streams(book: Book, copies: int) -> Iterator[Peers]:
    """Run so many clients of the book, with as many accounts as the peer has."""
    told = json.dumps([str(one) for one in (
        book.organization_id, book.program_id, book.asset.id, *book.people[:ACCOUNTS]
    )])
    with Peers("a client of the ledger") as started:
        for number in range(copies):
            started.start([sys.executable, "-m", "bench.ledger_stream", str(number), str(copies)], told)
        yield started


def main() -> None:
    """Post as long as each line says, each client from a place of its own."""
    number, copies = map(int, sys.argv[1:])
    organization_id, program_id, asset_id, *people = map(UUID, json.loads(sys.stdin.readline()))
    with db.transaction() as c:
        asset = assets.get(c, organization_id, asset_id)
    assert asset is not None, "the book's asset exists"
    book = Book(organization_id, program_id, asset, people)
    one_a_commit(book, 0.3, number * len(people) // copies)
    print(json.dumps({"accounts": len(people)}), flush=True)
    for line in sys.stdin:
        seconds = float(line.split()[1])
        rate = one_a_commit(book, seconds, number * len(people) // copies)
        print(json.dumps({"transfers_per_second": rate}), flush=True)


if __name__ == "__main__":
    main()
