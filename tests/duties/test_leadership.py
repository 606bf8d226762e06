"""Two schedulers: one leads, the other idles and takes over; nothing fires twice or not at all."""

import random
import time

import pytest

from tests.api.client import Caller
from tests.duties.fleet import START_SECONDS, Fleet
from tests.waiting import wait_until

TAKEOVER_SECONDS = 10.0
AUTOMATIONS = 200


def test_the_second_takes_over_when_the_first_is_killed(fleet: Fleet) -> None:
    first, second = fleet.start("scheduler"), fleet.start("scheduler")
    leader = wait_until(fleet.leader, "a leader", START_SECONDS)
    dying, other = (first, second) if leader == first.pid else (second, first)
    assert other.poll() is None, fleet.logs()
    fleet.kill(dying)
    began = time.monotonic()
    wait_until(lambda: fleet.leader() == other.pid, "the other to lead", TAKEOVER_SECONDS + 5)
    assert time.monotonic() - began <= TAKEOVER_SECONDS


def test_an_orderly_stop_hands_over_at_once(fleet: Fleet) -> None:
    first, second = fleet.start("scheduler"), fleet.start("scheduler")
    leader = wait_until(fleet.leader, "a leader", START_SECONDS)
    leaving, other = (first, second) if leader == first.pid else (second, first)
    leaving.terminate()
    assert leaving.wait(10) == 0, fleet.logs()
    wait_until(lambda: fleet.leader() == other.pid, "the other to lead", 5)


class Minutes:
    """Automations of which each fires once every minute, and schedulers that die."""

    def __init__(self, fleet: Fleet, api: Caller, seed: int) -> None:
        self.fleet, self.api, self.chance = fleet, api, random.Random(seed)
        self.program = api.program()
        fleet.next_minute()
        path = f"/v1/programs/{self.program}/automations"
        for number in range(AUTOMATIONS):
            answer = api.post(path, {
                "name": f"every minute {number}", "event_name": "tick", "scope": "program",
                "trigger": {"type": "cron", "cron_expression": "* * * * *"},
            })
            assert answer.status_code == 201, answer.json
        self.schedulers = [fleet.start("scheduler"), fleet.start("scheduler")]
        self.workers = [fleet.start("worker") for _ in range(4)]

    def pass_one(self) -> None:
        """Let a minute pass, kill or revive schedulers meanwhile, until everything of it has fired."""
        self.fleet.next_minute()
        self.unsettle()
        wait_until(self.has_passed, "every automation of this minute", 60)

    def unsettle(self) -> None:
        """Kill one scheduler, or both, or none; the dead ones start again."""
        for index, process in enumerate(self.schedulers):
            if process.poll() is not None:
                self.schedulers[index] = self.fleet.start("scheduler")
            elif self.chance.random() < 0.5:
                self.fleet.kill(process)

    def has_passed(self) -> bool:
        """Whether nothing is due; somebody who can notice is always there."""
        for index, process in enumerate(self.schedulers):
            if process.poll() is not None:
                self.schedulers[index] = self.fleet.start("scheduler")
        return self.fleet.ask("SELECT count(*) FROM automations WHERE next_run_at <= read_clock()") == 0

    def check(self, minutes: int) -> None:
        """Count firings by their unique key and SYSTEM events by theirs."""
        wait_until(lambda: self.fleet.ask("SELECT count(*) FROM inbox") == 0, "all events decided", 60)
        expected = minutes * AUTOMATIONS
        for counted in (
            "firings", "(SELECT DISTINCT automation_id, scheduled_for FROM firings) f",
            "events WHERE event_type = 'SYSTEM'",
            "(SELECT DISTINCT automation_id, event_timestamp FROM events) e",
            "decisions WHERE status = 'COMPLETED'",
        ):
            assert self.fleet.ask(f"SELECT count(*) FROM {counted}") == expected, counted


def run(fleet: Fleet, api: Caller, seconds: float, seed: int) -> int:
    minutes = Minutes(fleet, api, seed)
    # The first whole minute begins the count: whatever is due by then has fired.
    wait_until(minutes.has_passed, "the automations to be planned", 10)
    wait_until(fleet.leader, "a leader", START_SECONDS)
    end, passed = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        minutes.pass_one()
        passed += 1
    real = int(fleet.ask("SELECT count(DISTINCT scheduled_for) FROM firings"))
    assert real >= passed
    minutes.check(real)
    return real


def test_every_firing_is_made_once_while_schedulers_die(fleet: Fleet, api: Caller) -> None:
    assert run(fleet, api, 20.0, seed=1) >= 2


@pytest.mark.nightly
@pytest.mark.parametrize("seed", [2, 3])
def test_the_same_for_two_minutes(fleet: Fleet, api: Caller, seed: int) -> None:
    minutes = run(fleet, api, 120.0, seed)
    print(f"seed {seed}: {minutes} minutes of {AUTOMATIONS} automations, each fired once")
    assert minutes >= 20


