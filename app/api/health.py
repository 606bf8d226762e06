"""Is the process alive, and is everything that it needs there? For supervisors and load balancers."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import psycopg
import sqlalchemy.exc
from redis import RedisError

from app.api.fields import Answer
from app.api.routing import Reply, Request, route
from app.db import connection
from app.queue import client
from app.store import vitals

WORKER_KEY = "florin:heartbeat:worker"
SCHEDULER_KEY = "florin:heartbeat:scheduler"
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations" / "versions"


class Live(Answer):
    """The process answers."""

    status: str


class Ready(Answer):
    """What is there and what is missing; each part says `ok` or what is wrong with it."""

    status: str
    parts: dict[str, str]


@route("GET", "/health/live", summary="Liveness", tag="Health", responses={200: Live}, public=True)
def live(request: Request) -> Reply:
    """Say that the process answers requests; asks nothing of any other process."""
    return Reply(200, {"status": "ok"})


@route(
    "GET", "/health/ready", summary="Readiness", tag="Health", responses={200: Ready, 503: Ready},
    public=True,
    description="PostgreSQL, its schema, Redis, a worker and the scheduler; 503 where one is missing.",
)
def ready(request: Request) -> Reply:
    """Ask every part of the system whether it is there."""
    parts = {
        "database": _ask(_database), "schema": _ask(_schema), "redis": _ask(_redis),
        "worker": _ask(lambda: _beats(WORKER_KEY)), "scheduler": _ask(lambda: _beats(SCHEDULER_KEY)),
    }
    fine = all(answer == "ok" for answer in parts.values())
    return Reply(200 if fine else 503, {"status": "ok" if fine else "unavailable", "parts": parts})


def _ask(question: Callable[[], str]) -> str:
    try:
        return question()
    except (psycopg.Error, sqlalchemy.exc.SQLAlchemyError, RedisError, OSError) as error:
        return f"unreachable ({type(error).__name__})"


def _database() -> str:
    with connection() as c:
        c.execute("SELECT 1")
    return "ok"


def _schema() -> str:
    with connection() as c:
        stands = vitals.migration(c)
    needed = newest_migration()
    # A newer schema serves as well: migrations are safe beside the previous release. Were it refused, every
    # process would leave the balancer the moment that an upgrade begins, and a way back would not exist.
    fine = stands is not None and (needed is None or stands >= needed)
    return "ok" if fine else f"stands at {stands}, the code needs {needed}"


def _redis() -> str:
    client().ping()
    return "ok"


def _beats(key: str) -> str:
    return "ok" if client().exists(key) else "no heartbeat"


@cache
def newest_migration() -> str | None:
    """Return the number of the newest migration that this code brings."""
    numbers = sorted(path.name.partition("_")[0] for path in MIGRATIONS.glob("[0-9]*_*.py"))
    return numbers[-1] if numbers else None
