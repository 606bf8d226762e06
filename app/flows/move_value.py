"""What every operation that moves value on request has in common: check, lock, load, plan, write, tell.

    with pipelined() as c:
        opening = begin(c, call, [participant_id], wallet=True)
        asset = opening.look_up(OwnerType.PARTICIPANT, participant_id).asset
        desk = opening.desk()
        plan = desk.plan(lambda: credit(desk.account(participant_id), desk.source(), …))
        desk.write(plan)

That is two round trips: locks and all that stands under them, whether or not it exists; the rows and the
commit. The locks are held before anything is read that the plan depends on (app/flows/locks.py), and the
clock is read after them (decision E11). Rendering the answers of the operations is theirs.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.book import assets, post, read
from app.book.accounts import AccountNumbers
from app.db import Connection
from app.domain.amounts import EXACT, ZERO, format_amount
from app.domain.assets import Asset
from app.domain.errors import (
    AssetNotLinked,
    GroupArchived,
    NotFound,
    ParticipantInactive,
    ProgramArchived,
    ProgramSuspended,
)
from app.domain.ids import MICROSECOND, TimeOrdered
from app.domain.names import Bucket, IssuancePolicy, OwnerType, ProgramStatus, WebhookType
from app.engine.state import Owner
from app.flows import ingest
from app.flows.announce import due_events
from app.flows.balance_messages import balance_messages
from app.flows.locks import lock_owners, lock_wallets
from app.flows.memory import remember
from app.ledger.accounts import Account, AccountKey, LotsNotLoaded, new_account
from app.ledger.entries import Cause, Plan
from app.queue import ringer
from app.store import enrollments, outbox, owner_states, programs, snapshot
from app.store.outbox import Message
from app.store.snapshot import Marks

FIRST_LOTS = 200  # Most spends need few lots; an operation that needs more asks for all of them.
_numbers = AccountNumbers()

# Whether an asset that was met keeps lots. Its mode never changes, so no other process can make this untrue.
_keeps_lots: dict[tuple[UUID, UUID], bool] = {}


@dataclass(frozen=True, slots=True)
class Call:
    """Who asks, in which program, about which asset."""

    organization_id: UUID
    api_key_id: UUID | None
    program_id: UUID
    asset_id: UUID


@dataclass(slots=True)
class Desk:
    """One operation under locks: what was loaded for it, and where its plan is written."""

    c: Connection
    program: dict[str, Any]
    asset: Asset
    cause: Cause
    now: datetime
    ids: TimeOrdered
    owners: dict[UUID, Owner]
    marks: dict[UUID, Marks]
    accounts: dict[AccountKey, Account]
    standings: dict[UUID, str]
    subscribed: frozenset[WebhookType]

    def account(self, owner_id: UUID) -> Account:
        """Return an owner's account of the asset; a new one where there was none yet."""
        key = AccountKey(self.asset.organization_id, owner_id, self.asset.id)
        if key not in self.accounts:
            kind = self.owners[owner_id].kind
            self.accounts[key] = new_account(key, _numbers.next(self.c), kind)
        return self.accounts[key]

    def source(self) -> int | Account:
        """Return where credits come from and debits go to: the program's wallet, or issuance."""
        if self.asset.policy is IssuancePolicy.UNLIMITED:
            return self.asset.issuance_account
        return self.wallet()

    def wallet(self) -> Account:
        """Return the program's wallet."""
        return self.accounts[AccountKey(self.asset.organization_id, self.program["id"], self.asset.id)]

    def how(self) -> dict[str, Any]:
        """Return the arguments that every plan takes."""
        return {"cause": self.cause, "now": self.now, "ids": self.ids}

    def plan(self, make: Callable[[], Plan]) -> Plan:
        """Make a plan; where it turns out to need lots that were not loaded, load all of them and again."""
        while True:
            try:
                return make()
            except LotsNotLoaded as more:
                self.accounts |= read.accounts_with_lots(self.c, [more.key])

    def write(self, plan: Plan, messages: Sequence[Message] = ()) -> None:
        """Write the plan, the balance messages that somebody subscribes to, and announcements of expiry.

        `messages` are further ones of the operation itself; those nobody subscribes to are left out.
        """
        post.write_plans(self.c, [plan], self.now)
        self._announce(plan)
        told = self._balance_messages(plan)
        # Ids follow the order of telling, which is also that of the sequence numbers.
        told += [m._replace(id=self.ids.next()) for m in messages if m.type in self.subscribed]
        self._number(plan, told)
        outbox.insert(self.c, told)

    def refuse_inactive(self, owner_id: UUID) -> None:
        """Raise ParticipantInactive or GroupArchived; an enrollment that is not ACTIVE counts too (B4)."""
        _refuse_inactive(self.owners[owner_id], self.standings.get(owner_id))

    def _announce(self, plan: Plan) -> None:
        events = [
            event for one in plan.due for event in due_events(self.owners[one.account.owner_id].kind, [one])
        ]
        if events:
            # The bell may be heard before the commit and find nothing; the sweeper rings again.
            ringer.ring(ingest.insert_system_events(self.c, events, self.now))

    def _balance_messages(self, plan: Plan) -> list[Message]:
        names = {owner.id: owner.external_id for owner in self.owners.values()}
        return balance_messages(self.asset, plan, self.subscribed, self.ids, external_ids=names)

    def _number(self, plan: Plan, told: list[Message]) -> None:
        """Count the messages of each participant, and note when value moved last."""
        count = numbered(self.marks, told)
        touched = {account.owner_id for account in plan.accounts} & set(self.owners)
        owner_states.update(self.c, [
            owner_states.update_row(
                self.owners[owner_id], self.owners[owner_id], posted_at=self.now, active_at=None,
                messages=count[owner_id],
            )
            for owner_id in sorted(touched)
        ])

    def balance_view(self, account: Account) -> dict[str, str]:
        """Show the balances after the plan, without what is due to expire (decision E4)."""
        due: dict[Bucket, Decimal] = {}
        if account.lots_complete:
            due = account.due(self.now)
        elif self.asset.has_lots:
            due = read.due(self.c, [account], self.now).get(account.key, {})
        return {
            bucket.lower(): format_amount(
                EXACT.subtract(account.balance(bucket), due.get(bucket, ZERO)), self.asset.scale
            )
            for bucket in Bucket
        }


