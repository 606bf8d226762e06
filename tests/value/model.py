"""The slow and obvious telling of what redemptions, reversals, expiry and transfers do: cents in parcels."""

from dataclasses import dataclass, field

NAMES = ("ann", "bob", "team")
GRACE_HOURS = 5


class Refused(Exception):
    """What the model does not allow, by code."""


@dataclass
class Parcel:
    """Some cents of one day: when they came, when they go."""

    born: int
    left: int
    expires: int | None
    held: bool = False


@dataclass
class Sale:
    """A redemption: who, which parcels in which order, how much is given back by now."""

    who: str
    amount: int
    units: int | None
    taken: list[tuple[Parcel, int]]
    returned: int = 0


@dataclass
class Model:
    """What should be so."""

    lots: bool
    hour: int = 0
    serial: int = 0
    parcels: dict[str, list[Parcel]] = field(default_factory=lambda: {name: [] for name in NAMES})
    sold: int = 0
    held_by: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NAMES, 0))

    def expire(self, who: str) -> None:
        for parcel in self.parcels[who]:
            if parcel.expires is not None and parcel.expires <= self.hour:
                parcel.left = 0

    def give(self, who: str, amount: int, expires: int | None) -> None:
        self.serial += 1
        dated = expires if self.lots else None
        self.parcels[who].append(Parcel(self.serial, amount, dated))

    def balance(self, who: str) -> int:
        return sum(
            parcel.left for parcel in self.parcels[who]
            if parcel.expires is None or parcel.expires > self.hour
        )

    def take(self, who: str, amount: int) -> list[tuple[Parcel, int]]:
        if self.balance(who) < amount:
            raise Refused("insufficient_funds")
        self.expire(who)
        taken = []
        for parcel in sorted(self.parcels[who], key=lambda one: one.born):
            part = min(parcel.left, amount)
            if part:
                parcel.left -= part
                amount -= part
                taken.append((parcel, part))
        return taken

    def put_back(self, sale: Sale, amount: int) -> None:
        """Cent by cent, from the last one that was taken."""
        order = [parcel for parcel, part in sale.taken for _ in range(part)]
        order.reverse()
        back = order[sale.returned : sale.returned + amount]
        past = [p for p in {id(p): p for p in back}.values() if p.expires is not None and
                p.expires <= self.hour]
        for parcel in {id(p): p for p, _ in sale.taken}.values():
            if parcel.expires is not None and parcel.expires <= self.hour:
                parcel.left = 0
        for parcel in past:
            parcel.expires = self.hour + GRACE_HOURS
        for parcel in back:
            parcel.left += 1
        sale.returned += amount
