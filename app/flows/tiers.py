"""Creating, changing and archiving tiers, with their levels; every change makes a new rule set.

Nobody is evaluated anew when a threshold changes. A changed lifecycle concerns everybody who stands in the
tier: a worker gives them their new review times, some thousand at a time (app/flows/rearm_tier.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.errors import UniqueViolation

from app.db import Connection, read_clock, transaction
from app.domain.errors import (
    KeyExists,
    LimitExceeded,
    NotFound,
    ProgramArchived,
    TierArchived,
    ValidationError,
)
from app.domain.ids import new_id
from app.domain.tiers import LEVELS_MAX, TIERS_MAX
from app.flows import lanes, rearm_tier
from app.flows.lanes import Lane
from app.store import programs, rulesets, tiers

LEVEL_FIELDS = ("display_name", "rank", "qualification", "benefits", "color", "icon_url")


def create(
    organization_id: UUID, program_id: UUID, *, key: str, display_name: str | None,
    levels: Sequence[Mapping[str, Any]], lifecycle: dict[str, Any] | None,
) -> dict[str, Any]:
    """Create a tier with its levels. Raises NotFound, ProgramArchived, KeyExists, LimitExceeded."""
    merged = _merged([], levels)
    _check_floor(lifecycle, merged)
    try:
        with transaction() as c:
            _lock_program(c, organization_id, program_id)
            if tiers.count(c, organization_id, program_id) >= TIERS_MAX:
                raise LimitExceeded(f"A program has at most {TIERS_MAX} tiers")
            now, tier_id = read_clock(c), new_id()
            if not tiers.insert(
                c, organization_id, program_id, tier_id, now, key=key, display_name=display_name,
                lifecycle=lifecycle or None,
            ):
                raise KeyExists("The program has a tier of this key", {"key": "is already used"})
            tiers.put_levels(c, organization_id, tier_id, merged, now)
            found = _finish(c, organization_id, program_id, key, now)
            if lifecycle:
                rearm_tier.order(c, organization_id, tier_id, now)
    except UniqueViolation:
        raise _collision() from None
    lanes.ring_softly(Lane.TIER_CHANGES)
    return found


def change(
    organization_id: UUID, program_id: UUID, key: str, changes: Mapping[str, Any]
) -> dict[str, Any]:
    """Change the given fields; levels are put by key, those not named stay. `lifecycle` {} clears it."""
    try:
        with transaction() as c:
            _lock_program(c, organization_id, program_id)
            tier = _lock_tier(c, organization_id, program_id, key)
            now = read_clock(c)
            merged = _merged(tier["levels"], changes.get("levels") or [])
            lifecycle = tier["lifecycle"]
            if changes.get("lifecycle") is not None:
                lifecycle = changes["lifecycle"] or None
            _check_floor(lifecycle, [*tier["levels"], *merged])
            rearms = lifecycle != tier["lifecycle"]
            display_name = changes.get("display_name", tier["display_name"])
            tiers.update(
                c, organization_id, {**tier, "display_name": display_name, "lifecycle": lifecycle}, now
            )
            if merged:
                tiers.put_levels(c, organization_id, tier["id"], merged, now)
            found = _finish(c, organization_id, program_id, key, now)
            if rearms:
                rearm_tier.order(c, organization_id, tier["id"], now)
    except UniqueViolation:
        raise _collision() from None
    lanes.ring_softly(Lane.TIER_CHANGES)
    return found


def archive(organization_id: UUID, program_id: UUID, key: str) -> dict[str, Any]:
    """Archive a tier for good; what owners reached stays as history. Raises TierArchived."""
    with transaction() as c:
        if programs.lock(c, organization_id, program_id) is None:
            raise NotFound("Program not found")
        tier = _lock_tier(c, organization_id, program_id, key)
        now = read_clock(c)
        tiers.update(c, organization_id, {**tier, "status": "ARCHIVED", "archived_at": now}, now)
        return _finish(c, organization_id, program_id, key, now)


def _lock_program(c: Connection, organization_id: UUID, program_id: UUID) -> None:
    program = programs.lock(c, organization_id, program_id)
    if program is None:
        raise NotFound("Program not found")
    if program["status"] == "ARCHIVED":
        raise ProgramArchived()


def _lock_tier(c: Connection, organization_id: UUID, program_id: UUID, key: str) -> dict[str, Any]:
    """Return the tier; the lock on its program keeps it from changing."""
    tier = tiers.get(c, organization_id, program_id, key)
    if tier is None:
        raise NotFound("Tier not found")
    if tier["status"] == "ARCHIVED":
        raise TierArchived()
    return tier


def _merged(
    existing: Sequence[Mapping[str, Any]], given: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the levels to write: known ones with their given fields overwritten, new ones whole."""
    known = {level["key"]: level for level in existing}
    merged: dict[str, dict[str, Any]] = {}
    for index, level in enumerate(given):
        if level["key"] in merged:
            raise KeyExists("Levels have different keys", {f"levels[{index}].key": "is already used"})
        before = known.get(level["key"], {"id": new_id(), "key": level["key"]})
        row = {name: before.get(name) for name in ("id", "key", *LEVEL_FIELDS)}
        for name in LEVEL_FIELDS:
            if name in level and not (name == "qualification" and level[name] is None):
                row[name] = level[name]
        if row["rank"] is None:
            raise ValidationError(details={f"levels[{index}].rank": "is required for a new level"})
        row["qualification"] = row["qualification"] or None
        merged[level["key"]] = row
    _check_ranks({**known, **merged}, given)
    return list(merged.values())


def _check_ranks(levels: Mapping[str, Mapping[str, Any]], given: Sequence[Mapping[str, Any]]) -> None:
    if len(levels) > LEVELS_MAX:
        raise LimitExceeded(f"A tier has at most {LEVELS_MAX} levels")
    places = {level["key"]: index for index, level in enumerate(given)}
    ranks: dict[int, str] = {}
    for key, level in levels.items():
        other = ranks.setdefault(level["rank"], key)
        if other != key:
            index = places.get(key, places.get(other, 0))
            raise KeyExists("Levels have different ranks", {f"levels[{index}].rank": "is already used"})


def _check_floor(lifecycle: Mapping[str, Any] | None, levels: Sequence[Mapping[str, Any]]) -> None:
    floor = ((lifecycle or {}).get("downgrade_policy") or {}).get("min_level")
    if floor is not None and floor not in {level["key"] for level in levels}:
        raise ValidationError(
            details={"lifecycle.downgrade_policy.min_level": "is not a level of this tier"}
        )


def _finish(
    c: Connection, organization_id: UUID, program_id: UUID, key: str, now: datetime
) -> dict[str, Any]:
    rulesets.renew(c, organization_id, program_id, now)
    found = tiers.get(c, organization_id, program_id, key)
    assert found is not None, "the tier was written in this transaction"
    return found


def _collision() -> KeyExists:
    return KeyExists("A level of this key or rank exists")