def numbered(marks: Mapping[UUID, Marks], messages: Iterable[Message]) -> Counter[UUID]:
    """Number messages on, participant by participant; return how many each got."""
    count: Counter[UUID] = Counter()
    for message in messages:
        person = message.participant_id
        if person is not None and person in marks:
            count[person] += 1
            message.data["sequence"] = marks[person].webhook_sequence + count[person]
    return count


@dataclass(frozen=True, slots=True)
class Found:
    """What an operation names, and exists."""

    program: dict[str, Any]
    asset: Asset
    owner: Owner | None


def find_program(c: Connection, organization_id: UUID, program_id: UUID) -> dict[str, Any]:
    """Return a program. Raises NotFound."""
    return existing_program(programs.get(c, organization_id, program_id))


def find_asset(c: Connection, call: Call) -> Asset:
    """Return the asset of a call. Raises NotFound, AssetNotLinked."""
    return linked_asset(assets.read_in_program(
        assets.start_in_program(c, call.organization_id, call.program_id, call.asset_id)
    ))


def find_owner(c: Connection, organization_id: UUID, kind: OwnerType, owner_id: UUID) -> Owner:
    """Return a participant or group. Raises NotFound."""
    known, _ = snapshot.read_owners(
        snapshot.start_owners(c, organization_id, [owner_id]), organization_id
    )
    return existing_owner(known, kind, owner_id)


def existing_program(program: dict[str, Any] | None) -> dict[str, Any]:
    """Return a program that was looked up. Raises NotFound."""
    if program is None:
        raise NotFound("Program not found")
    return program


def linked_asset(found: tuple[Asset, bool] | None) -> Asset:
    """Return an asset that was looked up in its program. Raises NotFound, AssetNotLinked."""
    if found is None:
        raise NotFound("Asset not found")
    asset, linked = found
    if not linked:
        raise AssetNotLinked(details={"asset_id": "is not linked to the program"})
    return asset


def existing_owner(known: Mapping[UUID, Owner], kind: OwnerType, owner_id: UUID) -> Owner:
    """Return an owner that was looked up. Raises NotFound."""
    owner = known.get(owner_id)
    if owner is None or owner.kind is not kind:
        raise NotFound(f"{kind.value.capitalize()} not found")
    return owner


@dataclass(slots=True)
class Opening:
    """What an operation names, locked and loaded, and not yet looked at: it may not exist."""

    c: Connection
    call: Call
    clock: datetime
    program: dict[str, Any] | None
    asset: tuple[Asset, bool] | None
    owners: dict[UUID, Owner]
    marks: dict[UUID, Marks]
    accounts: dict[AccountKey, Account]
    standings: dict[UUID, str]
    subscribed: frozenset[WebhookType]

    def look_up(self, kind: OwnerType | None = None, owner_id: UUID | None = None) -> Found:
        """Find the program, the owner where one is named, and the asset, in this order.

        Raises NotFound, AssetNotLinked.
        """
        program = existing_program(self.program)
        owner = None
        if owner_id is not None:
            assert kind is not None, "an owner is named by kind and id"
            owner = existing_owner(self.owners, kind, owner_id)
        return Found(program, linked_asset(self.asset), owner)

    def desk(self) -> Desk:
        """Return the desk at which value is moved.

        Raises what `look_up` raises, ProgramSuspended, ProgramArchived.
        """
        found = self.look_up()
        refuse_inactive_program(found.program)
        now = later_than(self.clock, self.marks)
        return Desk(
            self.c, found.program, found.asset,
            Cause(self.call.program_id, api_key_id=self.call.api_key_id), now, TimeOrdered(now), self.owners,
            self.marks, self.accounts, self.standings, self.subscribed,
        )


