"""Bring the database up to date: migrations, then the first organization where BOOTSTRAP_API_KEY is set."""

import sys
from argparse import ArgumentParser
from datetime import timedelta

import psycopg
from alembic import command
from alembic.config import Config

from app.cli.datafolder import ROOT
from app.cli.failure import Failure
from app.cli.servers_ports import ask_postgres
from app.db import transaction
from app.flows.bootstrap import ensure_first_organization, set_test_clock
from app.settings import settings
from app.store import clock


def main(argv: list[str]) -> int:
    """Run before the processes of a new version start; safe beside those of the previous one."""
    ArgumentParser(prog="dev.py release", description=__doc__).parse_args(argv)
    for name, url in (
        ("MIGRATION_DATABASE_URL", settings().migration_database_url),
        ("DATABASE_URL", settings().database_url),
    ):
        if problem := ask_postgres(url):
            raise Failure(f"{name}: {problem}")
    command.upgrade(Config(toml_file=ROOT / "pyproject.toml", stdout=sys.stderr), "head")
    try:
        prepare()
    except psycopg.errors.InsufficientPrivilege as error:
        raise Failure(
            "The role of DATABASE_URL may not use the tables: name it in APP_DATABASE_ROLE before the "
            f"first migration ({error.diag.message_primary})."
        ) from None
    return 0


def prepare() -> None:
    """Fill a migrated database with what it needs to be of use."""
    key = settings().bootstrap_api_key
    if key and ensure_first_organization(key):
        print("Made the first organization; its key is that of BOOTSTRAP_API_KEY.")
    offset = settings().clock_offset_seconds
    if offset is not None:
        set_test_clock(timedelta(seconds=offset))
    if settings().production:
        with transaction() as connection:
            if clock.ahead(connection):
                raise Failure("A test clock was used on this database, so production refuses it.")
