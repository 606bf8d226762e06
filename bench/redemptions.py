"""How long a redemption takes under load, beside a bare commit of one row on the same server meanwhile.

    python3 dev.py bench redemptions [--per-second 200] [--seconds 27] [--rounds 9] [--calm 40]

Redemptions come over HTTP at a fixed rate, whether the ones before are answered or not; meanwhile another
process inserts single rows, a commit each, at the same rate, so that both meet the same disturbances. The
kinds of redemption take turns in short rounds, each time in another order, so that none of them alone meets
what happens once; the ratio of a kind is the median of its rounds' ratios. The bound (issue of redemptions):
the 99th percentile of a redemption stays within six times that of the commit.

The bound is about a machine under load, so it is judged at a rate that keeps the cores about half busy. The
same is told, not judged, of a calm one (`--calm`, a second): there a commit of one row costs next to nothing,
and of a redemption twice the CPU, for caches are cold between two of them.

Before anything is measured, as many redemptions as connections are kept going at once for a while: at a rate
that one thread can serve, the other threads of the web would meet each statement for the first time later.
"""

import json
import multiprocessing
import statistics
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
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
CONNECTIONS = 16
WARM_UP = 600  # Of each kind: every thread meets each statement often enough to have it prepared.
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
        # What was written to get here is tidied up now, not by autovacuum in the middle of a round.
        owner.execute("VACUUM (ANALYZE)")
        owner.execute("CHECKPOINT")

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

    def kinds(self, key: str) -> dict[str, Callable[[int], list[bytes]]]:
        """What is measured: by name, how to make so many requests of it."""
        return {
            "amount, SIMPLE": lambda count: self.amounts("SIMPLE", count, key),
            "amount, LOT": lambda count: self.amounts("LOT", count, key),
            "reward, SIMPLE": lambda count: self.items("SIMPLE", count, key, REWARDS),
            "reward, LOT": lambda count: self.items("LOT", count, key, REWARDS),
            "one reward for all, LOT": lambda count: self.items("LOT", count, key, 1),
        }

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


def bare_commits(url: str, per_second: int, count: int, results: Any) -> None:
    """Insert one row a commit at a fixed rate; put the milliseconds that each took."""
    taken = []
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as c:
        c.execute("INSERT INTO bench_bare (id, amount) VALUES (%s, %s)", (-1, 1))
        start = time.perf_counter() + 0.2
        for n in range(count):
            # As the load generator sends: each at its time, by the clock.
            time.sleep(max(0.0, start + n / per_second - time.perf_counter()))
            begun = time.perf_counter()
            c.execute("INSERT INTO bench_bare (id, amount) VALUES (%s, %s)", (n, 1))
            taken.append(1000 * (time.perf_counter() - begun))
    results.put(taken)


def one_round(made: System, requests: list[bytes], per_second: int) -> Figures:
    """Send redemptions while as many bare commits run; return both, and their ratio."""
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    bare = context.Process(
        target=bare_commits, args=(made.values["MIGRATION_DATABASE_URL"], per_second, len(requests), results)
    )
    bare.start()
    sent: Outcome = Load(
        made.port, processes=1, connections=CONNECTIONS, per_second=per_second, accepted=201
    ).send(requests)
    commits = results.get()
    bare.join()
    found = {
        f"{name}_p{100 * share:.0f}_ms": value
        for share in (0.5, 0.99)
        for name, value in (
            ("redemption", sent.milliseconds(share)), ("commit", percentile(commits, share))
        )
    }
    return found | {
        f"p{p}_ratio": found[f"redemption_p{p}_ms"] / found[f"commit_p{p}_ms"] for p in (50, 99)
    }


def median(rounds: list[Figures]) -> Figures:
    """The median of each figure over the rounds; of the ratio that is bounded also the least and the most."""
    middle = {name: round(statistics.median(one[name] for one in rounds), 2) for name in rounds[0]}
    ratios = [round(one["p99_ratio"], 2) for one in rounds]
    return {**middle, "p99_ratio_min": min(ratios), "p99_ratio_max": max(ratios), "rounds": len(rounds)}


def main(argv: list[str]) -> int:
    """Measure on a system of its own and print; the exit code is 1 where a ratio misses the bound."""
    parser = ArgumentParser(prog="dev.py bench redemptions", description=__doc__)
    parser.add_argument("--per-second", type=int, default=200, help="under load (200)")
    parser.add_argument("--calm", type=int, default=40, help="a second, told beside it (40)")
    parser.add_argument("--seconds", type=int, default=27, help="of each kind, over all rounds of a rate")
    parser.add_argument("--rounds", type=int, default=9)
    asked = parser.parse_args(argv)
    with system(lambda text: print(text, file=sys.stderr)) as made:
        made.start("web")
        with made.owner() as owner:
            shop = Shop(owner)
            owner.execute("CREATE TABLE bench_bare (id integer, amount numeric)")
        kinds = shop.kinds(made.key)
        for make in kinds.values():
            Load(made.port, processes=1, connections=CONNECTIONS, accepted=201).send(make(WARM_UP))
        told = measure(made, kinds, asked.per_second, asked)
        calm = measure(made, kinds, asked.calm, asked)
    for per_second, figures in ((asked.per_second, told), (asked.calm, calm)):
        for name, one in figures.items():
            print(json.dumps({
                "name": name if figures is told else f"{name}, calm", "judged": figures is told,
                "per_second": per_second, **one,
            }), flush=True)
    return 1 if any(one["p99_ratio"] > RATIO_MAX for one in told.values()) else 0


def measure(
    made: System, kinds: dict[str, Callable[[int], list[bytes]]], per_second: int, asked: Namespace
) -> dict[str, Figures]:
    """All rounds of all kinds at one rate; by kind, the medians."""
    count = max(1, per_second * asked.seconds // asked.rounds)
    found: dict[str, list[Figures]] = {name: [] for name in kinds}
    order = list(kinds)
    for number in range(asked.rounds):
        for name in order:
            found[name].append(one_round(made, kinds[name](count), per_second))
            print(json.dumps({"round": number + 1, "name": name, **found[name][-1]}), file=sys.stderr)
        order = order[1:] + order[:1]
    return {name: {"samples": count * asked.rounds, **median(rounds)} for name, rounds in found.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
