"""A fleet on a database of its own, with an organization in it whose API is called in this process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from app.api import create_app
from app.db import engine
from app.queue import client
from app.settings import settings
from tests.api.client import Caller, new_caller
from tests.duties.fleet import Fleet, fleet_on


@pytest.fixture
def fleet(
    own_database: dict[str, str], redis_client: "redis.Redis[bytes]", tmp_path: Path
) -> Iterator[Fleet]:
    """A fleet without processes yet."""
    with fleet_on(own_database, tmp_path) as made:
        yield made


@pytest.fixture
def api(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    """A caller of the fleet's database."""
    for name, value in fleet.values.items():
        monkeypatch.setenv(name, value)
    _forget()
    application = create_app()
    try:
        yield new_caller(application.test_client())
    finally:
        application.server.recorder.stop()
        _forget()
        monkeypatch.undo()
        _forget()


def _forget() -> None:
    """Have the process read its settings and connect anew; what it has open is closed."""
    if engine.cache_info().currsize:
        engine().dispose()
    if client.cache_info().currsize:
        client().close()
    settings.cache_clear()
    engine.cache_clear()
    client.cache_clear()
