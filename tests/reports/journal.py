"""A journal made up from a seed: every kind of entry, several assets and programs, two years of instants.

It is written as rows, beside the product's own code, and known in memory as well: what reports say is
recomputed from its postings, one after another.
"""

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from app.db import Connection
from app.domain.ids import TimeOrdered
from app.domain.names import EntryType

START = datetime(2024, 1, 1, tzinfo=UTC)
SPAN = timedelta(days=730)
OWED = ("PARTICIPANT", "GROUP", "LEDGER_ENTITY")
SYSTEM = ("SYSTEM_ISSUANCE", "SYSTEM_BREAKAGE", "SYSTEM_REDEMPTION")
SCALE = 2

_WEIGHTS = {
    "CREDIT": 40, "REDEMPTION": 15, "HOLD": 8, "RELEASE": 4, "EXPIRATION": 6, "FORFEIT": 2, "DEBIT": 3,
    "ADJUST_CREDIT": 3, "ADJUST_DEBIT": 2, "SETTLE": 4, "VOID_HOLD": 2, "MATURITY": 3, "TRANSFER": 4,
    "REDEMPTION_REVERSAL": 3, "FUND": 1, "BURN": 1,
}


@dataclass(frozen=True, slots=True)
class Line:
    """A posting with what is to be known of its account."""

    account: int
    owner_type: str
    owner: UUID
    bucket: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Fact:
    """An entry."""

    id: UUID
    at: datetime
    program: UUID | None
    asset: UUID
    kind: str
    lines: tuple[Line, ...]


