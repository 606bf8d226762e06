"""The fixtures of the HTTP tests, and a club: a program whose purchases count, with a timeline."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest

from tests.api.client import Caller
from tests.api.conftest import api, application, http
from tests.timeline import Timeline, real_clock_after

__all__ = ["api", "application", "http"]

SILVER_AND_GOLD = [
    {"key": "silver", "rank": 1, "benefits": {"lounge": False},
     "qualification": {"criteria": [{"counter": "year_points", "operator": ">=", "threshold": 100}]}},
    {"key": "gold", "rank": 2, "benefits": {"lounge": True},
     "qualification": {"criteria": [{"counter": "year_points", "operator": ">=", "threshold": 500}]}},
]


@dataclass
class Club:
    """A program with a rule that counts what purchases are worth, and people in it."""

    api: Caller
    program: str
    time: Timeline
    _keys: Any = field(default_factory=count)

    def buy(self, person: str, points: int, **more: Any) -> None:
        """Let somebody's purchase happen and be decided."""
        self.send(person, "purchase", points=points, **more)
        self.time.work()

    def send(self, person: str, kind: str, **data: Any) -> str:
        """Send an event; it is not decided yet."""
        answer = self.api.post("/v1/events", {
            "program_id": self.program, "external_id": person, "idempotency_key": f"k{next(self._keys)}",
            "event_timestamp": self.time.now.isoformat(), "event_data": {"type": kind, **data},
        })
        assert answer.status_code == 202, answer.json
        return str(answer.json["id"])

    def rule(self, condition: str, *actions: dict[str, Any], **fields: Any) -> str:
        """Add a rule."""
        answer = self.api.post("/v1/rules", {
            "program_id": self.program, "name": "rule", "condition": condition, "actions": list(actions),
            **fields,
        })
        assert answer.status_code == 201, answer.json
        return str(answer.json["id"])

    def tier(self, lifecycle: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
        """Create a tier of two levels."""
        body = {"key": "status", "levels": SILVER_AND_GOLD, **fields}
        if lifecycle is not None:
            body["lifecycle"] = lifecycle
        answer = self.api.post(f"/v1/programs/{self.program}/tiers", body)
        assert answer.status_code == 201, answer.json
        self.time.work()
        return dict(answer.json)

    def id_of(self, person: str) -> str:
        """Return a participant's id."""
        rows = self.api.get("/v1/participants", external_id=person).json["data"]
        return str(rows[0]["id"])

    def state(self, person: str, key: str = "status") -> dict[str, Any] | None:
        """Return where somebody stands, None at the base."""
        answer = self.api.get(
            f"/v1/participants/{self.id_of(person)}/state/tiers/{key}", program_id=self.program
        )
        return dict(answer.json) if answer.status_code == 200 else None

    def level(self, person: str, key: str = "status") -> str | None:
        """Return somebody's level."""
        state = self.state(person, key)
        return state and str(state["level"])

    def counter(self, person: str, key: str = "year_points") -> str:
        """Return a counter's value."""
        return str(self.api.get(f"/v1/participants/{self.id_of(person)}/state/counters/{key}").json["value"])

    def history(self, person: str) -> list[tuple[str | None, str | None, str]]:
        """Return the changes of level, oldest first, as (from, to, reason)."""
        rows = self.api.get(
            f"/v1/participants/{self.id_of(person)}/activity/tier-history", program_id=self.program
        ).json["data"]
        return [(row.get("from"), row.get("to"), row["reason"]) for row in reversed(rows)]

    def system_events(self, kind: str) -> list[dict[str, Any]]:
        """Return the SYSTEM events of a type, oldest first."""
        query = {"program_id": self.program, "event_type": "SYSTEM", "limit": 200}
        rows = self.api.get("/v1/events", **query).json["data"]
        found = [self.api.get(f"/v1/events/{row['id']}").json for row in reversed(rows)]
        return [event for event in found if event["event_data"]["type"] == kind]

    def later(self, **span: float) -> datetime:
        """Return an instant from now on."""
        return self.time.now + timedelta(**span)


@pytest.fixture
def club(api: Caller) -> Iterator[Club]:
    """A club that opened on 15 January 2126."""
    with real_clock_after():
        time = Timeline("2126-01-15")
        made = Club(api, api.program(), time)
        made.rule(
            'event.type == "purchase"', {"type": "COUNTER", "key": "year_points", "value": "event.points"}
        )
        yield made
