"""The fixtures of the HTTP tests, and a shop: a program with one asset and one participant."""

from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.client import Caller
from tests.api.conftest import api, application, http

__all__ = ["api", "application", "http"]


@dataclass(frozen=True)
class Shop:
    """A program, an asset linked to it, and a participant."""

    api: Caller
    program: str
    asset: str
    person: str

    def body(self, **fields: Any) -> dict[str, Any]:
        """Return the fields that every operation needs, and more."""
        return {"program_id": self.program, "asset_id": self.asset, "description": "test", **fields}

    def act(self, operation: str, owner: str | None = None, **fields: Any) -> TestResponse:
        """Send an operation on a participant's balance."""
        path = f"/v1/participants/{owner or self.person}/balances/{operation}"
        return self.api.post(path, self.body(**fields))

    def give(self, amount: str, **fields: Any) -> dict[str, Any]:
        """Credit the participant."""
        answer = self.act("adjust", type="CREDIT", amount=amount, **fields)
        assert answer.status_code == 200, answer.json
        return dict(answer.json)

    def balance(self, person: str | None = None) -> dict[str, str] | None:
        """Return the participant's balance of the asset, None where there is none."""
        rows = self.api.get(
            f"/v1/participants/{person or self.person}/balances", asset_id=self.asset
        ).json["data"]
        return rows[0] if rows else None


def open_shop(api: Caller, symbol: str = "PTS", **asset: Any) -> Shop:
    """Make a program with an asset of two decimals and a participant."""
    program = api.program()
    made = api.asset(program, symbol, **{"scale": 2, **asset})
    return Shop(api, program, made, api.participant(f"ann-{symbol}"))


@pytest.fixture
def shop(api: Caller) -> Shop:
    """A shop with a SIMPLE asset."""
    return open_shop(api)


@pytest.fixture
def lot_shop(api: Caller) -> Shop:
    """A shop with a LOT asset."""
    return open_shop(api, "MILES", inventory_mode="LOT")


@pytest.fixture
def funded_shop(api: Caller) -> Shop:
    """A shop whose asset is drawn from a wallet."""
    return open_shop(api, "CASH", issuance_policy="PREFUNDED")
