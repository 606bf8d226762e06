"""The shapes of state: tags, counters, attributes and their history."""

from typing import Annotated, Literal

from pydantic import Field, StrictStr

from app.api.fields import (
    AmountText,
    Answer,
    AttributeValue,
    Body,
    CounterValue,
    DurationOrEmpty,
    InstantText,
    Uuid,
    UuidText,
)
from app.api.models.participants import Attributes, Tags
from app.api.pages import EventWindow, Paged, Paged100, Window, list_of

StateType = Literal["tag", "counter", "attribute", "tier"]
Operation = Literal["set", "delete", "add", "remove", "auto_reset"]


class TagsBody(Body):
    """All tags; those that are not named are taken off."""

    tags: Tags


class AttributesBody(Body):
    """Attributes to set; others stay."""

    attributes: Attributes


class AttributeBody(Body):
    """The value of one attribute."""

    value: AttributeValue


class CounterBody(Body):
    """The new value of a counter, which restarts its reset clock."""

    value: CounterValue
    reset_after: Annotated[DurationOrEmpty | None, Field(
        description="After this time the counter reads zero; an empty string removes it, absence leaves it."
    )] = None


class StateQuery(Paged):
    """The query of a state list."""


class HistoryQuery(Paged100, Window):
    """Filters of a history of changes."""

    state_type: StateType | None = None
    key: Annotated[StrictStr | None, Field(max_length=255)] = None
    operation: Operation | None = None
    program_id: Annotated[Uuid | None, Field(description="For tiers: only of this program.")] = None


class EventHistoryQuery(HistoryQuery, EventWindow):
    """The same with a window on the time of the event behind a change."""


class TagItem(Answer):
    """One tag."""

    tag: str


class TagsAnswer(Answer):
    """All tags."""

    tags: list[str]


class CounterItem(Answer):
    """One counter, auto-reset applied."""

    key: str
    value: AmountText
    reset_after: str | None = None
    last_reset_at: InstantText | None = None


class AttributeItem(Answer):
    """One attribute."""

    key: str
    value: str


class AttributesAnswer(Answer):
    """All attributes."""

    attributes: dict[str, str]


class StateHistoryItem(Answer):
    """One change of state, by a rule or by an API key."""

    id: UuidText
    state_type: StateType
    key: str
    operation: Operation
    old_value: str | None = None
    new_value: str | None = None
    event_id: UuidText | None = None
    rule_id: UuidText | None = None
    program_id: UuidText | None = None
    changed_by_api_key_id: UuidText | None = None
    changed_at: InstantText


TagList = list_of(TagItem, "TagList")
CounterList = list_of(CounterItem, "CounterList")
AttributeList = list_of(AttributeItem, "AttributeList")
StateHistoryList = list_of(StateHistoryItem, "StateHistoryList")
