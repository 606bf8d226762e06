"""What is wrong with a rule that somebody wants to save: everything that can be known before an event comes.

What lives here: pure checks of texts, and of a rule against the assets and tiers of its program. Checks that
need locks (order, count, archived rule) are in app/flows/rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from app.domain import actions as a
from app.domain import errors
from app.domain.amounts import fits_scale
from app.domain.assets import Asset
from app.domain.rules import BUDGETS_MAX, IntervalSchedule, Rule
from app.engine.cel import check_portable
from app.engine.compiled import compile_action, compile_condition
from app.engine.schedules import ScheduleError, check_schedule
from app.engine.texts import Texts, constant_amount, fixed_moment

# Where faults of several kinds meet, the first of these names the error; `details` names them all.
_PRECEDENCE: tuple[type[errors.DomainError], ...] = (
    errors.ValidationError, errors.InvalidAmount, errors.AssetNotLinked, errors.LotAssetRequired,
    errors.AssetArchived,
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a rule is checked against: the assets linked to its program, its program's tiers, the time."""

    assets: Mapping[UUID, Asset]
    tiers: Mapping[str, frozenset[str]]
    now: datetime


@dataclass(slots=True)
class Faults:
    """What was found so far, by path; the first fault of a path stays."""

    found: dict[str, tuple[str, type[errors.DomainError]]] = field(default_factory=dict)

    def note(
        self, path: str, message: str, kind: type[errors.DomainError] = errors.ValidationError
    ) -> None:
        """Note a fault."""
        self.found.setdefault(path, (message, kind))

    def take(self, prefix: str, other: "Faults") -> None:
        """Take over what was found in a part, under the part's path."""
        for path, (message, kind) in other.found.items():
            self.note(prefix + path, message, kind)

    def refuse(self) -> None:
        """Raise what was found, if anything."""
        kinds = {kind for _, kind in self.found.values()}
        for kind in _PRECEDENCE:
            if kind in kinds:
                raise kind(details={path: message for path, (message, _) in self.found.items()})


@dataclass(slots=True)
class Proposal:
    """What somebody wants to save: the fields that are being set, and how the rule would be then.

    `actions` are the well-formed ones by their place, so that one malformed action hides no other fault.
    """

    given: frozenset[str]
    rule: Rule
    actions: Mapping[int, a.Action]


def check_texts(proposal: Proposal, faults: Faults) -> None:
    """Check what needs no knowledge of the program."""
    given, rule, texts = proposal.given, proposal.rule, Texts(check_portable)
    if "condition" in given:
        compile_condition(rule.condition, texts)
    if "actions" in given:
        for index, action in proposal.actions.items():
            compile_action(action, index, texts)
    for path, message in texts.faults.items():
        kind = errors.InvalidAmount if path in texts.no_amounts else errors.ValidationError
        faults.note(path, message, kind)
    check_window(proposal, faults)
    if "budgets" in given:
        _check_budgets(rule, faults)


def check_window(proposal: Proposal, faults: Faults) -> None:
    """Check that the window of the rule, as it would be then, has a length."""
    given, rule = proposal.given, proposal.rule
    if rule.active_from is not None and rule.active_to is not None and rule.active_from >= rule.active_to:
        if "active_to" in given:
            faults.note("active_to", "must be after active_from")
        elif "active_from" in given:
            faults.note("active_from", "must be before active_to")


def check_surroundings(proposal: Proposal, surroundings: Surroundings, faults: Faults) -> None:
    """Check actions and budgets against the program's assets and tiers."""
    if "actions" in proposal.given:
        for index, action in proposal.actions.items():
            path = f"actions[{index}]"
            if isinstance(action, a.AssetAction):
                _check_asset_action(action, path, surroundings, faults)
            elif isinstance(action, a.SetTier):
                _check_tier(action, path, surroundings, faults)
    if "budgets" in proposal.given:
        for index, budget in enumerate(proposal.rule.budgets):
            asset = surroundings.assets.get(budget.asset_id)
            path = f"budgets[{index}]"
            if asset is None:
                faults.note(f"{path}.asset_id", "is not linked to this program", errors.AssetNotLinked)
            elif not fits_scale(budget.limit, asset.scale):
                faults.note(f"{path}.limit", _too_many_decimals(asset), errors.InvalidAmount)


def _check_asset_action(
    action: a.AssetAction, path: str, surroundings: Surroundings, faults: Faults
) -> None:
    asset = surroundings.assets.get(action.asset_id)
    if asset is None:
        faults.note(f"{path}.asset_id", "is not linked to this program", errors.AssetNotLinked)
        return
    if asset.archived:
        faults.note(f"{path}.asset_id", "is archived", errors.AssetArchived)
    amount = None if isinstance(action, a.VoidHold) else constant_amount(action.amount)
    if amount is not None and not fits_scale(amount, asset.scale):
        faults.note(f"{path}.amount", _too_many_decimals(asset), errors.InvalidAmount)
    if not asset.has_lots:
        for name in ("reference_id", "expires_at", "matures_at"):
            if getattr(action, name, None) is not None:
                message = "needs an asset with inventory_mode LOT"
                faults.note(f"{path}.{name}", message, errors.LotAssetRequired)
    if isinstance(action, a.Credit):
        _check_times(action, path, surroundings.now, faults)


def _check_times(action: a.Credit, path: str, now: datetime, faults: Faults) -> None:
    """A lot must not be born expired, and must mature before it expires (decision E4)."""
    expires, matures = fixed_moment(action.expires_at), fixed_moment(action.matures_at)
    if isinstance(expires, datetime) and expires <= now:
        faults.note(f"{path}.expires_at", "must not be in the past")
    same = (isinstance(expires, timedelta) and isinstance(matures, timedelta) and matures >= expires) or (
        isinstance(expires, datetime) and isinstance(matures, datetime) and matures >= expires
    )
    if same:
        faults.note(f"{path}.matures_at", "must be before expires_at")


def _check_tier(action: a.SetTier, path: str, surroundings: Surroundings, faults: Faults) -> None:
    levels = surroundings.tiers.get(action.tier)
    if levels is None:
        faults.note(f"{path}.tier", "is not a tier of this program")
    elif action.level not in levels:
        faults.note(f"{path}.level", "is not a level of this tier")


def _check_budgets(rule: Rule, faults: Faults) -> None:
    if len(rule.budgets) > BUDGETS_MAX:
        faults.note("budgets", f"must not have more than {BUDGETS_MAX} entries")
    seen: set[UUID] = set()
    for index, budget in enumerate(rule.budgets):
        if budget.asset_id in seen:
            faults.note(f"budgets[{index}].asset_id", "must not appear twice")
        seen.add(budget.asset_id)
        if budget.schedule is None:
            continue
        try:
            check_schedule(budget.schedule)
        except ScheduleError as error:
            name = "interval" if isinstance(budget.schedule, IntervalSchedule) else "cron_expression"
            faults.note(f"budgets[{index}].{name}", str(error))


def _too_many_decimals(asset: Asset) -> str:
    return f"must not have more than {asset.scale} decimal places"
