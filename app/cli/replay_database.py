"""The empty database that a replay needs: made beside the one in use, migrated, and removed again."""

import os
import subprocess
import sys
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import psycopg
from psycopg import sql

from app.book.check import Checked
from app.cli.datafolder import ROOT
from app.cli.failure import Failure
from app.db import connect_arguments
from app.flows import replay as flow
from app.settings import settings
from app.store import replays

ENDING = "_replay"


def replay(organization_id: UUID | None, into: str | None = None) -> Iterator[tuple[Checked, str]]:
    """Replay the event log of the system's database; yields what was compared. Raises Failure."""
    own = settings().migration_database_url
    if into is not None:
        yield from _compared(own, into, organization_id)
        return
    parts = urlsplit(own)
    name = parts.path.strip("/") + ENDING
    try:
        with psycopg.connect(own, autocommit=True) as c:
            _drop(c, name)
            c.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
            try:
                yield from _compared(own, urlunsplit(parts._replace(path=f"/{name}")), organization_id)
            finally:
                _drop(c, name)
    except psycopg.errors.InsufficientPrivilege as error:
        raise Failure(
            f"A database for the replay cannot be made ({error.diag.message_primary}); give an empty one of "
            "yours: --into postgresql://…"
        ) from None


def refuse_unfit(into: str) -> None:
    """Look at a database that somebody named, before anything is done with it. Raises Failure."""
    parts = urlsplit(into)
    if parts.scheme not in ("postgresql", "postgres") or not parts.netloc or not parts.path.strip("/"):
        raise Failure("--into must look like postgresql://user:password@host:5432/database.")
    try:
        with replays.open_copy(into, connect_arguments()) as target:
            if not replays.is_empty(target):
                raise Failure("The database to replay into is not empty.")
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise Failure(f"The database to replay into cannot be used: {reason}") from None


def _drop(c: psycopg.Connection, name: str) -> None:
    c.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _compared(own: str, into: str, organization_id: UUID | None) -> Iterator[tuple[Checked, str]]:
    refuse_unfit(into)
    _migrate(into)
    with replays.open_copy(own, connect_arguments()) as source, \
            replays.open_copy(into, connect_arguments()) as target, source.transaction():
        # One moment of the system, which goes on meanwhile.
        source.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        source.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        yield from flow.run(source, target, organization_id)


def _migrate(url: str) -> None:
    """Bring the empty database to the schema of this version."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "DATABASE_URL": url, "MIGRATION_DATABASE_URL": url}, check=False,
    )
    if done.returncode != 0:
        raise Failure(f"The database to replay into cannot be migrated.\n{done.stderr.strip()[-1000:]}")
