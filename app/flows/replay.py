"""The replay of the event log: every event decided again, in the order of commits, beside what is stored.

An empty database gets the configuration and the events. Each event is then processed there as a worker does
it, at its `decided_at` and under its version of the rules; at the end both sides must say the same, byte by
byte (decision C4). What moved without an event (calls, due lots, edits of state) is no part of the log:
balances without lots and budgets get it at its time, and owners that had more than that done to them are left
out of the comparison, with everybody their events touched; they are counted.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from app.book.accounts import AccountNumbers
from app.book.check import EXAMPLES_MAX, Checked, Finding
from app.db import Connection
from app.domain.ids import TimeOrdered
from app.domain.json import dumps
from app.domain.names import EventErrorCode
from app.domain.rules import rule_from_snapshot
from app.flows import process, rulesets
from app.flows.process import Needs, Planned, Plans
from app.flows.reset_budget import reset_at
from app.flows.rules import replace_budgets
from app.store import inbox, replays
from app.store.leases import Lease

ROUNDS_MAX = 10
# Ends that no decision led to: the worker could not process the event.
_UNDECIDED = (EventErrorCode.ATTEMPTS_EXHAUSTED, EventErrorCode.POISON_EVENT)

Key = tuple[UUID, int]


@dataclass(slots=True)
class Sides:
    """What each side says about each event."""

    stored: dict[Key, list[str]]
    replayed: dict[Key, list[str]]
    touched: dict[Key, set[UUID]] = field(default_factory=dict)


def run(
    source: Connection, target: Connection, organization_id: UUID | None = None
) -> Iterator[tuple[Checked, str]]:
    """Replay into an empty database; yield what was compared, as `verify` does."""
    replays.fill(source, target)
    decisions = replays.decisions(source, organization_id)
    failures = _process(source, target, decisions)
    sides = Sides(_by_event(source), _by_event(target))
    budgeted = replays.budgeted_rules(source)
    for side in (source, target):
        _note_touched(side, sides, budgeted)
    apart = _apart(source, decisions, sides)
    wrong = list(failures)
    compared = 0
    for row in decisions:
        key = (row["organization_id"], row["event_seq"])
        if key in apart.events or row["error_code"] in _UNDECIDED:
            continue
        compared += 1
        if sides.stored.get(key) != sides.replayed.get(key):
            wrong.append(_difference(key, sides))
    yield Checked("replayed_events", len(wrong), tuple(wrong[:EXAMPLES_MAX])), (
        f"{compared} of {len(decisions)} events compared"
        + (f", {len(apart.events)} left out: changed by more than events" if apart.events else "")
    )
    whose = replays.organizations(source) if organization_id is None else [organization_id]
    for kind in replays.LEFT:
        yield _compare_left(source, target, kind, apart, whose)


def _process(source: Connection, target: Connection, decisions: list[dict[str, Any]]) -> list[Finding]:
    """Decide every event again; return those that could not be."""
    numbers, failures = AccountNumbers(), []
    beside = deque(_beside(source))
    in_force: dict[UUID, tuple[int, str]] = {}
    ids: TimeOrdered | None = None
    present: datetime | None = None
    for row in decisions:
        while beside and beside[0][0] < row["decided_at"]:
            beside.popleft()[1](target)
        if row["error_code"] in _UNDECIDED:
            continue
        archived = row["error_code"] == EventErrorCode.PROGRAM_INACTIVE
        wanted = (row["ruleset_version"], "ARCHIVED" if archived else "ACTIVE")
        if in_force.get(row["program_id"]) != wanted:
            replays.put_in_force(target, row["organization_id"], row["program_id"], *wanted)
            in_force[row["program_id"]] = wanted
        ruleset = rulesets.get(target, row["organization_id"], row["program_id"], row["ruleset_version"])
        if ids is None or row["decided_at"] != present:
            # Lots of one instant are spent in the order of their ids, across the events of their batch.
            ids, present = TimeOrdered(row["decided_at"]), row["decided_at"]
        try:
            _decide(target, row, Plans({row["program_id"]: Planned(wanted[1], ruleset)}), numbers, ids)
        except Exception as error:  # Whatever breaks one event must not hide what became of the others.
            target.execute("DELETE FROM inbox")
            failures.append(Finding(f"event {row['event_seq']}", f"{type(error).__name__}: {error}"))
    for _, change in beside:
        change(target)
    return failures


def _beside(source: Connection) -> list[tuple[datetime, Callable[[Connection], None]]]:
    """Return what was done to balances without lots and to budgets beside the events, in order."""
    found: list[tuple[datetime, Callable[[Connection], None]]] = [
        (row["created_at"], partial(replays.add, row=row)) for row in replays.outside_sums(source)
    ]
    found += [(row["at"], partial(_change_budget, row)) for row in replays.budget_changes(source)]
    return sorted(found, key=lambda one: one[0])


def _change_budget(row: dict[str, Any], target: Connection) -> None:
    """Write a rule's budgets as its version says, or reset one as somebody did."""
    if row["snapshot"] is not None:
        rule = rule_from_snapshot(row["history_id"], row["snapshot"])
        replace_budgets(target, row["organization_id"], rule, row["at"])
    else:
        reset_at(target, row["organization_id"], row["rule_id"], row["asset_id"], row["at"])


