"""Random programs and streams: rules of all thirteen actions, of every target, on every kind of asset."""

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from app.flows import lanes
from app.flows.due import STEPS
from tests.api.client import Caller
from tests.events.scene import Scene, open_scene, waiting, work

PEOPLE = ("ann", "bob", "eve", "dan")
CONDITIONS = (
    "true", 'event.type == "buy"', 'event.type == "buy" && event.amount > 10', 'event.type == "move"',
    'event.type == "move" && event.amount % 2 == 0', 'event.type == "cast"',
    "get(participant.counters, 'n', 0) > 3", "'buyer' in participant.tags",
    "event.amount / (event.amount - 7) > 1", "participant.balances['LOTS'].available > 20",
    "get(program.counters, 'n', 0) < 5", "event.absent == 1", "size(participant.groups) > 0",
    "participant.tiers['loyalty'].level == 'gold'",
)
ASSETS = ("PTS", "LOTS", "PRE")
REFERENCES = ("event.ref", None)
_FRIEND = {"type": "PARTICIPANT", "external_id": "event.friend"}
_GROUP = {"type": "GROUP", "id": "the group"}
_OWNERS = st.sampled_from((None, None, None, _FRIEND, {"type": "RECIPIENT"}, _GROUP))
_HOSTS = _OWNERS | st.just({"type": "PROGRAM"})
_AMOUNTS = st.sampled_from(("event.amount", "1.5", "event.amount * 2", "get(participant.counters, 'n', 1)"))
_LOTS = st.sampled_from(({}, {"expires_at": "720h"}, {"matures_at": "24h", "expires_at": "48h"}))


def _action(kind: str, target: st.SearchStrategy[Any] = _HOSTS, **fields: Any) -> st.SearchStrategy[Any]:
    given = {name: value if isinstance(value, st.SearchStrategy) else st.just(value)
             for name, value in fields.items()}
    return st.fixed_dictionaries({"type": st.just(kind), "target": target, **given})


def _moves(asset: str) -> st.SearchStrategy[Any]:
    """The six actions that move value of one asset."""
    plain = {"asset_id": asset, "target": _OWNERS}
    held = {"reference_id": st.sampled_from(REFERENCES)} if asset == "LOTS" else {}
    some = _AMOUNTS | st.none() if asset == "LOTS" else _AMOUNTS
    found = [
        _action("CREDIT", amount=_AMOUNTS, **plain),
        _action("DEBIT", amount=_AMOUNTS, allow_negative=st.booleans(), **plain),
        _action("HOLD", amount=some, **plain, **held), _action("RELEASE", amount=some, **plain, **held),
        _action("FORFEIT", amount=some, **plain),
    ]
    if asset == "LOTS":
        found += [
            st.tuples(_action("CREDIT", amount=_AMOUNTS, **plain), _LOTS).map(lambda two: two[0] | two[1]),
            _action("CREDIT", amount=_AMOUNTS, bucket=st.sampled_from(("AVAILABLE", "HELD")),
                    reference_id="event.ref", **plain),
            _action("VOID_HOLD", reference_id="event.ref", **plain),
        ]
    return st.one_of(found)


STATE = st.one_of(
    _action("TAG", tag=st.sampled_from(("buyer", "{{ event.type }}"))), _action("UNTAG", tag="buyer"),
    _action("COUNTER", key="n", value=_AMOUNTS, reset_after=st.sampled_from((None, "24h", ""))),
    _action("SET_ATTRIBUTE", key="last", value="{{ event.type }} {{ event.amount }}"),
    _action("SET_TIER", target=_OWNERS, tier="loyalty", level=st.sampled_from(("silver", "gold"))),
)
CAUSING = st.one_of(
    _action("SCHEDULE_EVENT", target=st.none(), event_name="cast", delay="24h", payload={"amount": 4}),
    st.just({"type": "BROADCAST", "event_name": "cast", "payload": {"amount": 3, "ref": "r1"}}),
)
MOVING = st.sampled_from(ASSETS).flatmap(_moves)
_BUDGETS = st.sampled_from((
    None, None, {"limit": "30"}, {"limit": "40", "schedule_type": "INTERVAL", "interval": "720h"},
    {"limit": "25", "schedule_type": "CRON", "cron_expression": "0 0 1 * *"},
))


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """One rule; what it causes is never caused by what is caused, so that every stream comes to an end."""
    actions = draw(st.lists(st.one_of(MOVING, MOVING, STATE), min_size=1, max_size=3))
    condition = draw(st.sampled_from(CONDITIONS))
    if draw(st.integers(0, 5)) == 0:
        condition, actions = 'event.type == "buy" && event.amount > 20', [draw(CAUSING), *actions]
    budget = draw(_BUDGETS)
    asset = draw(st.sampled_from(ASSETS))
    return {
        "condition": condition, "actions": actions, "stop_after_match": draw(st.integers(0, 6)) == 0,
        "budgets": [] if budget is None else [{"asset_id": asset, **budget}],
        **draw(st.sampled_from(({}, {}, {}, {"active_to": "2020-01-01T00:00:00Z"}))),
    }


