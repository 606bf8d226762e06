"""Plans in the making: the one mutable place of the ledger, used inside one operation and closed by it.

An operation opens the accounts, drafts its entry, moves lots and posts amounts; `Draft.plan` freezes it all.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from app.domain.amounts import EXACT, ZERO
from app.domain.assets import Asset
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EntryType
from app.ledger.accounts import Account, AccountKey, Lot, LotsNotLoaded, fifo
from app.ledger.checks import check_capacity
from app.ledger.entries import (
    LINES_MAX,
    Announcement,
    Cause,
    Entry,
    Movement,
    MovementKind,
    Part,
    Plan,
    Posting,
    Settlement,
)


class OpenAccount:
    """An account whose balances and lots change while an operation is planned."""

    __slots__ = ("_before", "_lots", "available", "deferred", "has_lots", "held", "overdrawn")

    def __init__(self, account: Account, asset: Asset) -> None:
        """Copy what can change."""
        self._before = account
        self.available = account.available
        self.held = account.held
        self.deferred = account.deferred
        self.overdrawn = account.overdrawn
        self.has_lots = asset.has_lots and account.keeps_lots
        self._lots: dict[UUID, Lot] | None = None
        if self.has_lots and account.lots is not None:
            self._lots = {lot.id: lot for lot in account.lots}

    @property
    def key(self) -> AccountKey:
        """The owner and the asset."""
        return self._before.key

    @property
    def account_id(self) -> int:
        """The number that postings carry."""
        return self._before.id

    @property
    def lots_complete(self) -> bool:
        """Whether every live lot is among the loaded ones."""
        return self._lots is not None and self._before.lots_complete

    def balance(self, bucket: Bucket) -> Decimal:
        """Return one bucket's balance as it stands now."""
        match bucket:
            case Bucket.AVAILABLE:
                return self.available
            case Bucket.HELD:
                return self.held
            case Bucket.DEFERRED:
                return self.deferred

    def lots(self) -> list[Lot]:
        """Return the loaded live lots in FIFO order. Raises LotsNotLoaded where there are none loaded."""
        if self._lots is None:
            raise LotsNotLoaded(self._before.key)
        return sorted(self._lots.values(), key=fifo)

    def need_all_lots(self) -> None:
        """Raise LotsNotLoaded unless every live lot is known."""
        if not self.lots_complete:
            raise LotsNotLoaded(self._before.key)

    def put(self, lot: Lot) -> None:
        """Keep the new state of a lot."""
        if self._lots is None:
            return
        if lot.remaining:
            self._lots[lot.id] = lot
        else:
            self._lots.pop(lot.id, None)

    def add(self, bucket: Bucket, delta: Decimal, may_overdraw: bool) -> None:
        """Change a bucket's balance. Raises InvalidAmount beyond what a balance can hold."""
        match bucket:
            case Bucket.AVAILABLE:
                self.available = after = EXACT.add(self.available, delta)
                self.overdrawn = (self.overdrawn or may_overdraw) and after < 0
                assert after >= 0 or self.overdrawn or delta > 0, "an operation overdrew that may not"
            case Bucket.HELD:
                self.held = after = EXACT.add(self.held, delta)
                assert after >= 0, "HELD went below zero"
            case Bucket.DEFERRED:
                self.deferred = after = EXACT.add(self.deferred, delta)
                assert after >= 0, "DEFERRED went below zero"
        check_capacity(after)

    def close(self) -> Account:
        """Return the account as it stands now."""
        before = self._before
        lots: tuple[Lot, ...] | None = None
        if self._lots is not None:
            kept = sorted(self._lots.values(), key=fifo)
            if not before.lots_complete:
                # Only the first lots are known: a newer one stands behind others that nobody has loaded.
                assert before.lots is not None
                last = fifo(before.lots[-1]) if before.lots else None
                kept = [lot for lot in kept if last is not None and fifo(lot) <= last]
            lots = tuple(kept)
        elif not self.has_lots:
            lots = before.lots
        return Account(
            before.organization_id, before.id, before.owner_type, before.owner_id, before.asset_id,
            self.available, self.held, self.deferred, self.overdrawn, lots, before.lots_complete,
        )