def _decide(
    target: Connection, row: dict[str, Any], plans: Plans, numbers: AccountNumbers, ids: TimeOrdered
) -> None:
    """Process one event as a worker would, at the instant of its decision."""
    replays.enter(target, row["decided_at"])
    replays.wait(target, row["organization_id"], row["event_seq"])
    (event,) = inbox.claim(target, [row["partition"]], after=row["event_seq"] - 1, limit=1).events
    needs: Needs = {}
    for _ in range(ROUNDS_MAX):
        lease = Lease(event.partition, "replay", event.position, event.position, True, 0)
        if not process.batch(target, [lease], [event], plans, needs, numbers, ids):
            return
    raise AssertionError("the event asks for more and more rows")


def _by_event(c: Connection) -> dict[Key, list[str]]:
    """Return what a side says of each event; entries are named by their place, as ids are drawn anew."""
    places: dict[str, str] = {}
    counts: dict[Key, int] = defaultdict(int)
    told: dict[Key, list[str]] = defaultdict(list)
    for kind, row in replays.outcomes(c):
        key = (row.pop("organization_id"), row.pop("event_seq"))
        if kind == "entries":
            places[str(row.pop("id"))] = f"entry {counts[key]}"
            counts[key] += 1
        if kind == "decisions":
            for evaluation in row["evaluations"] or ():
                for action in (evaluation[5] or ()) if len(evaluation) > 5 else ():
                    if "journal_entry_id" in action:
                        named = action["journal_entry_id"]
                        action["journal_entry_id"] = places.get(named, named)
        told[key].append(f"{kind}: {dumps(row)}")
    return told


def _note_touched(c: Connection, sides: Sides, budgeted: Mapping[Key, UUID]) -> None:
    """Note what each event touched: owners by entries and changes, and the budgets of its rules."""
    for kind, row in replays.outcomes(c):
        key = (row["organization_id"], row["event_seq"])
        found = sides.touched.setdefault(key, set())
        if kind == "changes":
            found.add(row["owner_id"])
        if kind == "entries":
            # No decision reads what the system's own accounts hold.
            found.update(
                UUID(owner) for owner_type, owner, *_ in row["postings"]
                if not owner_type.startswith("SYSTEM_")
            )
        if kind == "decisions":
            numbers = [(row["organization_id"], evaluation[0]) for evaluation in row["evaluations"] or ()]
            found.update(budgeted[number] for number in numbers if number in budgeted)


@dataclass(slots=True)
class Apart:
    """Whose (owners, and rules with budgets) and what events are left out of the comparison."""

    owners: set[UUID]
    events: set[Key] = field(default_factory=set)


def _apart(source: Connection, decisions: list[dict[str, Any]], sides: Sides) -> Apart:
    """Return whose events cannot be compared: whom something else changed, and whom their events touched."""
    found = Apart(replays.outside_owners(source))
    for row in decisions:
        key = (row["organization_id"], row["event_seq"])
        concerned = {row["participant_id"], row["group_id"], row["recipient_id"]} - {None}
        concerned |= sides.touched.get(key, set())
        if row["reads_program"]:
            concerned.add(row["program_id"])
        if row["erased"] or not found.owners.isdisjoint(concerned):
            found.events.add(key)
            found.owners |= concerned
    return found


def _difference(key: Key, sides: Sides) -> Finding:
    stored, replayed = sides.stored.get(key, []), sides.replayed.get(key, [])
    for before, after in zip([*stored, ""], [*replayed, ""], strict=False):
        if before != after:
            return Finding(f"event {key[1]}", f"stored {before or 'nothing'}; replayed {after or 'nothing'}")
    return Finding(f"event {key[1]}", f"stored {len(stored)} rows, replayed {len(replayed)}")


def _compare_left(
    source: Connection, target: Connection, kind: str, apart: Apart, whose: list[UUID]
) -> tuple[Checked, str]:
    """Compare what is left at the end, owner by owner."""

    def by_owner(c: Connection) -> dict[UUID, list[str]]:
        rows: dict[UUID, list[str]] = defaultdict(list)
        for each in whose:
            for row in replays.left(c, kind, each):
                rows[row["owner_id"]].append(dumps(row))
        return {owner: sorted(found) for owner, found in rows.items() if owner not in apart.owners}

    before, after = by_owner(source), by_owner(target)
    wrong = [
        Finding(str(owner), f"stored {before.get(owner)}; replayed {after.get(owner)}")
        for owner in sorted(before.keys() | after.keys()) if before.get(owner) != after.get(owner)
    ]
    return Checked(f"replayed_{kind}", len(wrong), tuple(wrong[:EXAMPLES_MAX])), f"{len(before)} compared"
