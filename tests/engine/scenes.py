"""A stage for decisions: a program with assets, rules and people in memory; events happen to them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid5

from app.domain.assets import Asset
from app.domain.events import Event
from app.domain.ids import TimeOrdered
from app.domain.names import Bucket, EventType, InventoryMode, IssuancePolicy, OwnerType
from app.domain.rules import rule_from_snapshot
from app.domain.tiers import tier_from_json
from app.engine.compiled import compile_rule
from app.engine.decide import Decision, decide
from app.engine.ruleset import NumberedRule, Ruleset, make_ruleset
from app.engine.state import BudgetState, Owner, World
from app.ledger.accounts import Account

SPACE = UUID("00000000-0000-4000-8000-000000000001")
START = datetime(2026, 1, 15, 12, tzinfo=UTC)


def named(name: str) -> UUID:
    """Return the id that always belongs to a name."""
    return uuid5(SPACE, name)


class Scene:
    """One program. Assets are named by symbol, people and groups by name; the clock moves only when told."""

    def __init__(self) -> None:
        self.organization_id, self.program_id = named("organization"), named("program")
        self.now = START
        self.assets: dict[str, Asset] = {}
        self.rules: list[NumberedRule] = []
        self.tiers: dict[str, Any] = {}
        self.world = World(START)
        self.numbers = count(1)
        self.sequence = count(1)
        self._add(Owner(self.organization_id, self.program_id, OwnerType.PROGRAM, "ACTIVE", name="Program"))

    def asset(
        self, symbol: str, scale: int = 0, *, lots: bool = False, wallet: str | None = None,
        limit: str | None = None, archived: bool = False,
    ) -> str:
        """Add an asset; `wallet` makes it PREFUNDED with so much in the program's wallet. Returns its id."""
        mode = InventoryMode.LOT if lots else InventoryMode.SIMPLE
        policy = IssuancePolicy.UNLIMITED if wallet is None else IssuancePolicy.PREFUNDED
        asset = Asset(
            self.organization_id, named(symbol), symbol, scale, mode, policy, archived,
            None if limit is None else Decimal(limit), -1, -2, -3,
        )
        self.assets[symbol] = asset
        if wallet is not None:
            self.world.accounts[self.program_id, asset.id] = Account(
                self.organization_id, next(self.numbers), OwnerType.PROGRAM, self.program_id, asset.id,
                available=Decimal(wallet),
            )
        return str(asset.id)

    def rule(self, condition: str, *actions: dict[str, Any], **fields: Any) -> str:
        """Add an ACTIVE rule behind the others; returns its id."""
        number = len(self.rules) + 1
        rule_id = named(f"rule {number}")
        snapshot = {
            "id": str(rule_id), "program_id": str(self.program_id), "name": f"rule {number}",
            "condition": condition, "actions": list(actions), "order": number * 10,
            "stop_after_match": False, "status": "ACTIVE", **fields,
        }
        compiled = compile_rule(rule_from_snapshot(named(f"version {number}"), snapshot))
        self.rules.append(NumberedRule(number, compiled))
        for budget in compiled.rule.budgets:
            self.world.budgets[rule_id, budget.asset_id] = BudgetState(Decimal(0), None)
        return str(rule_id)

    def tier(self, key: str, levels: list[dict[str, Any]], **fields: Any) -> None:
        """Add a tier."""
        self.tiers[key] = tier_from_json(
            {"id": str(named(f"tier {key}")), "key": key, "archived": False, "levels": levels, **fields}
        )

    def person(self, name: str, status: str = "ACTIVE", **state: Any) -> UUID:
        """Add a participant whose external id is its name."""
        owner = Owner(
            self.organization_id, named(name), OwnerType.PARTICIPANT, status, START, name, **state
        )
        self._add(owner)
        self.world.external_ids[name] = owner.id
        return owner.id

    def group(self, name: str, status: str = "ACTIVE") -> UUID:
        """Add a group."""
        owner = Owner(self.organization_id, named(name), OwnerType.GROUP, status, START, name=name)
        self._add(owner)
        return owner.id

    def _add(self, owner: Owner) -> None:
        self.world.owners[owner.id] = owner

    def ruleset(self) -> Ruleset:
        """Return the rules as they stand."""
        return make_ruleset(
            self.organization_id, self.program_id, 1, "Program", tuple(self.rules),
            {asset.id: asset for asset in self.assets.values()}, self.tiers,
        )

    def event(
        self, data: dict[str, Any], person: str | None = "alice", *, recipient: str | None = None,
        group: str | None = None, at: datetime | None = None, depth: int = 0,
    ) -> Event:
        """Return an event about to happen."""
        seq = next(self.sequence)
        participant_id = None if person is None else named(person)
        group_id = None if group is None else named(group)
        return Event(
            self.organization_id, seq, named(f"event {seq}"), self.program_id, EventType.EXTERNAL,
            participant_id, group_id, None if recipient is None else named(recipient), person, f"key {seq}",
            at or self.now, self.now, data, depth, participant_id or group_id or self.program_id,
        )

    def happens(self, data: dict[str, Any], person: str | None = "alice", **how: Any) -> Decision:
        """Let an event happen: decide it, and go on from what it changed."""
        return self.decide(self.event(data, person, **how))

    def decide(self, event: Event) -> Decision:
        """Decide an event on the present state and take its changes over."""
        self.world.now = self.now
        decision = decide(
            event, self.world, self.ruleset(), TimeOrdered(self.now, entropy=event.seq),
            lambda: next(self.numbers),
        )
        if decision.draft is not None:
            decision.draft.commit()
        return decision

    def passes(self, **how_long: float) -> None:
        """Let time pass."""
        self.now += timedelta(**how_long)

    def balance(self, name: str, symbol: str, bucket: Bucket = Bucket.AVAILABLE) -> str:
        """Return a balance in plain notation."""
        account = self.world.accounts.get((named(name), self.assets[symbol].id))
        value = Decimal(0) if account is None else account.balance(bucket)
        return format(value.normalize() + 0, "f")

    def counter(self, name: str, key: str) -> str | None:
        """Return a counter's effective value in plain notation, None where there is none."""
        found = self.world.owners[named(name)].counters.get(key)
        return None if found is None else format(found.effective(self.now).normalize() + 0, "f")


def credit(asset: str, amount: str, **fields: Any) -> dict[str, Any]:
    """Return a CREDIT action."""
    return {"type": "CREDIT", "asset_id": asset, "amount": amount, **fields}