PROGRAMS = st.lists(rules(), min_size=6, max_size=10)
EVENTS = st.lists(st.fixed_dictionaries({
    "who": st.sampled_from(PEOPLE), "recipient": st.sampled_from((None, None, None, *PEOPLE)),
    "data": st.fixed_dictionaries({
        "type": st.sampled_from(("buy", "buy", "move", "other")), "amount": st.integers(0, 40),
        "ref": st.sampled_from(("r1", "r2")),
    }, optional={"friend": st.sampled_from((*PEOPLE, "nobody"))}),
}), min_size=16, max_size=30)


@dataclass
class Stage:
    """A program whose rules were drawn, in which everybody is known."""

    scene: Scene
    group: str

    def bodies(self, events: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the events as they are sent."""
        return [
            self.scene.body(f"k{number}", each["data"], external_id=each["who"],
                            recipient_external_id=each["recipient"])
            for number, each in enumerate(events)
        ]


def stage(api: Caller, drawn: list[dict[str, Any]]) -> Stage:
    """Make assets, tier, group, people and the drawn rules."""
    scene = open_scene(api)
    assets = {"PTS": scene.asset}
    assets["LOTS"] = api.asset(scene.program, "LOTS", scale=2, inventory_mode="LOT")
    assets["PRE"] = api.asset(scene.program, "PRE", scale=2, issuance_policy="PREFUNDED")
    path = f"/v1/programs/{scene.program}"
    assert api.post(f"{path}/assets/{assets['PRE']}/fund", {"amount": "60"}).status_code == 200
    levels = [{"key": key, "rank": rank, "qualification": {"mode": "ALL", "criteria": [
        {"counter": "n", "operator": ">=", "threshold": value}]}}
        for key, rank, value in (("silver", 1, 10), ("gold", 2, 50))]
    made = api.post(f"{path}/tiers", {"key": "loyalty", "levels": levels})
    assert made.status_code == 201, made.json
    # Everybody begins with something, or most of what is drawn would fail for want of funds.
    scene.rule('event.type == "hello"', *(
        {"type": "CREDIT", "asset_id": assets[name], "amount": "300"} for name in ("PTS", "LOTS")
    ))
    for name in PEOPLE:
        scene.send(f"hello-{name}", {"type": "hello", "amount": 0, "ref": "r0"}, external_id=name)
    work()
    group = api.group(scene.person("ann"), scene.person("bob"))
    for number, rule in enumerate(drawn):
        answer = api.post("/v1/rules", {
            "program_id": scene.program, "name": f"rule {number}", **_named(rule, assets, group)
        })
        assert answer.status_code == 201, (answer.json, rule)
    return Stage(scene, group)


def _named(value: Any, assets: dict[str, str], group: str) -> Any:
    """Return a drawn rule with ids in place of names, and without what was drawn as nothing."""
    if isinstance(value, dict):
        return {name: assets[item] if name == "asset_id" else _named(item, assets, group)
                for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_named(item, assets, group) for item in value]
    return group if value == "the group" else value


def work_all() -> None:
    """Decide what waits and what that causes at once."""
    for _ in range(20):
        work()
        more = [lanes.run(lane, step, seconds=0.0) for lane, step in STEPS.items()]
        if not any(more) and not waiting():
            return
    raise AssertionError("there is always more to do")
