"""Draining: a failing event is isolated, its owner waits, a dead worker's batch is taken up again."""

from typing import Any

import psycopg
import pytest

from app import db
from app.flows import drain
from tests.api.client import walk
from tests.events.scene import PURCHASE, Scene, counter, credit, set_attribute, waiting, work
from tests.harness import Servers
from tests.sabotage import sabotage

ALL = [f"person-{number}" for number in range(8)]


def seq_of(event: dict[str, Any]) -> int:
    """Return the number of an event."""
    with db.connection() as c:
        row = c.execute("SELECT seq FROM events WHERE id = %s", (event["id"],)).fetchone()
        assert row is not None
        return int(row["seq"])


def later(seconds: int) -> None:
    """Move the clock of the system ahead."""
    with db.connection() as c:
        c.execute("UPDATE clock SET ahead = ahead + make_interval(secs => %s)", (seconds,))


def statuses(scene: Scene) -> dict[str, str]:
    """Return the status of each event by its key."""
    return {row["idempotency_key"]: row["status"] for row in walk(scene.api, "/v1/events", limit=200)}


def decided(scene: Scene) -> dict[str, str | None]:
    """Return when each event was decided, by its key; those of one batch at one instant."""
    return {row["idempotency_key"]: row["processed_at"] for row in walk(scene.api, "/v1/events", limit=200)}


def locks_held() -> int:
    with db.connection() as c:
        row = c.execute(
            "SELECT count(*) AS n FROM pg_locks WHERE locktype = 'advisory' AND classid = %s",
            (drain.leases.LOCK_CLASS,),
        ).fetchone()
        assert row is not None
        return int(row["n"])


def marks() -> int:
    """Return in how many partitions a worker has something in hand, or had when it died."""
    with db.connection() as c:
        row = c.execute("SELECT count(*) AS n FROM partition_leases WHERE worker IS NOT NULL").fetchone()
        assert row is not None
        return int(row["n"])


def enroll_all(scene: Scene) -> None:
    """Make everybody known."""
    scene.api.post("/v1/events/batch", {"events": [
        scene.body(f"hello-{name}", {"type": "hello"}, external_id=name) for name in ALL
    ]})
    work()


@pytest.mark.usefixtures("one_partition")
@pytest.mark.parametrize("place", [0, 3, 7])
def test_one_failing_event_costs_its_neighbours_nothing(scene: Scene, servers: Servers, place: int) -> None:
    scene.rule(PURCHASE, credit("10"), counter())
    enroll_all(scene)
    sent = [scene.send(f"k{number}", external_id=name) for number, name in enumerate(ALL)]
    behind = scene.send("behind", external_id=ALL[place])
    assert waiting() == [7]
    with sabotage(servers, f"NEW.event_seq = {seq_of(sent[place])}"):
        work()
        seen = statuses(scene)
        assert seen.pop(f"k{place}") == "PENDING"
        assert seen.pop("behind") == "RECEIVED", "it waits behind its owner's event"
        assert set(seen.values()) == {"COMPLETED"}
        shown = scene.event(sent[place]["id"])
        assert "broken on purpose" in shown["error_message"]
        work()
        assert statuses(scene)[f"k{place}"] == "PENDING", "not before its time"
        assert scene.available(ALL[place]) is None
    later(3)
    work()
    assert set(statuses(scene).values()) == {"COMPLETED"}
    assert {scene.available(name) for name in ALL} == {"10.00", "20.00"}
    decided = [scene.event(each["id"])["processed_at"] for each in (sent[place], behind)]
    assert decided == sorted(decided)


@pytest.mark.usefixtures("one_partition")
def test_five_attempts_two_four_eight_sixteen_seconds_apart_then_the_event_ends(
    scene: Scene, servers: Servers
) -> None:
    scene.rule(PURCHASE, credit("10"))
    enroll_all(scene)
    bad, behind = scene.send("bad"), scene.send("behind")
    with sabotage(servers, f"NEW.event_seq = {seq_of(bad)} AND NEW.error_code IS NULL"):
        for wait in (2, 4, 8, 16):
            work()
            assert statuses(scene)["bad"] == "PENDING"
            later(wait - 1)
            work()
            assert statuses(scene)["bad"] == "PENDING"
            later(1)
        work()
    shown = scene.event(bad["id"])
    assert (shown["status"], shown["error_code"]) == ("FAILED", "attempts_exhausted")
    assert "broken on purpose" in shown["error_message"]
    assert scene.event(behind["id"])["status"] == "COMPLETED"
    assert scene.available() == "10.00"
    assert scene.api.post(f"/v1/events/{bad['id']}/retry").status_code == 200
    work()
    assert scene.event(bad["id"])["status"] == "COMPLETED"
    assert scene.available() == "20.00"


