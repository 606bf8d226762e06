"""A reward for a level: a period that is over counts as over, though no worker has looked at it yet."""

from typing import Any

from werkzeug.test import TestResponse

from app import db
from tests.api.client import error_of
from tests.tiers.conftest import Club, club

__all__ = ["club"]

DROPPING = {
    "retention": {"mode": "PERIOD_BASED"}, "qualification_period": {"type": "CALENDAR_YEAR"},
    "counters": {"qualifying": ["year_points"], "rollover": "NONE"},
    "downgrade_policy": {"mode": "DROP_ONE"},
}
GOLD = 'get(participant.tiers, "status", {"level": ""}).level == "gold"'
SILVER = GOLD.replace("gold", "silver")


class Till:
    """Where rewards are for a level, and Ann may afford them."""

    def __init__(self, club: Club) -> None:
        """Ann buys her way to gold in 2126, keeps it through 2127, and loses it when 2127 is over."""
        self.club, self.api = club, club.api
        club.tier(DROPPING)
        club.buy("ann", 500)
        self.ann = club.id_of("ann")
        self.asset = self.api.asset(club.program)
        given = self.api.post(f"/v1/participants/{self.ann}/balances/adjust", {
            "program_id": club.program, "asset_id": self.asset, "type": "CREDIT", "amount": "100",
            "description": "x",
        })
        assert given.status_code == 200, given.json
        club.time.until("2127-06-01")

    def reward(self, eligibility: str) -> str:
        """A reward for whom the condition holds."""
        made = self.api.post(f"/v1/programs/{self.club.program}/rewards", {
            "name": eligibility, "redemption_type": "UNIT_BASED", "asset_id": self.asset, "unit_cost": "1",
            "status": "ACTIVE", "eligibility": eligibility,
        })
        assert made.status_code == 201, made.json
        return str(made.json["id"])

    def quote(self, reward: str) -> list[str]:
        """What a quote says against it."""
        asked = self.api.post(
            f"/v1/programs/{self.club.program}/rewards/{reward}/quote", {"participant_id": self.ann}
        ).json
        return [reason["code"] for reason in asked["reasons"]]

    def take(self, reward: str) -> TestResponse:
        """Redeem it."""
        return self.api.post(f"/v1/participants/{self.ann}/redemptions/items", {
            "program_id": self.club.program, "reward_id": reward,
        })


def test_a_level_that_the_year_s_end_took_buys_nothing(club: Club) -> None:
    till = Till(club)
    gold, silver = till.reward(GOLD), till.reward(SILVER)
    assert (till.quote(gold), till.quote(silver)) == ([], ["not_eligible"])
    club.time.go("2128-01-01T00:00:01")  # Nobody has reviewed anybody since.
    assert (till.quote(gold), till.quote(silver)) == (["not_eligible"], [])
    error_of(till.take(gold), 422, "not_eligible")
    assert till.take(silver).status_code == 201
    assert club.history("ann") == [(None, "gold", "QUALIFIED"), ("gold", "silver", "PERIOD_END")]
    club.time.work()
    assert [one["event_data"]["outcome"] for one in club.system_events("tier_review")] == [
        "RETAINED", "DOWNGRADED",
    ]


def test_the_change_of_level_is_told_before_the_redemption_that_met_it(club: Club) -> None:
    till = Till(club)
    gold, silver = till.reward(GOLD), till.reward(SILVER)
    with db.connection() as c:
        c.execute(
            "INSERT INTO webhook_endpoints (organization_id, id, url, enabled_events, secret, created_at,"
            " updated_at) VALUES (%s, gen_random_uuid(), 'https://example.com', '{*}', 'x', read_clock(),"
            " read_clock())",
            (club.api.organization_id,),
        )
    club.time.go("2128-01-01T00:00:01")
    error_of(till.take(gold), 422, "not_eligible")
    assert till.take(silver).status_code == 201
    with db.connection() as c:
        rows: list[dict[str, Any]] = c.execute("SELECT type, data FROM outbox ORDER BY id").fetchall()
    told = [(row["type"], row["data"]["sequence"]) for row in rows]
    first = told[0][1]
    assert told == [
        ("participant.tier_changed", first), ("balance.debited", first + 1),
        ("redemption.completed", first + 2),
    ]
