"""Automations over HTTP: create, list, read, change, archive, trigger, cancel, subscriptions."""

from collections.abc import Mapping
from typing import Any

from app.api.models.automations import (
    Accepted,
    Automation,
    AutomationCreate,
    AutomationList,
    AutomationPatch,
    AutomationsQuery,
    FilterHint,
    SubscriptionList,
    SubscriptionsQuery,
)
from app.api.pages import listing
from app.api.render import present
from app.api.routing import Reply, Request, route
from app.db import connection
from app.domain.errors import (
    AutomationArchived,
    AutomationCompleted,
    KeyExists,
    LimitExceeded,
    NotFound,
    ProgramArchived,
    ProgramSuspended,
)
from app.flows import automations as flows
from app.store import automations, firings, programs, subscriptions

_TAG = "Automations"
_PATH = "/v1/programs/{program_id}/automations"
_ONE = _PATH + "/{automation_id}"
_EXAMPLE = {
    "name": "Weekly digest", "event_name": "weekly_digest", "scope": "participants",
    "trigger": {"type": "cron", "cron_expression": "0 9 * * 1", "timezone": "Europe/Berlin"},
    "participant_filter": "'digest' in participant.tags", "filter_hints": [{"has_tag": "digest"}],
}
_OF_TYPE: dict[str, tuple[str, ...]] = {
    "cron": ("cron_expression", "timezone", "next_run_at", "last_run_at", "last_error"),
    "one_time": ("trigger_at", "processed_at", "error_message"),
    "immediate": ("processed_at", "error_message"),
    "participant_state": ("schedule_type", "schedule_config", "last_evaluated_at", "last_error"),
}


