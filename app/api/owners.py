"""Showing what participants and groups have in common: balances, counters and tiers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from app.book.owner_balances import Balance
from app.domain.amounts import format_amount, format_plain
from app.engine.state import Counter, TierState
from app.store.snapshot import counter


def balance_view(balance: Balance) -> dict[str, Any]:
    """Show the three buckets of one asset."""
    return {
        "asset_id": balance.asset_id,
        "available": format_amount(balance.available, balance.scale),
        "held": format_amount(balance.held, balance.scale),
        "deferred": format_amount(balance.deferred, balance.scale),
    }


def counters_view(stored: Mapping[str, Any], now: datetime) -> dict[str, str]:
    """Show counters as their values at `now`, auto-resets applied."""
    return {key: format_plain(counter(value).effective(now)) for key, value in stored.items()}


def counter_view(key: str, value: Counter, now: datetime) -> dict[str, Any]:
    """Show one counter with its auto-reset."""
    shown: dict[str, Any] = {"key": key, "value": format_plain(value.effective(now))}
    if value.reset_after is not None:
        shown["reset_after"] = value.reset_after
        if value.reset_at is not None:
            shown["last_reset_at"] = value.reset_at
    return shown


def tiers_view(tiers: Mapping[UUID, Mapping[str, TierState]]) -> dict[str, Any]:
    """Show the levels in all programs by tier key."""
    return {
        key: {"level": state.level, "rank": state.rank}
        for program in sorted(tiers) for key, state in tiers[program].items()
    }
