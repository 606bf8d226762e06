"""The integrity report over HTTP."""

from app.api.models.journal import Integrity, IntegrityQuery
from app.api.routing import Reply, Request, route
from app.book import chain, integrity
from app.db import read_clock, transaction
from app.flows.verify import lost_tail
from app.ledger.chain import breaks


@route(
    "GET", "/v1/reports/integrity", summary="Verify the ledger", tag="Reports", query=IntegrityQuery,
    responses={200: Integrity},
    description=(
        "Verifies the latest sealed entries again: postings, hash chain, conservation of value per asset, "
        "and that nothing stays unsealed for longer than a minute. `dev.py verify` checks everything."
    ),
)
def get_integrity_report(request: Request) -> Reply:
    """Verify the latest entries of the organization's ledger, from one snapshot."""
    organization_id, window = request.organization_id, request.query.window
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
    return Reply(200, {
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
    })
