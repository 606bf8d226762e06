"""The dry run of a program over HTTP: what would this event do?"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from uuid import UUID

from app.api.event_views import action_view
from app.api.models.simulations import CandidateRule, ProgramSimulation, SimulateProgram
from app.api.routing import Reply, Request, route
from app.api.rules import budget_wishes, words
from app.domain import errors
from app.domain.actions import action_type
from app.domain.amounts import ZERO, format_amount
from app.domain.assets import Asset
from app.domain.events import EVENT_DATA_BYTES_MAX
from app.domain.json import dumps
from app.engine.evaluations import Evaluation
from app.engine.ruleset import NumberedRule
from app.engine.state import Draft
from app.flows.rules import RuleDraft
from app.flows.simulate_event import Outcome, Person, Trial, simulate_event
from app.ledger.accounts import Account

_NOTHING = {"available": ZERO, "held": ZERO, "deferred": ZERO}


@route(
    "POST", "/v1/programs/{id}/simulate", summary="Simulate an event", tag="Programs", body=SimulateProgram,
    responses={200: ProgramSimulation},
    errors=[
        errors.NotFound, errors.ParticipantNotFound, errors.AssetNotLinked, errors.LotAssetRequired,
        errors.AssetArchived, errors.InvalidAmount,
    ],
    description=(
        "The full decision as a worker would take it now (or `at` another time), on the state of a real "
        "participant, an imagined one, a group or the program alone, under the rules in force or under "
        "candidates: evaluations, entries, balances before and after, changes of state. Nothing is written "
        "and nothing is locked."
    ),
    example={"event": {"type": "purchase", "amount": 75}, "external_id": "user-1"},
)
def simulate_program(request: Request) -> Reply:
    """Decide an event without writing anything."""
    body: SimulateProgram = request.body
    if len(dumps(body.event).encode()) > EVENT_DATA_BYTES_MAX:
        message = f"must not be larger than {EVENT_DATA_BYTES_MAX} bytes"
        raise errors.ValidationError(details={"event": message})
    state = body.participant_state
    person = Person(body.participant_id, body.external_id) if state is None else Person(
        None, body.external_id, tuple(tag.lower() for tag in state.tags or ()), state.counters or {},
        state.attributes or {},
    )
    recipient = None
    if body.recipient_id is not None or body.recipient_external_id is not None:
        recipient = Person(body.recipient_id, body.recipient_external_id)
    program_id = request.path["id"]
    outcome = simulate_event(request.organization_id, program_id, Trial(
        body.event, person, recipient, body.event_timestamp, body.at,
        None if body.rules is None else tuple(
            _draft(program_id, rule, place) for place, rule in enumerate(body.rules, 1)
        ), body.group_id, body.scope == "program",
    ))
    return Reply(200, _view(outcome, person))


def _draft(program_id: UUID, rule: CandidateRule, place: int) -> RuleDraft:
    return RuleDraft(
        program_id=program_id, name=rule.name, condition=rule.condition, actions=words(rule.actions),
        order=rule.order or place * 10, stop_after_match=bool(rule.stop_after_match),
        active_from=rule.active_from, active_to=rule.active_to, budgets=budget_wishes(rule.budgets or ()),
    )


def _view(outcome: Outcome, person: Person) -> dict[str, Any]:
    decision, draft = outcome.decision, outcome.decision.draft
    rules = {rule.number: rule for rule in outcome.ruleset.rules}
    symbols = {str(asset.id): asset.symbol for asset in outcome.ruleset.assets.values()}
    shown: dict[str, Any] = {"status": decision.status}
    if decision.error_code is not None:
        shown |= {"error_code": decision.error_code, "error_message": decision.error_message}
    return shown | {
        "decided_at": outcome.world.now,
        "event_timestamp": decision.event.event_timestamp,
        "participant_id": decision.event.participant_id, "group_id": decision.event.group_id,
        "rule_evaluations": [_evaluation(each, rules, symbols) for each in decision.evaluations],
        "balances": [] if draft is None else list(_balances(outcome, draft)),
        "journal_entries": [] if draft is None else list(_entries(outcome, draft)),
        "state_changes": [] if draft is None else list(_changes(draft)),
        "caused_events": [] if draft is None else [
            _set({
                "event_name": each.event_name, "payload": each.payload, "scheduled_for": each.scheduled_for,
                "participant_id": each.participant_id, "group_id": each.group_id,
                "for_all_participants": each.fan_out,
            })
            for each in draft.emissions
        ],
    }


def _evaluation(
    evaluation: Evaluation, rules: dict[int, NumberedRule], symbols: dict[str, str]
) -> dict[str, Any]:
    rule = rules[evaluation.number].compiled.rule
    shown: dict[str, Any] = {
        "rule_id": rule.id, "rule_name": rule.name, "rule_history_id": rule.history_id,
        "status": evaluation.status,
    }
    if evaluation.reason is not None:
        shown["reason"] = evaluation.reason
    if evaluation.error is not None:
        shown["error_message"] = evaluation.error
    if evaluation.stopped_by is not None:
        shown["stopped_by_rule_id"] = rules[evaluation.stopped_by].compiled.rule.id
    actions = []
    for action, recorded in zip(rule.actions, evaluation.actions, strict=False):
        words: dict[str, Any] = {"type": action_type(action).value}
        for name in ("asset_id", "bucket"):
            if getattr(action, name, None) is not None:
                words[name] = str(getattr(action, name))
        one = action_view(words, recorded, symbols)
        # Entries of a dry run are never posted, so that their ids would lead nowhere.
        one.pop("journal_entry_id", None)
        actions.append(one)
    return shown | {"actions": actions}


def _balances(outcome: Outcome, draft: Draft) -> Iterator[dict[str, Any]]:
    for (owner_id, asset_id), account in draft.accounts.items():
        scale = outcome.ruleset.assets[asset_id].scale
        before = outcome.world.accounts.get((owner_id, asset_id))
        yield {
            "owner_type": account.owner_type, "owner_id": owner_id, "asset_id": asset_id,
            "before": _buckets(before, scale), "after": _buckets(account, scale),
        }


def _buckets(account: Account | None, scale: int) -> dict[str, str]:
    values: dict[str, Decimal] = _NOTHING if account is None else {
        "available": account.available, "held": account.held, "deferred": account.deferred,
    }
    return {bucket: format_amount(value, scale) for bucket, value in values.items()}


def _entries(outcome: Outcome, draft: Draft) -> Iterator[dict[str, Any]]:
    known = {account.id: account for account in (*outcome.world.accounts.values(), *draft.accounts.values())}
    for moved in draft.moved:
        for entry in moved.plan.entries:
            asset = outcome.ruleset.assets[entry.asset_id]
            shown: dict[str, Any] = {"action_type": entry.action_type, "asset_id": entry.asset_id}
            for name in ("rule_id", "description", "reference_id"):
                if getattr(entry, name) is not None:
                    shown[name] = getattr(entry, name)
            shown["postings"] = [
                {
                    **_entity(posting.account_id, known, asset), "bucket": posting.bucket,
                    "amount": format_amount(posting.amount, asset.scale),
                }
                for posting in entry.postings
            ]
            yield shown


def _entity(account_id: int, known: dict[int, Account], asset: Asset) -> dict[str, Any]:
    system = {
        asset.issuance_account: "SYSTEM_ISSUANCE", asset.breakage_account: "SYSTEM_BREAKAGE",
        asset.redemption_account: "SYSTEM_REDEMPTION",
    }
    if account_id in system:
        return {"entity_type": system[account_id]}
    account = known[account_id]
    return {"entity_type": account.owner_type, "entity_id": account.owner_id}


def _changes(draft: Draft) -> Iterator[dict[str, Any]]:
    for owner_id, changes in draft.history.items():
        for change in changes:
            yield _set({
                "owner_id": owner_id, "state_type": change.type, "key": change.key,
                "operation": change.operation, "old_value": change.old, "new_value": change.new,
                "rule_id": change.rule_id,
            })


def _set(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are set."""
    return {name: value for name, value in fields.items() if value is not None}
