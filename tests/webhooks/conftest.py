"""Fixtures: the API, a pump of this process, and loopback as a network that is allowed."""

import os
from collections.abc import Iterator

import pytest

from app.flows.deliver_webhooks import Pump
from app.flows.send_webhook import Sender
from app.flows.webhook_addresses import Router
from app.settings import settings
from tests.api.client import Caller
from tests.api.conftest import api, application, http
from tests.events.scene import Scene, open_scene
from tests.timeline import real_clock_after

__all__ = ["api", "application", "http"]


@pytest.fixture(autouse=True)
def loopback_allowed() -> Iterator[None]:
    """Allow receivers on loopback, as an operator would."""
    os.environ["WEBHOOK_ALLOWED_NETWORKS"] = "127.0.0.0/8"
    settings.cache_clear()
    yield
    del os.environ["WEBHOOK_ALLOWED_NETWORKS"]
    settings.cache_clear()


@pytest.fixture
def scene(api: Caller) -> Scene:
    """A program with an asset."""
    return open_scene(api)


@pytest.fixture
def pump(database: str) -> Iterator[Pump]:
    """A pump, stopped before the database is emptied."""
    made = Pump(Sender(Router(settings().webhook_allowed_networks)))
    with real_clock_after():
        yield made
        made.stop()
