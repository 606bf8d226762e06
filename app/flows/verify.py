"""Verifying a whole ledger: every check of app/book/check, each organization's hash chain and roll-ups."""

from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

from app.book import audits, chain, check, integrity
from app.book.check import EXAMPLES_MAX, Checked, Finding
from app.db import Connection, read_clock, transaction
from app.flows import report_check
from app.ledger.chain import Break, breaks


def run(organization_id: UUID | None = None) -> Iterator[tuple[Checked, str]]:
    """Yield each check with a note on what it looked at. Work may go on meanwhile.

    One snapshot serves the ledger's checks, and one the roll-ups of each organization.
    """
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
    for each in whose:
        for checked in report_check.run(each):
            yield checked, f"organization {each}"


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


def latest(organization_id: UUID, window: int) -> dict[str, Any]:
    """Verify the latest `window` sealed entries of an organization, from one snapshot."""
    with transaction() as c:
        c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        now = read_clock(c)
        head = chain.head(c, organization_id)
        last = 0 if head is None else head.sequence_number
        after = max(last - window, 0)
        previous = chain.hash_at(c, organization_id, after)
        broken = len(list(
            breaks(previous or bytes(32), after, chain.links(c, organization_id, after, last))
        ))
        if previous is None or lost_tail(c, organization_id) is not None:
            broken += 1
        counts = {
            "postings_balanced": integrity.unbalanced(c, organization_id, after),
            "value_conservation": integrity.unconserved(c, organization_id),
            "unsealed_entries": integrity.unsealed(c, organization_id, now),
        }
    checks = {name: {"pass": count == 0, "violation_count": count} for name, count in counts.items()}
    return {
        "organization_id": organization_id, "verified_at": now, "window": window,
        "all_passed": broken == 0 and not any(counts.values()),
        "chain_head": None if head is None else {
            "hash": head.entry_hash.hex(), "sequence_number": head.sequence_number,
            "created_at": head.sealed_at,
        },
        **checks,
        "hash_chain": {
            "pass": broken == 0, "violation_count": broken, "entries_verified": last - after,
            "anchored_at_genesis": after == 0,
        },
    }


def lines(found: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the checks of an integrity report as rows of a table."""
    return [
        {"check": name, "pass": str(each["pass"]).lower(), "violation_count": each["violation_count"]}
        for name, each in found.items() if isinstance(each, dict) and "violation_count" in each
    ]
