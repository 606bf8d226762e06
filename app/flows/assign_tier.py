"""Putting a participant or group on a level through the API, and taking it back to the base."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain.errors import (
    GroupArchived,
    NotFound,
    ParticipantInactive,
    ProgramArchived,
    ProgramSuspended,
    TierArchived,
    ValidationError,
)
from app.domain.names import OwnerType
from app.domain.tiers import Tier, TierReason, tier_from_json
from app.engine.lifecycle import Standing
from app.engine.state import Owner
from app.engine.tiers import first_check, has_periods
from app.flows import review_tiers
from app.flows.change_level import change_level
from app.flows.edit_state import read_owner
from app.flows.locks import lock_owners
from app.store import enrollments, programs, tier_states, tiers


@dataclass(frozen=True, slots=True)
class Place:
    """Whose level of which tier."""

    organization_id: UUID
    kind: OwnerType
    owner_id: UUID
    program_id: UUID
    key: str


def assign(place: Place, api_key_id: UUID, level: str, expires_at: datetime | None) -> dict[str, Any]:
    """Put the owner on a level, in place of whatever it had, with a new expiry or none."""
    with transaction() as c:
        owner, tier, now = _open(c, place)
        found = tier.level(level)
        if found is None:
            raise ValidationError(details={"level": "is not a level of this tier"})
        if expires_at is not None and expires_at <= now:
            raise ValidationError(details={"expires_at": "must not be in the past"})
        standing = Standing(found.key, now, expires_at, first_check(tier.lifecycle, now))
        change_level(c, owner, tier, place.program_id, standing, TierReason.API, api_key_id, now)
        return {
            "key": tier.key, "level": found.key, "rank": found.rank, "benefits": dict(found.benefits),
            "acquired_at": now, "expires_at": expires_at,
        }


def remove(place: Place, api_key_id: UUID) -> None:
    """Take the owner back to the base; a pending expiry goes with the level."""
    with transaction() as c:
        owner, tier, now = _open(c, place)
        before = tier_states.of_owners(c, place.organization_id, [place.owner_id])
        standing = before.get(place.owner_id, {}).get(tier.id)
        if standing is None or standing.level is None:
            return
        checks_at = standing.checks_at if has_periods(tier.lifecycle) else None
        change_level(
            c, owner, tier, place.program_id, Standing(checks_at=checks_at), TierReason.REMOVED, api_key_id,
            now,
        )


def check_place(c: Connection, place: Place) -> Owner:
    """Return the owner, who exists and belongs to the program. Raises NotFound."""
    owner = read_owner(c, place.organization_id, place.kind, place.owner_id)
    if programs.get(c, place.organization_id, place.program_id) is None:
        raise NotFound("Program not found")
    if place.kind is OwnerType.PARTICIPANT and _enrollment(c, place) is None:
        raise NotFound("Participant is not enrolled in this program")
    return owner


def _enrollment(c: Connection, place: Place) -> dict[str, Any] | None:
    return enrollments.get(c, place.organization_id, place.program_id, place.owner_id)


def _open(c: Connection, place: Place) -> tuple[Owner, Tier, datetime]:
    """Lock the owner and check everything in the order of decision A6: existence, then state."""
    lock_owners(c, place.organization_id, [place.owner_id])
    review_tiers.settle_first(c, place.organization_id, place.owner_id)
    owner = check_place(c, place)
    row = tiers.get(c, place.organization_id, place.program_id, place.key)
    if row is None:
        raise NotFound("Tier not found")
    if place.kind is OwnerType.GROUP:
        if owner.status != "ACTIVE":
            raise GroupArchived()
    else:
        enrollment = _enrollment(c, place)
        if owner.status != "ACTIVE" or enrollment is None or enrollment["status"] != "ACTIVE":
            raise ParticipantInactive()
    program = programs.get(c, place.organization_id, place.program_id)
    match program and program["status"]:
        case "ARCHIVED":
            raise ProgramArchived()
        case "SUSPENDED":
            raise ProgramSuspended()
    if row["status"] == "ARCHIVED":
        raise TierArchived()
    return owner, tier_from_json({**row, "archived": False}), read_clock(c)
