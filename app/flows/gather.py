"""Locking and loading what a batch of events may touch: from events to a World.

Two round trips: the locks in their global order, then the snapshot and the clock in later statements.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from app.book import read as book
from app.db import Connection
from app.domain.automations import Automation
from app.domain.events import Event
from app.domain.ids import in_order
from app.domain.names import OwnerType, WebhookType
from app.engine.ruleset import Candidates, Ruleset
from app.engine.state import AccountKey, Owner, World
from app.flows import locks, review_tiers
from app.store import automations, outbox, snapshot, tier_states
from app.store.snapshot import Marks, ProgramFacts

MICROSECOND = timedelta(microseconds=1)

_DRAW = "SELECT read_clock() AS now, nextval('commit_order') AS commit_order"
_READ = "SELECT read_clock() AS now, 0 AS commit_order"


@dataclass(slots=True)
class Extras:
    """What an event turned out to need beyond what its own fields name."""

    owners: set[UUID] = field(default_factory=set)
    external_ids: set[str] = field(default_factory=set)
    lots: set[AccountKey] = field(default_factory=set)


@dataclass(slots=True)
class Gathered:
    """The locked state of a batch: running (`world`), as it was (`states`), and the bookkeeping around it."""

    world: World
    states: dict[UUID, Owner]
    programs: dict[UUID, ProgramFacts]
    marks: dict[UUID, Marks]
    subscribed: frozenset[WebhookType]
    commit_order: int
    watching: list[Automation]


@dataclass(slots=True)
class Wanted:
    """The union of what the events of a batch need locked and loaded."""

    organization_id: UUID
    program_ids: set[UUID] = field(default_factory=set)
    owners: set[UUID] = field(default_factory=set)
    external_ids: set[str] = field(default_factory=set)
    lots: set[AccountKey] = field(default_factory=set)
    budget_rules: set[UUID] = field(default_factory=set)
    wallets: dict[UUID, set[UUID]] = field(default_factory=dict)
    program_state: set[UUID] = field(default_factory=set)
    groups: bool = False
    tiers: bool = False
    lots_of_balances: bool = False

    def add(self, event: Event, ruleset: Ruleset, candidates: Candidates, extras: Extras | None) -> None:
        """Add what one event needs."""
        self.program_ids.add(event.program_id)
        for owner in (event.participant_id, event.recipient_id, event.group_id):
            if owner is not None:
                self.owners.add(owner)
        if extras is not None:
            self.owners |= extras.owners
            self.external_ids |= extras.external_ids
            self.lots |= extras.lots
        self.budget_rules.update(candidates.budget_rules)
        if candidates.wallet_assets:
            self.wallets.setdefault(event.program_id, set()).update(candidates.wallet_assets)
        if candidates.program_state:
            self.program_state.add(event.program_id)
        self.groups = self.groups or candidates.reads_groups
        self.tiers = self.tiers or candidates.reads_tiers
        if candidates.reads_balances and any(asset.has_lots for asset in ruleset.assets.values()):
            self.lots_of_balances = True


def gather(c: Connection, wanted: Wanted) -> Gathered:
    """Lock and load; to be called inside a transaction and a pipeline."""
    return _gather(c, wanted, lock=True)


def look(c: Connection, wanted: Wanted) -> Gathered:
    """Load the same without locks, for dry runs: nothing may be written on what it returns.

    To be called inside a transaction that reads one snapshot (REPEATABLE READ).
    """
    return _gather(c, wanted, lock=False)


def _gather(c: Connection, wanted: Wanted, *, lock: bool) -> Gathered:
    organization_id = wanted.organization_id
    names = sorted(wanted.external_ids)
    resolved = _resolve(c, organization_id, names)
    owners = sorted(wanted.owners | set(resolved.values()), key=in_order)
    if lock:
        _lock(c, wanted, owners)
    everyone = owners + sorted(wanted.program_state)
    with_wallets = everyone + sorted(wanted.wallets)
    programs = snapshot.start_programs(c, organization_id, sorted(wanted.program_ids))
    states = snapshot.start_owners(c, organization_id, everyone)
    accounts = book.start_accounts_of(c, [(organization_id, one) for one in with_wallets])
    memberships = snapshot.start_memberships(c, organization_id, owners) if wanted.groups else None
    tiers = snapshot.start_tiers(c, organization_id, owners) if wanted.tiers else None
    spent_by = sorted(wanted.budget_rules)
    budgets = snapshot.start_budgets(c, organization_id, spent_by) if spent_by else None
    again = snapshot.start_external_ids(c, organization_id, names) if names else None
    webhooks = outbox.start_subscribed(c, [organization_id])
    # Counters are the owner's, not the program's: another program's tier may start one of them anew.
    reviews = tier_states.start_due_among(c, organization_id, owners) if lock else None
    watching = automations.start_thresholds(c, organization_id) if lock else None
    clock = c.execute(_DRAW if lock else _READ)
    row: Any = clock.fetchone()
    if reviews is not None and (due := tier_states.read_due_among(reviews)):
        # A period ended before these events are decided: what it does to levels and counters comes first.
        review_tiers.settle(c, organization_id, due)
        return _gather(c, wanted, lock=lock)
    known, marks = snapshot.read_owners(states, organization_id)
    world = World(_later_than(row["now"], marks), known)
    world.absent = set(everyone) - set(known)
    world.accounts = {
        (key.owner_id, key.asset_id): account for key, account in book.read_accounts(accounts).items()
    }
    world.external_ids = {**dict.fromkeys(names), **(snapshot.read_external_ids(again) if again else {})}
    if budgets is not None:
        world.budgets = snapshot.read_budgets(budgets)
    if memberships is not None or tiers is not None:
        _complete(world, wanted, memberships, tiers)
    needing_lots = wanted.lots | (set(world.accounts) if wanted.lots_of_balances else set())
    if needing_lots:
        _load_lots(c, world, needing_lots)
    return Gathered(
        world, dict(world.owners), snapshot.read_programs(programs), marks,
        outbox.read_subscribed(webhooks).get(organization_id, frozenset()), row["commit_order"],
        automations.read_thresholds(watching) if watching is not None else [],
    )


def _lock(c: Connection, wanted: Wanted, owners: list[UUID]) -> None:
    """Lock everything that is wanted, in the one global order."""
    organization_id = wanted.organization_id
    locks.lock_owners(c, organization_id, owners)
    if wanted.budget_rules:
        locks.lock_budgets(c, organization_id, list(wanted.budget_rules))
    for program_id in sorted(wanted.wallets):
        locks.lock_wallets(c, organization_id, program_id, list(wanted.wallets[program_id]))
    if wanted.program_state:
        locks.lock_programs(c, organization_id, list(wanted.program_state))


def _resolve(c: Connection, organization_id: UUID, names: list[str]) -> dict[str, UUID]:
    if not names:
        return {}
    return snapshot.read_external_ids(snapshot.start_external_ids(c, organization_id, names))


def _later_than(clock: datetime, marks: dict[UUID, Marks]) -> datetime:
    """Return the instant of this batch: the clock, but later than the last posting of every owner in it."""
    last = max((mark.last_posted_at for mark in marks.values() if mark.last_posted_at), default=None)
    return clock if last is None or clock > last else last + MICROSECOND


def _complete(world: World, wanted: Wanted, memberships: Any, tiers: Any) -> None:
    """Add groups and tiers to the owners that were loaded without them."""
    groups = snapshot.read_memberships(memberships) if memberships is not None else {}
    levels, tracked = snapshot.read_standings(tiers) if tiers is not None else ({}, {})
    for owner_id, owner in world.owners.items():
        if owner.kind is OwnerType.PROGRAM:
            continue
        of_programs = levels.get(owner_id, {})
        world.owners[owner_id] = replace(
            owner, groups=groups.get(owner_id, ()),
            tiers={key: level for program in wanted.program_ids for key, level in
                   of_programs.get(program, {}).items()},
            tracked=tracked.get(owner_id, frozenset()),
        )


def _load_lots(c: Connection, world: World, keys: set[AccountKey]) -> None:
    """Give the accounts named all their live lots; an account that does not exist yet has none."""
    wanted = [world.accounts[key].key for key in keys if key in world.accounts]
    found = book.read_lots(book.start_lots(c, wanted))
    existing = {key: world.accounts[key.owner_id, key.asset_id] for key in wanted}
    for key, account in book.with_lots(existing, found, wanted).items():
        world.accounts[key.owner_id, key.asset_id] = account
