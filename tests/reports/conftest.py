"""A made-up journal in the tests' database, and a caller who owns it."""

import pytest

from app import db
from app.flows import report_rollups, seal
from tests.api.client import Caller
from tests.api.conftest import api, application, http
from tests.api_balances.conftest import Shop, lot_shop, shop
from tests.reports.journal import Journal

__all__ = ["Shop", "api", "application", "http", "lot_shop", "shop"]

ENTRIES = 1500


@pytest.fixture
def journal(api: Caller) -> Journal:
    """A journal over two years, nothing of it sealed or rolled up yet."""
    made = Journal(api.organization_id)
    with db.transaction() as c:
        made.create(c)
        made.write(c, made.grow(ENTRIES))
    return made


def roll_up_everything() -> None:
    """Seal and roll up until nothing is left."""
    while seal.run():
        pass
    while report_rollups.run():
        pass
