"""Figures about the whole installation, over all organizations, for health checks and metrics."""

from dataclasses import dataclass
from typing import Any

from app.db import Connection

# Statistics of the tables: cheap, cumulative, and a little ahead of what was committed.
_WRITTEN = """
SELECT relname AS name, n_tup_ins AS inserted FROM pg_stat_user_tables
WHERE schemaname = 'public' AND relname IN ('events', 'decisions', 'journal_entries')
"""
_FAILED = "SELECT count(*) AS failed FROM decisions WHERE status = 'FAILED'"
_OLDEST = """
SELECT COALESCE(max(extract(epoch FROM read_clock() - e.created_at)), 0)::float8 AS seconds
FROM generate_series(0, 63) AS p(partition)
CROSS JOIN LATERAL (
    SELECT organization_id, event_seq FROM inbox i WHERE i.partition = p.partition ORDER BY position LIMIT 1
) w
JOIN events e ON e.organization_id = w.organization_id AND e.seq = w.event_seq
"""
_RECENT = """
SELECT percentile_disc(ARRAY[0.5, 0.9, 0.99]) WITHIN GROUP (ORDER BY seconds) AS seconds
FROM (
    SELECT extract(epoch FROM d.decided_at - e.created_at)::float8 AS seconds
    FROM (SELECT id FROM organizations ORDER BY created_at LIMIT 50) o
    CROSS JOIN LATERAL (
        SELECT seq, created_at FROM events e WHERE e.organization_id = o.id ORDER BY seq DESC LIMIT 500
    ) e
    JOIN decisions d ON d.organization_id = o.id AND d.event_seq = e.seq
) recent
"""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What the database knows about the work done and waiting."""

    inserted: dict[str, int]
    failed: int
    oldest_waiting_seconds: float
    completion_seconds: tuple[float, float, float] | None


def read(c: Connection) -> Vitals:
    """Return the figures."""
    inserted = {row["name"]: row["inserted"] for row in c.execute(_WRITTEN).fetchall()}
    failed: dict[str, Any] = c.execute(_FAILED).fetchone() or {}
    oldest: dict[str, Any] = c.execute(_OLDEST).fetchone() or {}
    recent: dict[str, Any] = c.execute(_RECENT).fetchone() or {}
    quantiles = recent.get("seconds")
    return Vitals(
        inserted, failed.get("failed", 0), oldest.get("seconds", 0.0), tuple(quantiles) if quantiles else None
    )


def migration(c: Connection) -> str | None:
    """Return the number of the migration that the database stands at."""
    row = c.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else row["version_num"]
