"""Random programs of all thirteen actions: replayed from nothing, and tried before they run (decision C4)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from app.book.check import Checked
from app.db import connect_arguments
from app.domain.actions import ActionType
from app.flows import drain, replay
from tests.api.client import new_caller
from tests.events.random_programs import EVENTS, PROGRAMS, stage, work_all
from tests.events.scene import PURCHASE, Scene, counter, credit, tag, waiting, work
from tests.harness import Servers

Replayed = Callable[[Scene], dict[str, Checked]]
SPLITS = st.lists(st.integers(1, 9), min_size=1, max_size=5)
SHORT = settings(
    max_examples=4, deadline=None, derandomize=True, phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
LONG = settings(SHORT, max_examples=60, derandomize=False, phases=(Phase.generate, Phase.shrink))
PROFILES = pytest.mark.parametrize("profile", [SHORT, pytest.param(LONG, marks=pytest.mark.nightly)])


@pytest.fixture
def replayed(servers: Servers) -> Iterator[Replayed]:
    """Replay an organization into a database of its own; returns the checks by name."""
    name = servers.plan.name.removesuffix("_test") + "_replay_test"

    def run(scene: Scene) -> dict[str, Checked]:
        servers.copy(name)
        own, other = (servers.plan.owner_url(each) for each in (servers.plan.name, name))
        with psycopg.connect(own, autocommit=True, **connect_arguments()) as source, \
                psycopg.connect(other, autocommit=True, **connect_arguments()) as target:
            return {
                checked.name: checked
                for checked, note in replay.run(source, target, scene.api.organization_id)
            }

    yield run
    servers.drop(name)


def wrong(found: dict[str, Checked]) -> list[Any]:
    return [example for checked in found.values() for example in checked.examples]


def at_once() -> None:
    """Drain with four threads, two of which meet in each partition."""
    partitions = waiting()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda each: drain.drain([each], full=True), partitions + partitions[::-1]))


@PROFILES
def test_random_programs_replayed_in_commit_order_give_the_same(
    http: Any, replayed: Replayed, profile: settings
) -> None:
    """Whatever the batches were, and with workers side by side on rows that participants share."""

    @profile
    @given(rules=PROGRAMS, events=EVENTS, splits=SPLITS)
    def check(rules: list[dict[str, Any]], events: list[dict[str, Any]], splits: list[int]) -> None:
        made = stage(new_caller(http), rules)
        rest = made.bodies(events)
        for step in splits * len(rest):
            if rest:
                sent = made.scene.api.post("/v1/events/batch", {"events": rest[:step]})
                assert sent.json["error_count"] == 0
                rest = rest[step:]
                at_once()
        work_all()
        found = wrong(replayed(made.scene))
        assert not found, found[0].detail

    check()


def told(evaluations: list[dict[str, Any]]) -> list[Any]:
    """Return evaluations without what is drawn anew or depends on the moment."""
    anew = ("id", "created_at", "journal_entry_id", "scheduled_for")
    return [
        {name: value for name, value in each.items() if name not in (*anew, "actions")}
        | {"actions": [
            {name: value for name, value in action.items() if name not in anew} for action in each["actions"]
        ]}
        for each in evaluations
    ]


@PROFILES
def test_the_dry_run_of_random_programs_is_what_then_happens(http: Any, profile: settings) -> None:
    @profile
    @given(rules=PROGRAMS, events=EVENTS)
    def check(rules: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
        made = stage(new_caller(http), rules)
        scene = made.scene
        for each, body in zip(events, made.bodies(events), strict=True):
            foretold = scene.api.post(f"/v1/programs/{scene.program}/simulate", {
                "event": each["data"], "external_id": each["who"],
                "recipient_external_id": each["recipient"], "event_timestamp": body["event_timestamp"],
            }).json
            assert scene.api.post("/v1/events", body).status_code == 202
            work()
            real = scene.api.get(
                "/v1/events/by-key", program_id=scene.program, idempotency_key=body["idempotency_key"],
                include_skipped="true",
            ).json
            for name in ("status", "error_code", "error_message"):
                assert foretold.get(name) == real.get(name)
            assert told(foretold["rule_evaluations"]) == told(real["rule_evaluations"])
            for balance in foretold["balances"]:
                if balance["owner_type"] == "PARTICIPANT":
                    path = f"/v1/participants/{balance['owner_id']}/balances"
                    (row,) = scene.api.get(path, asset_id=balance["asset_id"]).json["data"]
                    assert {name: row[name] for name in balance["after"]} == balance["after"]

    check()


def test_the_random_programs_know_every_action() -> None:
    seen: set[str] = set()

    @settings(SHORT, max_examples=200)
    @given(rules=PROGRAMS)
    def look(rules: list[dict[str, Any]]) -> None:
        seen.update(action["type"] for rule in rules for action in rule["actions"])

    look()
    assert seen == set(ActionType)


def test_what_events_did_is_done_again_the_same(scene: Scene, replayed: Replayed) -> None:
    scene.rule(PURCHASE, credit("event.amount"), counter("n"), tag("buyer"))
    for number in range(5):
        scene.send(f"k{number}")
    work()
    found = replayed(scene)
    assert wrong(found) == []
    assert set(found) == {"replayed_events", "replayed_accounts", "replayed_states", "replayed_tiers",
                          "replayed_lots", "replayed_budgets"}


@pytest.mark.parametrize(("change", "check"), [
    ("UPDATE decisions SET evaluations = '[]' WHERE event_seq = %(seq)s", "replayed_events"),
    ("UPDATE state_history SET changes = '[]' WHERE event_seq = %(seq)s", "replayed_events"),
    ("UPDATE accounts SET available = available + 1 WHERE id > 0", "replayed_accounts"),
    ("UPDATE owners SET tags = '{forged}' WHERE kind = 'PARTICIPANT'", "replayed_states"),
    ("UPDATE rule_budgets SET consumed = 1", "replayed_budgets"),
])
def test_what_somebody_changed_comes_to_light(
    scene: Scene, replayed: Replayed, servers: Servers, change: str, check: str
) -> None:
    scene.rule(PURCHASE, credit("5"), tag("buyer"), budgets=[{"asset_id": scene.asset, "limit": "100"}])
    scene.run()
    scene.api.post("/v1/programs", {"name": "of nobody's concern"})
    assert wrong(replayed(scene)) == []
    with psycopg.connect(servers.plan.owner_url(servers.plan.name), autocommit=True) as c:
        row = c.execute("SELECT max(event_seq) FROM decisions").fetchone()
        assert row is not None
        c.execute(change, {"seq": row[0]})
    found = replayed(scene)
    assert [name for name, checked in found.items() if checked.violations] == [check]


def test_lots_of_one_batch_are_spent_in_their_order_again(scene: Scene, replayed: Replayed) -> None:
    """Lots that two events of a batch made are of one instant; their ids say which came first."""
    lots = scene.api.asset(scene.program, "LOTS", scale=2, inventory_mode="LOT")
    many = {"type": "CREDIT", "asset_id": lots, "amount": "1", "expires_at": "720h"}
    scene.rule('event.type == "early"', credit("1"), credit("1"), many)
    scene.rule('event.type == "late"', {**many, "amount": "3", "expires_at": "24h"})
    scene.rule('event.type == "spend"', {"type": "DEBIT", "asset_id": lots, "amount": "1.5"})
    for kind in ("early", "late", "spend"):
        scene.send(kind, {"type": kind})
    work()
    assert {row["status"] for row in scene.api.get("/v1/events").json["data"]} == {"COMPLETED"}
    assert wrong(replayed(scene)) == []


def test_a_budget_that_calls_changed_is_replayed_with_what_they_did(scene: Scene, replayed: Replayed) -> None:
    """Reset by hand twice, taken away, and put back with a schedule."""
    budget = {"asset_id": scene.asset, "limit": "15"}
    path = f"/v1/rules/{scene.rule(PURCHASE, credit('10'), budgets=[budget])}"
    for step in range(6):
        scene.run(f"a{step}")
        scene.run(f"b{step}")
        if step < 2:
            assert scene.api.post(f"{path}/reset-budget?asset_id={scene.asset}").status_code == 200
        else:
            hourly = {**budget, "schedule_type": "INTERVAL", "interval": "1h"}
            later = [[], [hourly], [{**budget, "limit": "35"}]]
            assert scene.api.patch(path, {"budgets": later[step % 3]}).status_code == 200
    assert scene.available() == "80.00"
    assert wrong(replayed(scene)) == []


def test_lots_that_expire_within_an_event_are_announced_once_and_replayed(
    scene: Scene, replayed: Replayed
) -> None:
    lots = scene.api.asset(scene.program, "LOTS", scale=2, inventory_mode="LOT")
    given = {"type": "CREDIT", "asset_id": lots, "amount": "5"}
    scene.rule('event.type == "earn"', {**given, "expires_at": "1ms"}, given)
    scene.rule('event.type == "spend"', {"type": "DEBIT", "asset_id": lots, "amount": "1"})
    scene.rule('event.type == "lot_expiration"', credit("event.amount"))
    for number, kind in enumerate(("earn", "spend", "earn", "spend")):
        scene.run(f"{kind} {number}", {"type": kind})
    work()
    announced = scene.api.get("/v1/events", event_type="SYSTEM").json["data"]
    assert [each["status"] for each in announced] == ["COMPLETED"] * 2
    assert wrong(replayed(scene)) == []


def test_whoever_was_changed_without_a_history_is_left_out(
    scene: Scene, replayed: Replayed, servers: Servers
) -> None:
    """Membership and status are known only as they are now; Dan is still compared."""
    scene.rule(PURCHASE, credit("size(participant.groups) + 1"))
    for name in ("ann", "bob", "eve", "dan"):
        scene.run(name, external_id=name)
    scene.api.group(scene.person("ann"))
    path = f"/v1/participants/{scene.person('bob')}/status"
    for status in ("SUSPENDED", "ACTIVE"):
        assert scene.api.patch(path, {"status": status}).status_code == 200
        scene.run(f"bob {status}", external_id="bob")
    scene.run("again")
    assert wrong(replayed(scene)) == []
    with psycopg.connect(servers.plan.owner_url(servers.plan.name), autocommit=True) as c:
        c.execute("UPDATE owners SET tags = '{forged}' WHERE id = %s", (scene.person("ann"),))
        assert wrong(replayed(scene)) == []
        c.execute("UPDATE owners SET tags = '{forged}' WHERE id = %s", (scene.person("dan"),))
    assert len(wrong(replayed(scene))) == 1
