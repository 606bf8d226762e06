"""A stage for events: a program with an asset and rules, events sent over HTTP, workers run in-process."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

from app import db
from app.flows import drain
from tests.api.client import Caller

AT = "2026-03-01T12:00:00Z"
SIGNUP = 'event.type == "signup"'
PURCHASE = 'event.type == "purchase"'


def waiting() -> list[int]:
    """Return the partitions with waiting events."""
    with db.connection() as c:
        rows = c.execute("SELECT DISTINCT partition FROM inbox ORDER BY partition").fetchall()
        return [row["partition"] for row in rows]


def work() -> None:
    """Run a worker over every partition in which events wait, until it says that nothing is left to do."""
    drain.exhaust(waiting())


@dataclass
class Scene:
    """A program of one organization, with an asset of two decimals."""

    api: Caller
    program: str
    asset: str
    numbers: Any = field(default_factory=count)

    def rule(self, condition: str, *actions: dict[str, Any], **fields: Any) -> str:
        """Create a rule and return its id; an action without an asset is about the scene's."""
        whole = [
            {"asset_id": self.asset, **action} if action["type"] in MOVES else action for action in actions
        ]
        answer = self.api.post("/v1/rules", {
            "program_id": self.program, "name": f"rule {next(self.numbers)}", "condition": condition,
            "actions": whole, **fields,
        })
        assert answer.status_code == 201, answer.json
        return str(answer.json["id"])

    def body(self, key: str | None = None, data: Any = None, **fields: Any) -> dict[str, Any]:
        """Return an event of Ann's, or of whom the fields name."""
        body = {
            "program_id": self.program, "idempotency_key": key or f"key-{next(self.numbers)}",
            "event_timestamp": AT, "event_data": {"type": "purchase", "amount": 10} if data is None else data,
            **fields,
        }
        return body if "external_id" in body or "participant_id" in body else {**body, "external_id": "ann"}

    def send(self, *arguments: Any, **fields: Any) -> dict[str, Any]:
        """Send an event and return the answer to it."""
        answer = self.api.post("/v1/events", self.body(*arguments, **fields))
        assert answer.status_code == 202, answer.json
        return dict(answer.json)

    def run(self, *arguments: Any, **fields: Any) -> dict[str, Any]:
        """Send an event, have it processed, and return it."""
        sent = self.send(*arguments, **fields)
        work()
        return self.event(sent["id"])

    def event(self, event_id: str, **query: Any) -> dict[str, Any]:
        """Return an event as it is shown."""
        answer = self.api.get(f"/v1/events/{event_id}", **query)
        assert answer.status_code == 200, answer.json
        return dict(answer.json)

    def person(self, external_id: str = "ann") -> str:
        """Return a participant's id."""
        rows = self.api.get("/v1/participants", search=external_id).json["data"]
        return next(row["id"] for row in rows if row["external_id"] == external_id)

    def shown(self, external_id: str = "ann") -> dict[str, Any]:
        """Return a participant as it is shown."""
        return dict(self.api.get(f"/v1/participants/{self.person(external_id)}").json)

    def available(self, external_id: str = "ann") -> str | None:
        """Return what a participant has of the asset, None where it never had any."""
        path = f"/v1/participants/{self.person(external_id)}/balances"
        rows = self.api.get(path, asset_id=self.asset).json["data"]
        return rows[0]["available"] if rows else None


MOVES = ("CREDIT", "DEBIT", "HOLD", "RELEASE", "FORFEIT", "VOID_HOLD")


def credit(amount: str = "10", **fields: Any) -> dict[str, Any]:
    """An action that issues."""
    return {"type": "CREDIT", "amount": amount, **fields}


def counter(key: str = "n", value: str = "1", **fields: Any) -> dict[str, Any]:
    """An action that counts."""
    return {"type": "COUNTER", "key": key, "value": value, **fields}


def tag(name: str, **fields: Any) -> dict[str, Any]:
    """An action that tags."""
    return {"type": "TAG", "tag": name, **fields}


def set_attribute(key: str, value: str) -> dict[str, Any]:
    """An action that notes."""
    return {"type": "SET_ATTRIBUTE", "key": key, "value": value}


def open_scene(api: Caller, symbol: str = "PTS", **program: Any) -> Scene:
    """Make a program with its asset."""
    program_id = api.program(**program)
    return Scene(api, program_id, api.asset(program_id, symbol, scale=2))
