"""The fixtures of the HTTP tests, and a scene: a program with an asset, ready for rules and events."""

from uuid import UUID

import pytest

from app.domain.ids import new_id
from app.flows import ingest
from tests.api.client import Caller
from tests.api.conftest import api, application, http
from tests.events.scene import Scene, open_scene

__all__ = ["api", "application", "http"]


@pytest.fixture
def scene(api: Caller) -> Scene:
    """A program that creates unknown participants."""
    return open_scene(api)


@pytest.fixture
def one_partition(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give everybody an id of one partition, so that their events meet in a batch."""
    monkeypatch.setattr(
        ingest, "new_id", lambda: UUID(bytes=new_id().bytes[:14] + bytes((7, new_id().bytes[0])))
    )