def automation_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show an automation: the fields of its type, and the progress of its latest run."""
    shown = present(
        row, required=(
            "id", "program_id", "name", "event_name", "payload", "trigger_type", "scope", "status", "source",
            "created_at", "updated_at",
        ),
        optional=(
            "description", "participant_filter", "guard_condition", "filter_hints", "participant_id",
            *_OF_TYPE[row["trigger_type"]],
        ),
    )
    if row["scope"] == "participants":
        shown["execution_status"] = row["run_status"] or "idle"
        progress = {
            "execution_started_at": row["run_started_at"],
            "execution_completed_at": row["run_completed_at"], "execution_error": row["run_error"],
            "participants_total": row["participants_total"],
            "participants_processed": row["participants_processed"],
        }
        shown |= {name: value for name, value in progress.items() if value is not None}
    return shown


def firing_view(row: Mapping[str, Any]) -> dict[str, Any]:
    """Show what a rule scheduled or broadcast, in the shape of an automation."""
    many = row["kind"] == "FAN_OUT"
    ended = row["status"] in ("completed", "failed")
    shown: dict[str, Any] = {
        "id": row["id"], "program_id": row["program_id"], "name": row["event_name"],
        "event_name": row["event_name"], "payload": row["payload"],
        "trigger_type": "immediate" if many else "one_time", "scope": "participants" if many else "program",
        "status": "archived" if row["archived_at"] else "completed" if ended else "active",
        "source": "rule_action", "created_at": row["created_at"],
        "updated_at": row["completed_at"] or row["created_at"],
    }
    optional = {
        "participant_id": row["participant_id"], "trigger_at": None if many else row["scheduled_for"],
        "processed_at": row["completed_at"] if row["status"] == "completed" else None,
        "error_message": row["error"],
    }
    if many:
        shown["execution_status"] = row["status"]
        optional |= {
            "execution_started_at": row["started_at"], "execution_completed_at": row["completed_at"],
            "execution_error": row["error"], "participants_total": row["participants_total"],
            "participants_processed": row["participants_processed"],
        }
    return shown | {name: value for name, value in optional.items() if value is not None}


def _shown(request: Request, subject_id: Any = None) -> dict[str, Any]:
    """Show the automation of the path, or the one named."""
    program_id, known = request.path["program_id"], subject_id or request.path["automation_id"]
    with connection() as c:
        row = automations.get_with_run(c, request.organization_id, known)
        if row is not None and row["program_id"] == program_id:
            return automation_view(row)
        made = firings.of_rule(c, request.organization_id, program_id, known)
    if made is None:
        raise NotFound("Automation not found")
    return firing_view(made)


def _hints(given: list[FilterHint] | None) -> tuple[dict[str, Any], ...]:
    return tuple(hint.model_dump(exclude_unset=True) for hint in given or ())


@route(
    "POST", _PATH, summary="Create an automation", tag=_TAG, body=AutomationCreate,
    responses={201: Automation}, errors=[NotFound, ProgramArchived, KeyExists, LimitExceeded],
    example=_EXAMPLE,
    description=(
        "Makes SYSTEM events without a call: `scope: program` one, `scope: participants` one for each "
        "participant with an ACTIVE enrollment who matches. They go through the rules like any event."
    ),
)
def create_automation(request: Request) -> Reply:
    """Create an automation."""
    body: AutomationCreate = request.body
    made = flows.create(request.organization_id, request.path["program_id"], {
        "name": body.name, "event_name": body.event_name, "reach": body.scope,
        "trigger": body.trigger.type, "description": body.description, "payload": body.payload or {},
        "cron_expression": body.trigger.cron_expression, "timezone": body.trigger.timezone,
        "trigger_at": body.trigger.trigger_at, "schedule_type": body.trigger.schedule_type,
        "schedule_config": body.trigger.schedule_config, "participant_filter": body.participant_filter,
        "guard_condition": body.guard_condition, "filter_hints": _hints(body.filter_hints),
        "participant_id": body.participant_id,
    })
    return Reply(201, _shown(request, made))


@route(
    "GET", _PATH, summary="List automations", tag=_TAG, query=AutomationsQuery,
    responses={200: AutomationList}, errors=[NotFound],
)
def list_automations(request: Request) -> Reply:
    """List automations, newest first."""
    query: AutomationsQuery = request.query
    program_id = request.path["program_id"]
    filters = {
        "search": query.search, "trigger": query.trigger_type, "scope": query.scope, "status": query.status,
    }
    with connection() as c:
        if programs.get(c, request.organization_id, program_id) is None:
            raise NotFound("Program not found")
        if query.source == "rule_action":
            return listing(request, firings.ORDER, lambda page: firings.page_of_rules(
                c, request.organization_id, program_id, page, **filters
            ), firing_view)
        return listing(request, automations.ORDER, lambda page: automations.page(
            c, request.organization_id, program_id, page, **filters
        ), automation_view)


@route("GET", _ONE, summary="Get an automation", tag=_TAG, responses={200: Automation}, errors=[NotFound])
def get_automation(request: Request) -> Reply:
    """Return an automation; archived ones stay readable."""
    return Reply(200, _shown(request))


@route(
    "PATCH", _ONE, summary="Change an automation", tag=_TAG, body=AutomationPatch,
    responses={200: Automation},
    errors=[NotFound, KeyExists, ProgramArchived, AutomationArchived, AutomationCompleted],
    example={"status": "paused"},
    description="Pausing stops what is to come; a fan-out that runs goes on. Completed ones do not change.",
)
def update_automation(request: Request) -> Reply:
    """Change an automation."""
    body: AutomationPatch = request.body
    changes = {name: getattr(body, name) for name in body.model_fields_set}
    if "filter_hints" in changes:
        changes["filter_hints"] = _hints(body.filter_hints)
    if "payload" in changes:
        changes["payload"] = body.payload or {}
    flows.change(
        request.organization_id, request.path["program_id"], request.path["automation_id"], changes
    )
    return Reply(200, _shown(request))


@route("DELETE", _ONE, summary="Archive an automation", tag=_TAG, responses={204: None}, errors=[NotFound])
def archive_automation(request: Request) -> Reply:
    """Archive an automation for good; a fan-out that runs ends."""
    flows.archive(request.organization_id, request.path["program_id"], request.path["automation_id"])
    return Reply(204)


@route(
    "POST", _ONE + "/trigger", summary="Fire an automation now", tag=_TAG, responses={200: Automation},
    errors=[NotFound, ProgramArchived, ProgramSuspended],
    description="For active ones that address participants and are not running, and for cron of a program.",
)
def trigger_automation(request: Request) -> Reply:
    """Fire an automation now."""
    flows.trigger(request.organization_id, request.path["program_id"], request.path["automation_id"])
    return Reply(200, _shown(request))


@route(
    "POST", _ONE + "/cancel", summary="Cancel a run", tag=_TAG, responses={200: Automation},
    errors=[NotFound],
    description=(
        "Participants who were addressed keep their events, the others are left out. A recurring automation "
        "fires at its next time again; one that fires once is archived."
    ),
)
def cancel_automation(request: Request) -> Reply:
    """End what waits or runs."""
    flows.cancel(request.organization_id, request.path["program_id"], request.path["automation_id"])
    return Reply(200, _shown(request))


@route(
    "POST", _ONE + "/refresh-subscriptions", summary="Look over the subscriptions", tag=_TAG,
    responses={202: Accepted}, errors=[NotFound],
    description="Subscribes new matches of the filter and cancels others. Happens every 15 minutes anyway.",
)
def refresh_automation_subscriptions(request: Request) -> Reply:
    """Have the filter looked over soon."""
    flows.refresh_subscriptions(
        request.organization_id, request.path["program_id"], request.path["automation_id"]
    )
    return Reply(202, {"status": "accepted"})


@route(
    "GET", _ONE + "/subscriptions", summary="List subscriptions", tag=_TAG, query=SubscriptionsQuery,
    responses={200: SubscriptionList}, errors=[NotFound],
)
def list_automation_subscriptions(request: Request) -> Reply:
    """List whom a participant_state automation watches; empty for the others."""
    _shown(request)
    with connection() as c:
        return listing(request, subscriptions.ORDER, lambda page: subscriptions.page(
            c, request.organization_id, request.path["automation_id"], page, status=request.query.status
        ), lambda row: present(row, required=(
            "id", "automation_id", "participant_id", "status", "next_trigger_at", "last_triggered_at",
            "trigger_count", "retry_count", "last_error", "created_at",
        )))