def test_a_lost_connection_is_no_attempt(scene: Scene, servers: Servers) -> None:
    scene.rule(PURCHASE, credit("10"))
    scene.run("hello", {"type": "hello"})
    sent = scene.send("k")
    cut = "PERFORM pg_terminate_backend(pg_backend_pid())"
    with sabotage(servers, f"NEW.event_seq = {seq_of(sent)}", cut):
        with pytest.raises(psycopg.OperationalError):
            work()
        with db.connection() as c:
            assert c.execute("SELECT attempts FROM inbox").fetchall() == [{"attempts": 0}]
    work()
    shown = scene.event(sent["id"])
    assert shown["status"] == "COMPLETED"
    assert marks() == 0
    assert scene.available() == "10.00"


def leave_behind(event: dict[str, Any], *, alone: bool, crashes: int = 0, events: int = 1) -> None:
    """Leave the mark of a worker that died with so many events in hand."""
    with db.connection() as c:
        c.execute(
            "UPDATE partition_leases l SET worker = 'dead', from_position = e.seq,"
            " to_position = e.seq + %s, alone = %s, crashes = %s"
            " FROM events e WHERE e.id = %s AND l.partition = e.partition",
            (events - 1, alone, crashes, event["id"]),
        )


@pytest.mark.usefixtures("one_partition")
@pytest.mark.parametrize(("alone", "crashes"), [(False, 0), (True, 0)])
def test_a_dead_workers_batch_is_done_by_the_next(scene: Scene, alone: bool, crashes: int) -> None:
    scene.rule(PURCHASE, credit("10"))
    enroll_all(scene)
    sent = [scene.send(external_id=name) for name in ALL]
    leave_behind(sent[0], alone=alone, crashes=crashes, events=5)
    work()
    assert set(statuses(scene).values()) == {"COMPLETED"}
    assert {scene.available(name) for name in ALL} == {"10.00"}