@dataclass
class Journal:
    """An organization with its accounts, and the entries that were written so far."""

    organization: UUID
    seed: int = 1
    people: int = 40
    programs: list[UUID] = field(default_factory=list)
    assets: list[UUID] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Name everybody."""
        self.random = random.Random(self.seed)
        self.owners = [(self._uuid(), "PARTICIPANT") for _ in range(self.people)]
        self.owners += [(self._uuid(), "GROUP") for _ in range(3)]
        self.entity = (self._uuid(), "LEDGER_ENTITY")
        self.programs = [self._uuid() for _ in range(3)]
        self.assets = [self._uuid() for _ in range(2)]
        self.numbers: dict[tuple[UUID, UUID, str], int] = {}
        self.balances: dict[int, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        self._next, self._next_system = 1, -1

    def _uuid(self) -> UUID:
        return UUID(int=self.random.getrandbits(128), version=4)

    def account(self, asset: UUID, owner: UUID, owner_type: str) -> int:
        """Return the number of an account; a new one at first sight."""
        key = (asset, owner, owner_type)
        if key not in self.numbers:
            if owner_type in SYSTEM:
                self.numbers[key], self._next_system = self._next_system, self._next_system - 1
            else:
                self.numbers[key], self._next = self._next, self._next + 1
        return self.numbers[key]

    def grow(self, count: int, start: datetime = START, span: timedelta = SPAN) -> list[Fact]:
        """Make entries within a span, oldest first, and return them."""
        micros = span // timedelta(microseconds=1)
        instants = sorted(start + timedelta(microseconds=self.random.randrange(micros)) for _ in range(count))
        # Some stand exactly on the edges where periods meet.
        for index in range(0, count, 50):
            instants[index] = instants[index].replace(minute=0, second=0, microsecond=0)
        return self.make(instants)

    def make(self, instants: Iterable[datetime]) -> list[Fact]:
        """Make an entry of each instant and return them."""
        made = [self._entry(instant) for instant in instants]
        self.facts += made
        return made

    def _entry(self, at: datetime) -> Fact:
        kind = self.random.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        asset = self.random.choice(self.assets)
        program: UUID | None = self.random.choice(self.programs)
        if kind == "EXPIRATION" and self.random.random() < 0.3:
            program = None
        lines = tuple(self._lines(EntryType(kind), asset, program or self.programs[0]))
        for line in lines:
            self.balances[line.account][line.bucket] += line.amount
        return Fact(
            TimeOrdered(at, entropy=self.random.getrandbits(40)).next(), at, program, asset, kind, lines
        )

    def _lines(self, kind: EntryType, asset: UUID, program: UUID) -> Iterator[Line]:
        amount = Decimal(self.random.randrange(1, 100_000)).scaleb(-SCALE)
        less = Decimal(self.random.randrange(1, 100_000)).scaleb(-SCALE)

        def on(owner: tuple[UUID, str], amount: Decimal, bucket: str = "AVAILABLE") -> Line:
            return Line(self.account(asset, *owner), owner[1], owner[0], bucket, amount)

        person, other = self.random.sample(self.owners, 2)
        wallet = (program, "PROGRAM")
        source = self.random.choice([(self.organization, SYSTEM[0]), wallet])
        breakage = (self.organization, SYSTEM[1])
        target = self.random.choice([(self.organization, SYSTEM[2]), self.entity])
        match kind:
            case EntryType.CREDIT | EntryType.ADJUST_CREDIT:
                bucket = self.random.choice(["AVAILABLE", "HELD", "DEFERRED"])
                yield from (on(source, -amount), on(person, amount, bucket))
            case EntryType.DEBIT | EntryType.ADJUST_DEBIT:
                yield from (on(person, -amount), on(source, amount))
            case EntryType.HOLD:
                yield from (on(person, -amount), on(person, amount, "HELD"))
            case EntryType.RELEASE:
                yield from (on(person, -amount, "HELD"), on(person, amount))
            case EntryType.MATURITY:
                yield from (on(person, -amount, "DEFERRED"), on(person, amount))
            case EntryType.FORFEIT | EntryType.EXPIRATION:
                yield from (on(person, -amount), on(breakage, amount))
            case EntryType.SETTLE:
                yield from (on(person, -amount, "HELD"), on(person, less))
                if less != amount:
                    yield on(source, amount - less)
            case EntryType.VOID_HOLD:
                yield from (on(person, -amount, "HELD"), on(source, amount))
            case EntryType.REDEMPTION:
                yield from (on(person, -amount), on(target, amount))
            case EntryType.REDEMPTION_REVERSAL:
                yield from (on(target, -amount), on(person, amount))
            case EntryType.TRANSFER:
                yield from (on(person, -amount), on(other, amount))
            case EntryType.FUND:
                yield from (on((self.organization, SYSTEM[0]), -amount), on(wallet, amount))
            case _:
                yield from (on(wallet, -amount), on(breakage, amount))

    def create(self, c: Connection) -> None:
        """Write the organization's programs and assets."""
        for number, program in enumerate(self.programs):
            c.execute(
                "INSERT INTO owners (organization_id, id, kind) VALUES (%s, %s, 'PROGRAM')",
                (self.organization, program),
            )
            c.execute(
                "INSERT INTO programs (organization_id, id, name, created_at, updated_at)"
                " VALUES (%s, %s, %s, %s, %s)", (self.organization, program, f"P{number}", START, START),
            )
        for number, asset in enumerate(self.assets):
            system = [self.account(asset, self.organization, kind) for kind in SYSTEM]
            c.execute(
                "INSERT INTO assets (organization_id, id, name, symbol, inventory_mode, issuance_policy,"
                " scale, issuance_account, breakage_account, redemption_account, created_at, updated_at)"
                " VALUES (%s, %s, %s, %s, 'SIMPLE', 'UNLIMITED', %s, %s, %s, %s, %s, %s)",
                (self.organization, asset, f"A{number}", f"A{number}", SCALE, *system, START, START),
            )

    def write(self, c: Connection, facts: list[Fact]) -> None:
        """Write entries with their postings, and the accounts as they stand now."""
        c.execute(_ENTRIES, {"organization": self.organization, "rows": json.dumps([
            {"i": fact.id.hex, "g": fact.program and fact.program.hex, "a": fact.asset.hex, "t": fact.kind,
             "c": fact.at.isoformat()} for fact in facts
        ])})
        c.execute(_POSTINGS, {"organization": self.organization, "rows": json.dumps([
            {"e": fact.id.hex, "l": number, "a": line.account, "b": line.bucket, "m": str(line.amount)}
            for fact in facts for number, line in enumerate(fact.lines, 1)
        ])})
        rows = []
        for (asset, owner, owner_type), number in self.numbers.items():
            held = self.balances[number]
            rows.append({
                "i": number, "t": owner_type, "w": owner.hex, "a": asset.hex,
                "v": "0" if number < 0 else str(sum(held.values(), Decimal(0))),
            })
        c.execute(_ACCOUNTS, {"organization": self.organization, "rows": json.dumps(rows), "at": START})


_ENTRIES = """
INSERT INTO journal_entries (organization_id, id, program_id, asset_id, action_type, created_at)
SELECT %(organization)s, i, g, a, t, c
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(i uuid, g uuid, a uuid, t text, c timestamptz)
"""
_POSTINGS = """
INSERT INTO postings (organization_id, entry_id, line, account_id, bucket, amount)
SELECT %(organization)s, e, l, a, b, m
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(e uuid, l smallint, a bigint, b text, m numeric)
"""
_ACCOUNTS = """
INSERT INTO accounts (organization_id, id, owner_type, owner_id, asset_id, available, overdrawn, updated_at)
SELECT %(organization)s, i, t, w, a, v, true, %(at)s
FROM jsonb_to_recordset(%(rows)s::jsonb) AS r(i bigint, t text, w uuid, a uuid, v numeric)
ON CONFLICT (organization_id, id) DO UPDATE SET available = excluded.available
"""
