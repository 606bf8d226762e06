"""A seeded walk through every operation on value over HTTP, on the real database.

What is refused leaves a hash over all tables but the logs unchanged; what is done leaves a ledger in which
every check holds.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.book.due import DueKind
from app.domain.errors import DomainError
from app.domain.names import Bucket
from app.flows import post_due_lots
from tests.api.client import Caller
from tests.api_balances.conftest import Shop
from tests.api_balances.test_due_lots import advance, credit_with_dates
from tests.book.conftest import seal_everything, violations
from tests.book.test_concurrency import provisional
from tests.book.test_refusals import fingerprint

KINDS = [
    ("LOT", "PREFUNDED", 18), ("SIMPLE", "UNLIMITED", 0), ("LOT", "UNLIMITED", 2), ("SIMPLE", "PREFUNDED", 2),
]
OPERATIONS = (
    "credit", "debit", "hold", "release", "forfeit", "void", "transfer", "redeem", "reverse", "fund", "burn",
    "date", "accrue", "settle", "time", "expire", "mature",
)
STEPS = 50
REFUSED = 400


@dataclass
class Walk:
    """One walk: a program with one asset and three participants of whom one also has a group."""

    place: Shop
    dice: random.Random
    scale: int
    people: list[str]
    redemptions: list[str] = field(default_factory=list)

    def amount(self) -> str:
        """A small amount of the asset's last decimals; now and then with one decimal too many."""
        if self.dice.random() < 0.05:
            return format(Decimal(1).scaleb(-self.scale - 1), "f")
        return format(self.dice.randint(1, 30) + Decimal(1).scaleb(-self.scale), "f")

    def step(self, operation: str) -> bool:
        """Do it; whether it was done."""
        try:
            answer = getattr(self, f"_{operation}")(self.dice.choice(self.people))
        except DomainError:
            return False
        if not isinstance(answer, TestResponse):
            return True
        assert answer.status_code < 500, answer.json
        return answer.status_code < REFUSED

    def _act(self, operation: str, person: str, **fields: Any) -> TestResponse:
        return self.place.act(operation, person, **fields)

    def _credit(self, person: str) -> TestResponse:
        bucket = self.dice.choice(["AVAILABLE", "AVAILABLE", "HELD"])
        return self._act("adjust", person, type="CREDIT", amount=self.amount(), bucket=bucket)

    def _debit(self, person: str) -> TestResponse:
        return self._act("adjust", person, type="DEBIT", amount=self.amount(),
                         allow_negative=self.dice.random() < 0.3)

    def _some(self) -> dict[str, str]:
        fields = {"amount": self.amount()} if self.dice.random() < 0.7 else {}
        return fields | ({"reference_id": "trip"} if self.dice.random() < 0.2 else {})

    def _hold(self, person: str) -> TestResponse:
        return self._act("hold", person, **self._some())

    def _release(self, person: str) -> TestResponse:
        return self._act("release", person, **self._some())

    def _forfeit(self, person: str) -> TestResponse:
        bucket = self.dice.choice(["AVAILABLE", "HELD"])
        return self._act("forfeit", person, bucket=bucket, amount=self.amount())

    def _void(self, person: str) -> TestResponse:
        return self._act("void-hold", self.place.person, reference_id="auth")

    def _transfer(self, person: str) -> TestResponse:
        others = self.dice.sample(self.people, self.dice.randint(1, 2))
        return self.place.api.post("/v1/transfers", {
            "program_id": self.place.program, "asset_id": self.place.asset, "source_participant_id": person,
            "recipients": [{"participant_id": one, "amount": self.amount()} for one in others],
            "description": "walk",
        })

    def _redeem(self, person: str) -> TestResponse:
        answer = self.place.api.post(f"/v1/participants/{person}/redemptions", {
            "program_id": self.place.program, "asset_id": self.place.asset, "amount": self.amount(),
            "description": "walk",
        })
        if answer.status_code < REFUSED:
            self.redemptions.append(answer.json["id"])
        return answer

    def _reverse(self, person: str) -> TestResponse | bool:
        if not self.redemptions:
            return True
        fields = {"amount": self.amount()} if self.dice.random() < 0.5 else {}
        path = f"/v1/redemptions/{self.dice.choice(self.redemptions)}/reverse"
        return self.place.api.post(path, {"reason": "walk", **fields})

    def _wallet(self, operation: str) -> TestResponse:
        path = f"/v1/programs/{self.place.program}/assets/{self.place.asset}/{operation}"
        return self.place.api.post(path, {"amount": self.amount()})

    def _fund(self, person: str) -> TestResponse:
        return self._wallet("fund")

    def _burn(self, person: str) -> TestResponse:
        return self._wallet("burn")

    def _date(self, person: str) -> None:
        dates = {"expires": self.dice.choice([-1, 5, 20])}
        credit_with_dates(self.place, "7", **dates | self.dice.choice([{}, {"matures": 3}]))

    def _accrue(self, person: str) -> None:
        provisional(self.place, 9, Bucket.HELD, "auth")()

    def _settle(self, person: str) -> None:
        provisional(self.place, self.dice.randint(1, 15), Bucket.AVAILABLE, "auth")()

    def _time(self, person: str) -> None:
        advance(self.dice.randint(1, 10))

    def _expire(self, person: str) -> None:
        post_due_lots.post_batch(DueKind.EXPIRY)

    def _mature(self, person: str) -> None:
        post_due_lots.post_batch(DueKind.MATURITY)


@pytest.mark.parametrize(("kind", "steps"), [
    (KINDS[0], STEPS), *(pytest.param(kind, 1500, marks=pytest.mark.nightly) for kind in KINDS)
])
def test_whatever_is_refused_leaves_no_trace(api: Caller, kind: tuple[str, str, int], steps: int) -> None:
    mode, policy, scale = kind
    program = api.program()
    asset = api.asset(program, inventory_mode=mode, issuance_policy=policy, scale=scale)
    people = [api.participant(name, program_id=program) for name in ("ann", "bob", "eve")]
    walk = Walk(Shop(api, program, asset, people[0]), random.Random(f"{kind}"), scale, people)
    for operation in ("fund", "fund", "credit", "credit"):
        walk.step(operation)
    done: Counter[str] = Counter()
    before = fingerprint()
    for number in range(steps):
        operation = OPERATIONS[number % len(OPERATIONS)] if number < len(OPERATIONS) else (
            walk.dice.choice(OPERATIONS)
        )
        was_done = walk.step(operation)
        after = fingerprint()
        assert was_done or after == before, f"step {number}: a refused {operation} left a trace"
        before = after
        done[operation if was_done else "refused"] += 1
    assert done["refused"] > steps // 20, done
    assert sum(done.values()) - done["refused"] > steps // 4, done
    seal_everything()
    assert violations() == {}
