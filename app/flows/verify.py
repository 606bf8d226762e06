"""Verifying a whole ledger: every check of app/book/check, and the hash chain of each organization."""

from collections.abc import Iterator
from itertools import islice
from uuid import UUID

from app.book import audits, chain, check
from app.book.check import EXAMPLES_MAX, Checked, Finding
from app.db import Connection, transaction
from app.ledger.chain import Break, breaks


def run(organization_id: UUID | None = None) -> Iterator[tuple[Checked, str]]:
    """Yield each check with a note on what it looked at. One snapshot serves all, so work may go on."""
    with transaction() as c:
        c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # A full check of a large ledger takes as long as it takes; the product's time-outs are for requests.
        c.execute("SET LOCAL statement_timeout = 0")
        c.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        for name in check.SQL_CHECKS:
            yield check.run(c, name, organization_id), ""
        whose = chain.organizations(c) if organization_id is None else [organization_id]
        for each in whose:
            yield _chain(c, each)


def _chain(c: Connection, organization_id: UUID) -> tuple[Checked, str]:
    """Verify a chain from its genesis to its head, and that the head the auditor saw is still in it."""
    head = chain.head(c, organization_id)
    through = 0 if head is None else head.sequence_number
    previous = chain.hash_at(c, organization_id, 0)
    assert previous is not None
    found = breaks(previous, 0, chain.links(c, organization_id, 0, through))
    first: list[Break] = list(islice(found, EXAMPLES_MAX))
    count = len(first) + sum(1 for _ in found)
    examples = [Finding(f"place {b.sequence_number}, entry {b.entry_id}", b.reason) for b in first]
    lost = lost_tail(c, organization_id)
    if lost is not None:
        count += 1
        examples.append(lost)
    note = "nothing sealed" if head is None else f"head {through}:{head.entry_hash.hex()}"
    return Checked("hash_chain", count, tuple(examples)), f"organization {organization_id}, {note}"


def lost_tail(c: Connection, organization_id: UUID) -> Finding | None:
    """Return what is wrong where the head that the auditor saw last is no longer in the chain."""
    mark = audits.get(c, organization_id)
    if mark is None or mark.head_hash is None:
        return None
    if chain.hash_at(c, organization_id, mark.head_sequence) == mark.head_hash:
        return None
    return Finding(
        f"place {mark.head_sequence}",
        f"the auditor saw {mark.head_hash.hex()} here: the tail was cut or replaced",
    )
