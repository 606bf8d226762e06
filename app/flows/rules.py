"""Create and change rules: check everything that can be checked, keep the version, put it in force.

One transaction each, with the program's row locked: two changes of one program's rules come one after the
other, so that orders stay unique and rule sets follow each other. Workers go on meanwhile; an event meets
either the rules before or those after.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection, read_clock, transaction
from app.domain import errors
from app.domain.action_reading import actions_from_json, read_actions
from app.domain.actions import Action
from app.domain.ids import TimeOrdered
from app.domain.names import ProgramStatus
from app.domain.rules import (
    ORDER_MAX,
    ORDER_STEP,
    RULES_MAX,
    Budget,
    ChangeType,
    Rule,
    RuleStatus,
    snapshot_of,
)
from app.engine.check import Faults, Proposal, Surroundings, check_surroundings, check_texts, check_window
from app.engine.schedules import next_reset
from app.flows.locks import lock_budgets
from app.store import budgets as budget_store
from app.store import programs, rule_history, rule_surroundings, rulesets
from app.store import rules as rule_store
from app.store.budgets import BudgetState
from app.store.rules import RuleRow

_EVERYTHING = frozenset({"condition", "actions", "budgets", "active_from", "active_to"})
# What changes are laid over to look at them alone.
_NOTHING = Rule(UUID(int=0), UUID(int=0), UUID(int=0), "", "true", (), 1)


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """What a caller asks for; `actions` are their own words, checked in shape only."""

    program_id: UUID
    name: str
    condition: str
    actions: list[dict[str, Any]]
    description: str | None = None
    order: int | None = None
    stop_after_match: bool = False
    active_from: datetime | None = None
    active_to: datetime | None = None
    budgets: tuple[Budget, ...] = ()
    status: RuleStatus = RuleStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class RuleView:
    """A rule with its budgets, as of one reading of the clock."""

    row: RuleRow
    budgets: tuple[BudgetState, ...]
    now: datetime


def create(organization_id: UUID, api_key_id: UUID | None, draft: RuleDraft) -> RuleView:
    """Create a rule and put it in force. Raises the errors that the sheet names, every fault in `details`."""
    faults = Faults()
    proposal = propose(draft, faults)
    with transaction() as c:
        _lock_program(c, organization_id, draft.program_id, faults)
        now = read_clock(c)
        _check_surroundings(c, organization_id, proposal, now, faults)
        faults.refuse()
        rule = replace(proposal.rule, order=_free_order(c, organization_id, draft))
        ids = TimeOrdered(now)
        rule = replace(rule, id=ids.next(), history_id=ids.next())
        _refuse_taken_order(c, organization_id, rule)
        row = RuleRow(
            id=rule.id, program_id=rule.program_id, name=rule.name, description=rule.description,
            condition=rule.condition, actions=draft.actions, order=rule.order,
            stop_after_match=rule.stop_after_match, active_from=rule.active_from, active_to=rule.active_to,
            status=rule.status, history_id=rule.history_id, created_at=now, updated_at=now, deleted_at=None,
        )
        rule_store.insert(c, organization_id, row)
        for budget in rule.budgets:
            budget_store.put(c, organization_id, rule.id, budget, _first_reset(budget, now))
        _keep_version(c, organization_id, api_key_id, rule, row, {}, ChangeType.CREATED)
        rulesets.renew(c, organization_id, rule.program_id, now)
        return _view(c, organization_id, row, now)


def propose(draft: RuleDraft, faults: Faults) -> Proposal:
    """Return the rule that a draft asks for, without ids yet, its texts checked."""
    nil = UUID(int=0)
    actions = _read_actions(draft.actions, faults)
    rule = Rule(
        id=nil, program_id=draft.program_id, history_id=nil, name=draft.name, condition=draft.condition,
        actions=tuple(actions.values()), order=draft.order or 1, stop_after_match=draft.stop_after_match,
        active_from=draft.active_from, active_to=draft.active_to, status=draft.status,
        budgets=draft.budgets, description=draft.description,
    )
    proposal = Proposal(_EVERYTHING, rule, actions)
    check_texts(proposal, faults)
    return proposal


def check_candidates(
    c: Connection, organization_id: UUID, drafts: Sequence[RuleDraft], now: datetime
) -> list[Rule]:
    """Check rules that are only to be tried, and return them. Raises with `rules[i].field` → message."""
    everything, rules = Faults(), []
    for index, draft in enumerate(drafts):
        faults = Faults()
        proposal = propose(draft, faults)
        _check_surroundings(c, organization_id, proposal, now, faults)
        everything.take(f"rules[{index}].", faults)
        rules.append(proposal.rule)
    everything.refuse()
    return rules


def change(
    organization_id: UUID, api_key_id: UUID | None, rule_id: UUID, changes: Mapping[str, Any]
) -> RuleView:
    """Change the fields given and put the new version in force; a change of nothing leaves no trace.

    `changes` maps field names of RuleDraft (all but `program_id`) to checked values. Only what is given is
    checked: a rule can be suspended though its asset was archived since.
    """
    faults = Faults()
    actions = _read_actions(changes["actions"], faults) if "actions" in changes else {}
    # What is wrong in itself is told before a rule that is not there or archived (decision A6).
    check_texts(Proposal(frozenset(changes), _changed(_NOTHING, changes, actions), actions), faults)
    with transaction() as c:
        before = _lock_rule(c, organization_id, rule_id, faults)
        states = budget_store.of_rules(c, organization_id, [rule_id]).get(rule_id, [])
        old = _rule_of(before, tuple(state.budget for state in states))
        now = read_clock(c)
        rule = _changed(old, changes, actions)
        proposal = Proposal(frozenset(changes), rule, actions)
        check_window(proposal, faults)
        _check_surroundings(c, organization_id, proposal, now, faults)
        faults.refuse()
        row = replace(
            before, name=rule.name, description=rule.description, condition=rule.condition,
            actions=changes.get("actions", before.actions), order=rule.order,
            stop_after_match=rule.stop_after_match, active_from=rule.active_from, active_to=rule.active_to,
            status=rule.status,
        )
        snapshot = snapshot_of(old, before.actions)
        if snapshot_of(rule, row.actions) == snapshot:
            return _view(c, organization_id, before, now)
        _refuse_taken_order(c, organization_id, rule)
        rule = replace(rule, history_id=TimeOrdered(now).next())
        archived = rule.status is RuleStatus.ARCHIVED
        row = replace(
            row, history_id=rule.history_id, updated_at=now, deleted_at=now if archived else None
        )
        rule_store.update(c, organization_id, row)
        if "budgets" in changes:
            replace_budgets(c, organization_id, rule, now)
        _keep_version(c, organization_id, api_key_id, rule, row, snapshot, _change_type(old, rule))
        rulesets.renew(c, organization_id, rule.program_id, now)
        return _view(c, organization_id, row, now)


def get(c: Connection, organization_id: UUID, rule_id: UUID) -> RuleView:
    """Return a rule with its budgets. Raises NotFound."""
    row = rule_store.get(c, organization_id, rule_id)
    if row is None:
        raise errors.NotFound("Rule not found")
    return _view(c, organization_id, row, read_clock(c))


def _lock_program(c: Connection, organization_id: UUID, program_id: UUID, faults: Faults) -> None:
    """Lock the program; a body that is wrong in itself is told before a program that is not there."""
    program = programs.lock(c, organization_id, program_id)
    if program is None:
        faults.refuse()
        raise errors.NotFound("Program not found")
    if program["status"] == ProgramStatus.ARCHIVED:
        faults.refuse()
        raise errors.ProgramArchived()


def _lock_rule(c: Connection, organization_id: UUID, rule_id: UUID, faults: Faults) -> RuleRow:
    """Lock the rule's program and return the rule as it is under the lock."""
    found = rule_store.get(c, organization_id, rule_id)
    if found is None:
        faults.refuse()
        raise errors.NotFound("Rule not found")
    _lock_program(c, organization_id, found.program_id, faults)
    row = rule_store.get(c, organization_id, rule_id)
    assert row is not None, "rules are never deleted"
    if row.status is RuleStatus.ARCHIVED:
        faults.refuse()
        raise errors.RuleArchived()
    return row


