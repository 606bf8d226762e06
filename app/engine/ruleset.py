"""A program's rules ready to run: ordered, indexed by event type, with the assets and tiers they touch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from app.domain.actions import TargetType
from app.domain.assets import Asset
from app.domain.names import IssuancePolicy
from app.domain.tiers import Tier
from app.engine.cel.reads import Path, minimal
from app.engine.compiled import CompiledAsset, CompiledBroadcast, CompiledRule

# The fields of a variable that are read; None: any of them.
Fields = frozenset[str] | None

# What of the reads is never stored with a decision: the event itself is kept whole, `now` is its timestamp.
_KEPT_ELSEWHERE = frozenset(("event", "now"))


@dataclass(frozen=True, slots=True)
class NumberedRule:
    """A compiled rule with the short number that packed evaluations name it by."""

    number: int
    compiled: CompiledRule


@dataclass(frozen=True, slots=True)
class Candidates:
    """The rules that an event of one type can match, in order, and what deciding it can read or share."""

    rules: tuple[NumberedRule, ...]
    paths: tuple[Path, ...]
    fields: Mapping[str, Fields]
    reads_groups: bool
    reads_tiers: bool
    reads_balances: bool
    budget_rules: tuple[UUID, ...]
    wallet_assets: tuple[UUID, ...]
    program_state: bool

    @property
    def shared(self) -> bool:
        """Whether deciding the event touches rows that events of other participants touch as well."""
        return bool(self.budget_rules or self.wallet_assets or self.program_state)


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The rules, assets and tiers in force for a program: immutable, named by its version.

    `types` are the event types that some rule names.
    """

    organization_id: UUID
    program_id: UUID
    version: int
    program_name: str
    rules: tuple[NumberedRule, ...]
    assets: Mapping[UUID, Asset]
    tiers: Mapping[str, Tier]
    types: frozenset[str] = frozenset()
    _by_type: dict[str | None, Candidates] = field(default_factory=dict, compare=False)

    def candidates(self, event_data: Mapping[str, Any]) -> Candidates:
        """Return the rules that can match; without a text as `type`, all of them."""
        kind = event_data.get("type")
        # A type that no rule names stands as "": only the rules that admit any type.
        known = (kind if kind in self.types else "") if isinstance(kind, str) else None
        found = self._by_type.get(known)
        if found is None:
            # Computed twice where two threads come at once; the results are equal.
            found = self._by_type[known] = self._collect(known)
        return found

    def _collect(self, kind: str | None) -> Candidates:
        rules = tuple(
            rule for rule in self.rules
            if kind is None or rule.compiled.event_types is None or kind in rule.compiled.event_types
        )
        paths = minimal(frozenset().union(*(rule.compiled.reads.paths for rule in rules)))
        kept = sorted(path for path in paths if path[0] not in _KEPT_ELSEWHERE)
        budgets, wallets, program_state = set(), set(), any(path[0] == "program" for path in kept)
        for rule in rules:
            if rule.compiled.rule.budgets:
                budgets.add(rule.compiled.rule.id)
            for action in rule.compiled.actions:
                if isinstance(action, CompiledBroadcast):
                    continue
                program_state = program_state or action.target.type is TargetType.PROGRAM
                if isinstance(action, CompiledAsset):
                    asset = self.assets.get(action.action.asset_id)
                    if asset is not None and asset.policy is IssuancePolicy.PREFUNDED:
                        wallets.add(asset.id)
        return Candidates(
            rules, tuple(kept), fields_of(kept),
            reads_groups=any(reads_field(path, "groups") for path in kept),
            reads_tiers=any(reads_field(path, "tiers") for path in kept) or bool(self.tiers),
            reads_balances=any(reads_field(path, "balances") for path in kept),
            budget_rules=tuple(sorted(budgets)), wallet_assets=tuple(sorted(wallets)),
            program_state=program_state,
        )


def make_ruleset(
    organization_id: UUID, program_id: UUID, version: int, program_name: str,
    rules: tuple[NumberedRule, ...], assets: Mapping[UUID, Asset], tiers: Mapping[str, Tier],
) -> Ruleset:
    """Put a rule set together and note the event types its rules name."""
    types = frozenset().union(*(rule.compiled.event_types or () for rule in rules))
    return Ruleset(organization_id, program_id, version, program_name, rules, assets, tiers, types)


def reads_field(path: Path, name: str) -> bool:
    """Say whether a read path may take a field of its variable."""
    return len(path) < 2 or path[1] == name


def fields_of(paths: list[Path]) -> dict[str, Fields]:
    """Return the fields of each variable that read paths take."""
    fields: dict[str, Fields] = {}
    for path in paths:
        known = fields.get(path[0], frozenset())
        fields[path[0]] = None if len(path) < 2 or known is None else known | {path[1]}
    return fields
