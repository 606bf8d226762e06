"""What a person may ask for: a copy of everything kept, and to be forgotten."""

from typing import Any

from app.api.fields import Answer, InstantText
from app.api.models.participants import Participant
from app.api.participants import detail_view
from app.api.routing import Reply, Request, route
from app.db import connection, read_clock
from app.flows import erase as flow
from app.store import exports

_TAG = "Participants"


class Export(Answer):
    """Everything that is kept about a participant; `truncated` names the parts that hold only the newest."""

    exported_at: InstantText
    participant: Participant
    enrollments: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    tiers: list[dict[str, Any]]
    lots: list[dict[str, Any]]
    transactions: list[dict[str, Any]]
    redemptions: list[dict[str, Any]]
    events: list[dict[str, Any]]
    state_history: list[dict[str, Any]]
    truncated: list[str]


@route(
    "GET", "/v1/participants/{id}/export", summary="Export a participant", tag=_TAG, responses={200: Export},
    log_bodies=False, description="A copy of everything kept about a person, for their own use.",
)
def export_participant(request: Request) -> Reply:
    """Return everything that is kept about a participant."""
    with connection() as c:
        shown = detail_view(c, request.organization_id, request.path["id"])
        parts, cut = exports.read(c, request.organization_id, request.path["id"])
        now = read_clock(c)
    return Reply(200, {"exported_at": now, "participant": shown, **parts, "truncated": cut})


@route(
    "DELETE", "/v1/participants/{id}", summary="Erase a participant", tag=_TAG, responses={204: None},
    description=(
        "Closes the participant with its enrollments and forgets the person: profile, tags and attributes at "
        "once; events, texts, history, logs, messages and stored answers within minutes. Amounts stay, under "
        "`erased-<id>`, and the ledger's hash chain stays valid. Cannot be undone: profile and status change "
        "no more, and events that name the participant are refused as those of an unknown one. May be asked "
        "again."
    ),
)
def erase_participant(request: Request) -> Reply:
    """Forget a participant."""
    flow.erase(request.organization_id, request.path["id"])
    return Reply(204)
