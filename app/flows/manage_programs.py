"""Creating and changing programs, with the life cycle that they follow."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from app.db import read_clock, transaction
from app.domain.errors import NotFound, ProgramArchived
from app.domain.ids import new_id
from app.store import ledger_entities, programs, rulesets


def create(
    organization_id: UUID, *, name: str, description: str | None, on_unknown_participant: str,
    reversal_grace: str,
) -> dict[str, Any]:
    """Create a program; it starts ACTIVE."""
    with transaction() as c:
        now = read_clock(c)
        program = programs.insert(
            c, organization_id, new_id(), now, name=name, description=description,
            on_unknown_participant=on_unknown_participant, reversal_grace=reversal_grace,
        )
        rulesets.renew(c, organization_id, program["id"], now)
        return program


def change(organization_id: UUID, program_id: UUID, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Change the given fields. An archived program takes nothing but a move of its status."""
    with transaction() as c:
        program = programs.lock(c, organization_id, program_id)
        if program is None:
            raise NotFound("Program not found")
        now = read_clock(c)
        target = redemption_target(program, changes)
        entity_id = changes.get("redemption_target_entity_id")
        if entity_id is not None and not ledger_entities.exists(c, organization_id, entity_id):
            raise NotFound("Ledger entity not found")
        moves = "status" in changes and changes["status"] != program["status"]
        if program["status"] == "ARCHIVED" and not moves and changes:
            raise ProgramArchived()
        changed = {**program, **changes, **target}
        if moves:
            changed["deleted_at"] = now if changes["status"] == "ARCHIVED" else None
        updated = programs.update(c, organization_id, changed, now)
        if updated["name"] != program["name"] or updated["reversal_grace"] != program["reversal_grace"]:
            rulesets.renew(c, organization_id, program_id, now)
        return updated


def redemption_target(program: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return where redemptions go after the change; a type brings its entity along, or clears the old one."""
    if "redemption_target_type" in changes:
        program = {"redemption_target_entity_id": None, **changes}
    return {name: program[name] for name in ("redemption_target_type", "redemption_target_entity_id")}
