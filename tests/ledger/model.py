"""A slow, obvious model of the ledger in whole units: what every operation should do, written a second time.

It knows no entries, no ids and no decimals; a refusal is the exception Refused. The state machine compares it
with app/ledger after every step.
"""

from dataclasses import dataclass, field


class Refused(Exception):
    """The operation may not happen."""


@dataclass
class Parcel:
    """A lot."""

    serial: int
    born: int
    bucket: str
    left: int
    program: str | None
    expires: int | None = None
    matures: int | None = None
    reference: str | None = None
    provisional: bool = False
    dead: bool = False

    def due(self, now: int) -> bool:
        return self.left > 0 and self.bucket != "HELD" and self.expires is not None and self.expires <= now


@dataclass
class Owner:
    """Somebody's balance of the one asset: sums for SIMPLE, parcels and a debt for LOT."""

    available: int = 0
    held: int = 0
    deferred: int = 0
    parcels: list[Parcel] = field(default_factory=list)
    debt: int = 0


class Model:
    """One asset, some owners, wallets of programs (None: minted), and the three system sums."""

    def __init__(self, lots: bool, prefunded: bool) -> None:
        self.lots = lots
        self.prefunded = prefunded
        self.now = 0
        self.serial = 0
        self.owners: dict[str, Owner] = {}
        self.wallets: dict[str, int] = {}
        self.issuance = 0
        self.breakage = 0
        self.redemption = 0

    def owner(self, name: str) -> Owner:
        return self.owners.setdefault(name, Owner())

    def balance(self, name: str) -> tuple[int, int, int]:
        owner = self.owner(name)
        if not self.lots:
            return owner.available, owner.held, owner.deferred
        sums = [
            sum(p.left for p in owner.parcels if p.bucket == bucket)
            for bucket in ("AVAILABLE", "HELD", "DEFERRED")
        ]
        return sums[0] - owner.debt, sums[1], sums[2]

    def queue(self, owner: Owner, bucket: str) -> list[Parcel]:
        return sorted(
            (p for p in owner.parcels if p.bucket == bucket and p.left), key=lambda p: (p.born, p.serial)
        )

    def draw(self, program: str, amount: int) -> None:
        """Take value from where the program's credits come from; a negative amount gives back."""
        if not self.prefunded:
            self.issuance -= amount
            return
        if amount > self.wallets.get(program, 0):
            raise Refused
        self.wallets[program] = self.wallets.get(program, 0) - amount

    def expire(self, owner: Owner) -> None:
        for parcel in owner.parcels:
            if parcel.due(self.now):
                self.breakage += parcel.left
                parcel.left, parcel.dead = 0, True

    def repay(self, owner: Owner, parcels: list[Parcel]) -> None:
        for parcel in parcels:
            paid = min(owner.debt, parcel.left)
            parcel.left -= paid
            owner.debt -= paid

    def parcel(self, bucket: str, amount: int, program: str | None, **more: object) -> Parcel:
        self.serial += 1
        return Parcel(self.serial, self.now, bucket, amount, program, **more)

    def split(self, owner: Owner, parcel: Parcel, amount: int) -> Parcel:
        """Return the part that moves: the parcel itself, or a child with its dates."""
        if amount == parcel.left:
            return parcel
        self.serial += 1
        parcel.left -= amount
        child = Parcel(
            self.serial, parcel.born, parcel.bucket, amount, parcel.program, parcel.expires, parcel.matures,
            parcel.reference, parcel.provisional,
        )
        owner.parcels.append(child)
        return child

    def take(self, owner: Owner, parcels: list[Parcel], amount: int | None) -> list[tuple[Parcel, int]]:
        there = sum(p.left for p in parcels)
        wanted = there if amount is None else amount
        if there < wanted or not wanted:
            raise Refused
        taken = []
        for parcel in parcels:
            part = min(wanted, parcel.left)
            if part:
                taken.append((parcel, part))
                wanted -= part
        return taken

    # The operations.

    def fund(self, program: str, amount: int) -> None:
        if not self.prefunded:
            raise Refused
        self.issuance -= amount
        self.wallets[program] = self.wallets.get(program, 0) + amount

    def burn(self, program: str, amount: int) -> None:
        if not self.prefunded or self.wallets.get(program, 0) < amount:
            raise Refused
        self.wallets[program] -= amount
        self.breakage += amount

    def credit(
        self, name: str, program: str, amount: int, bucket: str, reference: str | None, expires: int | None,
        matures: int | None,
    ) -> None:
        owner = self.owner(name)
        if not self.lots and (reference or expires is not None or matures is not None):
            raise Refused
        if expires is not None and (expires <= self.now or (matures is not None and matures >= expires)):
            raise Refused
        if reference is not None and bucket == "AVAILABLE":
            self.settle(owner, program, amount, reference, expires, matures)
            return
        self.draw(program, amount)
        if bucket == "AVAILABLE" and matures is not None and matures > self.now:
            bucket = "DEFERRED"
        if not self.lots:
            if bucket == "AVAILABLE":
                owner.available += amount
            else:
                owner.held += amount
            return
        provisional = bucket == "HELD" and reference is not None
        parcel = self.parcel(
            bucket, amount, program, expires=expires, matures=matures,
            reference=reference if provisional else None, provisional=provisional,
        )
        owner.parcels.append(parcel)
        if bucket == "AVAILABLE":
            self.repay(owner, [parcel])

    def settle(
        self, owner: Owner, program: str, amount: int, reference: str, expires: int | None,
        matures: int | None,
    ) -> None:
        held = self.provisional(owner, program, reference)
        there = sum(p.left for p in held)
        self.draw(program, amount - there)
        keep = min(there, amount)
        arrived = []
        for parcel in held:
            parcel.left = min(parcel.left, keep)
            keep -= parcel.left
            parcel.bucket, parcel.reference, parcel.provisional = "AVAILABLE", None, False
            if parcel.left and not parcel.due(self.now):
                arrived.append(parcel)
        if amount > there:
            deferred = matures is not None and matures > self.now
            top_up = self.parcel(
                "DEFERRED" if deferred else "AVAILABLE", amount - there, program, expires=expires,
                matures=matures,
            )
            owner.parcels.append(top_up)
            if not deferred:
                arrived.append(top_up)
        self.repay(owner, arrived)
        for parcel in held:
            if parcel.due(self.now):
                self.breakage += parcel.left
                parcel.left, parcel.dead = 0, True

    def provisional(self, owner: Owner, program: str, reference: str) -> list[Parcel]:
        return [
            p for p in self.queue(owner, "HELD")
            if p.provisional and p.reference == reference and p.program == program
        ]

    def debit(self, name: str, program: str, amount: int, bucket: str, overdraw: bool) -> None:
        owner = self.owner(name)
        if overdraw and bucket == "HELD":
            raise Refused
        if not self.lots:
            there = owner.available if bucket == "AVAILABLE" else owner.held
            if there < amount and not overdraw:
                raise Refused
            if bucket == "AVAILABLE":
                owner.available -= amount
            else:
                owner.held -= amount
        else:
            spendable = [p for p in self.queue(owner, bucket) if not p.due(self.now)]
            there = sum(p.left for p in spendable)
            if there < amount and not overdraw:
                raise Refused
            self.expire(owner)
            if min(amount, there):
                for parcel, part in self.take(owner, spendable, min(amount, there)):
                    parcel.left -= part
            owner.debt += amount - min(amount, there)
        self.draw(program, -amount)

    def hold(
        self, name: str, amount: int | None, reference: str | None, ids: set[int] | None
    ) -> None:
        owner = self.owner(name)
        if not self.lots:
            if reference or ids is not None:
                raise Refused
            amount = owner.available if amount is None else amount
            if owner.available <= 0 or owner.available < amount:
                raise Refused
            owner.available -= amount
            owner.held += amount
            return
        fit = [
            p for p in self.queue(owner, "AVAILABLE")
            if not p.due(self.now) and (ids is None or p.serial in ids)
        ]
        taken = self.take(owner, fit, amount)
        self.expire(owner)
        for parcel, part in taken:
            moved = self.split(owner, parcel, part)
            moved.bucket, moved.reference, moved.provisional = "HELD", reference, False

    def release(self, name: str, amount: int | None, reference: str | None) -> None:
        owner = self.owner(name)
        if not self.lots:
            if reference:
                raise Refused
            amount = owner.held if amount is None else amount
            if owner.held <= 0 or owner.held < amount:
                raise Refused
            owner.held -= amount
            owner.available += amount
            return
        fit = [
            p for p in self.queue(owner, "HELD")
            if not p.provisional and (reference is None or p.reference == reference)
        ]
        if amount is not None:
            amount = min(amount, sum(parcel.left for parcel in fit))
        for parcel, part in self.take(owner, fit, amount or None):
            moved = self.split(owner, parcel, part)
            moved.bucket, moved.reference = "AVAILABLE", None
            if moved.due(self.now):
                self.breakage += moved.left
                moved.left, moved.dead = 0, True
            else:
                self.repay(owner, [moved])

    def forfeit(self, name: str, amount: int | None, bucket: str) -> None:
        owner = self.owner(name)
        if not self.lots:
            there = owner.available if bucket == "AVAILABLE" else owner.held
            amount = there if amount is None else amount
            if there <= 0 or there < amount:
                raise Refused
            if bucket == "AVAILABLE":
                owner.available -= amount
            else:
                owner.held -= amount
            self.breakage += amount
            return
        taken = self.take(owner, [p for p in self.queue(owner, bucket) if not p.due(self.now)], amount)
        self.expire(owner)
        for parcel, part in taken:
            parcel.left -= part
            self.breakage += part

    def void(self, name: str, program: str, reference: str) -> None:
        if not self.lots:
            raise Refused
        owner = self.owner(name)
        for parcel, part in self.take(owner, self.provisional(owner, program, reference), None):
            parcel.left -= part
            self.draw(program, -part)

    def run_expiry(self, name: str) -> None:
        self.expire(self.owner(name))

    def run_maturity(self, name: str) -> None:
        owner = self.owner(name)
        for parcel in sorted(owner.parcels, key=lambda p: (p.born, p.serial)):
            ripe = parcel.matures is not None and parcel.matures <= self.now
            if parcel.left and parcel.bucket == "DEFERRED" and ripe and not parcel.due(self.now):
                parcel.bucket = "AVAILABLE"
                self.repay(owner, [parcel])

    def spend(self, name: str, amount: int) -> list[tuple[Parcel, int]]:
        owner = self.owner(name)
        if not self.lots:
            if owner.available < amount:
                raise Refused
            owner.available -= amount
            return []
        fit = [p for p in self.queue(owner, "AVAILABLE") if not p.due(self.now)]
        taken = self.take(owner, fit, amount)
        self.expire(owner)
        for parcel, part in taken:
            parcel.left -= part
        return taken

    def transfer(self, name: str, recipients: list[tuple[str, int]]) -> None:
        names = [recipient for recipient, _ in recipients]
        if name in names or len(set(names)) < len(names):
            raise Refused
        self.spend(name, sum(amount for _, amount in recipients))
        for recipient, amount in recipients:
            owner = self.owner(recipient)
            if not self.lots:
                owner.available += amount
            else:
                parcel = self.parcel("AVAILABLE", amount, None)
                owner.parcels.append(parcel)
                self.repay(owner, [parcel])

    def redeem(self, name: str, amount: int) -> list[tuple[Parcel, int]]:
        taken = self.spend(name, amount)
        self.redemption += amount
        return taken

    def reverse(
        self, name: str, taken: list[tuple[Parcel, int]], skip: int, amount: int, grace: int
    ) -> None:
        owner = self.owner(name)
        self.redemption -= amount
        if not self.lots:
            owner.available += amount
            return
        for parcel, _ in taken:
            if parcel.due(self.now):
                self.breakage += parcel.left
                parcel.left, parcel.dead = 0, True
        restored = []
        for parcel, part in reversed(taken):
            given_before = min(skip, part)
            skip -= given_before
            part = min(part - given_before, amount)
            amount -= part
            if not part:
                continue
            past = parcel.expires is not None and parcel.expires <= self.now
            if parcel.left and parcel.bucket != "AVAILABLE":
                self.serial += 1
                child = Parcel(
                    self.serial, parcel.born, "AVAILABLE", part, parcel.program, parcel.expires,
                    parcel.matures,
                )
                owner.parcels.append(child)
                parcel = child
            else:
                parcel.left += part
                parcel.bucket, parcel.reference, parcel.provisional = "AVAILABLE", None, False
            if past or parcel.dead:
                parcel.expires = self.now + grace
            parcel.dead = False
            restored.append(parcel)
        self.repay(owner, restored)
