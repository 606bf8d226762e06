"""How fast the ledger posts, as ratios of one run on one server: `python3 dev.py bench ledger [--seconds N]`.

(a) batched transfers against the bare minimum SQL through pgbench; (b) one transfer a commit against
django-hordak: as it is, where nothing keeps a balance from going below zero, and with the lock and the look
at the balance that ours has, by a single client and by eight at once, each a process and a connection of its
own, the same accounts in the same order; (c) expiry of lots, end to end, against one set-based UPDATE of as
many; (d) reading a balance with 10,000 lots behind it against one with a single lot. (a) and (b) run in
turns, a second each, so that both sides of a ratio meet the same disturbances; the median ratio of the turns
counts.
"""

import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from argparse import ArgumentParser
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg

from app import db
from app.book import assets, owner_balances, post
from app.book.accounts import BLOCK, draw_block
from app.book.due import DueKind
from app.cli.failure import Failure
from app.cli.servers_binaries import postgres_binaries
from app.domain.assets import Asset
from app.domain.ids import TimeOrdered, new_id
from app.domain.names import OwnerType
from app.flows import manage_assets, manage_programs, post_due_lots
from app.flows.bootstrap import create_organization
from app.flows.move_value import Call, open_desk
from app.ledger.accounts import Account
from app.ledger.credits import credit
from app.ledger.entries import Cause
from app.ledger.transfers import transfer
from bench.ledger_stream import Book, one_a_commit, streams
from bench.peer import peers
from bench.system import System, system

ACCOUNTS = 2000
BATCH = 100
LOTS = 10_000
STREAMS = 8
SQL = Path(__file__).parent / "sql" / "ledger.sql"
AT_LEAST = {"batched / bare SQL": 0.5, "one a commit / hordak plain": 3.0, "lots expired per second": 5000.0}
AT_MOST = {"p99 of 10,000 lots / 1 lot": 3.0}

_OWNERS = """
INSERT INTO owners (organization_id, id, kind)
SELECT %(organization_id)s, id, 'PARTICIPANT' FROM unnest(%(ids)s::uuid[]) AS id
"""


