"""Imports by real workers that are killed in the middle: everything arrives, once, in order."""

from collections.abc import Iterable

from bench.import_files import Move, prepare, upload
from tests.api.client import Caller
from tests.duties.fleet import Fleet
from tests.waiting import wait_until

SECONDS = 60


def _import(fleet: Fleet, api: Caller, kind: str, file_type: str, lines: Iterable[str], program: str) -> str:
    def send(method: str, path: str, query: dict[str, str], body: bytes, kind: str) -> dict[str, object]:
        answer = api.send(method, path, data=body, content_type=kind, query_string=query)
        assert answer.status_code == 202, answer.json
        return dict(answer.json)

    return upload(send, kind, file_type, lines, program)[0]


def test_a_move_outlives_the_deaths_of_its_workers(fleet: Fleet, api: Caller) -> None:
    move = Move(people=1_500, events=3_000)
    program = prepare(lambda path, body: dict(api.post(path, body).json))
    worker = fleet.start("worker")
    fleet.start("scheduler")
    for kind, file_type, lines in move.files():
        import_id = _import(fleet, api, kind, file_type, lines, program)
        path = f"/v1/imports/{import_id}"
        total = api.get(path).json["total_lines"]
        for third in (1, 2) if kind == "events" else ():
            wait_until(lambda path=path, enough=total * third // 3: (
                api.get(path).json["processed_lines"] >= enough
            ), f"{third}/3 of {kind}", SECONDS)
            fleet.kill(worker)
            worker = fleet.start("worker")
        wait_until(lambda path=path: api.get(path).json["status"] == "COMPLETED", f"all of {kind}", SECONDS)
        done = api.get(path).json
        assert done["processed_lines"] == total
        good = move.events if kind == "events" else move.people
        assert (done["rejected_lines"], done["accepted_lines"]) == (move.bad(kind), good)
    wait_until(lambda: fleet.ask("SELECT count(*) FROM inbox") == 0, "all events decided", SECONDS)
    assert move.faults(fleet.ask, api.organization_id) == []
