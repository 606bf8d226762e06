"""Rule sets ready to run, kept by the process: compiled once per rule version, shared by its threads."""

import threading
from collections import OrderedDict
from decimal import Decimal
from typing import Any, Generic, TypeVar
from uuid import UUID

from app.db import Connection
from app.domain.assets import Asset
from app.domain.ids import id_of
from app.domain.names import InventoryMode, IssuancePolicy
from app.domain.rules import rule_from_snapshot
from app.domain.tiers import tier_from_json
from app.engine.compiled import CompiledRule, compile_rule
from app.engine.ruleset import NumberedRule, Ruleset, make_ruleset
from app.store import rulesets as store
from app.store import snapshot

K = TypeVar("K")
V = TypeVar("V")

RULESETS_KEPT = 500  # About 40 KiB each for ten rules; the least recently used go first.
RULES_KEPT = 20_000  # About 10 KiB each.


class _Kept(Generic[K, V]):
    """A bounded map for several threads; a value may be made twice, and then one of the two is kept."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            found = self._values.get(key)
            if found is not None:
                self._values.move_to_end(key)
            return found

    def put(self, key: K, value: V) -> None:
        with self._lock:
            self._values[key] = value
            if len(self._values) > self._most:
                self._values.popitem(last=False)


_rulesets: _Kept[tuple[UUID, UUID, int], Ruleset] = _Kept(RULESETS_KEPT)
_rules: _Kept[UUID, NumberedRule] = _Kept(RULES_KEPT)


def get(c: Connection, organization_id: UUID, program_id: UUID, version: int) -> Ruleset:
    """Return a rule set by its version; version 0 is the empty one of a program without configuration."""
    key = (organization_id, program_id, version)
    found = _rulesets.get(key)
    if found is None:
        found = _load(c, organization_id, program_id, version)
        _rulesets.put(key, found)
    return found


def current(c: Connection, organization_id: UUID, program_id: UUID) -> Ruleset:
    """Return the rule set in force for a program that exists."""
    facts = snapshot.read_programs(snapshot.start_programs(c, organization_id, [program_id]))
    return get(c, organization_id, program_id, facts[program_id].ruleset_version)


def _load(c: Connection, organization_id: UUID, program_id: UUID, version: int) -> Ruleset:
    stored = store.load(c, organization_id, program_id, version)
    if stored is None:
        return make_ruleset(organization_id, program_id, version, "", (), {}, {})
    missing = [one for one in stored.history_ids if _rules.get(one) is None]
    made = {
        rule.history_id: NumberedRule(rule.number, _compile(rule.history_id, rule.snapshot))
        for rule in (store.load_rules(c, organization_id, missing) if missing else ())
    }
    for history_id, rule in made.items():
        _rules.put(history_id, rule)
    rules = []
    for history_id in stored.history_ids:
        one = made.get(history_id) or _rules.get(history_id)
        assert one is not None, "a rule set names a rule version that does not exist"
        rules.append(one)
    return make_ruleset(
        organization_id, program_id, version, stored.program["name"], tuple(rules),
        {asset.id: asset for asset in (asset_from_json(organization_id, item) for item in stored.assets)},
        {tier.key: tier for tier in (tier_from_json(item) for item in stored.tiers)},
    )


def _compile(history_id: UUID, snapshot: dict[str, Any]) -> CompiledRule:
    return compile_rule(rule_from_snapshot(history_id, snapshot))


def asset_from_json(organization_id: UUID, item: dict[str, Any]) -> Asset:
    """Read an asset as rule sets keep it."""
    limit = item.get("limit")
    return Asset(
        organization_id, id_of(item["id"]), item["symbol"], item["scale"], InventoryMode(item["mode"]),
        IssuancePolicy(item["policy"]), item["archived"], None if limit is None else Decimal(limit),
        item["issuance"], item["breakage"], item["redemption"],
    )
