"""Groups and their members."""

from tests.api.client import ABSENT, Caller, error_of, walk


def test_a_group_is_created_with_its_members(api: Caller) -> None:
    admin, member = api.participant("a"), api.participant("b")
    answer = api.post(
        "/v1/groups",
        {
            "name": "Family",
            "members": [{"participant_id": admin, "role": "ADMIN"}, {"participant_id": member}],
            "on_behalf_of_participant_id": admin,
        },
    )
    assert answer.status_code == 201
    assert set(answer.json) == {"id", "name", "status", "created_at", "updated_at"}
    group_id = answer.json["id"]
    assert api.get(f"/v1/groups/{group_id}").json == {**answer.json, "balances": {}}
    rows = walk(api, f"/v1/groups/{group_id}/members", limit=1)
    assert {(row["participant_id"], row["external_id"], row["role"], row["status"]) for row in rows} == {
        (admin, "a", "ADMIN", "ACTIVE"),
        (member, "b", "MEMBER", "ACTIVE"),
    }
    assert all(set(row) == {"participant_id", "external_id", "role", "status", "joined_at"} for row in rows)


def test_a_group_needs_an_admin_and_known_members_once_each(api: Caller) -> None:
    person = api.participant("a")
    one = {"participant_id": person, "role": "ADMIN"}
    for members in ([], [{"participant_id": person}], [one, one], [{**one, "role": "OWNER"}], "x"):
        answer = api.post("/v1/groups", {"name": "F", "members": members})
        assert [key.split("[")[0] for key in error_of(answer, 400, "validation_error")] == ["members"]
    unknown = {"name": "F", "members": [{"participant_id": ABSENT, "role": "ADMIN"}]}
    error_of(api.post("/v1/groups", unknown), 404, "not_found")
    behalf = {"name": "F", "members": [one], "on_behalf_of_participant_id": ABSENT}
    error_of(api.post("/v1/groups", behalf), 404, "not_found")
    assert walk(api, "/v1/groups") == []


def test_members_join_leave_and_return(api: Caller) -> None:
    admin, other, third = (api.participant(name) for name in "abc")
    path = f"/v1/groups/{api.group(admin)}/members"
    answer = api.post(path, {"participant_id": other, "role": "MEMBER"})
    assert (answer.status_code, answer.json) == (200, {"message": "Member(s) added to group"})
    error_of(api.post(path, {"participant_id": other}), 409, "already_member")
    both = {"members": [{"participant_id": third}, {"participant_id": other}]}
    error_of(api.post(path, both), 409, "already_member")
    assert len(walk(api, path)) == 2
    assert api.delete(f"{path}/{other}").status_code == 204
    error_of(api.delete(f"{path}/{other}"), 404, "not_found")
    former = walk(api, path, include_former="true")
    assert [(row["status"], "left_at" in row) for row in former if row["participant_id"] == other] == [
        ("LEFT", True)
    ]
    assert (
        api.post(
            path, {**both, "members": [*both["members"][:1], {"participant_id": other, "role": "ADMIN"}]}
        ).status_code
        == 200
    )
    returned = [row for row in walk(api, path) if row["participant_id"] == other]
    assert [(row["role"], "left_at" in row) for row in returned] == [("ADMIN", False)]


def test_members_are_added_in_one_form_only(api: Caller) -> None:
    admin, other = api.participant("a"), api.participant("b")
    path = f"/v1/groups/{api.group(admin)}/members"
    error_of(
        api.post(path, {"participant_id": other, "members": [{"participant_id": other}]}),
        400,
        "invalid_request",
    )
    error_of(api.post(path, {}), 400, "validation_error")
    error_of(api.post(path, {"members": []}), 400, "validation_error")
    error_of(api.post(path, {"participant_id": ABSENT}), 404, "not_found")


def test_the_last_admin_stays(api: Caller) -> None:
    admin, other = api.participant("a"), api.participant("b")
    path = f"/v1/groups/{api.group(admin, other)}/members"
    error_of(api.patch(f"{path}/{admin}", {"role": "MEMBER"}), 409, "last_admin")
    error_of(api.delete(f"{path}/{admin}"), 409, "last_admin")
    answer = api.patch(f"{path}/{other}", {"role": "ADMIN", "on_behalf_of_participant_id": admin})
    assert answer.json == {"message": "Member role updated", "participant_id": other, "role": "ADMIN"}
    assert api.patch(f"{path}/{admin}", {"role": "MEMBER"}).status_code == 200
    assert api.delete(f"{path}/{admin}").status_code == 204
    error_of(api.patch(f"{path}/{admin}", {"role": "ADMIN"}), 404, "not_found")


def test_an_archived_group_is_readable_and_closed(api: Caller) -> None:
    admin, other = api.participant("a"), api.participant("b")
    path = f"/v1/groups/{api.group(admin)}"
    answer = api.delete(path)
    assert (answer.status_code, answer.json["status"]) == (200, "ARCHIVED")
    assert "deleted_at" in api.get(path).json
    for closed in (
        api.delete(path),
        api.patch(path, {"name": "x"}),
        api.post(f"{path}/members", {"participant_id": other}),
        api.patch(f"{path}/members/{admin}", {"role": "MEMBER"}),
        api.delete(f"{path}/members/{admin}"),
        api.put(f"{path}/state/tags/x"),
        api.put(f"{path}/state/counters/k", {"value": "1"}),
    ):
        error_of(closed, 409, "group_archived")
    assert walk(api, "/v1/groups") == []
    assert len(walk(api, "/v1/groups", include_archived="true")) == 1


def test_whoever_is_unknown_is_told_before_the_group_is_closed(api: Caller) -> None:
    admin = api.participant("a")
    path = f"/v1/groups/{api.group(admin)}"
    api.delete(path)
    for answer in (
        api.post(f"{path}/members", {"participant_id": ABSENT}),
        api.post(f"{path}/members", {"members": [{"participant_id": admin}, {"participant_id": ABSENT}]}),
        api.patch(f"{path}/members/{ABSENT}", {"role": "MEMBER"}),
        api.patch(f"{path}/members/{admin}", {"role": "MEMBER", "on_behalf_of_participant_id": ABSENT}),
        api.delete(f"{path}/members/{ABSENT}"),
    ):
        error_of(answer, 404, "not_found")


def test_groups_are_renamed_and_listed_in_order(api: Caller) -> None:
    admin = api.participant("a")
    first, second = api.group(admin), api.group(admin)
    assert api.patch(f"/v1/groups/{second}", {"name": "Aunts"}).json["name"] == "Aunts"
    error_of(api.patch(f"/v1/groups/{second}", {"name": ""}), 400, "validation_error")
    error_of(api.patch(f"/v1/groups/{ABSENT}", {"name": "x"}), 404, "not_found")
    assert [row["id"] for row in walk(api, "/v1/groups", limit=1)] == [second, first]
    by_name = walk(api, "/v1/groups", sort_by="name", sort_dir="asc", limit=1)
    assert [row["id"] for row in by_name] == [second, first]
