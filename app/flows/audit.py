"""The auditor: checks the ledger continuously, a slice of accounts and of the chain at a time.

What it finds is logged, counted for the metrics and kept; it repairs nothing. Complete checks on demand are
flows/verify.
"""

from uuid import UUID

import structlog

from app.book import audits, chain, check
from app.book.audits import Mark
from app.book.check import Checked, Finding
from app.db import Connection, read_clock, transaction
from app.flows.verify import lost_tail
from app.ledger.chain import breaks
from app.observe import count
from app.queue import client

ORGANIZATIONS_PER_RUN = 5
ACCOUNTS_PER_SLICE = 200
PLACES_PER_SLICE = 2000

log = structlog.get_logger("audit")


def run() -> int:
    """Audit the next slice of the organizations that have waited for longest; returns the violations."""
    with transaction() as c:
        waiting = audits.next_organizations(c, ORGANIZATIONS_PER_RUN)
    found = sum(audit_slice(organization_id) for organization_id in waiting)
    count(client(), audit_slices=len(waiting), invariant_violations=found)
    return found


def audit_slice(organization_id: UUID) -> int:
    """Audit the next slice of one organization; returns how many violations it found."""
    with transaction() as c:
        c.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        # A sum over an account takes as long as it has postings, and a wallet may have all there are.
        c.execute("SET LOCAL statement_timeout = 0")
        mark = audits.get(c, organization_id) or Mark()
        checks = []
        end = audits.slice_end(c, organization_id, mark.account_id, ACCOUNTS_PER_SLICE)
        if end is not None:
            checks = check.run_slice(c, organization_id, max(mark.account_id, 1), end)
        places, through = _chain(c, organization_id, mark)
        checks.append(places)
        found = sum(each.violations for each in checks)
        head = chain.head(c, organization_id)
        lost = lost_tail(c, organization_id)
        # A head that has vanished stays on record, so that no later audit takes the shorter chain for whole.
        keep = lost is not None or head is None
        audits.put(c, organization_id, Mark(
            end or 0, through, mark.head_sequence if keep or head is None else head.sequence_number,
            mark.head_hash if keep or head is None else head.entry_hash, mark.violations + found,
        ), read_clock(c))
    for each in checks:
        for example in each.examples:
            log.error(
                "ledger_violation", check=each.name, organization_id=str(organization_id),
                subject=example.subject, detail=example.detail,
            )
    return found


def _chain(c: Connection, organization_id: UUID, mark: Mark) -> tuple[Checked, int]:
    """Verify the next places of the chain, from its start again when the end is reached."""
    head = chain.head(c, organization_id)
    last = 0 if head is None else head.sequence_number
    after = mark.checked_sequence if mark.checked_sequence < last else 0
    through = min(after + PLACES_PER_SLICE, last)
    found: list[Finding] = []
    previous = chain.hash_at(c, organization_id, after)
    if previous is None:
        found.append(Finding(f"place {after}", "is missing from the chain"))
        previous = bytes(32)
    found += [
        Finding(f"place {b.sequence_number}, entry {b.entry_id}", b.reason)
        for b in breaks(previous, after, chain.links(c, organization_id, after, through))
    ]
    lost = lost_tail(c, organization_id)
    if lost is not None:
        found.append(lost)
    return Checked("hash_chain", len(found), tuple(found)), through
