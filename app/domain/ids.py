"""Identifiers: deterministic ones for events, time-ordered ones for what the system itself creates."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter
from uuid import UUID, SafeUUID, uuid5

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# A namespace of its own for SYSTEM events, so that no client key can pre-empt one (decision C1).
SYSTEM_EVENTS = UUID("5f0c54a4-6d0e-5c7e-9a51-3c2f0c1b7e11")

SYSTEM_KEY_PREFIX = "system:"  # How the keys of SYSTEM events are shown; clients' keys never begin so.

PARTITIONS = 64
_UUID5_CLEAR = ~((0xF << 76) | (0b11 << 62))
_UUID5_MARK = (5 << 76) | (0b10 << 62)
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
MICROSECOND = timedelta(microseconds=1)


_new = object.__new__
_set_int = vars(UUID)["int"].__set__
_set_is_safe = vars(UUID)["is_safe"].__set__
_UNKNOWN = SafeUUID.unknown
_COUNTER_STEP, _COUNTER_END = 1 << 48, 1 << 62  # Of the 14 bits that count the ids of one instant.


def _made_of(number: int) -> UUID:
    """Return UUID(int=number) in a quarter of its time: the rest goes into arguments that are not given."""
    made = _new(UUID)
    _set_int(made, number)
    _set_is_safe(made, _UNKNOWN)
    return made


def event_id(program_id: UUID, idempotency_key: str) -> UUID:
    """Return the id of an EXTERNAL event: UUIDv5 of its program and key, the same for every resubmission."""
    # What uuid.uuid5 does, at a third of its cost: every event pays for it.
    digest = int.from_bytes(hashlib.sha1(program_id.bytes + idempotency_key.encode()).digest()[:16], "big")
    return _made_of(digest & _UUID5_CLEAR | _UUID5_MARK)


def event_id_text(program_id: UUID, idempotency_key: str) -> str:
    """Return the same id as text, at a third of the cost: a batch of events needs nothing else of it."""
    text = hashlib.sha1(program_id.bytes + idempotency_key.encode()).hexdigest()
    return f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"


def system_event_id(program_id: UUID, key: str) -> UUID:
    """Return the id of a SYSTEM event, in a namespace that clients cannot reach."""
    return uuid5(uuid5(SYSTEM_EVENTS, program_id.hex), key)


def id_of_key(program_id: UUID, shown_key: str) -> UUID:
    """Return the id of the event that shows this key: a SYSTEM event's begins with `system:`."""
    if shown_key.startswith(SYSTEM_KEY_PREFIX):
        return system_event_id(program_id, shown_key.removeprefix(SYSTEM_KEY_PREFIX))
    return event_id(program_id, shown_key)


def partition_of(owner_id: UUID) -> int:
    """Return the partition (0 to 63) in which the owner's events run one after another."""
    return owner_id.bytes[-2] % PARTITIONS


def account_owner_of_organization(organization_id: UUID) -> UUID:
    """Return the owner id that the system accounts of an organization carry."""
    return organization_id


# The order in which rows are locked, that of PostgreSQL's uuid: comparing the ids themselves runs in Python.
in_order = attrgetter("int")


@lru_cache(maxsize=16_384)
def id_of(text: str) -> UUID:
    """Return the id that a text of 36 characters names: the same object for the same text, while it is fresh.

    The main path meets an id several times: in the event, the owner, the account. Making one takes ten times
    as long as finding it here, and a dict that is asked for the very object it holds need not compare.
    """
    return _made_of(int(text.replace("-", ""), 16))


class TimeOrdered:
    """Makes UUIDs (version 7 layout) that sort by instant to the microsecond, then by order of creation.

    Bits: 48 milliseconds, 4 version, 12 for the microsecond within the millisecond, 2 variant, 14 counter,
    40 random, 8 zero. The last byte stays zero, so that the lines of a journal entry can count in it.
    """

    __slots__ = ("_end", "_micros", "_next", "_random")

    def __init__(self, instant: datetime, entropy: int | None = None) -> None:
        """Start at `instant`; `entropy` (40 bits) is drawn from the system unless given."""
        self._random = (secrets.randbits(40) if entropy is None else entropy) << 8
        self._begin((instant - EPOCH) // MICROSECOND)

    def _begin(self, micros: int) -> None:
        prefix = _prefix(micros)
        self._micros, self._next, self._end = micros, prefix | self._random, prefix + _COUNTER_END

    def next(self) -> UUID:
        """Return the next id; after 16,384 from one instant the next microsecond is counted in."""
        if self._next >= self._end:
            self._begin(self._micros + 1)
        number = self._next
        self._next = number + _COUNTER_STEP
        # As _made_of, which every event would call several times.
        made = _new(UUID)
        _set_int(made, number)
        _set_is_safe(made, _UNKNOWN)
        return made


def _prefix(micros: int) -> int:
    millis, rest = divmod(micros, 1000)
    return (millis << 80) | (7 << 76) | (rest << 64) | (0b10 << 62)


def lowest_id(instant: datetime) -> UUID:
    """Return the smallest time-ordered id of `instant`: a bound for ranges over primary keys.

    Nothing is older than 1970; an earlier instant gives the bound of that year's beginning.
    """
    return UUID(int=_prefix(max((instant - EPOCH) // MICROSECOND, 0)))


def highest_id(instant: datetime) -> UUID:
    """Return the greatest time-ordered id of `instant`."""
    return UUID(int=lowest_id(instant).int | ((1 << 62) - 1))


def posting_id(entry_id: UUID, line: int) -> UUID:
    """Return the public id of the posting in `line` (1 to 255) of an entry."""
    return UUID(int=entry_id.int | line)


def new_id() -> UUID:
    """Return a random id for what needs no order."""
    return UUID(bytes=secrets.token_bytes(16), version=4)


def derived_id(namespace: UUID, *parts: object) -> UUID:
    """Return the id that always belongs to these parts, for rows rendered from packed ones."""
    digest = hashlib.sha256("\x00".join(map(str, parts)).encode()).hexdigest()
    return uuid5(namespace, digest)
