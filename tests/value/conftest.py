"""A shop with rewards: a program, an asset of two decimals, an enrolled participant with 100.00."""

from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.client import Caller
from tests.api.conftest import api, application, http

__all__ = ["api", "application", "http"]


@dataclass(frozen=True)
class Store:
    """A program with one asset and one participant who has 100.00."""

    api: Caller
    program: str
    asset: str
    person: str

    def reward(self, name: str = "Gift Card", **fields: Any) -> str:
        """Create a reward and return its id."""
        answer = self.make(name, **fields)
        assert answer.status_code == 201, answer.json
        return str(answer.json["id"])

    def make(self, name: str = "Gift Card", **fields: Any) -> TestResponse:
        """Ask for a reward; UNIT_BASED at 10.00 unless told otherwise."""
        return self.api.post(f"/v1/programs/{self.program}/rewards", {
            "name": name, "redemption_type": "UNIT_BASED", "asset_id": self.asset, "unit_cost": "10.00",
            "status": "ACTIVE", **fields,
        })

    def get(self, reward: str) -> dict[str, Any]:
        """Read a reward."""
        return dict(self.api.get(f"/v1/programs/{self.program}/rewards/{reward}").json)

    def change(self, reward: str, **fields: Any) -> TestResponse:
        """Change a reward."""
        return self.api.patch(f"/v1/programs/{self.program}/rewards/{reward}", fields)

    def take(self, reward: str, person: str | None = None, **fields: Any) -> TestResponse:
        """Redeem a reward."""
        return self.api.post(f"/v1/participants/{person or self.person}/redemptions/items", {
            "program_id": self.program, "reward_id": reward, **fields,
        })

    def spend(self, amount: str, **fields: Any) -> TestResponse:
        """Redeem an amount."""
        return self.api.post(f"/v1/participants/{self.person}/redemptions", {
            "program_id": self.program, "asset_id": self.asset, "amount": amount, "description": "x",
            **fields,
        })

    def give_back(self, redemption: str, **fields: Any) -> TestResponse:
        """Reverse a redemption."""
        return self.api.post(f"/v1/redemptions/{redemption}/reverse", {"reason": "returned", **fields})

    def give(self, person: str, amount: str) -> None:
        """Credit a participant."""
        answer = self.api.post(f"/v1/participants/{person}/balances/adjust", {
            "program_id": self.program, "asset_id": self.asset, "type": "CREDIT", "amount": amount,
            "description": "test",
        })
        assert answer.status_code == 200, answer.json

    def balance(self, person: str | None = None) -> str:
        """Return what the participant has available."""
        rows = self.api.get(f"/v1/participants/{person or self.person}/balances").json["data"]
        return str(rows[0]["available"]) if rows else "0.00"

    def customer(self, name: str, amount: str) -> str:
        """Enroll another participant with so much."""
        person = self.api.participant(name, program_id=self.program)
        self.give(person, amount)
        return person


@pytest.fixture
def store(api: Caller) -> Store:
    """A shop with a SIMPLE asset."""
    return open_store(api, inventory_mode="SIMPLE")


@pytest.fixture
def lot_store(api: Caller) -> Store:
    """A shop with a LOT asset."""
    return open_store(api, inventory_mode="LOT")


def open_store(api: Caller, **asset: str) -> Store:
    """Make a program with an asset of two decimals, and Ann, who has 100.00."""
    program = api.program()
    made = Store(
        api, program, api.asset(program, "USD", scale=2, **asset), api.participant("ann", program_id=program)
    )
    made.give(made.person, "100.00")
    return made