def _read_actions(items: object, faults: Faults) -> dict[int, Action]:
    malformed: dict[str, str] = {}
    actions = read_actions(items, malformed)
    for path, message in malformed.items():
        faults.note(path, message)
    return actions


def _changed(old: Rule, changes: Mapping[str, Any], actions: Mapping[int, Action]) -> Rule:
    """Return the rule with the changes in it."""
    fields = {name: value for name, value in changes.items() if name != "actions"}
    if "actions" in changes:
        fields["actions"] = tuple(actions.values())
    return replace(old, **fields)


def _check_surroundings(
    c: Connection, organization_id: UUID, proposal: Proposal, now: datetime, faults: Faults
) -> None:
    program_id = proposal.rule.program_id
    if proposal.given & {"actions", "budgets"}:
        surroundings = Surroundings(
            assets=rule_surroundings.linked_assets(c, organization_id, program_id),
            tiers=rule_surroundings.tier_levels(c, organization_id, program_id),
            now=now,
        )
        check_surroundings(proposal, surroundings, faults)


def _free_order(c: Connection, organization_id: UUID, draft: RuleDraft) -> int:
    """Return the order of a new rule: the one asked for, or behind the last."""
    count, last = rule_store.places(c, organization_id, draft.program_id)
    order = last + ORDER_STEP if draft.order is None else draft.order
    if order > ORDER_MAX:
        raise errors.ValidationError(details={"order": f"must not be greater than {ORDER_MAX}"})
    if count >= RULES_MAX:
        raise errors.LimitExceeded(f"A program has at most {RULES_MAX} rules that are not archived")
    return order


