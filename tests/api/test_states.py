"""Tags, counters and attributes of participants, groups and programs, and the history of their changes."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from app import db
from tests.api.client import ABSENT, Caller, error_of, walk

Host = Callable[[Caller], str]


def _participant(api: Caller) -> str:
    return f"/v1/participants/{api.participant('host')}"


def _group(api: Caller) -> str:
    return f"/v1/groups/{api.group(api.participant('admin'))}"


def _program(api: Caller) -> str:
    return f"/v1/programs/{api.program()}"


HOSTS = pytest.mark.parametrize("host", [_participant, _group, _program])


@HOSTS
def test_tags_are_added_replaced_and_removed_in_lower_case(api: Caller, host: Host) -> None:
    path = f"{host(api)}/state/tags"
    assert (api.put(f"{path}/VIP").status_code, api.put(f"{path}/vip").status_code) == (201, 200)
    assert api.put(f"{path}/a/b c").json == {"tag": "a/b c"}
    assert walk(api, path, limit=1) == [{"tag": "a/b c"}, {"tag": "vip"}]
    assert api.put(path, {"tags": ["New", "vip", "NEW"]}).json == {"tags": ["new", "vip"]}
    assert api.delete(f"{path}/VIP").status_code == 204
    assert api.delete(f"{path}/vip").status_code == 204
    assert walk(api, path) == [{"tag": "new"}]
    assert api.put(path, {"tags": []}).json == {"tags": []}


@HOSTS
def test_tags_are_bounded(api: Caller, host: Host) -> None:
    path = f"{host(api)}/state/tags"
    error_of(api.put(f"{path}/{'x' * 256}"), 400, "validation_error")
    for broken in ("a%00b", "a%0Ab", "%0A"):
        error_of(api.put(f"{path}/{broken}"), 400, "validation_error")
    error_of(api.put(path, {"tags": ["x" * 256]}), 400, "validation_error")
    error_of(api.put(path, {}), 400, "validation_error")
    tags = [f"t{number}" for number in range(501)]
    error_of(api.put(path, {"tags": tags}), 422, "limit_exceeded")
    assert api.put(path, {"tags": tags[:500]}).status_code == 200
    error_of(api.put(f"{path}/more"), 422, "limit_exceeded")


@HOSTS
@pytest.mark.parametrize("text", [
    "a\u00a0b", "\U0001f468\u200d\U0001f469", "\u3000", " ", "%2f", "a?b#c", ".",
])
def test_what_a_body_may_name_a_path_names_as_well(api: Caller, host: Host, text: str) -> None:
    path, quoted = f"{host(api)}/state", quote(text, safe="")
    assert api.put(f"{path}/tags", {"tags": [text]}).json == {"tags": [text]}
    assert api.put(f"{path}/tags/{quoted}").status_code == 200
    assert api.delete(f"{path}/tags/{quoted}").status_code == 204
    assert walk(api, f"{path}/tags") == []
    assert api.patch(f"{path}/attributes", {"attributes": {text: "1"}}).status_code == 200
    assert api.put(f"{path}/attributes/{quoted}", {"value": "2"}).json == {"key": text, "value": "2"}
    assert api.delete(f"{path}/attributes/{quoted}").status_code == 204
    assert walk(api, f"{path}/attributes") == []


@HOSTS
def test_counters_are_set_read_and_removed(api: Caller, host: Host) -> None:
    path = f"{host(api)}/state/counters"
    assert api.put(f"{path}/visits", {"value": "012.500"}).json == {"key": "visits", "value": "12.5"}
    timed = api.put(f"{path}/monthly", {"value": "3", "reset_after": "720h"}).json
    assert set(timed) == {"key", "value", "reset_after", "last_reset_at"}
    assert api.get(f"{path}/monthly").json == timed
    assert walk(api, path, limit=1) == [timed, {"key": "visits", "value": "12.5"}]
    kept = api.put(f"{path}/monthly", {"value": "4"}).json
    assert kept["reset_after"] == "720h"
    assert kept["last_reset_at"] > timed["last_reset_at"]
    assert api.put(f"{path}/monthly", {"value": "4", "reset_after": ""}).json == {
        "key": "monthly", "value": "4",
    }
    assert api.delete(f"{path}/monthly").status_code == 204
    assert api.delete(f"{path}/monthly").status_code == 204
    error_of(api.get(f"{path}/monthly"), 404, "not_found")


@pytest.mark.parametrize("value", ["1." + "2" * 33, "-0." + "7" * 34, "1" * 34, "5" + "0" * 33])
def test_a_counter_keeps_34_significant_digits_and_refuses_one_more(api: Caller, value: str) -> None:
    path = f"/v1/participants/{api.participant('ann')}/state/counters/k"
    assert api.put(path, {"value": value}).json["value"] == value
    more = value + ("1" if "." in value else ".1")
    error_of(api.put(path, {"value": more}), 400, "validation_error")
    assert api.get(path).json["value"] == value


@HOSTS
@pytest.mark.parametrize("body", [
    {}, {"value": 5}, {"value": ""}, {"value": "1e5"}, {"value": "x"}, {"value": "1" * 35},
    {"value": "1", "reset_after": "30d"}, {"value": "1", "reset_after": "-1h"}, {"value": "1", "step": "2"},
])
def test_a_wrong_counter_is_refused(api: Caller, host: Host, body: dict[str, Any]) -> None:
    error_of(api.put(f"{host(api)}/state/counters/k", body), 400, "validation_error")


def test_a_counter_reads_zero_once_its_time_is_over_and_is_reset_when_written(api: Caller) -> None:
    person = api.participant("ada")
    path = f"/v1/participants/{person}/state/counters/k"
    api.put(path, {"value": "5", "reset_after": "1h"})
    with db.transaction() as c:
        c.execute(
            "UPDATE owners SET counters = jsonb_set(counters, '{k,reset_at}', '\"2020-01-01T00:00:00Z\"')"
            " WHERE organization_id = %s AND id = %s", (api.organization_id, person),
        )
    assert api.get(path).json["value"] == "0"
    assert api.get(f"/v1/participants/{person}").json["counters"] == {"k": "0"}
    api.put(path, {"value": "2"})
    history = walk(api, f"/v1/participants/{person}/activity/state-history")
    assert [(row["operation"], row.get("old_value"), row["new_value"]) for row in history] == [
        ("set", "0", "2"), ("auto_reset", "5", "0"), ("set", None, "5"),
    ]


def test_counters_of_inactive_participants_are_closed_and_tags_are_open(api: Caller) -> None:
    person = api.participant("ada")
    path = f"/v1/participants/{person}/state"
    api.patch(f"/v1/participants/{person}/status", {"status": "SUSPENDED"})
    error_of(api.put(f"{path}/counters/k", {"value": "1"}), 409, "participant_inactive")
    error_of(api.delete(f"{path}/counters/k"), 409, "participant_inactive")
    assert api.put(f"{path}/tags/vip").status_code == 201
    assert api.put(f"{path}/attributes/k", {"value": "v"}).status_code == 200


@HOSTS
def test_attributes_are_merged_set_and_removed(api: Caller, host: Host) -> None:
    path = f"{host(api)}/state/attributes"
    assert api.patch(path, {"attributes": {"b": "1", "a": "1"}}).json == {"attributes": {"a": "1", "b": "1"}}
    assert api.put(f"{path}/b", {"value": "2"}).json == {"key": "b", "value": "2"}
    assert walk(api, path, limit=1) == [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    assert api.delete(f"{path}/a").status_code == 204
    assert api.delete(f"{path}/a").status_code == 204
    assert walk(api, path) == [{"key": "b", "value": "2"}]
    error_of(api.put(f"{path}/b", {"value": ""}), 400, "validation_error")
    error_of(api.put(f"{path}/b", {"value": "x" * 4097}), 400, "validation_error")
    error_of(api.patch(path, {"attributes": {"": "x"}}), 400, "validation_error")


@HOSTS
def test_every_change_is_in_the_history_with_its_key_and_nothing_else_is(api: Caller, host: Host) -> None:
    path = host(api)
    api.put(f"{path}/state/tags", {"tags": ["a", "b"]})
    api.put(f"{path}/state/tags/a")
    api.delete(f"{path}/state/tags/b")
    api.put(f"{path}/state/counters/c", {"value": "1"})
    api.delete(f"{path}/state/counters/c")
    api.patch(f"{path}/state/attributes", {"attributes": {"k": "v"}})
    api.patch(f"{path}/state/attributes", {"attributes": {"k": "v"}})
    api.delete(f"{path}/state/attributes/k")
    rows = walk(api, f"{path}/activity/state-history", limit=2)
    assert [
        (row["state_type"], row["key"], row["operation"], row.get("old_value"), row.get("new_value"))
        for row in reversed(rows)
    ] == [
        ("tag", "a", "add", None, "a"), ("tag", "b", "add", None, "b"), ("tag", "b", "remove", "b", None),
        ("counter", "c", "set", None, "1"), ("counter", "c", "delete", "1", None),
        ("attribute", "k", "set", None, "v"), ("attribute", "k", "delete", "v", None),
    ]
    assert len({row["id"] for row in rows}) == len(rows)
    assert len({row["changed_by_api_key_id"] for row in rows}) == 1
    history = f"{path}/activity/state-history"
    assert [row["key"] for row in walk(api, history, state_type="counter")] == ["c", "c"]
    assert [row["operation"] for row in walk(api, history, key="b")] == ["remove", "add"]
    assert len(walk(api, history, operation="delete")) == 2
    assert walk(api, history, from_="2100-01-01T00:00:00Z") == []
    assert len(walk(api, history, from_=rows[-1]["changed_at"])) == 7
    error_of(api.get(history, limit=101), 400, "validation_error")
    error_of(api.get(history, state_type="level"), 400, "validation_error")


def test_only_participants_have_a_window_on_the_events_time(api: Caller) -> None:
    query = {"event_from": "2020-01-01T00:00:00Z"}
    assert api.get(f"{_participant(api)}/activity/state-history", **query).status_code == 200
    error_of(api.get(f"{_group(api)}/activity/state-history", **query), 400, "invalid_request")


@HOSTS
def test_the_state_of_an_absent_host_is_not_found(api: Caller, host: Host) -> None:
    path = host(api).rsplit("/", 1)[0] + f"/{ABSENT}"
    for answer in (
        api.get(f"{path}/state/tags"), api.put(f"{path}/state/tags/x"), api.get(f"{path}/state/counters/k"),
        api.delete(f"{path}/state/attributes/k"), api.get(f"{path}/activity/state-history"),
    ):
        error_of(answer, 404, "not_found")


def test_a_host_of_another_kind_is_not_found(api: Caller) -> None:
    person = api.participant("ada")
    error_of(api.get(f"/v1/groups/{person}/state/tags"), 404, "not_found")
    error_of(api.put(f"/v1/programs/{person}/state/tags/x"), 404, "not_found")
