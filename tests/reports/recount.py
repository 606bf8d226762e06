"""The reports recomputed slowly and obviously: one posting after another, with no code of the product's."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from tests.reports.journal import OWED, Fact, Line

LINES = (
    "issued", "redeemed", "redemption_reversals", "forfeited", "expired", "debited", "transfers_net",
    "adjustments_net", "bucket_movements_net", "holds_voided", "issuance_returns", "redemption_receipts",
    "reversal_clawbacks",
)
_LINE = {
    "CREDIT": "issued", "DEBIT": "debited", "ADJUST_CREDIT": "adjustments_net",
    "ADJUST_DEBIT": "adjustments_net", "HOLD": "bucket_movements_net", "RELEASE": "bucket_movements_net",
    "MATURITY": "bucket_movements_net", "VOID_HOLD": "holds_voided", "FORFEIT": "forfeited",
    "EXPIRATION": "expired", "TRANSFER": "transfers_net",
}


def line_of(fact: Fact, line: Line) -> str:
    """Return the line of the rollforward for a posting on what is owed."""
    entity = line.owner_type == "LEDGER_ENTITY"
    if fact.kind == "REDEMPTION":
        return "redemption_receipts" if entity else "redeemed"
    if fact.kind == "REDEMPTION_REVERSAL":
        return "reversal_clawbacks" if entity else "redemption_reversals"
    if fact.kind == "SETTLE":
        gained = sum(each.amount for each in fact.lines if each.owner_type in OWED)
        return "issued" if gained > 0 else "issuance_returns"
    return _LINE[fact.kind]


def owed(facts: Iterable[Fact], through: datetime) -> list[tuple[Fact, Line]]:
    """Return the postings on what is owed, up to and including an instant."""
    return [
        (fact, line) for fact in facts if fact.at <= through
        for line in fact.lines if line.owner_type in OWED
    ]


def liability(facts: list[Fact], as_of: datetime, *, by_bucket: bool = False) -> dict[Any, Decimal]:
    """Return balances by asset and program, and by bucket if asked."""
    found: dict[Any, Decimal] = defaultdict(Decimal)
    for fact, line in owed(facts, as_of):
        found[fact.asset, fact.program, line.bucket if by_bucket else None] += line.amount
    return found


def rollforward(facts: list[Fact], start: datetime, end: datetime) -> dict[Any, dict[str, Decimal]]:
    """Return opening, lines and closing by asset and program, for all with postings up to the end."""
    found: dict[Any, dict[str, Decimal]] = defaultdict(
        lambda: dict.fromkeys((*LINES, "opening_balance", "closing_balance"), Decimal(0))
    )
    for fact, line in owed(facts, end):
        row = found[fact.asset, fact.program]
        row["closing_balance"] += line.amount
        if fact.at < start:
            row["opening_balance"] += line.amount
        else:
            row[line_of(fact, line)] += line.amount
    return found


def people(facts: list[Fact], program: UUID) -> int:
    """Return how many participants earned or redeemed in a program."""
    return len({
        line.owner for fact in facts if fact.program == program
        and fact.kind in ("CREDIT", "SETTLE", "REDEMPTION")
        for line in fact.lines if line.owner_type == "PARTICIPANT"
    })
