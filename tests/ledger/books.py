"""Books kept in memory: they apply plans as the database would, for tests that need none."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID, uuid5

from app.domain.amounts import EXACT
from app.domain.assets import Asset
from app.domain.ids import TimeOrdered
from app.domain.names import InventoryMode, IssuancePolicy, OwnerType
from app.ledger.accounts import Account, AccountKey, Lot, fifo, new_account
from app.ledger.entries import Entry, Movement, Plan

START = datetime(2026, 1, 1, tzinfo=UTC)
NAMESPACE = UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
ORGANIZATION = uuid5(NAMESPACE, "organization")


def named(name: str) -> UUID:
    """Return the id that always belongs to a name."""
    return uuid5(NAMESPACE, name)


def asset(
    mode: InventoryMode = InventoryMode.SIMPLE, policy: IssuancePolicy = IssuancePolicy.UNLIMITED, *,
    scale: int = 2, limit: Decimal | None = None, archived: bool = False,
) -> Asset:
    """Return an asset with the system accounts -1, -2 and -3."""
    return Asset(
        ORGANIZATION, named(f"asset {mode} {policy} {scale}"), "POINTS", scale, mode, policy, archived, limit,
        -1, -2, -3,
    )


class Books:
    """Accounts, lots and the journal of one organization, each change an applied plan."""

    def __init__(self, of: Asset) -> None:
        self.asset = of
        self.now = START
        self.ids = TimeOrdered(self.now, entropy=1)
        self.accounts: dict[AccountKey, Account] = {}
        self.lots: dict[UUID, Lot] = {}
        self.journal: list[Entry] = []
        self.movements: list[Movement] = []
        self._next = 1

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)
        self.ids = TimeOrdered(self.now, entropy=1)

    def key(self, name: str) -> AccountKey:
        """Return the key of an owner's account."""
        return AccountKey(self.asset.organization_id, named(name), self.asset.id)

    def account(self, name: str, owner_type: OwnerType = OwnerType.PARTICIPANT) -> Account:
        """Return an owner's account with all its live lots; a new one at first sight."""
        key = self.key(name)
        if key not in self.accounts:
            self.accounts[key] = new_account(key, self._next, owner_type)
            self._next += 1
        return self.accounts[key]

    def apply(self, plan: Plan | None) -> Plan | None:
        """Take over what a plan says."""
        if plan is None:
            return None
        for account in plan.accounts:
            self.accounts[account.key] = account
        for lot in plan.lots:
            self.lots[lot.id] = lot
        self.journal += plan.entries
        self.movements += plan.movements
        return plan

    def refused(self) -> None:
        """Look that a refused operation left nothing behind: a plan that was not made cannot have."""

    def check(self) -> None:
        """Hold every invariant of the ledger against the whole journal."""
        kept = {account.id: account for account in self.accounts.values()}
        sums: dict[tuple[int, str], Decimal] = {}
        for entry in self.journal:
            assert sum_of([p.amount for p in entry.postings]) == 0, "an entry does not balance"
            for posting in entry.postings:
                place = (posting.account_id, posting.bucket)
                sums[place] = EXACT.add(sums.get(place, Decimal(0)), posting.amount)
        assert sum_of(list(sums.values())) == 0, "value is not conserved"
        for account in kept.values():
            for bucket, balance in (
                ("AVAILABLE", account.available), ("HELD", account.held), ("DEFERRED", account.deferred)
            ):
                assert balance == sums.get((account.id, bucket), 0), "a balance is not its postings"
            assert account.available >= 0 or account.overdrawn
            if self.asset.has_lots and account.keeps_lots:
                self._check_lots(account)
        self._check_lineage()

    def _check_lots(self, account: Account) -> None:
        live = sorted(
            (lot for lot in self.lots.values() if lot.account_id == account.id and lot.remaining), key=fifo
        )
        assert list(account.lots or ()) == live, "the account does not hold its live lots"
        for bucket, balance in (
            ("AVAILABLE", max(account.available, Decimal(0))), ("HELD", account.held),
            ("DEFERRED", account.deferred),
        ):
            assert sum_of([lot.remaining for lot in live if lot.bucket == bucket]) == balance

    def _check_lineage(self) -> None:
        sums: dict[UUID, Decimal] = {}
        last: dict[UUID, str] = {}
        for movement in self.movements:
            last[movement.lot_id] = movement.kind
            if movement.kind != "MOVED":
                sums[movement.lot_id] = EXACT.add(sums.get(movement.lot_id, Decimal(0)), movement.amount)
        for lot in self.lots.values():
            assert 0 <= lot.remaining <= lot.amount
            assert sums[lot.id] == lot.remaining, "a lot is not what its movements say"
            assert lot.expired is (last[lot.id] == "EXPIRED"), "a lot does not say that it expired"


def sum_of(amounts: list[Decimal]) -> Decimal:
    """Add up exactly."""
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
