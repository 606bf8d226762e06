"""How long a redemption takes under load, beside a bare commit of one row on the same server meanwhile.

    python -m bench.redemptions [--per-second 40] [--seconds 20]

Redemptions come over HTTP at a fixed rate, whether the ones before are answered or not; meanwhile another
process inserts single rows, a commit each, at the same rate, so that both meet the same disturbances. The
bound (issue of redemptions): the 99th percentile of a redemption stays within six times that of the commit.
"""

import json
import multiprocessing
import sys
import time
from argparse import ArgumentParser
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from app import db
from app.book import post
from app.domain.ids import new_id
from app.flows import manage_assets, manage_programs, manage_rewards
from app.flows.move_value import Call, open_desk
from app.ledger.credits import credit
from bench.load import Load, Outcome, percentile, request
from bench.system import System, system

PEOPLE = 2000
RATIO_MAX = 6.0
REWARDS = 50
Figures = dict[str, Any]

_PEOPLE = """
WITH o AS (
    INSERT INTO owners (organization_id, id, kind)
    SELECT %(organization_id)s, id, 'PARTICIPANT' FROM unnest(%(ids)s::uuid[]) AS id RETURNING id
), p AS (
    INSERT INTO participants (organization_id, id, external_id, status, created_at, updated_at)
    SELECT %(organization_id)s, id, id::text, 'ACTIVE', now(), now() FROM o RETURNING id
)
INSERT INTO enrollments (organization_id, program_id, participant_id, status, enrolled_at, updated_at)
SELECT %(organization_id)s, %(program_id)s, id, 'ACTIVE', now(), now() FROM p
"""


class Shop:
    """A program with a SIMPLE and a LOT asset, rewards priced in each, and people who can afford them."""

    def __init__(self, owner: "psycopg.Connection[Any]") -> None:
        """Make it, for the organization that the web process made."""
        row = owner.execute("SELECT id FROM organizations LIMIT 1").fetchone()
        assert row is not None
        self.organization_id: UUID = row["id"]
        self.program_id: UUID = manage_programs.create(
            self.organization_id, name="Bench", description=None, on_unknown_participant="CREATE",
            reversal_grace="720h",
        )["id"]
        self.people = [new_id() for _ in range(PEOPLE)]
        owner.execute(_PEOPLE, {
            "organization_id": self.organization_id, "program_id": self.program_id, "ids": self.people,
        })
        self.assets = {mode: self._asset(mode) for mode in ("SIMPLE", "LOT")}
        self.rewards = {
            mode: [self._reward(asset, f"{mode} {n}") for n in range(REWARDS)]
            for mode, asset in self.assets.items()
        }
        owner.execute("ANALYZE")

    def _asset(self, mode: str) -> UUID:
        asset_id: UUID = manage_assets.create(
            self.organization_id, self.program_id, name=mode, symbol=mode, inventory_mode=mode,
            issuance_policy="UNLIMITED", scale=2, max_transaction_amount=None,
        )["id"]
        call = Call(self.organization_id, None, self.program_id, asset_id)
        for start in range(0, PEOPLE, 500):
            with db.transaction() as c:
                desk = open_desk(c, call, self.people[start : start + 500])
                post.write_plans(c, [
                    credit(
                        desk.account(person), desk.asset.issuance_account, desk.asset, Decimal(1_000_000),
                        **desk.how(),
                    ) for person in self.people[start : start + 500]
                ], desk.now)
        return asset_id

    def _reward(self, asset_id: UUID, name: str) -> UUID:
        reward_id: UUID = manage_rewards.create(self.organization_id, self.program_id, {
            "name": name, "redemption_type": "UNIT_BASED", "asset_id": asset_id, "unit_cost": Decimal(1),
            "status": "ACTIVE", "max_total": 1_000_000, "max_per_participant": 1_000_000,
            **dict.fromkeys(
                ("description", "category", "available_from", "available_until", "eligibility", "metadata")
            ),
        })["id"]
        return reward_id

    def amounts(self, mode: str, count: int, key: str) -> list[bytes]:
        """Redemptions of an amount."""
        return [
            request(f"/v1/participants/{self.people[n % PEOPLE]}/redemptions", key, {
                "program_id": str(self.program_id), "asset_id": str(self.assets[mode]), "amount": "1.00",
                "description": "bench",
            }) for n in range(count)
        ]

    def items(self, mode: str, count: int, key: str, rewards: int) -> list[bytes]:
        """Redemptions of so many different rewards."""
        return [
            request(f"/v1/participants/{self.people[n % PEOPLE]}/redemptions/items", key, {
                "program_id": str(self.program_id), "reward_id": str(self.rewards[mode][n % rewards]),
            }) for n in range(count)
        ]


