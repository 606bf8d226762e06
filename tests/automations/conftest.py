"""A program with a timeline, whose automations are counted by the SYSTEM events they make."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from app import db
from tests.api.client import Caller
from tests.api.conftest import api, application, http
from tests.tiers.conftest import Club
from tests.timeline import Timeline, real_clock_after

__all__ = ["api", "application", "http"]


@dataclass
class Stage(Club):
    """A club with automations."""

    def automate(self, **fields: Any) -> dict[str, Any]:
        """Create an automation."""
        answer = self.api.post(self.path(), {
            "name": "automation", "event_name": "ping", "scope": "participants", **fields,
        })
        assert answer.status_code == 201, answer.json
        return dict(answer.json)

    def path(self, automation: dict[str, Any] | None = None, verb: str = "") -> str:
        """Return the path of the automations, of one, or of something to do with one."""
        path = f"/v1/programs/{self.program}/automations"
        return path if automation is None else f"{path}/{automation['id']}{verb}"

    def shown(self, automation: dict[str, Any]) -> dict[str, Any]:
        """Return an automation as it is now."""
        answer = self.api.get(self.path(automation))
        assert answer.status_code == 200, answer.json
        return dict(answer.json)

    def people(self, *names: str, **fields: Any) -> None:
        """Enroll participants."""
        for name in names:
            self.api.participant(name, program_id=self.program, **fields)

    def pings(self, kind: str = "ping") -> Counter[str]:
        """Return how many SYSTEM events of a type each participant has got; the program's own under ''."""
        with db.connection() as c:
            rows = c.execute(
                "SELECT COALESCE(p.external_id, '') AS who FROM events e"
                " LEFT JOIN participants p ON p.organization_id = e.organization_id"
                "   AND p.id = e.participant_id"
                " WHERE e.organization_id = %s AND e.event_type = 'SYSTEM' AND e.event_data ->> 'type' = %s",
                (self.api.organization_id, kind),
            ).fetchall()
        return Counter(row["who"] for row in rows)

    def times(self, kind: str = "ping") -> list[str]:
        """Return the timestamps of the SYSTEM events of a type, in their order."""
        with db.connection() as c:
            rows = c.execute(
                "SELECT event_timestamp AS at FROM events WHERE organization_id = %s"
                " AND event_type = 'SYSTEM' AND event_data ->> 'type' = %s ORDER BY event_timestamp",
                (self.api.organization_id, kind),
            ).fetchall()
        return [f"{row['at']:%Y-%m-%dT%H:%M}" for row in rows]


@pytest.fixture
def stage(api: Caller) -> Iterator[Stage]:
    """A program on the evening of Monday, 14 January 2126."""
    with real_clock_after():
        time = Timeline("2126-01-14T18:00")
        made = Stage(api, api.program(), time)
        made.rule(
            'event.type == "purchase"', {"type": "COUNTER", "key": "year_points", "value": "event.points"}
        )
        yield made