class EntryDraft:
    """One journal entry that postings and lot movements are still being added to."""

    __slots__ = ("_draft", "_lines", "action_type", "cause", "description", "id", "postings", "reference_id")

    def __init__(
        self, draft: "Draft", action_type: EntryType, cause: Cause, description: str | None,
        reference_id: str | None,
    ) -> None:
        """Draw the entry's id."""
        self._draft = draft
        self._lines = 0
        self.id = draft.ids.next()
        self.action_type = action_type
        self.cause = cause
        self.description = description
        self.reference_id = reference_id
        self.postings: list[Posting] = []

    def post(self, account: OpenAccount, bucket: Bucket, amount: Decimal, may_overdraw: bool = False) -> None:
        """Add a line on an account that keeps its balance."""
        if amount:
            account.add(bucket, amount, may_overdraw)
            self.postings.append(Posting(account.account_id, bucket, amount))

    def post_against(self, counterparty: "int | OpenAccount", amount: Decimal) -> None:
        """Add a line on a system account (its number) or on the AVAILABLE bucket of a kept account."""
        if isinstance(counterparty, OpenAccount):
            self.post(counterparty, Bucket.AVAILABLE, amount)
        elif amount:
            self.postings.append(Posting(counterparty, Bucket.AVAILABLE, amount))

    def move(self, account: OpenAccount, lot: Lot, kind: MovementKind, amount: Decimal) -> None:
        """Record what happened to a lot, and keep its new state."""
        self._lines += 1
        draft = self._draft
        draft.movements.append(
            Movement(draft.asset.organization_id, self.id, self._lines, lot.id, kind, amount)
        )
        draft.changed_lots[lot.id] = lot
        account.put(lot)

    def freeze(self) -> Entry:
        """Return the entry; one that does not balance is a bug."""
        total = ZERO
        for posting in self.postings:
            total = EXACT.add(total, posting.amount)
        assert not total, "the entry does not balance"
        assert 2 <= len(self.postings) <= LINES_MAX, "an entry has 2 to 255 postings"
        asset, cause = self._draft.asset, self.cause
        return Entry(
            self.id, asset.organization_id, cause.program_id, asset.id, self.action_type,
            tuple(self.postings), cause.event_seq, cause.rule_id, cause.api_key_id, self.description,
            self.reference_id, self._draft.now,
        )


class Draft:
    """One operation on one asset while it is planned."""

    __slots__ = (
        "_opened", "asset", "cause", "changed_lots", "due", "entries", "ids", "movements", "now",
    )

    def __init__(self, asset: Asset, cause: Cause, now: datetime, ids: TimeOrdered) -> None:
        """Start with nothing."""
        self.asset = asset
        self.cause = cause
        self.now = now
        self.ids = ids
        self.entries: list[Entry] = []
        self.movements: list[Movement] = []
        self.changed_lots: dict[UUID, Lot] = {}
        self.due: list[Announcement] = []
        self._opened: list[OpenAccount] = []

    def open(self, account: Account) -> OpenAccount:
        """Open an account for changes."""
        opened = OpenAccount(account, self.asset)
        self._opened.append(opened)
        return opened

    def open_counterparty(self, counterparty: int | Account) -> int | OpenAccount:
        """Open the other side where it keeps a balance (a wallet, a ledger entity)."""
        return counterparty if isinstance(counterparty, int) else self.open(counterparty)

    def start(
        self, action_type: EntryType, description: str | None = None, reference_id: str | None = None,
        cause: Cause | None = None,
    ) -> EntryDraft:
        """Start an entry."""
        return EntryDraft(self, action_type, cause or self.cause, description, reference_id)

    def finish(self, entry: EntryDraft) -> Entry:
        """Freeze an entry and keep it, in order."""
        frozen = entry.freeze()
        self.entries.append(frozen)
        return frozen

    def plan(
        self, amount: Decimal, *, processed: Iterable[Part] = (), settle: Settlement | None = None
    ) -> Plan:
        """Freeze everything."""
        return Plan(
            tuple(self.entries), tuple([opened.close() for opened in self._opened]), amount,
            tuple(self.changed_lots.values()), tuple(self.movements), tuple(processed), settle,
            tuple(self.due),
        )
