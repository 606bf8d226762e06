"""Requests made from the document: rules and events answer as it says, and take what it says is valid.

What JSON Schema cannot say is made whole before sending: texts are expressions, ids are those of things that
exist, the data of an event stays within its depth and digits.
"""

from collections.abc import Callable
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from app.api.application import Florin
from app.api.openapi import document
from tests.api.client import Caller
from tests.events.scene import work

PATHS = ("/v1/rules", "/v1/events", "/v1/programs/{id}/simulate", "/v1/journal-entries/{id}/explain")
CONFORM = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
]
# Texts that are what each field of an action wants, whatever its type.
TEXTS = {
    "condition": "true", "amount": "1", "reference_id": "event.ref", "expires_at": "720h", "matures_at": "1h",
    "delay": "1s", "event_name": "later", "tier": "loyalty", "level": "gold", "cron_expression": "0 0 1 * *",
    "interval": "720h", "external_id": '"ann"', "group_id": "event.group", "reset_after": "24h",
    "description": "for {{ event.type }}",
}
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=5)
DATA = st.dictionaries(TEXT, st.recursive(
    st.none() | st.booleans() | st.integers(-10**20, 10**20) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=5,
), max_size=5)
# Two runs of one strategy draw the same, so that a failure in continuous integration is one everywhere.
SHORT = settings(
    max_examples=8, deadline=None, derandomize=True, phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
LONG = settings(SHORT, max_examples=100, derandomize=False)
PROFILES = pytest.mark.parametrize("profile", [SHORT, pytest.param(LONG, marks=pytest.mark.nightly)])


@pytest.fixture
def things(api: Caller) -> dict[str, str]:
    """One of everything that a request can name."""
    program = api.program()
    asset = api.asset(program, inventory_mode="LOT", scale=2)
    tier = api.post(f"/v1/programs/{program}/tiers", {
        "key": "loyalty", "levels": [{"key": "gold", "rank": 1}],
    })
    assert tier.status_code == 201, tier.json
    rule = api.post("/v1/rules", {
        "program_id": program, "name": "r", "condition": "true", "order": 1,
        "actions": [{"type": "CREDIT", "asset_id": asset, "amount": "1"}],
        "budgets": [{"asset_id": asset, "limit": "1000000000"}],
    }).json
    event = api.post("/v1/events", {
        "program_id": program, "external_id": "ann", "idempotency_key": "k",
        "event_timestamp": "2026-01-01T00:00:00Z", "event_data": {},
    }).json
    work()
    entry = api.get("/v1/journal-entries").json["data"][0]
    return {
        "program_id": program, "asset_id": asset, "rule": rule["id"], "event": event["id"],
        "participant_id": event["participant_id"], "recipient_id": event["participant_id"],
        "rule_id": rule["id"], "entry": entry["id"], "group_id": api.group(event["participant_id"]),
    }


def whole(value: Any, things: dict[str, str], data: dict[str, Any], inside: str = "") -> Any:
    """Return a body in which every text is of the kind its field wants."""
    if isinstance(value, list):
        made = [whole(each, things, data, inside) for each in value]
        return made[:1] if inside == "budgets" else made
    if not isinstance(value, dict):
        return value
    made = {}
    for name, field in value.items():
        if name in ("event_data", "event"):
            made[name] = data
        elif name in ("payload", "participant_state"):
            made[name] = field if field is None else {}
        elif isinstance(field, str) and field and (known := _known(name, inside, value, things)):
            made[name] = known
        elif isinstance(field, dict | list):
            made[name] = whole(field, things, data, name)
        else:
            made[name] = field
    if made.get("active_from") and made.get("active_to"):
        made["active_to"] = None
    return made


def _known(name: str, inside: str, value: dict[str, Any], things: dict[str, str]) -> str | None:
    if inside == "target":
        return {"id": things["participant_id"], "participant_id": "event.friend"}.get(name) or TEXTS.get(name)
    if inside == "actions" and name == "value":
        return "1"
    if name in ("external_id", "description", "event_name") and inside != "actions":
        return None
    return things.get(name) or TEXTS.get(name)


def operations() -> list[Any]:
    schema = schemathesis.openapi.from_dict(document())
    found = [result.ok() for result in schema.get_all_operations()]
    return [one for one in found if one.path.startswith(PATHS)]


@pytest.fixture
def send(api: Caller, application: Florin, things: dict[str, str]) -> Callable[[Any], Any]:
    """Send a case to something that exists, and check the answer against the document."""

    def sent(case: Any) -> Any:
        if "id" in (case.path_parameters or {}):
            last = case.operation.path.split("/")[2]
            case.path_parameters["id"] = things[
                {"rules": "rule", "events": "event", "programs": "program_id"}.get(last, "entry")
            ]
        case.headers, case.cookies = {}, {}
        answer = case.call(app=application, headers={"Authorization": f"Bearer {api.key}"})
        case.validate_response(answer, checks=CONFORM)
        return answer

    return sent


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@PROFILES
def test_what_the_document_says_is_valid_is_taken(
    send: Callable[[Any], Any], things: dict[str, str], profile: settings
) -> None:
    for operation in operations():

        @profile
        @given(case=operation.as_strategy(), data=DATA)
        def check(case: Any, data: dict[str, Any]) -> None:
            case.body = whole(case.body, things, data)
            # A cursor is another answer's; that a window's end needs its start cannot be said of parameters.
            for name in ("cursor", "to", "event_to"):
                (case.query or {}).pop(name, None)
            answer = send(case)
            assert answer.status_code != 400, (case.path, case.body, case.query, answer.json())

        check()


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@PROFILES
def test_whatever_is_sent_the_answer_is_one_of_the_document(
    send: Callable[[Any], Any], profile: settings
) -> None:
    for operation in operations():

        @profile
        @given(case=operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
        def check(case: Any) -> None:
            send(case)

        check()
