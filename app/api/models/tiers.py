"""The shapes of tiers: levels, lifecycles, where participants and groups stand, and how they came there."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StrictStr,
    WithJsonSchema,
    model_validator,
)

from app.api.fields import (
    Answer,
    Body,
    Duration,
    Instant,
    InstantText,
    Key,
    Query,
    Uuid,
    UuidText,
    bounded_integer,
    fault,
    fault_at,
)
from app.api.pages import Cursor, Paged, list_of
from app.domain.amounts import COUNTER_DIGITS_MAX, significant_digits
from app.domain.durations import parse_duration
from app.domain.tiers import CRITERIA_MAX, EXTEND_MONTHS_MAX, GRACE_DAYS_MAX, QUALIFYING_MAX, RANK_MAX

TIER_KEY_PATTERN = r"^[a-z][a-z0-9_]*$"
_LEAP_YEAR = 2024  # In which 29 February is a day that a fixed year may begin on.
_DURATION_MIN = timedelta(seconds=1)


def _long_enough(value: str) -> str:
    if parse_duration(value) < _DURATION_MIN:
        raise fault("must be at least 1s")
    return value


def _threshold(value: Any) -> int | Decimal:
    """Keep a number as it was given: it is answered so."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise fault("must be a number")
    if significant_digits(Decimal(value)) > COUNTER_DIGITS_MAX:
        raise fault(f"must not have more than {COUNTER_DIGITS_MAX} significant digits")
    return value


TierKey = Annotated[StrictStr, Field(min_length=1, max_length=100, pattern=TIER_KEY_PATTERN)]
DisplayName = Annotated[StrictStr, Field(max_length=255)]
Rank = Annotated[bounded_integer(0, RANK_MAX), Field(description="Higher is better; unique in the tier.")]
Threshold = Annotated[int | Decimal, PlainValidator(_threshold), WithJsonSchema({"type": "number"})]
Color = Annotated[StrictStr, Field(pattern=r"^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$",
                                   examples=["#FFD700"])]
Url = Annotated[StrictStr, Field(min_length=1, max_length=2048)]


def _benefits(value: Any) -> Any:
    if not isinstance(value, dict):
        raise fault("must be an object")
    return value


Benefits = Annotated[dict[str, Any], PlainValidator(_benefits), WithJsonSchema({"type": "object"})]


class Criterion(Body):
    """One comparison of a counter with a threshold."""

    counter: Key
    operator: Literal[">=", ">", "==", "<=", "<"]
    threshold: Threshold


class Qualification(Body):
    """What reaches a level automatically; `{}` is nothing."""

    mode: Literal["ALL", "ANY"] | None = None
    criteria: Annotated[list[Criterion], Field(max_length=CRITERIA_MAX)] | None = None


class LevelBody(Body):
    """A level; of one that exists, only the given fields change."""

    key: TierKey
    rank: Rank | None = None
    display_name: DisplayName | None = None
    qualification: Annotated[Qualification | None, Field(
        description="Absent or null: unchanged. `{}`: the level is no longer reached automatically."
    )] = None
    benefits: Benefits | None = None
    color: Color | None = None
    icon_url: Url | None = None


class Retention(Body):
    """What keeps a level."""

    mode: Literal["PERIOD_BASED", "ACTIVITY_REFRESH"]
    duration: Annotated[Duration, AfterValidator(_long_enough)] | None = None

    @model_validator(mode="after")
    def _has_duration(self) -> "Retention":
        if self.mode == "ACTIVITY_REFRESH" and self.duration is None:
            raise fault_at("duration", "is required with mode ACTIVITY_REFRESH")
        return self


class QualificationPeriod(Body):
    """Which years a PERIOD_BASED tier counts in."""

    type: Literal["CALENDAR_YEAR", "FIXED_YEAR", "NONE"]
    start_month: bounded_integer(1, 12) | None = None
    start_day: bounded_integer(1, 31) | None = None

    @model_validator(mode="after")
    def _starts_on_a_day(self) -> "QualificationPeriod":
        if self.type != "FIXED_YEAR":
            return self
        if self.start_month is None:
            raise fault_at("start_month", "is required with type FIXED_YEAR")
        if self.start_day is None:
            raise fault_at("start_day", "is required with type FIXED_YEAR")
        try:
            date(_LEAP_YEAR, self.start_month, self.start_day)
        except ValueError:
            raise fault_at("start_day", "is not a day of that month") from None
        return self


