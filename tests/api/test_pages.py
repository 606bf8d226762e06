"""Pages: nothing is skipped or shown twice, and a cursor serves its own list only."""

import threading
from contextlib import nullcontext
from functools import partial

import psycopg
import pytest

from app import db
from app.domain.ids import new_id
from app.store import participants
from app.store.pages import Page, Where
from tests.api.client import Caller, error_of, new_caller, walk


@pytest.mark.parametrize("rows", [1_200, pytest.param(10_000, marks=pytest.mark.nightly)])
def test_rows_that_stay_appear_exactly_once_while_others_come_and_go(api: Caller, rows: int) -> None:
    for start in range(0, rows, 400):
        people = [{"external_id": f"stay-{number:05}"} for number in range(start, start + 400)]
        api.post("/v1/participants/batch", {"participants": people})
    other = Caller(api.http.application.test_client(), api.organization_id, api.key)
    stop = threading.Event()

    def disturb() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            other.post("/v1/participants", {"external_id": f"come-{number:05}"})
            made = other.post("/v1/participants", {"external_id": f"stay-{number:05}x"})
            if number % 2:
                _remove(made.json["id"])

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
            assert len(stayed) == rows
    finally:
        stop.set()
        writer.join()


def _remove(participant_id: str) -> None:
    """Take a row away altogether, which no request does: participants are erased, and stay."""
    with db.transaction() as c:
        c.execute("DELETE FROM participants WHERE id = %s", (participant_id,))


TEXTS = [
    "q", "Q", "zq", "-7", "7", "nobody", "row-1", "ß", "row 1", "zqzq", "row-40-zq", "ROW-1",
    "row-119", "w-111", "ROW-119-ω", "111111",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("index", ["used", "too dense", "none"])
def test_a_search_finds_each_row_once_however_little_a_page_may_read(
    api: Caller, owner_connection: db.Connection, monkeypatch: pytest.MonkeyPatch, text: str, index: str
) -> None:
    c = owner_connection
    if index == "too dense":
        monkeypatch.setattr(participants, "CANDIDATES_MAX", 0)
        monkeypatch.setattr(participants, "MATCHES_MAX", 0)
    if index == "none":
        c.execute("DROP INDEX IF EXISTS participants_search")
    names = [f"row-{number}" + ("-ZQ" if number % 40 == 0 else "") for number in range(120)]
    rows = [{"id": str(new_id()), "external_id": name, "status": "ACTIVE"} for name in names]
    participants.insert(c, api.organization_id, rows, db.read_clock(c))
    monkeypatch.setattr(participants, "NEAR_ROWS", 10)
    monkeypatch.setattr(participants, "SCANNED_ROWS", 10)
    for sort_by, descending in (("created_at", True), ("external_id", False), ("status", True)):
        order = participants.order(sort_by, descending=descending)
        found: list[str] = []
        page = Page(7)
        while True:
            read = participants.page(
                c, api.organization_id, order, page, external_id=None, program_id=None, status=None,
                search=text, window=(None, None),
            )
            assert len(read.rows) <= page.limit
            found += [row["external_id"] for row in read.rows]
            if read.next is None:
                break
            page = Page(7, read.next)
        assert sorted(found) == sorted(name for name in names if text.lower() in name.lower())


def test_the_index_is_not_asked_for_what_nearly_all_rows_nearly_hold(
    api: Caller, owner_connection: db.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    c = owner_connection
    rows = [
        {"id": str(new_id()), "external_id": f"{number:08}", "status": "ACTIVE", "first_name": "Ada",
         "email": "x@example.com"}
        for number in range(200)
    ]
    participants.insert(c, api.organization_id, rows, db.read_clock(c))
    monkeypatch.setattr(participants, "NEAR_ROWS", 100)
    monkeypatch.setattr(participants, "CANDIDATES_MAX", 0)
    monkeypatch.setattr(participants, "_MATCHES", "the index was asked (")
    for text in ("ada example", "00000000000", "adaada"):
        order = participants.order("created_at", descending=True)
        ask = partial(
            participants.page, c, api.organization_id, order, Page(7), external_id=None, program_id=None,
            status=None, window=(None, None),
        )
        dense = text != "adaada"  # No row holds all of its runs: there is nothing to look at.
        with nullcontext() if dense else pytest.raises(psycopg.errors.SyntaxError), c.transaction():
            assert (found := ask(search=text)).next is not None
            assert found.rows == []
    monkeypatch.setattr(participants, "CANDIDATES_MAX", 10**9)
    with pytest.raises(psycopg.errors.SyntaxError), c.transaction():
        ask(search="ada example")


@pytest.mark.parametrize(("text", "asked"), [
    ("customer-777", ["-777"]), ("777@EXAMPLE.com", ["777@"]), ("777 é Customer", ["777 "]),
    ("customer-éàü", ["customer-éàü"]), ("é777é customer", ["é777é customer"]),
    ("zoe-777", ["zoe-777"]), ("777", ["777"]), ("customer", ["customer"]), ("customer-example", []),
])
def test_the_index_is_asked_for_the_words_that_few_rows_hold(
    api: Caller, owner_connection: db.Connection, monkeypatch: pytest.MonkeyPatch, text: str, asked: list[str]
) -> None:
    c = owner_connection
    rows = [
        {"id": str(new_id()), "external_id": f"customer-{number:03}", "status": "ACTIVE",
         "email": f"{number:03}@example.com"}
        for number in range(200)
    ]
    participants.insert(c, api.organization_id, rows, db.read_clock(c))
    monkeypatch.setattr(participants, "NEAR_ROWS", 100)
    where = Where.of(api.organization_id, "p.organization_id")
    order = participants.order("created_at", descending=True)
    sql = "SELECT p.* FROM participants p WHERE "
    assert participants._narrowing(c, sql, where, order, Page(7), text, 1_000_000) == asked


def test_what_has_no_letters_is_found_without_regard_to_case_by_like(connection: db.Connection) -> None:
    row = connection.execute("""
SELECT string_agg(DISTINCT lower(chr(n)), '') AS lowered FROM generate_series(128, 1114111) n
WHERE n NOT BETWEEN 55296 AND 57343
""").fetchone()
    assert row is not None
    assert not [sign for sign in row["lowered"] if participants._CASELESS.fullmatch(sign)]
    signs = [chr(number) for number in range(1, 128)]
    caseless = {sign for sign in signs if participants._CASELESS.fullmatch(sign)}
    assert caseless == {sign for sign in signs if sign.isprintable() and not sign.isalpha()}


@pytest.mark.parametrize(("word", "runs"), [
    ("999999", "999"), ("abc", "abc"), ("121212", "1212"), ("customer", "customer"), ("aaab", "aaab"),
    ("abcabcab", "abcab"),
])
def test_the_core_of_a_word_has_all_of_its_runs(word: str, runs: str) -> None:
    assert participants.core(word) == runs


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
