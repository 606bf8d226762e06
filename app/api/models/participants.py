"""The shapes of participants and enrollments."""

from typing import Annotated, Any, Literal

from pydantic import Field, StrictStr, WithJsonSchema, model_validator

from app.api.fields import (
    PLAIN_PATTERN,
    TEXT_PATTERN,
    AmountText,
    Answer,
    AttributeValue,
    Body,
    Email,
    InstantText,
    Key,
    Name,
    Patch,
    Tag,
    Uuid,
    UuidText,
    fault_at,
)
from app.api.pages import Paged, Search, SortDirection, Window, list_of

Status = Literal["ACTIVE", "SUSPENDED", "CLOSED"]
EnrollmentStatus = Literal["ACTIVE", "FROZEN", "LOCKED", "CLOSED"]
# How many an owner may have is the flow's to say (422 limit_exceeded); a body's size bounds a request.
Attributes = Annotated[dict[Key, AttributeValue], WithJsonSchema({
    # A pattern of the keys beside the type of the values, not a type of the values for such keys only.
    "type": "object", "propertyNames": {"minLength": 1, "maxLength": 255, "pattern": PLAIN_PATTERN},
    "additionalProperties": {"type": "string", "minLength": 1, "maxLength": 4096, "pattern": TEXT_PATTERN},
})]
Tags = list[Tag]
ProfileName = Annotated[StrictStr, Field(max_length=255)]
UPSERTS_MAX = 500


class Profile(Body):
    """Personal data; an empty string clears a field."""

    email: Email | None = None
    phone: Annotated[StrictStr, Field(max_length=50)] | None = None
    first_name: ProfileName | None = None
    last_name: ProfileName | None = None
    display_name: ProfileName | None = None


class ParticipantUpsert(Profile):
    """A participant by external id; created where unknown, else changed in the given fields."""

    external_id: Name
    program_id: Annotated[Uuid | None, Field(description="Enrolls the participant.")] = None
    status: Status | None = None
    attributes: Annotated[Attributes | None, Field(description="Merged into those that are there.")] = None
    tags: Annotated[Tags | None, Field(description="Replaces all tags.")] = None


class ParticipantPatch(Profile, Patch):
    """The fields to change; absent ones stay."""

    nullable = frozenset({"email", "phone", "first_name", "last_name", "display_name"})

    external_id: Name | None = None
    attributes: Annotated[Attributes | None, Field(description="Merged into those that are there.")] = None
    tags: Annotated[Tags | None, Field(description="Replaces all tags.")] = None

    @model_validator(mode="before")
    @classmethod
    def _no_status(cls, data: Any) -> Any:
        if isinstance(data, dict) and "status" in data:
            raise fault_at("status", "is changed with PATCH /v1/participants/{id}/status")
        return data


class ParticipantStatusBody(Body):
    """The new status; all changes among the three are legal."""

    status: Status


class ParticipantBatch(Body):
    """Up to 500 participants."""

    participants: Annotated[list[ParticipantUpsert], Field(min_length=1, max_length=UPSERTS_MAX)]


class ParticipantsQuery(Paged, Window):
    """Filters of the list of participants."""

    external_id: Annotated[StrictStr | None, Field(description="Exactly this one.")] = None
    program_id: Annotated[Uuid | None, Field(description="Enrolled in this program.")] = None
    status: Status | None = None
    search: Annotated[Search, Field(
        description="Case-insensitive substring of external_id, email, phone or one of the names. A page"
        " reads only so far for a rare text of one or two characters, or of parts that nearly all hold: it"
        " may be short, even empty, while `has_more` is true; the next pages go on from there."
    )] = None
    sort_by: Literal["created_at", "external_id", "status"] = "created_at"
    sort_dir: SortDirection = "desc"


class ParticipantSlim(Answer):
    """A participant as lists show it."""

    id: UuidText
    external_id: str
    status: Status
    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    display_name: str | None = None
    created_at: InstantText
    updated_at: InstantText


class OwnerBalance(Answer):
    """What an owner has of one asset."""

    asset_id: UuidText
    available: AmountText
    held: AmountText
    deferred: AmountText


class TierMark(Answer):
    """The level in one tier."""

    level: str
    rank: int


class Participant(ParticipantSlim):
    """A participant with its state, balances and programs."""

    attributes: dict[str, str]
    tags: list[str]
    counters: dict[str, AmountText]
    tiers: dict[str, TierMark]
    balances: list[OwnerBalance]
    program_ids: list[UuidText]


class UpsertOutcome(Answer):
    """What became of one participant of a batch."""

    status: Literal["created", "updated", "error"]
    external_id: str
    id: UuidText | None = None
    code: str | None = None
    message: str | None = None
    details: dict[str, str] | None = None


class ParticipantBatchResult(Answer):
    """What became of a batch, in its order."""

    data: list[UpsertOutcome]


class EnrollmentsQuery(Paged):
    """Filters of a program's participants."""

    status: EnrollmentStatus | None = None


class EnrollmentBody(Body):
    """How the participant stands in the program."""

    status: EnrollmentStatus


class Enrollment(Answer):
    """A participant's standing in one program."""

    program_id: UuidText
    participant_id: UuidText
    external_id: str
    status: EnrollmentStatus
    enrolled_at: InstantText
    updated_at: InstantText


ParticipantList = list_of(ParticipantSlim, "ParticipantList")
EnrollmentList = list_of(Enrollment)
