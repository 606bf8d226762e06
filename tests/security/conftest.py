"""The HTTP tests' application and callers, for attacks on them."""

from tests.api.conftest import api, application, http

__all__ = ["api", "application", "http"]
