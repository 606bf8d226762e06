"""Amounts as text, in every spelling: taken exactly, or refused by a code that names the field.

The texts are read a second time here, by a pattern and as fractions; the balances are kept as fractions
beside the product and compared to the last digit after each request.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.api.client import Caller, error_of
from tests.api_balances.conftest import Shop, open_shop

PLAIN = re.compile(r"[+-]?[0-9]{1,60}(\.[0-9]{1,60})?")
BEYOND = Fraction(10**20)  # What no balance and no amount reaches.

digits = st.text("0123456789", max_size=20)
SPELLED = st.builds(
    "".join, st.tuples(
        st.sampled_from(["", "", "", "+", "-"]), st.sampled_from(["", "", "0", "00000"]),
        st.one_of(st.integers(0, 10**4).map(str), st.integers(0, 10**22).map(str)),
        st.one_of(st.just(""), digits.map(lambda text: f".{text}")), st.sampled_from(["", "0", "000"]),
        st.sampled_from(["", "", "", "", "", "e0", "E2", "e-1"]),
    ),
)
ODD = st.sampled_from([
    "", " ", "NaN", "sNaN", "Infinity", "-Infinity", "inf", "1_000", "1,5", " 1", "1 ", "1\n", "\t1", ".5",
    "1.", ".", "+", "-", "--1", "+-1", "0x10", "１", "١", "1.٢", "½", "1/2", "0" * 61, "0" * 60, "null",
    5, 0, -1, 1.5, True, False, None, [], ["1"], {}, {"amount": "1"},
])


def amounts(scale: int) -> st.SearchStrategy[Any]:
    """Amounts of all kinds, half of them good ones of an asset with so many decimals."""
    good = st.builds(
        "{}{}.{}{}".format, st.sampled_from(["", "+", "000"]), st.integers(1, 9999),
        st.text("0123456789", max_size=scale).map(lambda text: text or "0"), st.sampled_from(["", "0", "00"]),
    )
    return st.one_of(good, good, SPELLED, ODD)


OPERATIONS = st.sampled_from([
    "credit", "debit", "hold", "release", "forfeit", "redeem", "transfer", "fund", "burn",
])
WHOLE = {"hold": "available", "release": "held", "forfeit": "available"}


def meant(text: Any) -> Fraction | None:
    """What a text says, if it is a plain decimal."""
    return Fraction(text) if isinstance(text, str) and PLAIN.fullmatch(text) else None


def refusal_of(text: Any, scale: int, operation: str) -> str | None:
    """The code by which a text is refused whatever the balances are; None for a good amount."""
    value = meant(text)
    if not isinstance(text, str):
        return "validation_error"
    if value is None or value <= 0 or value >= BEYOND:
        return "invalid_amount"
    if (value * 10**scale).denominator > 1:
        return "invalid_scale" if operation in ("credit", "debit") else "invalid_amount"
    return None


def printed(value: Fraction, scale: int) -> str:
    """A balance as it must be shown: with all of the asset's decimals, and no other."""
    units = value * 10**scale
    assert units.denominator == 1
    text = str(abs(units.numerator)).rjust(scale + 1, "0")
    return text if scale == 0 else f"{text[:-scale]}.{text[-scale:]}"


