"""Tags, counters and attributes over HTTP: the same routes for participants, groups and programs.

Tiers have a file of their own.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from app.api.models import state as models
from app.api.owners import counter_view
from app.api.pages import envelope, listing, page_of
from app.api.render import present
from app.api.routing import Handler, Method, Reply, Request, route
from app.db import connection, read_clock
from app.domain.errors import (
    DomainError,
    GroupArchived,
    LimitExceeded,
    NotFound,
    ParticipantInactive,
    ProgramArchived,
    ValidationError,
)
from app.domain.ids import derived_id
from app.domain.names import OwnerType
from app.domain.texts import KEY_LENGTH_MAX
from app.engine import state_edits
from app.engine.state import Owner
from app.flows.edit_state import Edit, edit, read_owner
from app.store import states
from app.store.pages import Column, Order

_KEY_ORDER = Order((Column("key", "key", "text"),), descending=False)


@dataclass(frozen=True, slots=True)
class Host:
    """One of the three kinds of owner that have state."""

    kind: OwnerType
    path: str
    noun: str
    tag: str
    closed: tuple[type[DomainError], ...]
    has_event_window: bool


HOSTS = (
    Host(OwnerType.PARTICIPANT, "/v1/participants", "participant", "Participant state", (), True),
    Host(OwnerType.GROUP, "/v1/groups", "group", "Group state", (GroupArchived,), False),
    Host(OwnerType.PROGRAM, "/v1/programs", "program", "Program state", (ProgramArchived,), False),
)


def _read(request: Request, host: Host) -> Owner:
    with connection() as c:
        return read_owner(c, request.organization_id, host.kind, request.path["id"])


def _edit(
    request: Request, host: Host, change: Edit, *, needs_active: bool = False
) -> tuple[Owner, bool, datetime]:
    return edit(
        request.organization_id, host.kind, request.path["id"], request.api_key_id, change,
        needs_active=needs_active,
    )


def _sorted_page(request: Request, items: Iterable[tuple[str, Mapping[str, Any]]]) -> Reply:
    """Answer a page of a list that is in memory anyway: at most 500 keys of one owner."""
    page = page_of(request, _KEY_ORDER)
    rest = sorted(items, key=lambda item: item[0])
    if page.after is not None:
        rest = [item for item in rest if item[0] > page.after[0]]
    shown = rest[: page.limit]
    following = (shown[-1][0],) if len(rest) > page.limit else None
    return envelope(request, _KEY_ORDER, [view for _, view in shown], following)


def history_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show one change of state."""
    shown = present(
        row, required=("state_type", "key", "operation", "changed_at"),
        optional=("old_value", "new_value", "event_id", "rule_id", "program_id", "changed_by_api_key_id"),
    )
    return {"id": derived_id(row["id"], row["index"]), **shown}


def _tag_of(request: Request) -> str:
    tag: str = request.path["tag"].lower()
    if len(tag) > KEY_LENGTH_MAX:
        raise ValidationError(details={"tag": f"must have at most {KEY_LENGTH_MAX} characters"})
    return tag


class _Tags:
    """The handlers of tags."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def list_tags(self, request: Request) -> Reply:
        """List the tags, in alphabetical order."""
        return _sorted_page(request, ((tag, {"tag": tag}) for tag in _read(request, self.host).tags))

    def replace_tags(self, request: Request) -> Reply:
        """Replace all tags."""
        tags = request.body.tags
        owner, _, _ = _edit(request, self.host, lambda owner, now: state_edits.replace_tags(owner, tags))
        return Reply(200, {"tags": list(owner.tags)})

    def add_tag(self, request: Request) -> Reply:
        """Put a tag on."""
        tag = _tag_of(request)
        _, changed, _ = _edit(request, self.host, lambda owner, now: state_edits.add_tag(owner, tag))
        return Reply(201 if changed else 200, {"tag": tag})

    def remove_tag(self, request: Request) -> Reply:
        """Take a tag off; succeeds where it is absent."""
        tag = _tag_of(request)
        _edit(request, self.host, lambda owner, now: state_edits.remove_tag(owner, tag))
        return Reply(204)


class _Counters:
    """The handlers of counters."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def list_counters(self, request: Request) -> Reply:
        """List the counters by key, auto-resets applied."""
        with connection() as c:
            owner = read_owner(c, request.organization_id, self.host.kind, request.path["id"])
            now = read_clock(c)
        return _sorted_page(
            request, ((key, counter_view(key, value, now)) for key, value in owner.counters.items())
        )

    def get_counter(self, request: Request) -> Reply:
        """Return one counter, its auto-reset applied."""
        key = request.path["key"]
        with connection() as c:
            owner = read_owner(c, request.organization_id, self.host.kind, request.path["id"])
            now = read_clock(c)
        if key not in owner.counters:
            raise NotFound("Counter not found")
        return Reply(200, counter_view(key, owner.counters[key], now))

    def set_counter(self, request: Request) -> Reply:
        """Set a counter to a value and restart its reset clock; creates it where it is missing."""
        key, body = request.path["key"], request.body
        owner, _, now = _edit(
            request, self.host,
            lambda owner, now: state_edits.set_counter(owner, key, body.value, body.reset_after, now),
            needs_active=True,
        )
        return Reply(200, counter_view(key, owner.counters[key], now))

    def remove_counter(self, request: Request) -> Reply:
        """Remove a counter entirely; succeeds where it is absent."""
        key = request.path["key"]
        _edit(
            request, self.host, lambda owner, now: state_edits.remove_counter(owner, key, now),
            needs_active=True,
        )
        return Reply(204)