def begin(
    c: Connection, call: Call, owners: Sequence[UUID], *, wallet: bool = False,
    first_lots: int | None = None, also: Callable[[], None] | None = None,
) -> Opening:
    """Lock owners and, with `wallet`, the program's account of the asset; load what an operation looks at.

    With `first_lots`, load so many lots of each account; else none. `also` starts further statements behind
    the locks. One round trip of a pipeline: whether what the call names exists is told afterwards.
    """
    organization_id = call.organization_id
    keys = [AccountKey(organization_id, owner_id, call.asset_id) for owner_id in owners]
    wallets = [AccountKey(organization_id, call.program_id, call.asset_id)] if wallet else []
    # In a pipeline these are sent together, yet each sees what the locks before it waited for; the clock,
    # with the last of them, is what is waited for.
    lock_owners(c, organization_id, list(owners))
    if wallet:
        # Which policy the asset has is not known yet. Under UNLIMITED there is nothing to lock, as a rule; a
        # program that a rule credited has an account nevertheless, which is locked in vain.
        lock_wallets(c, organization_id, call.program_id, [call.asset_id])
    if also is not None:
        also()
    asset = assets.start_in_program(c, organization_id, call.program_id, call.asset_id)
    lots = None
    if first_lots is not None and _keeps_lots.get((organization_id, call.asset_id), True):
        lots = read.start_lots(c, keys, first_lots)
    states = snapshot.start_owners(c, organization_id, list(owners))
    standings = enrollments.start_standings(c, organization_id, call.program_id, list(owners))
    program = programs.start(c, organization_id, call.program_id)
    types = outbox.start_subscribed(c, [organization_id])
    found, clock = read.read_accounts_and_clock(read.start_accounts_and_clock(c, keys + wallets))
    in_program = assets.read_in_program(asset)
    if lots is not None and in_program is not None:
        has_lots = remember(_keeps_lots, (organization_id, call.asset_id), in_program[0].has_lots)
        if has_lots:
            found = read.with_lots(found, read.read_lots(lots), keys, first_lots)
    known, marks = snapshot.read_owners(states, organization_id)
    return Opening(
        c, call, clock, program.fetchone(), in_program, known, marks, found,
        enrollments.read_standings(standings),
        outbox.read_subscribed(types).get(organization_id, frozenset()),
    )


def open_desk(
    c: Connection, call: Call, owners: Sequence[UUID], *, wallet: bool = False, first_lots: int | None = None
) -> Desk:
    """Do the same where all that is named is known to exist. Raises ProgramSuspended, ProgramArchived."""
    return begin(c, call, owners, wallet=wallet, first_lots=first_lots).desk()


def later_than(clock: datetime, marks: dict[UUID, Marks]) -> datetime:
    """Return the clock's instant, but later than the last posting of every owner concerned."""
    last = max((mark.last_posted_at for mark in marks.values() if mark.last_posted_at), default=None)
    return clock if last is None or clock > last else last + MICROSECOND


def refuse_inactive_program(program: dict[str, Any]) -> None:
    """Raise what a program that is not ACTIVE answers to operations on value (decision B8)."""
    if program["status"] == ProgramStatus.SUSPENDED:
        raise ProgramSuspended()
    if program["status"] == ProgramStatus.ARCHIVED:
        raise ProgramArchived()


def refuse_inactive_owner(c: Connection, owner: Owner, program_id: UUID) -> None:
    """Raise ParticipantInactive or GroupArchived; an enrollment that is not ACTIVE counts too (B4)."""
    started = enrollments.start_standings(c, owner.organization_id, program_id, [owner.id])
    _refuse_inactive(owner, enrollments.read_standings(started).get(owner.id))


def _refuse_inactive(owner: Owner, standing: str | None) -> None:
    if owner.kind is OwnerType.GROUP:
        if owner.status != "ACTIVE":
            raise GroupArchived()
        return
    if owner.status != "ACTIVE":
        raise ParticipantInactive(f"Participant is {owner.status}")
    if standing is not None and standing != "ACTIVE":
        raise ParticipantInactive(f"The participant's enrollment is {standing}")
