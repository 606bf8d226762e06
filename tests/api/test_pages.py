"""Pages: nothing is skipped or shown twice, and a cursor serves its own list only."""

import threading

from tests.api.client import Caller, error_of, new_caller, walk

ROWS = 1200


def test_rows_that_stay_appear_exactly_once_while_others_come_and_go(api: Caller) -> None:
    for start in range(0, ROWS, 400):
        people = [{"external_id": f"stay-{number:05}"} for number in range(start, start + 400)]
        api.post("/v1/participants/batch", {"participants": people})
    other = Caller(api.http.application.test_client(), api.organization_id, api.key)
    stop = threading.Event()

    def disturb() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            other.post("/v1/participants", {"external_id": f"come-{number:05}"})
            other.post("/v1/participants", {"external_id": f"stay-{number:05}x"})

    writer = threading.Thread(target=disturb)
    writer.start()
    try:
        for query in (
            {"sort_by": "external_id", "sort_dir": "asc"},
            {"sort_by": "created_at"},
            {"sort_by": "status"},
            {"search": "stay-"},
        ):
            found = [row["external_id"] for row in walk(api, "/v1/participants", limit=37, **query)]
            stayed = [name for name in found if name.startswith("stay-") and not name.endswith("x")]
            assert len(found) == len(set(found))
            assert len(stayed) == ROWS
    finally:
        stop.set()
        writer.join()


def test_a_cursor_is_refused_under_other_filters_order_list_or_organization(api: Caller) -> None:
    for number in range(3):
        api.program(name=f"p{number}")
        api.participant(f"p{number}")
    cursor = api.get("/v1/programs", limit=1).json["pagination"]["next_cursor"]
    assert api.get("/v1/programs", limit=2, cursor=cursor).status_code == 200
    stranger = new_caller(api.http)
    for answer in (
        api.get("/v1/programs", cursor=cursor, search="p"),
        api.get("/v1/programs", cursor=cursor, sort_dir="asc"),
        api.get("/v1/programs", cursor=cursor, sort_by="name"),
        api.get("/v1/participants", cursor=cursor),
        stranger.get("/v1/programs", cursor=cursor),
    ):
        assert list(error_of(answer, 400, "invalid_request")) == ["cursor"]


def test_a_cursor_that_was_tampered_with_is_refused(api: Caller) -> None:
    for number in range(2):
        api.program(name=f"p{number}")
    cursor = api.get("/v1/programs", limit=1).json["pagination"]["next_cursor"]
    changed = cursor[:-3] + ("AAA" if cursor[-3:] != "AAA" else "BBB")
    for wrong in ("", "x", "!!!!", changed, cursor + "A", cursor[:20], "A" * 5000, "ä"):
        error_of(api.get("/v1/programs", cursor=wrong), 400, "invalid_request")