@pytest.mark.usefixtures("one_partition")
def test_an_event_that_killed_two_lone_workers_is_poison(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"))
    enroll_all(scene)
    poison, behind = scene.send("poison"), scene.send("behind")
    leave_behind(poison, alone=True, crashes=1)
    work()
    shown = scene.event(poison["id"])
    assert (shown["status"], shown["error_code"]) == ("FAILED", "poison_event")
    assert scene.event(behind["id"])["status"] == "COMPLETED"
    assert scene.available() == "10.00"


@pytest.mark.usefixtures("one_partition")
def test_two_workers_never_have_one_partition(scene: Scene) -> None:
    sent = scene.send()
    with db.connection() as c:
        c.execute("SELECT pg_advisory_lock(%s, 7)", (drain.leases.LOCK_CLASS,))
        assert drain.drain([7]) == [[7]], "it wants to be rung again"
        assert scene.event(sent["id"])["status"] == "RECEIVED"
        c.execute("SELECT pg_advisory_unlock(%s, 7)", (drain.leases.LOCK_CLASS,))
    work()
    assert scene.event(sent["id"])["status"] == "COMPLETED"


@pytest.mark.usefixtures("one_partition")
@pytest.mark.parametrize("condition", ["false", "true"])
def test_a_partition_is_given_back_once_whether_its_last_batch_is_kept_or_not(
    scene: Scene, servers: Servers, condition: str
) -> None:
    scene.send()
    told: list[str] = []
    with db.connection() as c:
        c.add_notice_handler(lambda notice: told.append(str(notice.message_primary)))
    with sabotage(servers, condition):
        assert drain.drain([7]) == []
    assert locks_held() == 0
    assert told == [], "giving back what one does not hold is warned of"


def test_partitions_in_which_little_waits_share_a_batch(scene: Scene) -> None:
    scene.rule(PURCHASE, credit("10"))
    for name in ALL:
        scene.send(f"first {name}", external_id=name)
        scene.send(f"second {name}", external_id=name)
    partitions = waiting()
    assert len(partitions) > 1
    assert drain.drain(partitions) == []
    assert set(statuses(scene).values()) == {"COMPLETED"}
    assert len(set(decided(scene).values())) == 1
    assert {scene.available(name) for name in ALL} == {"20.00"}
    assert locks_held() == 0


def test_partitions_in_which_much_waits_part(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drain, "BATCH_EVENTS_MAX", 3)
    scene.rule(PURCHASE, credit("10"))
    enroll_all(scene)
    for number in range(3):
        for name in ALL:
            scene.send(f"{number} {name}", external_id=name)
    partitions = waiting()
    again = drain.drain(partitions)
    half = len(partitions) // 2
    assert again == [partitions[:half], partitions[half:]]
    assert locks_held() == 0
    done = [key for key, status in statuses(scene).items() if status == "COMPLETED" and "hello" not in key]
    assert sorted(done) == sorted(f"0 {name}" for name in ALL[:3]), "the oldest of all came first"
    while again:
        again += drain.drain(again.pop())
    assert {scene.available(name) for name in ALL} == {"30.00"}


def test_what_another_worker_holds_is_left_to_it(scene: Scene) -> None:
    for name in ALL:
        scene.send(name, external_id=name)
    held, *others = waiting()
    with db.connection() as c:
        c.execute("SELECT pg_advisory_lock(%s, %s)", (drain.leases.LOCK_CLASS, held))
        assert drain.drain([held, *others]) == [[held]]
        assert waiting() == [held]
        assert locks_held() == 1
        c.execute("SELECT pg_advisory_unlock(%s, %s)", (drain.leases.LOCK_CLASS, held))
    assert drain.drain([held, *others]) == []
    assert set(statuses(scene).values()) == {"COMPLETED"}


@pytest.mark.parametrize("crashes", [0, 1])
def test_what_a_dead_worker_held_of_several_partitions_is_done_one_by_one(
    scene: Scene, crashes: int
) -> None:
    scene.rule(PURCHASE, credit("10"))
    sent = [scene.send(name, external_id=name) for name in ALL]
    for event in sent:
        leave_behind(event, alone=False, crashes=crashes)
    drain.exhaust(waiting())
    assert set(statuses(scene).values()) == {"COMPLETED"}
    assert {scene.available(name) for name in ALL} == {"10.00"}
    assert marks() == 0


def test_no_mark_is_left_in_the_partitions_of_a_batch_of_which_some_needed_more(scene: Scene) -> None:
    friend = {"type": "PARTICIPANT", "external_id": "event.friend"}
    scene.rule("has(event.friend)", credit("1", target=friend))
    enroll_all(scene)
    for name in ALL:
        scene.send(name, {"type": "purchase", **({"friend": "person-0"} if name == ALL[3] else {})},
                   external_id=name)
    assert len(waiting()) > 1
    assert drain.drain(waiting()) == []
    assert set(statuses(scene).values()) == {"COMPLETED"}
    assert scene.available(ALL[0]) == "1.00"
    assert marks() == 0
    assert locks_held() == 0


def test_an_event_that_fails_among_several_partitions_is_marked_in_its_own(
    scene: Scene, servers: Servers
) -> None:
    scene.rule(PURCHASE, credit("10"))
    enroll_all(scene)
    sent = [scene.send(name, external_id=name) for name in ALL]
    with sabotage(servers, f"NEW.event_seq = {seq_of(sent[2])}"):
        assert drain.drain(waiting()) == []
    seen = statuses(scene)
    assert seen.pop(ALL[2]) == "PENDING"
    assert set(seen.values()) == {"COMPLETED"}
    with db.connection() as c:
        row = c.execute(
            "SELECT i.attempts, b.partition = i.partition AS own FROM inbox i"
            " JOIN blocked_owners b ON b.owner_id = i.owner_id"
        ).fetchall()
    assert row == [{"attempts": 1, "own": True}]
    assert locks_held() == 0
    later(3)
    work()
    assert {scene.available(name) for name in ALL} == {"10.00"}


def test_rules_that_change_while_events_wait_count_from_then_on(scene: Scene) -> None:
    rule = scene.rule(PURCHASE, credit("10"))
    scene.run("before")
    sent = scene.send("between")
    scene.api.patch(f"/v1/rules/{rule}", {"actions": [
        {"type": "CREDIT", "asset_id": scene.asset, "amount": "1"}]})
    work()
    assert scene.event(sent["id"])["rule_evaluations"][0]["actions"][0]["amount"] == "1.00"
    scene.api.patch(f"/v1/rules/{rule}", {"status": "SUSPENDED"})
    assert scene.run("after")["rule_evaluations"] == []
    assert scene.available() == "11.00"


@pytest.mark.usefixtures("one_partition")
@pytest.mark.parametrize("most", [1, 2, 250])
def test_an_event_that_needs_others_rows_keeps_its_place_among_its_owners(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(drain, "BATCH_EVENTS_MAX", most)
    friend = {"type": "PARTICIPANT", "external_id": "event.friend"}
    scene.rule("has(event.friend)", credit("1", target=friend), counter("sent"))
    scene.rule("true", set_attribute("last", "{{ event.step }}"),
               counter("sum", "event.step + get(participant.counters, 'sum', 0)"))
    enroll_body = [scene.body(f"hello-{name}", {"step": 0}, external_id=name) for name in ALL]
    scene.api.post("/v1/events/batch", {"events": enroll_body})
    work()
    items = []
    for step in range(1, 13):
        for number, name in enumerate(ALL[:3]):
            data: dict[str, Any] = {"step": step}
            if (step + number) % 3 == 0:
                data["friend"] = ALL[(number + step) % 8]
            items.append(scene.body(f"k{name}-{step}", data, external_id=name))
    scene.api.post("/v1/events/batch", {"events": items})
    work()
    assert set(statuses(scene).values()) == {"COMPLETED"}
    expected = 0
    for step in range(1, 13):
        expected = 2 * expected + step
    for name in ALL[:3]:
        shown = scene.shown(name)
        assert shown["attributes"] == {"last": "12"}
        assert shown["counters"]["sum"] == str(expected)
    assert sum(float(scene.available(name) or 0) for name in ALL) == 12
