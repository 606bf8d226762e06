"""Shake a whole system while it works, then prove that nothing was lost, doubled or taken out of order.

A `dev.py run` of its own in a temporary folder is sent events, and orders of every other kind, while its
processes are killed, told to stop and hung, Valkey is flushed and killed and PostgreSQL is stopped. What is
checked: app/cli/chaos_verdict for the events, app/cli/chaos_books for everything else.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from app.cli import chaos_books, chaos_reference, chaos_shop, chaos_traffic, chaos_verdict
from app.cli.chaos_faults import Fault, Faults
from app.cli.chaos_orders import Orders
from app.cli.chaos_receiver import Receiver
from app.cli.chaos_traffic import Traffic
from app.cli.datafolder import ROOT, DataFolder
from app.cli.failure import Failure
from app.cli.servers_ports import own_port
from app.domain.json import dumps, loads
from app.flows import verify

START_SECONDS = 90.0
SETTLE_SECONDS = 90.0  # After the storm, for senders and workers to come to an end.
ORDERS_PER_SECOND = 8.0
STOP_SECONDS = 60.0
OURS = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "BOOTSTRAP_API_KEY", "CLOCK_OFFSET",
        "SECRET_KEY", "FLORIN_ENV", "HOST")


def main(argv: list[str]) -> int:
    """Run one storm; 1 where something does not hold, and then the folder with its logs is kept."""
    arguments = _parse(argv)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1_000_000)
    count = arguments.events or round(arguments.seconds * 100)
    print(f"{count:,} events in {arguments.seconds:.0f} s; to repeat: --seed {seed}", flush=True)
    folder = DataFolder(ROOT / ".data" / "chaos" / f"{os.getpid()}")
    folder.create()
    storm = Storm(folder, seed, count, arguments.seconds)
    problems = ["it was interrupted"]
    try:
        storm.start()
        storm.rage()
        problems = storm.judge()
    finally:
        problems += storm.stop()
        if not problems:
            shutil.rmtree(folder.path, ignore_errors=True)
    for problem in problems:
        print(f"WRONG: {problem}")
    print(f"The logs stand in {folder.logs}" if problems else "Nothing lost, nothing doubled, order kept.")
    return 1 if problems else 0


def _parse(argv: list[str]) -> Namespace:
    parser = ArgumentParser(prog="dev.py chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long the storm lasts (60)")
    parser.add_argument("--seed", type=int, help="the same seed, the same events and faults")
    parser.add_argument("--events", type=int, help="how many events (100 for each second)")
    return parser.parse_args(argv)


@dataclass
class Storm:
    """One run, from an empty folder to the verdict."""

    folder: DataFolder
    seed: int
    count: int
    seconds: float

    def start(self) -> None:
        """Start the system by its own command, and make the program. Raises Failure."""
        self.port = own_port(0, self.folder.path)
        self.url = f"http://127.0.0.1:{self.port}"
        environ = {name: value for name, value in os.environ.items() if name not in OURS}
        environ |= {
            "DATA_DIR": str(self.folder.path), "LOG_LEVEL": "WARNING", "PYTHONUNBUFFERED": "1",
            "WEBHOOK_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        self.log = self.folder.logs / "run.log"
        with self.log.open("wb") as log:
            self.run = subprocess.Popen(
                [sys.executable, str(ROOT / "dev.py"), "run", "--port", str(self.port)],
                cwd=ROOT, env=environ, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )
        self.pool = urllib3.PoolManager(timeout=10.0, retries=False)
        self._await_start()
        self.values = _environment(self.folder.environment_file)
        self.key = self.folder.first_api_key.read_text(encoding="utf-8").strip()
        program = self._create("/v1/programs", {"name": "Chaos"})
        asset = self._create("/v1/assets", {
            "program_id": program, "name": "Coins", "symbol": "COIN", "inventory_mode": "SIMPLE",
            "issuance_policy": "UNLIMITED", "scale": 2,
        })
        for name, condition, actions in chaos_traffic.rules(asset):
            self._create("/v1/rules", {
                "program_id": program, "name": name, "condition": condition, "actions": actions,
            })
        self.events = chaos_traffic.events(program, self.count, self.seed)
        self.receiver = Receiver()
        endpoint = self._post("/v1/webhook-endpoints", {
            "url": self.receiver.url, "enabled_events": list(chaos_shop.MESSAGES),
        })
        self.receiver.trust(endpoint["secret"])
        shop = chaos_shop.open_shop(self._create)
        self.work = chaos_shop.orders(shop, round(self.seconds * ORDERS_PER_SECOND), self.seed)

    def _await_start(self) -> None:
        end = time.monotonic() + START_SECONDS
        while b"Florin is running" not in self.log.read_bytes():
            if self.run.poll() is not None or time.monotonic() > end:
                raise Failure(f"The system did not start.\n{self.log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)  # A file tells nobody that it has grown.

    def _create(self, path: str, body: object) -> str:
        return str(self._post(path, body)["id"])

    def _post(self, path: str, body: object) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        answer = self.pool.request("POST", self.url + path, body=dumps(body), headers=headers)
        if answer.status not in (200, 201):
            raise Failure(f"POST {path} answered {answer.status}: {answer.data.decode()[:500]}")
        found: dict[str, Any] = loads(answer.data)
        return found

    def rage(self) -> None:
        """Send events and strike, until the time is over; then wait until nothing moves."""
        faults = Faults(self.run.pid, self.values["REDIS_URL"], self.seed)
        self.traffic = Traffic(self.url, self.key, self.seconds)
        self.struck: list[Fault] = []
        end = time.time() + self.seconds
        self.orders = Orders(self.url, self.key, self.seconds)
        lanes = self.traffic.start(chaos_traffic.requests(self.events, self.seed), end + SETTLE_SECONDS)
        lanes += self.orders.start(self.work, end + SETTLE_SECONDS)
        while (pause := faults.pause_seconds()) < end - time.time():
            time.sleep(pause)  # The storm is made of pauses and faults.
            self.struck.append(faults.strike())
            self._say_fault(self.struck[-1], end)
        for lane in lanes:
            lane.join(max(0.0, end + SETTLE_SECONDS - time.time()))
        faults.heal()
        while self._waiting() and time.time() < end + SETTLE_SECONDS:
            time.sleep(0.2)  # Asked from outside, as the verdict is, not by a bell of the system.

    def _say_fault(self, fault: Fault, end: float) -> None:
        at = fault.at - (end - self.seconds)
        print(f"  {at:5.1f} s  {fault.kind:<34} {fault.note}", flush=True)

    def _waiting(self) -> bool:
        try:
            return bool(chaos_books.undone(self.values["MIGRATION_DATABASE_URL"]))
        except Exception:  # The server may be recovering just now.
            return True

    def judge(self) -> list[str]:
        """Check everything; return what does not hold."""
        url = self.values["MIGRATION_DATABASE_URL"]
        traffic = self.traffic
        problems = list(chaos_verdict.faults_of_acceptance(url, traffic, self.count))
        print(
            f"{len(traffic.accepted):,} events accepted, {len(self.struck)} faults, "
            f"{traffic.repeats:,} requests had to be repeated"
        )
        for each in chaos_verdict.recoveries(url, traffic, self.struck):
            print(
                f"  {each.fault.kind:<34} new events after {each.new_seconds:5.2f} s, "
                f"older ones all done after {each.old_seconds:5.2f} s"
            )
            if not each.fine:
                problems.append(f"events did not go on within 15 s of: {each.fault.kind}")
        problems += chaos_books.faults(url, self.orders, self.receiver)
        self._say_orders()
        shaken = chaos_verdict.picture(url)
        failed = sum(status == "FAILED" for status, _ in shaken.outcomes.values())
        print(f"{len(shaken.outcomes) - failed:,} COMPLETED, {failed:,} FAILED (short of funds, by design)")
        calm = chaos_reference.run(self.values)
        problems += chaos_verdict.differences(shaken, chaos_verdict.picture(calm))
        problems += self._ledger()
        return problems

    def _say_orders(self) -> None:
        kinds = Counter(order.kind for order in self.orders.done.values())
        done = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        print(
            f"{len(self.orders.done):,} orders done ({done}), {len(self.orders.refused):,} refused, "
            f"{self.orders.repeats:,} repeated; {len(self.receiver.taken):,} webhooks arrived in "
            f"{self.receiver.deliveries:,} deliveries"
        )

    def _ledger(self) -> list[str]:
        """Let the ledger's own auditor look at the shaken database."""
        os.environ.update(self.values)
        chaos_reference.forget()
        found = [
            f"the ledger: {checked.name}, {checked.violations} violations"
            for checked, _ in verify.run() if checked.violations
        ]
        chaos_reference.forget()
        return found

    def stop(self) -> list[str]:
        """Stop the system as Ctrl-C does; it must come to an orderly end."""
        if hasattr(self, "receiver"):
            self.receiver.stop()
        if not hasattr(self, "run"):
            return []
        if self.run.poll() is not None:
            return [f"the system ended by itself (exit code {self.run.returncode})"]
        self.run.send_signal(signal.SIGINT)
        try:
            code = self.run.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.run.kill()
            return [f"the system did not stop within {STOP_SECONDS:.0f} s"]
        return [] if code == 0 else [f"the system stopped with exit code {code}"]


def _environment(file: Path) -> dict[str, str]:
    values = {}
    for line in file.read_text(encoding="utf-8").splitlines():
        name, _, value = line.partition("=")
        values[name] = value.strip("'")
    return values