@dataclass
class Bench:
    """A participant, a second one, and a wallet, with what each should have."""

    shop: Shop
    scale: int
    other: str
    has: dict[str, Fraction] = field(default_factory=dict)
    requests: int = 0
    taken: int = 0

    def send(self, operation: str, amount: Any, key: str) -> TestResponse:
        """Send it; the key makes a repetition harmless."""
        shop, api = self.shop, self.shop.api
        fields = shop.body(amount=amount, idempotency_key=key)
        match operation:
            case "credit" | "debit":
                path = f"/v1/participants/{shop.person}/balances/adjust"
                return api.post(path, {**fields, "type": operation.upper()})
            case "hold" | "release":
                return api.post(f"/v1/participants/{shop.person}/balances/{operation}", fields)
            case "forfeit":
                path = f"/v1/participants/{shop.person}/balances/forfeit"
                return api.post(path, {**fields, "bucket": "AVAILABLE"})
            case "redeem":
                return api.post(f"/v1/participants/{shop.person}/redemptions", fields)
            case "transfer":
                del fields["amount"]
                recipient = {"participant_id": self.other, "amount": amount}
                return api.post("/v1/transfers", {
                    **fields, "source_participant_id": shop.person, "recipients": [recipient],
                })
        path = f"/v1/programs/{shop.program}/assets/{shop.asset}/{operation}"
        return api.post(path, {"amount": amount, "idempotency_key": key})

    def after(self, operation: str, value: Fraction) -> dict[str, Fraction]:
        """What everybody has after a good amount."""
        moves = {
            "credit": ("wallet", "available"), "debit": ("available", "wallet"),
            "hold": ("available", "held"), "release": ("held", "available"), "forfeit": ("available", None),
            "redeem": ("available", None), "transfer": ("available", "other"), "fund": (None, "wallet"),
            "burn": ("wallet", None),
        }
        source, target = moves[operation]
        then = dict(self.has)
        if source is not None:
            then[source] -= value
        if target is not None:
            then[target] += value
        return then

    def shown(self) -> dict[str, str]:
        """What the product says that everybody has."""
        zero = printed(Fraction(0), self.scale)
        own, others = self.shop.balance() or {}, self.shop.balance(self.other) or {}
        wallet = self.shop.api.get(f"/v1/programs/{self.shop.program}/balance").json["data"][0]
        return {
            "available": own.get("available", zero), "held": own.get("held", zero),
            "other": others.get("available", zero), "wallet": wallet["available"],
        }

    def try_amount(self, operation: str, amount: Any) -> None:
        """Send an amount and compare what came of it."""
        self.requests += 1
        sent = amount
        key = f"k{self.requests}"
        answer = self.send(operation, amount, key)
        where = "recipients[0].amount" if operation == "transfer" else "amount"
        if amount is None and operation in WHOLE:
            amount = printed(self.has[WHOLE[operation]], self.scale)  # What null means there: all of it.
            if not self.has[WHOLE[operation]]:
                error_of(answer, 422, "insufficient_funds")
                return
        code = refusal_of(amount, self.scale, operation)
        if code is not None:
            assert answer.status_code == 400, (operation, amount)
            assert list(error_of(answer, 400, code)) == [where]
            return
        value = meant(amount)
        assert value is not None
        then = self.after(operation, value)
        if min(then.values()) < 0:
            error_of(answer, 422, "insufficient_funds")
        elif max(then.values()) >= BEYOND:
            error_of(answer, 400, "invalid_amount")
        else:
            assert answer.status_code in (200, 201), answer.json
            self.has = then
            self.taken += 1
            again = self.send(operation, sent if sent is None else printed(value, self.scale), key)
            assert (again.status_code, again.json) == (200, answer.json), "the same amount, spelled otherwise"
            assert again.headers["Idempotency-Replayed"] == "true"
        assert self.shown() == {name: printed(each, self.scale) for name, each in self.has.items()}


def bench(api: Caller, scale: int) -> Bench:
    """Make a PREFUNDED asset; the customer begins with half of what a balance can hold, the wallet too."""
    shop = open_shop(api, "CASH", issuance_policy="PREFUNDED", scale=scale)
    api.post("/v1/participants", {"external_id": "ann-CASH", "program_id": shop.program})
    made = Bench(shop, scale, api.participant("bob", program_id=shop.program))
    half = Fraction(5 * 10**19)
    made.has = {"available": half, "held": Fraction(0), "other": Fraction(0), "wallet": half}
    for operation in ("fund", "credit", "fund"):
        answer = made.send(operation, str(half.numerator), f"begin-{operation}-{made.requests}")
        assert answer.status_code == 200, answer.json
        made.requests += 1
    return made


def compare(api: Caller, scale: int, examples: int) -> None:
    """Try so many amounts on one bench."""
    place = bench(api, scale)

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operation=OPERATIONS, amount=amounts(scale))
    @example(operation="credit", amount="0.0000000000000000001")
    @example(operation="credit", amount="9" * 20 + "." + "9" * 18)
    @example(operation="hold", amount="0.000000000000000001")
    @example(operation="transfer", amount="+0007.0000000000000000000000")
    def run(operation: str, amount: Any) -> None:
        place.try_amount(operation, amount)

    run()
    assert place.taken > examples // 20, "too few amounts were good to show anything"


CASES: list[Any] = [(0, 60), (2, 120), (18, 120)]


@pytest.mark.parametrize(("scale", "examples"), [
    *CASES, *(pytest.param(scale, 4000, marks=pytest.mark.nightly) for scale, _ in CASES)
])
def test_an_amount_is_taken_exactly_or_refused_by_name(api: Caller, scale: int, examples: int) -> None:
    compare(api, scale, examples)
