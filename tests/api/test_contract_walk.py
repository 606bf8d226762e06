"""A stranger who knows only the document walks through it: each operation alone, then along the links.

Whatever is sent, the answer is one that the document names, in its shape, and never a 500.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition, Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks
from werkzeug.test import Client as WsgiClient

from app.api.application import Florin
from app.api.fields import AMOUNT_PATTERN
from app.api.routing import is_id
from app.observe import COUNTS
from tests.api.client import Caller, new_caller
from tests.api.one_of_each import one_of_each
from tests.events.scene import work

CONFORM = [
    not_a_server_error, checks.status_code_conformance, checks.content_type_conformance,
    checks.response_headers_conformance, checks.response_schema_conformance,
]
# Two runs draw the same, so that a failure in continuous integration is one everywhere.
SHORT = settings(
    max_examples=2, deadline=None, derandomize=True, phases=(Phase.generate,), database=None,
    suppress_health_check=list(HealthCheck),
)
SHORTEST = settings(SHORT, max_examples=1)
LONG = settings(SHORT, max_examples=20, derandomize=False)
STEPS = settings(SHORT, max_examples=5, stateful_step_count=15, derandomize=False)


class Guide:
    """Puts ids of things that exist into what was drawn, so that requests get beyond 404."""

    def __init__(self, api: Caller) -> None:
        """Begin with one of everything."""
        self.api = api
        self.asked: list[tuple[str, int]] = []
        self.turn = 0
        self.refresh()

    def refresh(self) -> None:
        """Begin anew in an organization of its own, as no limit on how many there may be is reached in it."""
        self.api = new_caller(self.api.http)
        self.seen: set[str] = set()
        self.things = one_of_each(self.api)
        self.ids = {
            f"{noun.removesuffix('s').replace('-', '_').replace('entrie', 'entry')}_id": thing
            for noun, thing in self.things.items()
        }
        self.spoiled = False

    def fill(self, case: Any) -> None:
        """Replace ids nobody has answered yet by such as exist, but for some; say who asks."""
        if self.spoiled:
            self.refresh()
        self.turn += 1
        if self.turn % 3 == 0 and isinstance(case.body, dict):
            case.body = self._example(case)
        if self.turn % 7:
            case.path_parameters = {
                name: self._of_path(case.path, name, value)
                for name, value in (case.path_parameters or {}).items()
            }
            case.query = self._of_body(case.query or {})
            case.body = self._of_body(case.body)
        case.headers = {
            name: value for name, value in (case.headers or {}).items() if name == "Idempotency-Key"
        } | {"Authorization": f"Bearer {self.api.key}"}
        case.cookies = {}

    def _example(self, case: Any) -> Any:
        """Return the body that the document shows, which is right in ways that no schema can say."""
        content = case.operation.definition.raw["requestBody"]["content"]["application/json"]
        known = ("name", "key", "external_id", "idempotency_key", "symbol")
        return {
            name: f"{field}x{self.turn}"[-16:] if name in known else field
            for name, field in content.get("example", case.body).items()
        }

    def _of_path(self, path: str, name: str, value: Any) -> Any:
        before = path.split("{" + name + "}")[0].rstrip("/").rsplit("/", 1)[-1]
        if not is_id(name):
            return "loyalty" if self.turn % 3 else value
        return value if value in self.seen else self.things.get(before, value)

    def _of_body(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._of_body(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {
            name: self.ids[name] if name in self.ids and isinstance(field, str) and field not in self.seen
            else "ann" if name in ("external_id", "source_external_id") and self.turn % 2
            else self._of_body(field)
            for name, field in value.items()
        }

    def learn(self, case: Any, answer: Any) -> None:
        """Remember what was asked and what exists by now, and whether our things may have ended."""
        self.asked.append((case.operation.label, answer.status_code))
        if answer.status_code >= 300:
            return
        if case.operation.label == "POST /v1/events":
            work()
        if "json" in answer.headers.get("content-type", [""])[0] and isinstance(answer.json(), dict):
            self.seen |= {answer.json()[name] for name in ("id", "journal_entry_id") if name in answer.json()}
        ends = case.method in ("DELETE", "PATCH") or case.path.endswith(("/archive", "/cancel"))
        self.spoiled |= ends and not set(self.things.values()).isdisjoint(case.path_parameters.values())


@pytest.fixture
def guide(api: Caller) -> Guide:
    return Guide(api)


@pytest.fixture
def schema(http: WsgiClient) -> Any:
    """The served document, its own links only, with a pattern of amounts that can be drawn from."""
    served = json.dumps(http.get("/openapi.json").json)
    assert json.dumps(AMOUNT_PATTERN) in served
    made = schemathesis.openapi.from_dict(json.loads(served.replace(
        json.dumps(AMOUNT_PATTERN), json.dumps(r"^[1-9][0-9]{0,5}(\.[0-9]{1,2})?$")
    )))
    made.config.phases.stateful.inference.algorithms = []
    made.app = http.application
    return made


@pytest.fixture(autouse=True)
def _all_there_and_all_logged(application: Florin, redis_client: "redis.Redis[bytes]") -> Iterator[None]:
    """Have the system ready, as without workers /health/ready answers a 503; lose no request's log."""
    for part in ("worker", "scheduler"):
        redis_client.set(f"florin:heartbeat:{part}", 1, ex=86_400)
    yield
    application.server.recorder.flush()
    assert redis_client.hget(COUNTS, "request_logs_dropped") is None


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize(("mode", "profile"), [
    (GenerationMode.POSITIVE, SHORT), (GenerationMode.NEGATIVE, SHORTEST),
    *(pytest.param(mode, LONG, marks=pytest.mark.nightly) for mode in GenerationMode),
])
def test_every_operation_answers_as_documented(
    schema: Any, guide: Guide, mode: GenerationMode, profile: settings
) -> None:
    for operation in [found.ok() for found in schema.get_all_operations()]:

        @profile
        @given(case=operation.as_strategy(generation_mode=mode))
        def check(case: Any) -> None:
            guide.fill(case)
            answer = case.call()
            guide.learn(case, answer)
            case.validate_response(answer, checks=CONFORM)

        with suppress(Unsatisfiable):  # What takes nothing cannot be sent anything wrong.
            check()


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.parametrize("runs", [3, pytest.param(100, marks=pytest.mark.nightly)])
def test_from_what_was_made_the_links_lead_to_answers_as_documented(
    schema: Any, guide: Guide, runs: int
) -> None:
    class Walk(schema.as_state_machine()):  # type: ignore[misc]  # Made at run time.
        def before_call(self, case: Any) -> None:
            guide.fill(case)

        def after_call(self, response: Any, case: Any) -> None:
            super().after_call(response, case)
            guide.learn(case, response)

        def validate_response(self, response: Any, case: Any, *_: Any, **__: Any) -> None:
            case.validate_response(response, checks=CONFORM)

    for number in range(runs):
        # What was made by one walk is there in the next: where that changes an answer, the walk ends early.
        with suppress(FlakyStrategyDefinition):
            seed(number)(Walk).run(settings=STEPS)
    fine = {label for label, status in guide.asked if status < 400}
    print(f"{len(guide.asked)} requests in {runs} runs; {len(fine)} operations answered with success")
    assert len(fine) > 30
