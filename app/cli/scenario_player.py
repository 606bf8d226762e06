"""Plays a scenario against a running system over its HTTP API, and compares what comes out digit by digit.

What lives here: substitution, sending, waiting for the outcome, comparing. Nothing here knows where the
system runs: `api` is given.
"""

import json
import re
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from app.cli.scenario import Expectation, Scenario, Step
from app.domain.instants import format_instant

WAIT_SECONDS = 30.0  # For the workers to do what a step caused; they take milliseconds.
POLL_SECONDS = 0.02
FORBIDDEN = 403
REFUSALS = 400  # Status codes from here on.
WIDTH = 110  # Of what is told.
INDENT = " " * 5
_SAVED = re.compile(r"\$([a-z][a-z0-9_]*)")
_FINAL = frozenset(("COMPLETED", "FAILED"))


class Api(Protocol):
    """A door to the API."""

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request; return its status and its body, read from JSON."""


class Mismatch(AssertionError):
    """Something came out otherwise than the scenario says."""


class Player:
    """Plays one scenario once. `run` makes the names of this run unique, so that it can be played again."""

    def __init__(
        self, scenario: Scenario, api: Api, run: str, clock: Callable[[], datetime],
        say: Callable[[str], None] = lambda text: None, wait_seconds: float = WAIT_SECONDS,
    ) -> None:
        self._scenario = scenario
        self._api = api
        self._run = run
        self._clock = clock
        self._say = say
        self._wait_seconds = wait_seconds
        self._saved: dict[str, str] = {}
        self._symbols: dict[str, str] = {}
        self._events: dict[str, str] = {}

    def play(self) -> None:
        """Set everything up and go through the steps. Raises Mismatch at the first difference."""
        scenario = self._scenario
        if scenario.test_clock and self._api("GET", "/v1/test/clock")[0] == FORBIDDEN:
            raise Mismatch("this recipe moves the clock; it needs: python3 dev.py run --test-clock")
        self._saved["program"] = self._create("/v1/programs", {"name": scenario.title})["id"]
        for asset in scenario.assets:
            self._asset(asset)
        for step in scenario.setup:
            self._take(step)
        for rule in scenario.rules:
            made = self._create("/v1/rules", {**rule, "program_id": self._saved["program"]})
            self._saved[f"rule_{rule['name']}"] = made["id"]
        for number, step in enumerate(scenario.steps, 1):
            self._say(f"{number:>3}. {step.say}")
            try:
                told = self._take(step)
            except Mismatch as error:
                raise Mismatch(f"{scenario.name}, step {number} ({step.say}): {error}") from None
            for line in told:
                self._say(line)

    def _asset(self, asset: Mapping[str, Any]) -> None:
        body = {name: value for name, value in asset.items() if name != "key"}
        # Symbols are unique in an organization, so that of each run has an ending of its own.
        body["symbol"] = f"{asset['symbol'][:12]}{self._run}"
        body["program_id"] = self._saved["program"]
        self._saved[asset["key"]] = self._create("/v1/assets", body)["id"]
        self._symbols[asset["key"]] = body["symbol"]

    def _take(self, step: Step) -> list[str]:
        """Do one step and compare; return what to tell of it, if anything."""
        evaluated: Any = None
        if step.event is not None:
            evaluated = self._send(step)
        elif step.retry is not None:
            evaluated = self._retry(step.retry)
        elif step.call is not None:
            self._request(step)
        self._compare(step.expect, evaluated)
        return _summary(step, evaluated)

    def _create(self, path: str, body: Mapping[str, Any]) -> Any:
        status, answer = self._api("POST", path, self._filled(body))
        if status not in (200, 201):
            raise Mismatch(f"POST {path} answered {status}: {json.dumps(answer, default=str)}")
        return answer

    def _request(self, step: Step) -> None:
        method, _, path = str(step.call).partition(" ")
        status, answer = self._api(method, self._text(path), self._filled(step.body))
        wanted = (step.code,) if step.code is not None else (200, 201, 202, 204)
        if status not in wanted:
            raise Mismatch(f"{step.call} answered {status}: {json.dumps(answer, default=str)}")
        if step.save is not None:
            self._saved[step.save] = answer["id"]
        for name, value in step.expect.answer.items():
            _equal(f"{name} of the answer", answer.get(name), self._filled(value))

    def _send(self, step: Step) -> Any:
        who = step.who
        body: dict[str, Any] = {
            "program_id": self._saved["program"],
            "idempotency_key": f"{step.key or f'step-{len(self._events) + 1}'}-{self._run}",
            "event_timestamp": step.at or self._now(),
            "event_data": self._filled(step.event),
        }
        if who is None:
            raise Mismatch("an event needs `who`")
        body["external_id"] = self.external_id(who)
        if step.recipient is not None:
            body["recipient_external_id"] = self.external_id(step.recipient)
        status, answer = self._api("POST", "/v1/events", body)
        if status != 202:
            raise Mismatch(f"POST /v1/events answered {status}: {json.dumps(answer, default=str)}")
        self._events[step.key or body["idempotency_key"]] = answer["id"]
        return self._decided(answer["id"], who)

    def _now(self) -> str:
        """Return the time of an event that happens now: by the system's clock where that is moved."""
        if self._scenario.test_clock:
            return str(self._get("/v1/test/clock")["now"])
        return format_instant(self._clock())

    def _retry(self, key: str) -> Any:
        event_id = self._events[key]
        status, answer = self._api("POST", f"/v1/events/{event_id}/retry")
        if status != 200:
            raise Mismatch(f"the retry answered {status}: {json.dumps(answer, default=str)}")
        return self._decided(event_id, None)

    def _decided(self, event_id: str, who: str | None) -> Any:
        """Wait until an event is decided; return it with all its evaluations."""
        found: Any = None

        def decided() -> bool:
            nonlocal found
            found = self._get(f"/v1/events/{event_id}?include_skipped=true")
            return found["status"] in _FINAL

        if not _until(decided, self._wait_seconds):
            raise Mismatch(f"the event is still {found['status']} after {self._wait_seconds:g} s")
        if who is not None:
            self._saved[who] = found["participant_id"]
        return found

    def _get(self, path: str) -> Any:
        status, answer = self._api("GET", path)
        if status != 200:
            raise Mismatch(f"GET {path} answered {status}: {json.dumps(answer, default=str)}")
        return answer

    def external_id(self, name: str) -> str:
        """Return the external id that a name has in this run."""
        return f"{name}-{self._run}"

    def _filled(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, Mapping):
            return {key: self._filled(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._filled(item) for item in value]
        return value

    def _text(self, text: str) -> str:
        if re.fullmatch(r"@[a-z]+", text):
            return self.external_id(text[1:])
        return _SAVED.sub(lambda match: self._saved.get(match[1], match[0]), text)

    def _compare(self, expect: Expectation, evaluated: Any) -> None:
        if evaluated is not None:
            _compare_event(expect, evaluated)
        found: list[str] = []

        def same() -> bool:
            nonlocal found
            found = self._differences(expect)
            return not found

        if not _until(same, self._wait_seconds):
            raise Mismatch("; ".join(found))

    def _differences(self, expect: Expectation) -> list[str]:
        found: list[str] = []
        for name, wanted in expect.participants.items():
            have = self._get(f"/v1/participants/{self._saved[name]}")
            have["balances"] = {row["asset_id"]: row for row in have["balances"]}
            found += self._host_differences(name, wanted, have)
        for name, wanted in expect.groups.items():
            path = f"/v1/groups/{self._saved[name]}"
            have = {**self._get(path), **self._state(path, wanted)}
            found += self._host_differences(name, wanted, have)
        if expect.program:
            path = f"/v1/programs/{self._saved['program']}"
            have = self._state(path, expect.program)
            have["balances"] = {row["asset_id"]: row for row in self._get(f"{path}/balance")["data"]}
            found += self._host_differences("the program", expect.program, have)
        return found

    def _state(self, path: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the kinds of state that are looked at, of a host whose object does not show them."""
        state: dict[str, Any] = {}
        if "tags" in wanted:
            state["tags"] = [row["tag"] for row in self._get(f"{path}/state/tags")["data"]]
        for kind in {"counters", "attributes"} & wanted.keys():
            rows = self._get(f"{path}/state/{kind}")["data"]
            state[kind] = {row["key"]: row["value"] for row in rows}
        return state

    def _host_differences(self, name: str, wanted: Mapping[str, Any], have: Mapping[str, Any]) -> list[str]:
        found = []
        pair: tuple[Any, Any]
        for what, value in wanted.items():
            match what:
                case "tags":
                    pair = (sorted(have["tags"]), sorted(value))
                case "counters" | "attributes":
                    pair = ({key: have[what].get(key) for key in value}, dict(self._filled(value)))
                case "tiers":
                    pair = ({key: (have["tiers"].get(key) or {}).get("level") for key in value}, dict(value))
                case _:
                    pair = self._balance(have["balances"].get(self._saved[what]), value)
            if pair[0] != pair[1]:
                found.append(f"{what} of {name}: {pair[0]}, not {pair[1]}")
        return found

    def _balance(self, have: Any, wanted: Any) -> tuple[Any, Any]:
        """Return what is there and what should be: one amount is AVAILABLE, or a group's total."""
        if isinstance(have, str) or have is None:
            return have or "none", wanted
        if isinstance(wanted, str):
            return have["available"], wanted
        return {bucket: have[bucket] for bucket in wanted}, dict(wanted)


def _compare_event(expect: Expectation, event: Any) -> None:
    status = expect.status or "COMPLETED"
    if event["status"] != status:
        reason = event.get("error_message") or "no error"
        raise Mismatch(f"the event is {event['status']} ({reason}), not {status}")
    if expect.error_code is not None:
        _equal("error_code", event.get("error_code"), expect.error_code)
    if expect.rules is not None:
        have = {
            each["rule_name"]: each.get("reason") or each["status"] for each in event["rule_evaluations"]
        }
        _equal("the evaluations", have, dict(expect.rules))


def _equal(what: str, have: Any, wanted: Any) -> None:
    if have != wanted:
        raise Mismatch(f"{what}: {have}, not {wanted}")


def _summary(step: Step, event: Any) -> list[str]:
    """Tell in a few lines what came out, as it was compared; none where there was nothing to compare."""
    told, expect = [], step.expect
    if step.code is not None and step.code >= REFUSALS:
        told.append(f"refused with {step.code}")
    if event is not None:
        told.append(event["status"] + (f" {event['error_code']}" if event.get("error_code") else ""))
        told += [f"{each['rule_name']}: {each.get('reason') or each['status']}"
                 for each in event["rule_evaluations"]]
    for name, state in (*expect.participants.items(), *expect.groups.items(), ("program", expect.program)):
        told += [f"{name}.{what} = {_shown(value)}" for what, value in state.items()]
    return _lines(told)


def _lines(told: list[str]) -> list[str]:
    """Put what is told into lines, which end only between two of its parts."""
    lines: list[str] = []
    for part in told:
        if lines and len(lines[-1]) + len(part) + 2 < WIDTH:
            lines[-1] += f", {part}"
        else:
            if lines:
                lines[-1] += ","
            lines.append(f"{INDENT}{part}")
    return lines


def _shown(value: Any) -> str:
    if value is None or (isinstance(value, Mapping | list | str) and not value):
        return "none"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) + "}"
    return ", ".join(value) if isinstance(value, list) else str(value)


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait for a condition; False when it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)  # The API is asked again: it tells nobody when work is done.
    return True
