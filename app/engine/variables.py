"""The variables of expressions (decision D1), built from the state; and the part of them that is stored.

Only the fields that the candidate rules can read are built, and only the values at the paths they read are
stored: nothing else can change a result.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any
from uuid import UUID

from app.domain.amounts import EXACT
from app.domain.events import Event
from app.domain.instants import InstantError, format_instant, parse_instant
from app.domain.names import OwnerType
from app.engine.cel.reads import Path
from app.engine.ruleset import Candidates, Fields, Ruleset
from app.engine.state import ZERO, Owner, World

Inputs = dict[str, Any]


def activation(event: Event, world: World, ruleset: Ruleset, candidates: Candidates) -> dict[str, Any]:
    """Return the variables that an event's rules see: the state from before the event."""
    fields = candidates.fields
    variables: dict[str, Any] = {
        "event": event.event_data, "participant": None, "recipient": None, "group": None, "program": None,
        "now": event.event_timestamp,
    }
    for name, owner_id in (
        ("participant", event.participant_id), ("recipient", event.recipient_id), ("group", event.group_id),
    ):
        if owner_id is not None and name in fields:
            variables[name] = _owner(name, world.owner(owner_id), world, ruleset, fields[name])
    if "program" in fields:
        program = world.owner(event.program_id)
        variables["program"] = _owner("program", program, world, ruleset, fields["program"])
    return variables


def _owner(
    variable: str, owner: Owner, world: World, ruleset: Ruleset, fields: Fields
) -> dict[str, Any]:
    built = {}
    for name in _FIELDS[variable] if fields is None else fields & _FIELDS[variable]:
        built[name] = _BUILDERS[name](owner, world, ruleset)
    return built


def _balances(owner: Owner, world: World, ruleset: Ruleset) -> dict[str, Any]:
    balances = {}
    for asset in ruleset.assets.values():
        account = world.accounts.get((owner.id, asset.id))
        if account is None:
            balances[asset.symbol] = {"available": ZERO, "held": ZERO, "deferred": ZERO}
            continue
        available, deferred = account.available, account.deferred
        for lot in account.lots or ():
            if lot.is_due(world.now):
                if lot.bucket == "AVAILABLE":
                    available = EXACT.subtract(available, lot.remaining)
                else:
                    deferred = EXACT.subtract(deferred, lot.remaining)
        balances[asset.symbol] = {"available": available, "held": account.held, "deferred": deferred}
    return balances


def _tiers(owner: Owner, world: World, ruleset: Ruleset) -> dict[str, Any]:
    return {
        key: {"level": tier.level, "rank": tier.rank, "benefits": dict(tier.benefits)}
        for key, tier in owner.tiers.items()
    }


def _counters(owner: Owner, world: World, ruleset: Ruleset) -> dict[str, Any]:
    return {key: counter.effective(world.now) for key, counter in owner.counters.items()}


def _name(owner: Owner, world: World, ruleset: Ruleset) -> str | None:
    # A program's name is configuration, so it comes from the rule set that a decision names.
    return ruleset.program_name if owner.kind is OwnerType.PROGRAM else owner.name


_BUILDERS: Mapping[str, Callable[[Owner, World, Ruleset], Any]] = {
    "id": lambda owner, world, ruleset: str(owner.id),
    "external_id": lambda owner, world, ruleset: owner.external_id,
    "name": _name,
    "status": lambda owner, world, ruleset: owner.status,
    "created_at": lambda owner, world, ruleset: owner.created_at,
    "tags": lambda owner, world, ruleset: list(owner.tags),
    "counters": _counters,
    "attributes": lambda owner, world, ruleset: dict(owner.attributes),
    "tiers": _tiers,
    "balances": _balances,
    "groups": lambda owner, world, ruleset: list(owner.groups),
}

_PERSON = frozenset(
    ("id", "external_id", "status", "tags", "counters", "attributes", "tiers", "balances", "created_at",
     "groups")
)
_FIELDS: Mapping[str, frozenset[str]] = {
    "participant": _PERSON,
    "recipient": _PERSON,
    "group": frozenset(("id", "name", "status", "tags", "counters", "attributes", "tiers", "balances")),
    "program": frozenset(("id", "name", "tags", "counters", "attributes")),
}


def inputs_of(variables: Mapping[str, Any], paths: Iterable[Path]) -> Inputs:
    """Return the values at these paths, for storing: what is absent is left out, instants become text."""
    inputs: Inputs = {}
    for path in paths:
        value: Any = variables
        for step in path:
            if not isinstance(value, dict) or step not in value:
                break
            value = value[step]
        else:
            place = inputs
            for step in path[:-1]:
                place = place.setdefault(step, {})
            place[path[-1]] = format_instant(value) if isinstance(value, datetime) else value
    return inputs


_MAPS = frozenset(("counters", "attributes", "tiers", "balances"))


def activation_of(event: Event, inputs: Inputs, candidates: Candidates) -> dict[str, Any]:
    """Return the variables as they were when the inputs were stored.

    A map of which nothing was stored was there all the same: it had none of the keys that are read.
    """
    variables: dict[str, Any] = {
        "event": event.event_data, "participant": None, "recipient": None, "group": None, "program": None,
        "now": event.event_timestamp,
    }
    present: Mapping[str, UUID | None] = {
        "participant": event.participant_id, "recipient": event.recipient_id, "group": event.group_id,
        "program": event.program_id,
    }
    for name, owner_id in present.items():
        stored = inputs.get(name)
        if owner_id is not None:
            variables[name] = {**stored} if isinstance(stored, dict) else {}
            for path in candidates.paths:
                if path[0] == name and len(path) > 2 and path[1] in _MAPS:
                    variables[name].setdefault(path[1], {})
            created = variables[name].get("created_at")
            if isinstance(created, str):
                # What is no instant any more stays the text that somebody made of it.
                with suppress(InstantError):
                    variables[name]["created_at"] = parse_instant(created)
    return variables