def bare_commits(url: str, per_second: int, seconds: int, results: Any) -> None:
    """Insert one row a commit at a fixed rate; put the milliseconds that each took."""
    taken = []
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as c:
        start = time.perf_counter() + 0.2
        for n in range(per_second * seconds):
            time.sleep(max(0.0, start + n / per_second - time.perf_counter()))
            begun = time.perf_counter()
            c.execute("INSERT INTO bench_bare (id, amount) VALUES (%s, %s)", (n, 1))
            taken.append(1000 * (time.perf_counter() - begun))
    results.put(taken)


def measure(made: System, requests: list[bytes], per_second: int, seconds: int) -> Figures:
    """Send redemptions while bare commits run; return both, and their ratio."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    with made.owner() as owner:
        owner.execute("CREATE TABLE IF NOT EXISTS bench_bare (id integer, amount numeric)")
    bare = context.Process(
        target=bare_commits, args=(made.values["MIGRATION_DATABASE_URL"], per_second, seconds, results)
    )
    bare.start()
    sent: Outcome = Load(
        made.port, processes=1, connections=16, per_second=per_second, accepted=201
    ).send(requests)
    commits = results.get()
    bare.join()
    return {
        "redemption_p50_ms": sent.milliseconds(0.5), "redemption_p99_ms": sent.milliseconds(0.99),
        "commit_p50_ms": percentile(commits, 0.5), "commit_p99_ms": percentile(commits, 0.99),
        "p50_ratio": round(sent.milliseconds(0.5) / percentile(commits, 0.5), 2),
        "p99_ratio": round(sent.milliseconds(0.99) / percentile(commits, 0.99), 2),
    }


def main(argv: list[str]) -> int:
    """Measure on a system of its own and print; the exit code is 1 where a ratio misses the bound."""
    parser = ArgumentParser(prog="bench.redemptions", description=__doc__)
    parser.add_argument("--per-second", type=int, default=40)
    parser.add_argument("--seconds", type=int, default=20)
    asked = parser.parse_args(argv)
    count = asked.per_second * asked.seconds
    missed = False
    with system(lambda text: print(text, file=sys.stderr)) as made:
        made.start("web")
        with made.owner() as owner:
            shop = Shop(owner)
        # Every thread of the web opens its connection and prepares each statement once.
        for warm_up in (shop.amounts, lambda *how: shop.items(*how, REWARDS)):
            for mode in shop.assets:
                measure(made, warm_up(mode, 4 * asked.per_second, made.key), asked.per_second, 4)
        for name, requests in {
            "amount, SIMPLE": shop.amounts("SIMPLE", count, made.key),
            "amount, LOT": shop.amounts("LOT", count, made.key),
            "reward, SIMPLE": shop.items("SIMPLE", count, made.key, REWARDS),
            "reward, LOT": shop.items("LOT", count, made.key, REWARDS),
            "one reward for all, LOT": shop.items("LOT", count, made.key, 1),
        }.items():
            found = measure(made, requests, asked.per_second, asked.seconds)
            missed = missed or found["p99_ratio"] > RATIO_MAX
            print(json.dumps({"name": name, **found}), flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
