"""The servers of the tests: our own, or those that TEST_DATABASE_URL and TEST_REDIS_URL name.

Addresses are fixed when pytest is configured, so that modules may read their settings while they are
imported; the servers start when the first test asks for them. A run of pure tests starts none.
"""

import os
import secrets
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from app.cli.datafolder import ROOT
from app.cli.servers_binaries import postgres_binaries, valkey_binary
from app.cli.servers_ports import ask_postgres, ask_redis, free_port
from app.cli.servers_postgres import APP, Postgres, make_role, prepare
from app.cli.servers_valkey import Valkey
from app.cli.supervise import Supervisor

START_SECONDS = 30
POLL_SECONDS = 0.02
SUFFIX = "_test"


class RefusedError(Exception):
    """The named server must not be used for tests: they empty it."""


@dataclass(frozen=True)
class Plan:
    """Where the tests will find their servers, decided before anything starts."""

    folder: Path
    outside_database: str | None
    outside_redis: str | None
    postgres_port: int
    valkey_port: int
    password: str

    @classmethod
    def of_environment(cls) -> "Plan":
        """Read TEST_DATABASE_URL and TEST_REDIS_URL. Raises RefusedError."""
        database = os.environ.get("TEST_DATABASE_URL") or None
        redis = os.environ.get("TEST_REDIS_URL") or None
        if database and not urlsplit(database).path.endswith(SUFFIX):
            raise RefusedError(f"TEST_DATABASE_URL: tests empty it, so its name must end in {SUFFIX}")
        if redis and urlsplit(redis).path.strip("/") in ("", "0"):
            raise RefusedError("TEST_REDIS_URL: tests empty it, so it must name a database other than 0")
        folder = ROOT / ".data" / "test" / str(os.getpid())
        return cls(folder, database, redis, free_port(), free_port(), secrets.token_urlsafe())

    @cached_property
    def name(self) -> str:
        """The database that the tests of this process work in."""
        base = urlsplit(self.outside_database).path.strip("/") if self.outside_database else "florin_test"
        return f"{base.removesuffix(SUFFIX)}_{os.getpid()}{SUFFIX}"

    @property
    def role(self) -> str:
        """The role of the product; on an outside server one of this process alone."""
        return f"florin_{os.getpid()}_test" if self.outside_database else APP

    def owner_url(self, database: str) -> str:
        """The address of a database for the role that owns the tables."""
        if self.outside_database:
            return urlunsplit(urlsplit(self.outside_database)._replace(path=f"/{database}"))
        return f"postgresql://florin_owner:{self.password}@127.0.0.1:{self.postgres_port}/{database}"

    def app_url(self, database: str) -> str:
        """The address of a database for the role of the running product, which owns nothing."""
        parts = urlsplit(self.owner_url(database))
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit(parts._replace(netloc=f"{self.role}:{self.password}@{place}"))

    @property
    def redis_url(self) -> str:
        """The address of Redis or Valkey."""
        return self.outside_redis or f"redis://:{self.password}@127.0.0.1:{self.valkey_port}/0"

    def environment(self, database: str) -> dict[str, str]:
        """The settings under which the product works on a database of the tests."""
        return {
            "DATABASE_URL": self.app_url(database),
            "MIGRATION_DATABASE_URL": self.owner_url(database),
            "APP_DATABASE_ROLE": self.role,
            "REDIS_URL": self.redis_url,
            "SECRET_KEY": "a key for tests, which protects nothing at all",
            "FLORIN_ENV": "development",
            "LOG_LEVEL": "WARNING",
        }


