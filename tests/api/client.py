"""A caller of the API: one organization with its key, and short words for requests and for common things."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from werkzeug.test import Client as WsgiClient
from werkzeug.test import TestResponse

from app import db
from app.domain.ids import new_id
from app.flows import api_keys
from app.store import organizations

ABSENT = "00000000-0000-4000-8000-000000000000"


@dataclass(frozen=True)
class Caller:
    """Sends requests as one organization."""

    http: WsgiClient
    organization_id: UUID
    key: str

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> TestResponse:
        """Send a request; a body goes as JSON."""
        headers = {"Authorization": f"Bearer {self.key}", **more.pop("headers", {})}
        if body is not None:
            more["json"] = body
        return self.http.open(path, method=method, headers=headers, **more)

    def get(self, path: str, **query: Any) -> TestResponse:
        """Read."""
        if query:
            path += "?" + urlencode({name.rstrip("_"): value for name, value in query.items()})
        return self.send("GET", path)

    def post(self, path: str, body: Any = None) -> TestResponse:
        """Create or do."""
        return self.send("POST", path, {} if body is None else body)

    def put(self, path: str, body: Any = None) -> TestResponse:
        """Set."""
        return self.send("PUT", path, body)

    def patch(self, path: str, body: Any) -> TestResponse:
        """Change."""
        return self.send("PATCH", path, body)

    def delete(self, path: str) -> TestResponse:
        """Remove."""
        return self.send("DELETE", path)

    def program(self, **fields: Any) -> str:
        """Create a program and return its id."""
        return self._made("/v1/programs", {"name": "Rewards", **fields})

    def asset(self, program_id: str, symbol: str = "PTS", **fields: Any) -> str:
        """Create an asset and return its id."""
        return self._made("/v1/assets", {
            "program_id": program_id, "name": "Points", "symbol": symbol, "inventory_mode": "SIMPLE",
            "issuance_policy": "UNLIMITED", "scale": 0, **fields,
        })

    def participant(self, external_id: str, **fields: Any) -> str:
        """Create a participant and return its id."""
        return self._made("/v1/participants", {"external_id": external_id, **fields})

    def group(self, admin_id: str, *member_ids: str) -> str:
        """Create a group and return its id."""
        members = [{"participant_id": admin_id, "role": "ADMIN"}]
        members += [{"participant_id": each} for each in member_ids]
        return self._made("/v1/groups", {"name": "Family", "members": members})

    def _made(self, path: str, body: dict[str, Any]) -> str:
        answer = self.post(path, body)
        assert answer.status_code == 201, answer.json
        return str(answer.json["id"])


def new_caller(http: WsgiClient, *, per_second: int = 0, burst: int = 0) -> Caller:
    """Make an organization with a key; without a rate limit unless one is given."""
    organization_id = new_id()
    with db.transaction() as c:
        organizations.insert(
            c, organization_id=organization_id, name="Test", rate_limit_per_second=per_second,
            rate_limit_burst=burst, now=db.read_clock(c),
        )
    return Caller(http, organization_id, api_keys.create(organization_id, "test")[1])


def error_of(answer: TestResponse, status: int, code: str) -> dict[str, str]:
    """Check that an answer is this error in the contract's shape; return its details."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    body = answer.json
    assert set(body) <= {"code", "message", "details", "request_id"}
    assert body["code"] == code
    assert body["message"]
    assert body["request_id"] == answer.headers["X-Request-Id"]
    return dict(body.get("details", {}))


def walk(caller: Caller, path: str, **query: Any) -> list[dict[str, Any]]:
    """Return all rows of a list, page by page."""
    rows: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = caller.get(path, **query, **cursor)
        assert answer.status_code == 200, answer.json
        rows += answer.json["data"]
        if not answer.json["pagination"]["has_more"]:
            assert "next_cursor" not in answer.json["pagination"]
            return rows
        cursor = {"cursor": answer.json["pagination"]["next_cursor"]}
