"""Judging participants by an automation's filter and guard, on their state as it is now, without locks."""

from uuid import UUID

from app.db import Connection
from app.domain.automations import Automation
from app.engine.audience import WANTED, Conditions, Occasion, Verdict, compile_conditions, judge
from app.engine.state import World
from app.flows import rulesets
from app.flows.gather import Wanted, look


def examine(
    c: Connection, automation: Automation, conditions: Conditions, occasion: Occasion, ids: list[UUID]
) -> dict[UUID, Verdict]:
    """Return the verdict on each participant."""
    if conditions.reads is None or not ids:
        return dict.fromkeys(ids, WANTED)
    organization_id, reads = automation.organization_id, conditions.reads
    wanted = Wanted(
        organization_id, {automation.program_id}, set(ids), groups=reads.reads_groups,
        tiers=reads.reads_tiers, lots_of_balances=reads.reads_balances,
        program_state={automation.program_id} if reads.program_state else set(),
    )
    found = look(c, wanted)
    version = found.programs[automation.program_id].ruleset_version
    ruleset = rulesets.get(c, organization_id, automation.program_id, version)
    return {one: judge(conditions, occasion, one, found.world, ruleset) for one in ids}


def states(c: Connection, automation: Automation, ids: list[UUID]) -> World:
    """Return the state of participants, for schedules that go by it."""
    return look(c, Wanted(automation.organization_id, {automation.program_id}, set(ids))).world


def conditions_of(automation: Automation) -> Conditions:
    """Return an automation's conditions, compiled."""
    return compile_conditions(automation.participant_filter, automation.guard_condition)
