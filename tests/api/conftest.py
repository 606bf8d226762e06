"""Fixtures of the HTTP tests: the application once, an organization for each test."""

from collections.abc import Iterator

import pytest
from werkzeug.test import Client as WsgiClient

from app.api import create_app
from app.api.application import Florin
from tests.api.client import Caller, new_caller
from tests.harness import Servers


@pytest.fixture(scope="session")
def application(servers: Servers) -> Iterator[Florin]:
    """The WSGI application on the tests' servers."""
    made = create_app()
    yield made
    made.server.recorder.stop()


@pytest.fixture
def http(application: Florin, database: str) -> Iterator[WsgiClient]:
    """A client without a key; what was written is gone after the test."""
    yield application.test_client()
    application.server.recorder.flush()


@pytest.fixture
def api(http: WsgiClient) -> Caller:
    """A caller of an organization of its own."""
    return new_caller(http)
