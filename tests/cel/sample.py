"""One event with its surroundings, as the engine gives it to expressions. Used by most tests of this
folder.
"""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

NOW = dt.datetime(2026, 7, 10, 17, 45, 12, tzinfo=dt.UTC)

_EVENT = """{
  "type": "purchase", "amount": 149.95, "quantity": 3, "whole": 150.0, "zero": 0, "note": null, "vip": true,
  "sku": "C-3", "coupon": "SUMMER26", "email": "jane.doe@example.com", "price_text": "49.99",
  "at": "2026-07-10T17:45:12Z", "scores": [1, 2.5, 3], "mixed": [1, "a", true, null, {"x": 1}],
  "empty": [], "nested": {"a": {"b": {"c": "deep"}}}, "odd key": 1,
  "items": [{"sku": "A-1", "category": "books", "price": 25.00, "quantity": 2},
            {"sku": "B-1", "category": "toys", "price": 3, "quantity": 1},
            {"sku": "C-1", "category": "food", "quantity": 5}]
}"""


def activation() -> dict[str, Any]:
    """A fresh copy for each caller, so that a test which changes it disturbs no other."""
    return {
        "event": json.loads(_EVENT, parse_float=Decimal),
        "participant": {
            "id": "p-1", "external_id": "user-7", "status": "ACTIVE", "tags": ["vip", "beta"],
            "counters": {"purchases": Decimal("12"), "spend": Decimal("1250.50")},
            "attributes": {"country": "DE", "birthday": "03-14"},
            "tiers": {"loyalty": {"level": "gold", "rank": 2, "benefits": {"multiplier": "1.5"}}},
            "balances": {"PTS": {"available": Decimal(100), "held": Decimal(0), "deferred": Decimal(5)}},
            "created_at": NOW - dt.timedelta(days=400), "groups": ["g-1"],
        },
        "recipient": None,
        "group": None,
        "program": {"id": "prog-1", "name": "Club", "tags": [], "counters": {}, "attributes": {}},
        "now": NOW,
    }  # fmt: skip