class StatusValidity(Body):
    """How long an earned level stays valid after the period's end."""

    extend_months: bounded_integer(0, EXTEND_MONTHS_MAX) | None = None


class DowngradePolicy(Body):
    """What happens to an owner who did not keep the level."""

    mode: Literal["DROP_TO_QUALIFYING", "DROP_ONE", "HOLD"] | None = None
    grace_days: bounded_integer(0, GRACE_DAYS_MAX) | None = None
    min_level: TierKey | None = None


class QualifyingCounters(Body):
    """Which counters start anew with each period."""

    qualifying: Annotated[list[Key], Field(max_length=QUALIFYING_MAX)] | None = None
    rollover: Literal["NONE", "EXCESS"] | None = None


class Lifecycle(Body):
    """How long a level is kept; `{}`: until a rule or a call changes it."""

    retention: Retention | None = None
    qualification_period: QualificationPeriod | None = None
    status_validity: StatusValidity | None = None
    downgrade_policy: DowngradePolicy | None = None
    counters: QualifyingCounters | None = None


Levels = Annotated[list[LevelBody], Field(min_length=1, max_length=1000)]


class TierCreate(Body):
    """A new tier."""

    key: TierKey
    display_name: DisplayName | None = None
    levels: Levels
    lifecycle: Lifecycle | None = None


class TierPatch(Body):
    """The fields to change; levels are put by their key."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    display_name: DisplayName | None = None
    levels: Levels | None = None
    lifecycle: Annotated[Lifecycle | None, Field(
        description="Absent or null: unchanged. `{}`: cleared."
    )] = None

    @model_validator(mode="after")
    def _says_something(self) -> "TierPatch":
        if not self.model_fields_set:
            raise fault_at("body", "must have at least one field")
        return self


class TiersQuery(Paged):
    """The query of the list of tiers."""


class TierStateQuery(Query):
    """In which program."""

    program_id: Uuid


class TierHistoryQuery(Paged):
    """In which program, and of which tier."""

    program_id: Uuid
    key: Annotated[StrictStr | None, Field(max_length=100)] = None
    cursor: Cursor = None


class TierAssignment(Body):
    """The level to put somebody on."""

    level: Annotated[StrictStr, Field(min_length=1, max_length=100)]
    expires_at: Annotated[Instant | None, Field(
        description="When the level is taken away again; null or absent: never."
    )] = None


class Level(Answer):
    """A level of a tier."""

    id: UuidText
    key: str
    rank: int
    display_name: str | None = None
    qualification: Qualification | None = None
    benefits: dict[str, Any] | None = None
    color: str | None = None
    icon_url: str | None = None
    created_at: InstantText
    updated_at: InstantText


class Tier(Answer):
    """A tier: an independent track of ordered levels."""

    id: UuidText
    program_id: UuidText
    key: str
    display_name: str | None = None
    levels: list[Level]
    lifecycle: Lifecycle | None = None
    status: Literal["ACTIVE", "ARCHIVED"]
    archived_at: InstantText | None = None
    created_at: InstantText
    updated_at: InstantText


class TierState(Answer):
    """The level of a participant or group in one tier."""

    key: str
    level: str
    rank: int
    benefits: dict[str, Any] | None
    acquired_at: InstantText
    expires_at: InstantText | None


class TierStateOne(Answer):
    """The level of a participant or group in the tier of the path."""

    level: str
    rank: int
    benefits: dict[str, Any] | None
    acquired_at: InstantText
    expires_at: InstantText | None


class TierStates(Answer):
    """All levels in one program."""

    data: list[TierState]


class TierHistoryItem(Answer):
    """One change of level; `from` and `to` are absent at the base."""

    id: UuidText
    program_id: UuidText
    key: str
    from_: Annotated[str | None, Field(alias="from")] = None
    to: str | None = None
    reason: Literal["QUALIFIED", "RULE", "API", "PERIOD_END", "EXPIRED", "INACTIVITY", "REMOVED"]
    event_id: UuidText | None = None
    rule_id: UuidText | None = None
    changed_by_api_key_id: UuidText | None = None
    changed_at: InstantText


TierList = list_of(Tier)
TierHistory = list_of(TierHistoryItem, "TierHistory")