class Ledger:
    """An organization with two assets and many owners, on the bench's own server."""

    def __init__(self, owner: "psycopg.Connection[Any]") -> None:
        """Make them; every owner has 1,000,000 of the SIMPLE asset."""
        with db.transaction() as c:
            self.organization_id = create_organization(c, "Bench", 0, 0)
        self.program_id: UUID = manage_programs.create(
            self.organization_id, name="Bench", description=None, on_unknown_participant="CREATE",
            reversal_grace="720h",
        )["id"]
        self.simple, self.lots = (self._asset(mode) for mode in ("SIMPLE", "LOT"))
        self.people = [new_id() for _ in range(ACCOUNTS)]
        owner.execute(_OWNERS, {"organization_id": self.organization_id, "ids": self.people})
        with db.transaction() as c:
            now = db.read_clock(c)
            # Nobody else draws here, so the blocks follow one another, which the bare SQL counts on.
            self.first = draw_block(c)[0]
            for _ in range(ACCOUNTS // BLOCK - 1):
                draw_block(c)
            self.accounts = [
                Account(
                    self.organization_id, self.first + n, OwnerType.PARTICIPANT, person, self.simple.id
                )
                for n, person in enumerate(self.people)
            ]
            cause, ids = Cause(self.program_id), TimeOrdered(now)
            plans = [
                credit(
                    account, self.simple.issuance_account, self.simple, Decimal(1_000_000), cause=cause,
                    now=now, ids=ids,
                )
                for account in self.accounts
            ]
            post.write_plans(c, plans, now)
        self.accounts = [plan.accounts[0] for plan in plans]
        # As autovacuum would have done by the time that a real ledger has so many accounts.
        owner.execute("ANALYZE")

    def _asset(self, mode: str) -> Asset:
        made = manage_assets.create(
            self.organization_id, self.program_id, name=mode, symbol=mode, inventory_mode=mode,
            issuance_policy="UNLIMITED", scale=2, max_transaction_amount=None,
        )
        with db.transaction() as c:
            asset = assets.get(c, self.organization_id, made["id"])
        assert asset is not None
        return asset


def batched(ledger: Ledger, seconds: float) -> float:
    """Transfers per second, a hundred a commit: planned one by one, written together."""
    running = {account.id: account for account in ledger.accounts}
    numbers = list(running)
    cause, one = Cause(ledger.program_id), Decimal(1)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        with db.pipelined() as c:
            now = db.read_clock(c)
            ids, plans = TimeOrdered(now), []
            for n in range(BATCH):
                giver = running[numbers[(done + 2 * n) % ACCOUNTS]]
                taker = running[numbers[(done + 2 * n + 1) % ACCOUNTS]]
                plan = transfer(giver, [(taker, one)], ledger.simple, cause=cause, now=now, ids=ids)
                for account in plan.accounts:
                    running[account.id] = account
                plans.append(plan)
            post.write_plans(c, plans, now)
        done += BATCH
    return done / (time.perf_counter() - started)


def bare(made: System, owner: "psycopg.Connection[Any]", ledger: Ledger, seconds: float) -> float:
    """Transfers per second of the bare minimum SQL, a hundred a commit, through pgbench."""
    owner.execute(SQL.read_text(encoding="utf-8"))
    program = shutil.which("pgbench") or str(postgres_binaries() / "pgbench")
    if not Path(program).exists():
        raise Failure("There is no pgbench on this machine (apt-get install postgresql-contrib).")
    script = made.folder.path / "transfer.sql"
    script.write_text(
        f"SELECT bench_transfers('{ledger.organization_id}', '{ledger.simple.id}', {ACCOUNTS},"
        f" {ledger.first}, {BATCH});\n", encoding="utf-8",
    )
    told = subprocess.run(
        [program, "-n", "-c", "1", "-T", str(int(seconds)), "-M", "prepared", "-f", str(script),
         made.values["MIGRATION_DATABASE_URL"]],
        capture_output=True, text=True, check=True,
    ).stdout
    rate = re.search(r"tps = ([0-9.]+)", told)
    assert rate is not None, told
    return float(rate.group(1)) * BATCH


def expiry(ledger: Ledger) -> tuple[float, float]:
    """Lots expired per second end to end, with entries, announcements and all; and by one bare UPDATE."""
    _credit_lots(ledger, ledger.people[:LOTS // 10], 10, timedelta(seconds=1))
    _credit_lots(ledger, ledger.people[:LOTS // 10], 10, timedelta(days=9))
    with db.transaction() as c:
        c.execute("UPDATE clock SET ahead = ahead + interval '1 hour'")
    started, done = time.perf_counter(), 0
    while posted := post_due_lots.post_batch(DueKind.EXPIRY):
        done += posted
    ours = done / (time.perf_counter() - started)
    with db.connection() as c, c.transaction(force_rollback=True):
        started = time.perf_counter()
        changed = c.execute(
            "UPDATE lots SET remaining = 0, expired = true WHERE organization_id = %s AND remaining > 0",
            (ledger.organization_id,),
        ).rowcount
        plain = changed / (time.perf_counter() - started)
    return ours, plain


def _credit_lots(ledger: Ledger, people: list[UUID], each: int, life: timedelta) -> None:
    call = Call(ledger.organization_id, None, ledger.program_id, ledger.lots.id)
    for start in range(0, len(people), BATCH):
        with db.transaction() as c:
            desk = open_desk(c, call, people[start : start + BATCH])
            plans = []
            for person in people[start : start + BATCH]:
                account = desk.account(person)
                for _ in range(each):
                    plans.append(credit(
                        account, ledger.lots.issuance_account, ledger.lots, Decimal(1),
                        expires_at=desk.now + life, **desk.how(),
                    ))
                    account = replace(plans[-1].accounts[0], lots=None, lots_complete=False)
            post.write_plans(c, plans, desk.now)


def reading(ledger: Ledger) -> float:
    """The p99 of reading a balance with 10,000 lots behind it, over that with one lot."""
    many, one = ledger.people[-1], ledger.people[-2]
    for _ in range(LOTS // 1000):
        _credit_lots(ledger, [many], 1000, timedelta(days=30))
    _credit_lots(ledger, [one], 1, timedelta(days=30))
    times: dict[UUID, list[float]] = {many: [], one: []}
    with db.connection() as c:
        c.execute("ANALYZE lots")
        now = db.read_clock(c)
        for _ in range(500):
            for person, taken in times.items():
                started = time.perf_counter()
                owner_balances.of_owner(c, ledger.organization_id, person, now)
                taken.append(time.perf_counter() - started)
    worst = [sorted(taken)[int(0.99 * len(taken))] for taken in times.values()]
    return worst[0] / worst[1]


def main(argv: list[str]) -> int:
    """Measure, print figures and ratios; the exit code is 1 where a ratio misses its target."""
    parser = ArgumentParser(prog="dev.py bench ledger", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="turns of a second for each figure")
    parser.add_argument("--json", action="store_true", help="the figures as JSON")
    asked = parser.parse_args(argv)
    seconds: float = asked.seconds
    with system(lambda line: None) as made, made.owner() as owner:
        ledger = Ledger(owner)
        figures = in_turns(made, owner, ledger, max(1, round(seconds)))
        figures["lots expired per second"], figures["one UPDATE, lots/s"] = expiry(ledger)
        figures["expiry / one UPDATE"] = figures["lots expired per second"] / figures["one UPDATE, lots/s"]
        figures["p99 of 10,000 lots / 1 lot"] = reading(ledger)
    return report(figures, asked.json)


def in_turns(
    made: System, owner: "psycopg.Connection[Any]", ledger: Ledger, turns: int
) -> dict[str, float]:
    """Run all ways of posting transfers in turns; medians of what they reached and of their ratios.

    Half of the turns run without waiting for the disk at each commit: both wait for the same one, and what is
    left without that wait is what the ledgers cost.
    """
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> float:
        found.setdefault(name, []).append(value)
        return value

    book = Book(ledger.organization_id, ledger.program_id, ledger.simple, ledger.people)
    with peers(made, owner, STREAMS) as hordak, streams(book, STREAMS) as ours_at_once:
        one_a_commit(book, 0.5)
        for turn in range(2 * turns):
            disk = "" if turn % 2 else ", no disk"
            owner.execute(f"ALTER SYSTEM SET synchronous_commit = {'on' if turn % 2 else 'off'}")
            owner.execute("SELECT pg_reload_conf()")
            for crowd, clients in (("", 1), (f", {STREAMS} at once", STREAMS)):
                rate = one_a_commit(book, 1.0) if clients == 1 else ours_at_once.transfer("ours", 1.0)
                ours = add(f"one a commit{crowd}, transfers/s{disk}", rate)
                for kind in ("plain", "checked"):
                    rate = hordak.transfer(kind, 1.0, clients)
                    theirs = add(f"hordak {kind}{crowd}, transfers/s{disk}", rate)
                    add(f"one a commit / hordak {kind}{crowd}{disk}", ours / theirs)
            if turn % 2:
                bottom = add("bare SQL, transfers/s", bare(made, owner, ledger, 1.0))
                add("batched / bare SQL", add("batched, transfers/s", batched(ledger, 1.0)) / bottom)
    return {name: statistics.median(values) for name, values in sorted(found.items())}


def report(figures: dict[str, float], as_json: bool = False) -> int:
    """Print everything; return 1 where a target is missed."""
    missed = 0
    if as_json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
    for name, value in figures.items():
        low, high = AT_LEAST.get(name), AT_MOST.get(name)
        target = f"  at least {low:g}" if low else f"  at most {high:g}" if high else ""
        met = (low is None or value >= low) and (high is None or value <= high)
        missed += not met
        if not as_json:
            print(f"{name:<60} {value:>12,.2f}{target}{'' if met else '   MISSED'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
