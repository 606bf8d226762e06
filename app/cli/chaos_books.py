"""The books of the shop of `chaos`: totals of what was acknowledged, against what the database holds."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from app.cli.chaos_orders import Orders
from app.cli.chaos_receiver import Receiver
from app.cli.chaos_shop import ASSETS, IMPORT_LINES, MESSAGES, SHOPPERS
from app.cli.chaos_verdict import rows

_BALANCES = """
SELECT p.external_id, s.symbol, a.available, a.held
FROM participants p
JOIN accounts a ON a.organization_id = p.organization_id AND a.owner_id = p.id
JOIN assets s ON s.organization_id = a.organization_id AND s.id = a.asset_id
WHERE p.external_id LIKE 'shopper-%'
"""
# Whatever is due but not done; the reviews of the clock, such as the calendar of tiers, are not of this list.
_UNDONE = """
SELECT (SELECT count(*) FROM inbox) AS events, (SELECT count(*) FROM outbox_pending) AS messages,
    (SELECT count(*) FROM firings WHERE status IN ('pending', 'executing')) AS firings,
    (SELECT count(*) FROM imports WHERE status IN ('PENDING', 'PROCESSING')) AS imports,
    (SELECT count(*) FROM webhook_deliveries WHERE status IN ('PENDING', 'SENDING')) AS deliveries
"""


def undone(url: str) -> dict[str, int]:
    """Return what kinds of work are not done, with how much of each."""
    return {name: count for name, count in rows(url, _UNDONE)[0].items() if count}


def faults(url: str, orders: Orders, receiver: Receiver) -> Iterator[str]:
    """Say what of the shop does not hold."""
    yield from orders.wrong[:5]
    if left := undone(url):
        yield f"not done in the end: {left}"
    yield from _balances(url, orders)
    yield from _redemptions(url, orders)
    yield from _events(url, orders)
    yield from _imports(url, orders)
    yield from _messages(url, orders, receiver)


def _balances(url: str, orders: Orders) -> Iterator[str]:
    expected: dict[tuple[str, str], list[Decimal]] = {
        (f"shopper-{number}", symbol): [Decimal(0), Decimal(0)]
        for number in range(SHOPPERS) for symbol in ASSETS
    }
    for order in orders.done.values():
        for place, effect in order.effects.items():
            expected[place] = [sum(pair, Decimal(0)) for pair in zip(expected[place], effect, strict=True)]
    found = {
        (row["external_id"], row["symbol"]): [row["available"], row["held"]] for row in rows(url, _BALANCES)
    }
    unequal = [
        (place, wanted, found.get(place)) for place, wanted in expected.items()
        if found.get(place, [Decimal(0), Decimal(0)]) != wanted
    ]
    if unequal:
        place, wanted, held = unequal[0]
        yield f"{len(unequal)} balances differ from what was acknowledged; {place}: {held}, not {wanted}"


def _kinds(orders: Orders) -> "Counter[str]":
    return Counter(order.kind for order in orders.done.values())


def _redemptions(url: str, orders: Orders) -> Iterator[str]:
    kinds = _kinds(orders)
    units = sum(order.units for order in orders.done.values())
    wanted = (kinds["redemption"] + kinds["reward"], kinds["reversal"], units)
    row = rows(url, """
        SELECT (SELECT count(*) FROM redemptions) AS redemptions,
            (SELECT count(*) FROM redemption_reversals) AS reversals,
            (SELECT sum(redeemed_count) FROM rewards) AS units
    """)[0]
    found = (row["redemptions"], row["reversals"], int(row["units"] or 0))
    if found != wanted:
        yield f"redemptions, reversals and units of stock taken are {found}, acknowledged were {wanted}"


def _events(url: str, orders: Orders) -> Iterator[str]:
    """Each campaign reaches everybody once, each visit is thanked once."""
    kinds = _kinds(orders)
    wanted = {"gift": kinds["campaign"] * SHOPPERS, "thanks": kinds["visit"]}
    told = rows(url, """
        SELECT e.event_data->>'type' AS type, count(*) AS n FROM events e
        JOIN decisions d ON d.organization_id = e.organization_id AND d.event_seq = e.seq
        WHERE e.event_type = 'SYSTEM' AND d.status = 'COMPLETED' GROUP BY 1
    """)
    found = {row["type"]: row["n"] for row in told}
    for name, count in wanted.items():
        if found.get(name, 0) != count:
            yield f"{found.get(name, 0)} events {name} were decided instead of {count}"


def _imports(url: str, orders: Orders) -> Iterator[str]:
    told = rows(url, """
        SELECT count(*) AS n FROM imports WHERE status <> 'COMPLETED' OR rejected_lines > 0
    """)[0]["n"]
    if told:
        yield f"{told} imports were not completed whole"
    lines = rows(url, "SELECT count(*) AS n FROM idempotency_keys WHERE operation = 'import'")[0]["n"]
    if lines != IMPORT_LINES * _kinds(orders)["import"]:
        yield f"{lines} lines were imported, acknowledged were {IMPORT_LINES * _kinds(orders)['import']}"


def _messages(url: str, orders: Orders, receiver: Receiver) -> Iterator[str]:
    """Each message of what was done has arrived, and nothing that was not told."""
    kinds = _kinds(orders)
    wanted = dict(zip(MESSAGES, (
        kinds["redemption"] + kinds["reward"], kinds["reversal"], kinds["transfer"],
    ), strict=True))
    written: list[dict[str, Any]] = rows(url, "SELECT id::text AS id, type FROM outbox")
    told = {row["id"]: row["type"] for row in written if row["type"] in MESSAGES}
    if Counter(told.values()) != Counter({name: count for name, count in wanted.items() if count}):
        yield f"messages written are {dict(Counter(told.values()))}, operations done were {wanted}"
    missing = told.keys() - receiver.taken.keys()
    if missing:
        yield f"{len(missing)} of {len(told)} messages never arrived, such as {sorted(missing)[0]}"
    if receiver.taken.keys() - told.keys():
        yield f"{len(receiver.taken.keys() - told.keys())} messages arrived that nobody wrote"
    if receiver.unverified:
        yield f"{len(receiver.unverified)} deliveries did not verify: {receiver.unverified[0]}"