def _refuse_taken_order(c: Connection, organization_id: UUID, rule: Rule) -> None:
    if rule.status is RuleStatus.ACTIVE and rule_store.order_taken(
        c, organization_id, rule.program_id, rule.order, rule.id
    ):
        raise errors.OrderConflict(details={"order": f"{rule.order} is taken by another active rule"})


def replace_budgets(c: Connection, organization_id: UUID, rule: Rule, now: datetime) -> None:
    """Put the new budgets in place of the old; an asset that stays keeps what it has consumed."""
    lock_budgets(c, organization_id, [rule.id])
    standing = {
        state.budget.asset_id: state
        for state in budget_store.of_rules(c, organization_id, [rule.id]).get(rule.id, [])
    }
    wanted = {budget.asset_id for budget in rule.budgets}
    budget_store.remove(c, organization_id, rule.id, sorted(standing.keys() - wanted))
    for budget in rule.budgets:
        state = standing.get(budget.asset_id)
        same = state is not None and state.budget.schedule == budget.schedule
        due = state.next_reset_at if same and state is not None else _first_reset(budget, now)
        budget_store.put(c, organization_id, rule.id, budget, due)


def _first_reset(budget: Budget, now: datetime) -> datetime | None:
    return None if budget.schedule is None else next_reset(budget.schedule, now)


def _change_type(old: Rule, new: Rule) -> ChangeType:
    if old.status is new.status:
        return ChangeType.UPDATED
    match new.status:
        case RuleStatus.ACTIVE:
            return ChangeType.ACTIVATED
        case RuleStatus.SUSPENDED:
            return ChangeType.SUSPENDED
        case RuleStatus.ARCHIVED:
            return ChangeType.ARCHIVED


def _keep_version(
    c: Connection, organization_id: UUID, api_key_id: UUID | None, rule: Rule, row: RuleRow,
    before: Mapping[str, Any], change_type: ChangeType,
) -> None:
    snapshot = snapshot_of(rule, row.actions)
    changes = {
        field: {"from": before.get(field), "to": value}
        for field, value in snapshot.items()
        if before.get(field) != value and field not in ("id", "program_id")
    }
    rule_history.insert(c, organization_id, rule_history.RuleVersion(
        id=rule.history_id, rule_id=rule.id, program_id=rule.program_id, change_type=change_type,
        changed_at=row.updated_at, changed_by_api_key_id=api_key_id, changes=changes, snapshot=snapshot,
    ))


def _rule_of(row: RuleRow, budgets: tuple[Budget, ...]) -> Rule:
    return Rule(
        id=row.id, program_id=row.program_id, history_id=row.history_id, name=row.name,
        condition=row.condition, actions=actions_from_json(row.actions), order=row.order,
        stop_after_match=row.stop_after_match, active_from=row.active_from, active_to=row.active_to,
        status=row.status, budgets=budgets, description=row.description,
    )


def _view(c: Connection, organization_id: UUID, row: RuleRow, now: datetime) -> RuleView:
    states = budget_store.of_rules(c, organization_id, [row.id]).get(row.id, [])
    return RuleView(row, tuple(states), now)
