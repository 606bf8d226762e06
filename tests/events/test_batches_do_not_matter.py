"""Whatever the requests and batches were: the order of commits explains every result (decision C4)."""

from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app import db
from app.flows import drain
from tests.api.client import new_caller, walk
from tests.events.scene import Scene, counter, credit, open_scene, set_attribute, tag, work

PEOPLE = ("ann", "bob", "eve", "dan")
EVENTS = st.lists(
    st.fixed_dictionaries({
        "who": st.sampled_from(PEOPLE),
        "data": st.fixed_dictionaries({
            "type": st.sampled_from(["earn", "spend", "count", "gift", "odd"]),
            "amount": st.integers(-3, 30),
        }, optional={"friend": st.sampled_from(PEOPLE)}),
        "recipient": st.sampled_from((None, None, *PEOPLE)),
    }), min_size=12, max_size=30,
)
SPLITS = st.lists(st.integers(1, 9), min_size=2, max_size=6)


def rules(scene: Scene) -> None:
    """Rules that read what earlier events left, fail now and then, and touch others."""
    scene.rule('event.type == "earn"', credit("event.amount * 1.5"), counter("earned", "event.amount"))
    scene.rule('event.type == "spend" && event.amount > 0', {"type": "DEBIT", "amount": "event.amount"},
               counter("spent", "event.amount"), set_attribute("last", "{{ event.amount }}"))
    scene.rule("get(participant.counters, 'earned', 0) > 40", tag("rich"), stop_after_match=True)
    friend = {"type": "PARTICIPANT", "external_id": "event.friend"}
    scene.rule('event.type == "gift"', credit("1", target=friend))
    scene.rule("participant.balances['PTS'].available > 25", tag("saver"), counter("rounds"))
    scene.rule("event.amount / (event.amount - 7) > 1.5", counter("seven"))


def result(scene: Scene) -> dict[str, Any]:
    """Return what is left of everything, without ids and instants."""
    people = {}
    for name in PEOPLE:
        shown = scene.shown(name)
        people[name] = [scene.available(name), shown["tags"], shown["counters"], shown["attributes"]]
    events = {}
    for row in walk(scene.api, "/v1/events", program_id=scene.program, limit=200):
        whole = scene.event(row["id"], include_skipped="true")
        events[row["idempotency_key"]] = [whole["status"], whole.get("error_code"), [
            [each["rule_name"], each["status"], each.get("reason"), each.get("error_message"),
             [{key: value for key, value in action.items()
               if key not in ("journal_entry_id", "asset_id", "target")} for action in each["actions"]]]
            for each in whole["rule_evaluations"]
        ]]
    return {"people": people, "events": events}


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Set how many events a batch has at most."""
    return lambda number: monkeypatch.setattr(drain, "BATCH_EVENTS_MAX", number)


def stage(http: Any) -> Scene:
    """Open a program of an organization of its own, in which everybody is known."""
    scene = open_scene(new_caller(http))
    rules(scene)
    for name in PEOPLE:
        scene.run(f"hello-{name}", {"type": "hello", "amount": 0}, external_id=name)
    return scene


def bodies(scene: Scene, events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the events as they are sent to a scene, by their keys."""
    return {
        f"k{number}": scene.body(f"k{number}", each["data"], external_id=each["who"],
                                 recipient_external_id=each["recipient"])
        for number, each in enumerate(events)
    }


def in_batches(scene: Scene, events: list[dict[str, Any]], splits: list[int], *, between: bool) -> None:
    """Send events in requests of these sizes, with a worker between two requests or only at the end."""
    rest = list(bodies(scene, events).values())
    for step in cycle(splits):
        sent = scene.api.post("/v1/events/batch", {"events": rest[:step]})
        assert sent.json["error_count"] == 0
        rest = rest[step:]
        if between or not rest:
            work()
        if not rest:
            return


def one_by_one(scene: Scene, events: list[dict[str, Any]], order: list[str]) -> None:
    """Send each event alone, in this order of keys, and have it processed before the next."""
    items = bodies(scene, events)
    for key in order:
        assert scene.api.post("/v1/events", items[key]).status_code == 202
        work()


def commit_order(scene: Scene) -> list[str]:
    """Return the keys of a program's events in the order in which they were decided."""
    with db.connection() as c:
        rows = c.execute(
            "SELECT e.idempotency_key FROM events e JOIN decisions d ON d.organization_id = e.organization_id"
            " AND d.event_seq = e.seq WHERE e.program_id = %s ORDER BY d.commit_order", (scene.program,)
        ).fetchall()
    return [row["idempotency_key"] for row in rows if row["idempotency_key"].startswith("k")]


BATCHED = settings(
    max_examples=8, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.usefixtures("one_partition")
@BATCHED
@given(events=EVENTS, splits=SPLITS, size=st.sampled_from([2, 3, 250]), between=st.booleans())
def test_events_again_in_commit_order_give_the_same_whatever_the_batches_were(
    http: Any, most: Callable[[int], None], events: list[dict[str, Any]], splits: list[int], size: int,
    between: bool,
) -> None:
    """Gifts and recipients tie participants together; the order of commits tells who came first."""
    most(size)
    batched = stage(http)
    in_batches(batched, events, splits, between=between)
    most(1)
    again = stage(http)
    one_by_one(again, events, commit_order(batched))
    assert result(again) == result(batched)


@pytest.mark.usefixtures("one_partition")
@BATCHED
@given(events=EVENTS, splits=SPLITS, size=st.sampled_from([2, 3, 250]), between=st.booleans())
def test_batches_do_not_matter_where_events_touch_only_their_participant(
    http: Any, most: Callable[[int], None], events: list[dict[str, Any]], splits: list[int], size: int,
    between: bool,
) -> None:
    """Without gifts, the order within each participant decides everything."""
    own = [{**each, "recipient": None, "data": {**each["data"], "friend": each["who"]}} for each in events]
    most(size)
    batched = stage(http)
    in_batches(batched, own, splits, between=between)
    most(1)
    again = stage(http)
    one_by_one(again, own, list(bodies(again, own)))
    assert result(again) == result(batched)
