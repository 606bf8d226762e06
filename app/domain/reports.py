"""What reports are made of: cells of summed postings, and the line of the rollforward that each belongs to.

The list of lines is closed and every kind of entry is on it; one that is not is an error, never a residual
(decision E13). Reading cells from the journal is app/book/reports.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, assert_never
from uuid import UUID

from app.domain.amounts import EXACT, ZERO
from app.domain.names import Bucket, EntryType, OwnerType

# What the organization owes: the value of participants, groups and ledger entities (decision E13).
LIABILITY = frozenset({OwnerType.PARTICIPANT, OwnerType.GROUP, OwnerType.LEDGER_ENTITY})


class Line(StrEnum):
    """The lines of the liability rollforward, in the order they are shown in."""

    ISSUED = "issued"
    REDEEMED = "redeemed"
    REDEMPTION_REVERSALS = "redemption_reversals"
    FORFEITED = "forfeited"
    EXPIRED = "expired"
    DEBITED = "debited"
    TRANSFERS_NET = "transfers_net"
    ADJUSTMENTS_NET = "adjustments_net"
    BUCKET_MOVEMENTS_NET = "bucket_movements_net"
    HOLDS_VOIDED = "holds_voided"
    ISSUANCE_RETURNS = "issuance_returns"
    REDEMPTION_RECEIPTS = "redemption_receipts"
    REVERSAL_CLAWBACKS = "reversal_clawbacks"


def ends_nearer(instant: datetime, hour: datetime, last: datetime | None) -> bool:
    """Say whether less of an hour lies behind an instant, up to the `last` summed up, than before it."""
    return last is not None and last - instant < instant - hour


class Unclassified(AssertionError):
    """An entry touches the liability in a way that no line tells of: the report must not be answered."""


class Subject(NamedTuple):
    """What a row of the liability reports is about; the program is None for entries without one."""

    asset_id: UUID
    program_id: UUID | None


@dataclass(frozen=True, slots=True)
class Cell:
    """The signed sum of all postings that agree in these fields, and how many entries begin in it."""

    asset_id: UUID
    program_id: UUID | None
    action_type: EntryType
    owner_type: OwnerType
    bucket: Bucket
    rising: bool
    amount: Decimal
    entries: int
    last_at: datetime | None  # None where only a later one is known.

    @property
    def subject(self) -> Subject:
        """The row that the cell belongs to."""
        return Subject(self.asset_id, self.program_id)

    @property
    def is_liability(self) -> bool:
        """Whether the accounts of the cell are what the organization owes."""
        return self.owner_type in LIABILITY

    @property
    def line(self) -> Line:
        """The line of the rollforward. Raises Unclassified."""
        return line_of(self.action_type, self.owner_type, rising=self.rising)


def line_of(action_type: EntryType, owner_type: OwnerType, *, rising: bool) -> Line:
    """Return the line for postings of such entries on accounts of such owners. Raises Unclassified.

    `rising` says of a SETTLE that it credited more than was held.
    """
    if owner_type not in LIABILITY:
        raise Unclassified(f"{owner_type} is not part of the liability")
    match action_type:
        case EntryType.CREDIT:
            return Line.ISSUED
        case EntryType.SETTLE:
            return Line.ISSUED if rising else Line.ISSUANCE_RETURNS
        case EntryType.DEBIT:
            return Line.DEBITED
        case EntryType.ADJUST_CREDIT | EntryType.ADJUST_DEBIT:
            return Line.ADJUSTMENTS_NET
        case EntryType.HOLD | EntryType.RELEASE | EntryType.MATURITY:
            return Line.BUCKET_MOVEMENTS_NET
        case EntryType.VOID_HOLD:
            return Line.HOLDS_VOIDED
        case EntryType.FORFEIT:
            return Line.FORFEITED
        case EntryType.EXPIRATION:
            return Line.EXPIRED
        case EntryType.REDEMPTION:
            return Line.REDEMPTION_RECEIPTS if owner_type is OwnerType.LEDGER_ENTITY else Line.REDEEMED
        case EntryType.REDEMPTION_REVERSAL:
            if owner_type is OwnerType.LEDGER_ENTITY:
                return Line.REVERSAL_CLAWBACKS
            return Line.REDEMPTION_REVERSALS
        case EntryType.TRANSFER:
            return Line.TRANSFERS_NET
        case EntryType.FUND | EntryType.BURN | EntryType.EVENT_REVERSAL:
            raise Unclassified(f"{action_type} on an account of {owner_type} is on no line")
    assert_never(action_type)


class Totals:
    """The liability by line, summed up from cells of one row."""

    __slots__ = ("lines",)

    def __init__(self, cells: Iterable[Cell] = ()) -> None:
        """Sum up; cells of other accounts are left out. Raises Unclassified."""
        self.lines = dict.fromkeys(Line, ZERO)
        for cell in cells:
            if cell.is_liability:
                self.lines[cell.line] = EXACT.add(self.lines[cell.line], cell.amount)

    @property
    def balance(self) -> Decimal:
        """The sum of all lines: what is owed."""
        return total(self.lines.values())

    def since(self, before: "Totals") -> "Totals":
        """Return what was added after `before`."""
        made = Totals()
        made.lines = {line: EXACT.subtract(self.lines[line], before.lines[line]) for line in Line}
        return made

    @property
    def issued(self) -> Decimal:
        """All that was credited."""
        return self.lines[Line.ISSUED]

    @property
    def redeemed(self) -> Decimal:
        """All that was redeemed, gross, as a positive number."""
        return EXACT.minus(self.lines[Line.REDEEMED])

    @property
    def expired(self) -> Decimal:
        """All that expired, as a positive number."""
        return EXACT.minus(self.lines[Line.EXPIRED])

    @property
    def forfeited(self) -> Decimal:
        """All that was forfeited, as a positive number."""
        return EXACT.minus(self.lines[Line.FORFEITED])

    @property
    def others(self) -> Decimal:
        """What the four above leave of the balance."""
        four = total((self.issued, EXACT.minus(self.redeemed), EXACT.minus(self.expired),
                      EXACT.minus(self.forfeited)))
        return EXACT.subtract(self.balance, four)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Return the exact sum."""
    whole = ZERO
    for amount in amounts:
        whole = EXACT.add(whole, amount)
    return whole


def by_subject(cells: Iterable[Cell]) -> dict[Subject, list[Cell]]:
    """Gather the cells of each row of the liability; what no liability account takes part in is no row."""
    found: dict[Subject, list[Cell]] = {}
    for cell in cells:
        if cell.is_liability:
            found.setdefault(cell.subject, []).append(cell)
    return found