class _Attributes:
    """The handlers of attributes."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def list_attributes(self, request: Request) -> Reply:
        """List the attributes by key."""
        owner = _read(request, self.host)
        return _sorted_page(
            request, ((key, {"key": key, "value": value}) for key, value in owner.attributes.items())
        )

    def merge_attributes(self, request: Request) -> Reply:
        """Set some attributes; others stay."""
        given = request.body.attributes
        owner, _, _ = _edit(
            request, self.host, lambda owner, now: state_edits.merge_attributes(owner, given)
        )
        return Reply(200, {"attributes": dict(owner.attributes)})

    def set_attribute(self, request: Request) -> Reply:
        """Set one attribute."""
        key, value = request.path["key"], request.body.value
        _edit(request, self.host, lambda owner, now: state_edits.merge_attributes(owner, {key: value}))
        return Reply(200, {"key": key, "value": value})

    def remove_attribute(self, request: Request) -> Reply:
        """Remove one attribute; succeeds where it is absent."""
        key = request.path["key"]
        _edit(request, self.host, lambda owner, now: state_edits.remove_attribute(owner, key))
        return Reply(204)


def _history(host: Host) -> Handler:
    def list_state_history(request: Request) -> Reply:
        """List the changes of tags, counters, attributes and tiers, newest first."""
        query = request.query
        event_window = (query.event_from, query.event_to) if host.has_event_window else (None, None)
        with connection() as c:
            read_owner(c, request.organization_id, host.kind, request.path["id"])
            return listing(request, states.HISTORY_ORDER, lambda page: states.history(
                c, request.organization_id, request.path["id"], page, state_type=query.state_type,
                key=query.key, operation=query.operation, program_id=query.program_id,
                window=(query.from_, query.to), event_window=event_window,
            ), history_view)

    return list_state_history


def _add(
    host: Host, method: Method, path: str, handler: Callable[[Request], Reply], summary: str,
    responses: Mapping[int, type[BaseModel] | None], **more: Any,
) -> None:
    """Put one handler on its path, under a name that tells the host."""

    def handle(request: Request) -> Reply:
        return handler(request)

    handle.__name__ = handler.__name__.replace("_", f"_{host.noun}_", 1)
    handle.__doc__ = handler.__doc__
    route(
        method, f"{host.path}/{{id}}{path}", summary=f"{summary} of a {host.noun}", tag=host.tag,
        responses=responses, **more,
    )(handle)


def _register(host: Host) -> None:
    # Counters are closed to inactive participants, all of the state to those who were erased.
    inactive = (ParticipantInactive,) if host.kind is OwnerType.PARTICIPANT else ()
    closed = (*host.closed, *inactive)
    full = (LimitExceeded, *closed)
    tags, counters, attributes = _Tags(host), _Counters(host), _Attributes(host)
    page = models.StateQuery
    _add(host, "GET", "/state/tags", tags.list_tags, "List the tags", {200: models.TagList}, query=page)
    _add(host, "PUT", "/state/tags", tags.replace_tags, "Replace the tags", {200: models.TagsAnswer},
         body=models.TagsBody, errors=full, example={"tags": ["vip", "beta"]})
    _add(host, "PUT", "/state/tags/{tag}", tags.add_tag, "Add a tag",
         {201: models.TagItem, 200: models.TagItem}, errors=full)
    _add(host, "DELETE", "/state/tags/{tag}", tags.remove_tag, "Remove a tag", {204: None},
         errors=closed)
    _add(host, "GET", "/state/counters", counters.list_counters, "List the counters",
         {200: models.CounterList}, query=page)
    _add(host, "GET", "/state/counters/{key}", counters.get_counter, "Get a counter",
         {200: models.CounterItem})
    _add(host, "PUT", "/state/counters/{key}", counters.set_counter, "Set a counter",
         {200: models.CounterItem}, body=models.CounterBody, errors=full,
         example={"value": "10", "reset_after": "720h"})
    _add(host, "DELETE", "/state/counters/{key}", counters.remove_counter, "Remove a counter", {204: None},
         errors=closed)
    _add(host, "GET", "/state/attributes", attributes.list_attributes, "List the attributes",
         {200: models.AttributeList}, query=page)
    _add(host, "PATCH", "/state/attributes", attributes.merge_attributes, "Merge attributes",
         {200: models.AttributesAnswer}, body=models.AttributesBody, errors=full,
         example={"attributes": {"city": "London"}})
    _add(host, "PUT", "/state/attributes/{key}", attributes.set_attribute, "Set an attribute",
         {200: models.AttributeItem}, body=models.AttributeBody, errors=full, example={"value": "London"})
    _add(host, "DELETE", "/state/attributes/{key}", attributes.remove_attribute, "Remove an attribute",
         {204: None}, errors=closed)
    query = models.EventHistoryQuery if host.has_event_window else models.HistoryQuery
    _add(host, "GET", "/activity/state-history", _history(host), "List the state history",
         {200: models.StateHistoryList}, query=query)


for _host in HOSTS:
    _register(_host)
