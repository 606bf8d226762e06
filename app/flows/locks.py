"""The one global order in which rows are locked. Whoever moves value or changes state locks through here.

1. owners: participants, groups and ledger entities, in one list sorted by organization and id
2. rewards, sorted by id
3. budgets (rule_budgets), sorted by rule and asset
4. wallets (accounts of owner_type PROGRAM), sorted by id
5. program state (owners of kind PROGRAM), sorted by id

Hot rows come last, so that they are held for the shortest time. The lock on an owner (FOR NO KEY UPDATE)
covers its state, accounts, lots, redemptions and tier states; it does not make the acceptance of events
wait, which only takes key-share locks. Configuration (programs, rules, assets, tiers) is locked before
any of these, by its own flows, which lock none of them. The snapshot and the clock are read in later
statements: READ COMMITTED then shows what the former holders committed.
"""

from uuid import UUID

from app.db import Connection, id_array
from app.domain.ids import in_order

_OWNERS = """
SELECT id FROM owners
WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s::uuid[]) AND kind <> 'PROGRAM'
ORDER BY id FOR NO KEY UPDATE
"""

_BUDGETS = """
SELECT 1 FROM rule_budgets
WHERE organization_id = %(organization_id)s AND rule_id = ANY(%(ids)s::uuid[])
ORDER BY rule_id, asset_id FOR NO KEY UPDATE
"""

_WALLETS = """
SELECT 1 FROM accounts
WHERE organization_id = %(organization_id)s AND owner_id = %(program_id)s AND owner_type = 'PROGRAM'
    AND asset_id = ANY(%(ids)s::uuid[])
ORDER BY id FOR NO KEY UPDATE
"""

_PROGRAMS = """
SELECT 1 FROM owners
WHERE organization_id = %(organization_id)s AND id = ANY(%(ids)s::uuid[]) AND kind = 'PROGRAM'
ORDER BY id FOR NO KEY UPDATE
"""


def lock_owners(c: Connection, organization_id: UUID, ids: list[UUID]) -> None:
    """Lock participants, groups and ledger entities; ids that do not exist are passed over."""
    wanted = id_array(sorted(set(ids), key=in_order))
    c.execute(_OWNERS, {"organization_id": organization_id, "ids": wanted})


def lock_budgets(c: Connection, organization_id: UUID, rule_ids: list[UUID]) -> None:
    """Lock all budgets of these rules."""
    c.execute(_BUDGETS, {"organization_id": organization_id, "ids": id_array(rule_ids)})


def lock_wallets(c: Connection, organization_id: UUID, program_id: UUID, asset_ids: list[UUID]) -> None:
    """Lock a program's wallets of these assets."""
    c.execute(
        _WALLETS,
        {"organization_id": organization_id, "program_id": program_id, "ids": id_array(asset_ids)},
    )


def lock_programs(c: Connection, organization_id: UUID, ids: list[UUID]) -> None:
    """Lock the state of these programs."""
    c.execute(_PROGRAMS, {"organization_id": organization_id, "ids": id_array(ids)})
