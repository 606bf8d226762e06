"""The test clock over HTTP: moves the whole system's time forward, and only where the setting allows it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from app import db
from app.settings import settings
from tests.api.client import Caller, error_of
from tests.timeline import real_clock_after

PATH = "/v1/test/clock"


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start as with CLOCK_OFFSET=0."""
    monkeypatch.setenv("CLOCK_OFFSET", "0")
    settings.cache_clear()
    with real_clock_after():
        yield
    monkeypatch.undo()
    settings.cache_clear()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.usefixtures("allowed")
def test_the_clock_moves_forward_for_everybody(api: Caller) -> None:
    before = moment(api.get(PATH).json["now"])
    answer = api.post(PATH, {"advance": "24h"})
    assert answer.status_code == 200, answer.json
    assert answer.json["ahead_seconds"] == 86400
    with db.connection() as c:
        assert db.read_clock(c) - before >= timedelta(hours=24)
    api.post(PATH, {"to": "2130-01-01T00:00:00Z"})
    assert api.get(PATH).json["now"].startswith("2130-01-01T00:00:")
    program = api.post("/v1/programs", {"name": "Later"}).json
    assert program["created_at"].startswith("2130-01-01")


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("body", [
    {}, {"advance": "24h", "to": "2130-01-01T00:00:00Z"}, {"advance": "-1h"}, {"to": "2020-01-01T00:00:00Z"},
])
def test_it_never_moves_back_and_moves_one_way(api: Caller, body: dict[str, str]) -> None:
    error_of(api.post(PATH, body), 400, "validation_error")


def test_without_the_setting_it_is_refused(api: Caller) -> None:
    error_of(api.post(PATH, {"advance": "24h"}), 403, "forbidden")
    error_of(api.get(PATH), 403, "forbidden")
