"""The rewards catalogue: creating and changing rewards."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg

from app.db import Connection, read_clock, transaction
from app.domain.amounts import fits_scale
from app.domain.assets import Asset
from app.domain.errors import (
    InvalidAmount,
    InvalidRequest,
    KeyExists,
    NotFound,
    ProgramArchived,
    RewardUnavailable,
    ValidationError,
)
from app.domain.ids import new_id
from app.domain.names import ProgramStatus
from app.domain.rewards import RedemptionType, RewardStatus, status_after
from app.engine.cel import CelError
from app.engine.eligibility import compile_eligibility
from app.flows.move_value import Call, find_asset
from app.ledger.checks import check_asset
from app.store import programs, rewards


def create(organization_id: UUID, program_id: UUID, reward: dict[str, Any]) -> dict[str, Any]:
    """Create a reward of a program, priced in an asset that is linked to it."""
    with transaction() as c:
        _refuse_archived_program(c, organization_id, program_id)
        asset = find_asset(c, Call(organization_id, None, program_id, reward["asset_id"]))
        check_asset(asset)
        _check(reward, asset)
        reward_id, now = new_id(), read_clock(c)
        reward = {**reward, "status": status_after({}, {**reward, "redeemed_count": 0})}
        _write(lambda: rewards.insert(c, organization_id, program_id, reward_id, now, reward))
        return _read(c, organization_id, reward_id)


def change(
    organization_id: UUID, program_id: UUID, reward_id: UUID, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Change the given fields; a reward that is archived stays as it is. Raising its stock reopens one."""
    with transaction() as c:
        _refuse_archived_program(c, organization_id, program_id)
        stored = of_program(rewards.lock(c, organization_id, reward_id), program_id)
        if stored["status"] == RewardStatus.ARCHIVED:
            raise RewardUnavailable("An archived reward cannot be changed")
        now: datetime = read_clock(c)
        asset = find_asset(c, Call(organization_id, None, program_id, stored["asset_id"]))
        after = {**stored, **changes}
        _check(after, asset)
        after["status"] = status_after(stored, after)
        _write(lambda: rewards.update(c, organization_id, reward_id, now, after))
        return _read(c, organization_id, reward_id)


def of_program(reward: dict[str, Any] | None, program_id: UUID) -> dict[str, Any]:
    """Return a reward that was looked up, if it is the program's. Raises NotFound."""
    if reward is None or reward["program_id"] != program_id:
        raise NotFound("Reward not found")
    return reward


def _refuse_archived_program(c: Connection, organization_id: UUID, program_id: UUID) -> None:
    program = programs.lock(c, organization_id, program_id)
    if program is None:
        raise NotFound("Program not found")
    if program["status"] == ProgramStatus.ARCHIVED:
        raise ProgramArchived()


def _check(reward: Mapping[str, Any], asset: Asset) -> None:
    """Refuse what no redemption could honour."""
    if not fits_scale(reward["unit_cost"], asset.scale):
        raise InvalidAmount(details={"unit_cost": f"must not have more than {asset.scale} decimal places"})
    if reward["redemption_type"] == RedemptionType.AMOUNT_BASED:
        for name in ("max_total", "max_per_participant"):
            if reward[name] is not None:
                raise InvalidRequest(
                    "An AMOUNT_BASED reward has no units to count", {name: "only for UNIT_BASED rewards"}
                )
    start, end = reward["available_from"], reward["available_until"]
    if start is not None and end is not None and start >= end:
        raise ValidationError(details={"available_from": "must be before available_until"})
    if reward["eligibility"] is not None:
        try:
            compile_eligibility(reward["eligibility"])
        except CelError as error:
            raise ValidationError(details={"eligibility": str(error)}) from None


def _write(write: Any) -> None:
    try:
        write()
    except psycopg.errors.UniqueViolation:
        raise KeyExists(
            "A reward of this name exists already", {"name": "is taken in this program"}
        ) from None


def _read(c: Connection, organization_id: UUID, reward_id: UUID) -> dict[str, Any]:
    row = rewards.get(c, organization_id, reward_id)
    assert row is not None
    return row
