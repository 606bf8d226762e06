"""The shop of `chaos`: a program beside the events', whose orders move value in every other way.

What lives here: what is there before the storm, and the orders of a seed. Each order says what it will have
done to the balances once it is acknowledged, so that totals can be computed from the acknowledgements alone.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from app.domain.json import dumps

SHOPPERS = 40
ASSETS = {"POINT": "LOT", "GEM": "SIMPLE"}
REWARD_COST = Decimal("2.50")
REWARD_STOCK = 60  # Sold out in a longer storm: refusals for want of stock are answers too.
GIFT = Decimal("0.25")  # To each shopper for each broadcast.
THANKS = Decimal("0.10")  # Some moments after a visit, by SCHEDULE_EVENT.
IMPORT_LINES = 30
HAPPENED = "2026-03-01T12:00:00Z"
PERIOD = 20  # Of so many orders one is a broadcast and one an import.
# What is delivered to the receiver: one message for each such operation.
MESSAGES = ("redemption.completed", "redemption.reversed", "transfer.completed")

Create = Callable[[str, object], str]
Effects = dict[tuple[str, str], tuple[Decimal, Decimal]]  # Of shopper and asset: AVAILABLE and HELD.


@dataclass(frozen=True)
class Shop:
    """The ids that orders need."""

    program: str
    assets: dict[str, str]
    shoppers: list[str]
    reward: str


@dataclass(frozen=True)
class Order:
    """One operation under its key. A reversal names the order whose redemption it reverses."""

    key: str
    kind: str
    path: str
    body: dict[str, Any] | str
    effects: Effects = field(default_factory=dict)
    units: int = 0
    reverses: str | None = None


def open_shop(create: Create) -> Shop:
    """Make program, assets, rules, reward and shoppers, each enrolled."""
    program = create("/v1/programs", {"name": "Shop"})
    assets = {
        symbol: create("/v1/assets", {
            "program_id": program, "name": symbol, "symbol": symbol, "inventory_mode": mode,
            "issuance_policy": "UNLIMITED", "scale": 2,
        })
        for symbol, mode in ASSETS.items()
    }

    def credit(amount: Decimal) -> dict[str, Any]:
        return {"type": "CREDIT", "asset_id": assets["GEM"], "amount": str(amount)}

    rules: list[tuple[str, dict[str, Any]]] = [
        ("campaign", {"type": "BROADCAST", "event_name": "gift"}),
        ("gift", credit(GIFT)),
        ("visit", {"type": "SCHEDULE_EVENT", "event_name": "thanks", "delay": "2s"}),
        ("thanks", credit(THANKS)),
    ]
    for name, action in rules:
        create("/v1/rules", {
            "program_id": program, "name": name, "condition": f'event.type == "{name}"', "actions": [action],
        })
    reward = create(f"/v1/programs/{program}/rewards", {
        "name": "Mug", "redemption_type": "UNIT_BASED", "asset_id": assets["POINT"],
        "unit_cost": str(REWARD_COST), "status": "ACTIVE", "max_total": REWARD_STOCK,
    })
    people = [
        create("/v1/participants", {"external_id": f"shopper-{number}", "program_id": program})
        for number in range(SHOPPERS)
    ]
    return Shop(program, assets, people, reward)


def orders(shop: Shop, count: int, seed: int) -> list[list[Order]]:
    """The orders of a seed; those of one list follow each other."""
    making = _Making(shop, random.Random(seed + 3))
    return [making.next(number) for number in range(count)]


class _Making:
    def __init__(self, shop: Shop, draw: random.Random) -> None:
        self.shop, self.draw = shop, draw
        self.ways: list[Callable[[str], list[Order]]] = [
            self.credited, self.credited, self.debited, self.held, self.transferred, self.redeemed,
            self.bought, self.visited,
        ]

    def next(self, number: int) -> list[Order]:
        key = f"shop-{number}"
        # Value first: every shopper is credited before anything is taken.
        if number < SHOPPERS * len(ASSETS):
            symbol = list(ASSETS)[number // SHOPPERS]
            return [self.adjust(key, number % SHOPPERS, symbol, Decimal(40))]
        match number % PERIOD:
            case 3:
                return [self.campaign(key)]
            case 7:
                return [self.imported(key)]
            case _:
                return self.draw.choice(self.ways)(key)

    def whom(self) -> int:
        return self.draw.randrange(SHOPPERS)

    def what(self) -> str:
        return self.draw.choice(list(ASSETS))

    def much(self) -> Decimal:
        return Decimal(self.draw.randint(50, 1500)) / 100

    def common(self, key: str, symbol: str) -> dict[str, Any]:
        return {
            "program_id": self.shop.program, "asset_id": self.shop.assets[symbol], "description": "chaos",
            "idempotency_key": key,
        }

    def place(self, number: int, rest: str) -> str:
        return f"/v1/participants/{self.shop.shoppers[number]}/{rest}"

    def adjust(self, key: str, who: int, symbol: str, amount: Decimal) -> Order:
        kind = "CREDIT" if amount > 0 else "DEBIT"
        body = {**self.common(key, symbol), "type": kind, "amount": str(abs(amount))}
        path = self.place(who, "balances/adjust")
        return Order(key, "adjust", path, body, {(f"shopper-{who}", symbol): (amount, Decimal(0))})

    def credited(self, key: str) -> list[Order]:
        return [self.adjust(key, self.whom(), self.what(), self.much())]

    def debited(self, key: str) -> list[Order]:
        return [self.adjust(key, self.whom(), self.what(), -self.much())]

    def held(self, key: str) -> list[Order]:
        """A hold, and the release of a part of it where it came about."""
        who, symbol, amount = self.whom(), self.what(), self.much()
        part = (amount / 2).quantize(Decimal("0.01"))
        made = []
        for name, value, sign in (("hold", amount, -1), ("release", part, 1)):
            one = f"{key}-{name}"
            made.append(Order(
                one, name, self.place(who, f"balances/{name}"),
                {**self.common(one, symbol), "amount": str(value)},
                {(f"shopper-{who}", symbol): (sign * value, -sign * value)},
            ))
        return made

    def transferred(self, key: str) -> list[Order]:
        symbol = self.what()
        who, one, other = self.draw.sample(range(SHOPPERS), 3)
        amounts = {one: self.much(), other: self.much()}
        body = {
            **self.common(key, symbol), "source_participant_id": self.shop.shoppers[who],
            "recipients": [
                {"participant_id": self.shop.shoppers[each], "amount": str(amount)}
                for each, amount in amounts.items()
            ],
        }
        effects: Effects = {(f"shopper-{who}", symbol): (-sum(amounts.values(), Decimal(0)), Decimal(0))}
        for each, amount in amounts.items():
            effects[f"shopper-{each}", symbol] = (amount, Decimal(0))
        return [Order(key, "transfer", "/v1/transfers", body, effects)]

    def redeemed(self, key: str) -> list[Order]:
        """A redemption, and the reversal of a part of it."""
        who, symbol, amount = self.whom(), self.what(), self.much()
        back = (amount / 4).quantize(Decimal("0.01"))
        mine = (f"shopper-{who}", symbol)
        return [
            Order(key, "redemption", self.place(who, "redemptions"),
                  {**self.common(key, symbol), "amount": str(amount)}, {mine: (-amount, Decimal(0))}),
            Order(f"{key}-back", "reversal", "/v1/redemptions/{id}/reverse",
                  {"reason": "chaos", "amount": str(back), "idempotency_key": f"{key}-back"},
                  {mine: (back, Decimal(0))}, reverses=key),
        ]

    def bought(self, key: str) -> list[Order]:
        """A reward of limited stock; every third one goes back."""
        who, units = self.whom(), self.draw.randint(1, 2)
        mine = (f"shopper-{who}", "POINT")
        body = {
            "program_id": self.shop.program, "reward_id": self.shop.reward, "quantity": units,
            "idempotency_key": key,
        }
        made = [Order(key, "reward", self.place(who, "redemptions/items"), body,
                      {mine: (-units * REWARD_COST, Decimal(0))}, units)]
        if self.draw.random() < 1 / 3:
            made.append(Order(
                f"{key}-back", "reversal", "/v1/redemptions/{id}/reverse",
                {"reason": "chaos", "quantity": 1, "idempotency_key": f"{key}-back"},
                {mine: (REWARD_COST, Decimal(0))}, -1, reverses=key,
            ))
        return made

    def event(self, key: str, kind: str, who: int, effects: Effects) -> Order:
        body = {
            "program_id": self.shop.program, "external_id": f"shopper-{who}", "idempotency_key": key,
            "event_timestamp": HAPPENED, "event_data": {"type": kind},
        }
        return Order(key, kind, "/v1/events", body, effects)

    def visited(self, key: str) -> list[Order]:
        who = self.whom()
        return [self.event(key, "visit", who, {(f"shopper-{who}", "GEM"): (THANKS, Decimal(0))})]

    def campaign(self, key: str) -> Order:
        everybody: Effects = {(f"shopper-{who}", "GEM"): (GIFT, Decimal(0)) for who in range(SHOPPERS)}
        return self.event(key, "campaign", self.whom(), everybody)

    def imported(self, key: str) -> Order:
        """A file of credits; posted again after a lost answer, its lines' keys make it happen once."""
        effects: Effects = {}
        lines = []
        for number, who in enumerate(self.draw.choices(range(SHOPPERS), k=IMPORT_LINES)):
            symbol, amount = self.what(), self.much()
            before = effects.get((f"shopper-{who}", symbol), (Decimal(0), Decimal(0)))[0]
            effects[f"shopper-{who}", symbol] = (before + amount, Decimal(0))
            lines.append(dumps({
                "external_id": f"shopper-{who}", "asset": symbol, "amount": str(amount),
                "idempotency_key": f"{key}-{number}",
            }))
        path = f"/v1/imports?kind=balances&program_id={self.shop.program}"
        return Order(key, "import", path, "\n".join(lines) + "\n", effects)