class Servers:
    """The running servers, with a migrated template from which databases are copied."""

    def __init__(self, plan: Plan) -> None:
        """Start what is ours, migrate the template, copy the database of this process from it."""
        self.plan = plan
        self._supervisor = Supervisor(say=print)
        self._postgres: Postgres | None = None
        self.template = plan.name.removesuffix(SUFFIX) + "_template" + SUFFIX
        self._start()
        self._maintenance = psycopg.connect(plan.owner_url(self._first_database()), autocommit=True)
        make_role(self._maintenance, plan.role, plan.password)
        self.create(self.template)
        migrate(plan.environment(self.template))
        self.copy(plan.name)
        self._emptying = self._how_to_empty()

    def _first_database(self) -> str:
        outside = self.plan.outside_database
        return urlsplit(outside).path.strip("/") if outside else "postgres"

    def _start(self) -> None:
        plan = self.plan
        remove_leftovers(plan.folder.parent)
        logs = plan.folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        if not plan.outside_database:
            named = os.environ.get("TEST_POSTGRES_BINARIES")
            self._postgres = prepare(
                Path(named) if named else postgres_binaries(),
                plan.folder / "postgres",
                plan.postgres_port,
                plan.password,
                plan.password,
                durable=False,
            )
            self._supervisor.add(self._postgres.line(logs / "postgres.log"))
            ask = partial(ask_postgres, plan.owner_url("postgres"))
            assert self._supervisor.watch(lambda: ask() is None, START_SECONDS, POLL_SECONDS), ask()
        if not plan.outside_redis:
            valkey = Valkey(valkey_binary(), plan.folder / "valkey", plan.valkey_port, plan.password)
            self._supervisor.add(valkey.line(logs / "valkey.log"))
            ask = partial(ask_redis, plan.redis_url)
            assert self._supervisor.watch(lambda: ask() is None, START_SECONDS, POLL_SECONDS), ask()

    def create(self, name: str) -> None:
        """Make an empty database, in place of one that an interrupted run left."""
        self.drop(name)
        self._maintenance.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def copy(self, name: str) -> None:
        """Make a migrated database (some 50 ms), for tests that need one of their own."""
        self.drop(name)
        names = (sql.Identifier(name), sql.Identifier(self.template))
        self._maintenance.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*names))

    def drop(self, name: str) -> None:
        """Remove a database and whoever is still connected to it."""
        self._maintenance.execute(
            sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
        )

    def empty(self) -> None:
        """Bring the database of this process back to what the migrations made (some milliseconds)."""
        with psycopg.connect(self.plan.owner_url(self.plan.name), autocommit=True) as connection:
            connection.execute(self._emptying)

    def _how_to_empty(self) -> str:
        """One text of statements: delete everything, then put back the rows that the migrations inserted."""
        with psycopg.connect(self.plan.owner_url(self.template), autocommit=True) as connection:
            tables = [
                name
                for (name,) in connection.execute(
                    "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
                )
                if name != "alembic_version"
            ]
            # As a replica no trigger and no foreign key fires: the journal is append-only otherwise.
            parts = ["BEGIN; SET LOCAL session_replication_role = replica"]
            parts += [f"DELETE FROM {table}" for table in tables]
            for table in tables:
                row = connection.execute(
                    f"SELECT quote_literal(jsonb_agg(to_jsonb(t))::text) FROM {table} t"
                ).fetchone()
                if row and row[0]:
                    source = f"jsonb_populate_recordset(NULL::{table}, {row[0]})"
                    parts.append(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM {source}")
        return "; ".join([*parts, "COMMIT"])

    def stop(self) -> None:
        """Remove the databases, stop what is ours, remove its data."""
        for name in (self.plan.name, self.template):
            self.drop(name)
        self._maintenance.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(self.plan.role)))
        self._maintenance.close()
        self._supervisor.stop(lambda name: True)
        if self._postgres:
            shutil.rmtree(self._postgres.identity.cluster, ignore_errors=True)
        shutil.rmtree(self.plan.folder, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove the data of runs that were killed; their servers went down with them."""
    for old in folder.glob("[0-9]*"):
        if not Path(f"/proc/{old.name}").exists():
            shutil.rmtree(old, ignore_errors=True)


def migrate(values: dict[str, str]) -> None:
    """Run the migrations in a process of their own, as a release does."""
    done = subprocess.run(
        [sys.executable, "-m", "alembic", "upgrade", "head"],
        cwd=ROOT,
        env={**os.environ, **values},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
