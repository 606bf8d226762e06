"""The fixtures of the HTTP tests, and a scene: a program with an asset, ready for rules and events."""

import pytest

from tests.api.client import Caller
from tests.api.conftest import api, application, http
from tests.events.scene import Scene, open_scene

__all__ = ["api", "application", "http"]


@pytest.fixture
def scene(api: Caller) -> Scene:
    """A program that creates unknown participants."""
    return open_scene(api)
