"""The SQL of due work that has no table of its own: one row a thing, with how far it has come."""

from datetime import datetime
from typing import Any
from uuid import UUID

from app.db import Connection
from app.domain.json import dumps

_PUT = """
INSERT INTO due_work (kind, organization_id, subject_id, due_at, details)
VALUES (%(kind)s, %(organization_id)s, %(subject_id)s, %(due_at)s, %(details)s)
ON CONFLICT (organization_id, kind, subject_id)
    DO UPDATE SET due_at = excluded.due_at, details = excluded.details
"""


def put(
    c: Connection, kind: str, organization_id: UUID, subject_id: UUID, due_at: datetime,
    details: dict[str, Any],
) -> None:
    """Have something done; where it is under way it begins anew."""
    c.execute(_PUT, {
        "kind": kind, "organization_id": organization_id, "subject_id": subject_id, "due_at": due_at,
        "details": dumps(details),
    })


def first(c: Connection, kind: str, now: datetime) -> dict[str, Any] | None:
    """Return what of a kind is due longest, locked."""
    return c.execute(
        "SELECT organization_id, subject_id, details FROM due_work WHERE kind = %s AND due_at <= %s"
        " ORDER BY due_at, organization_id, subject_id LIMIT 1 FOR UPDATE",
        (kind, now),
    ).fetchone()


def done(c: Connection, kind: str, organization_id: UUID, subject_id: UUID) -> None:
    """Remove what is done."""
    c.execute(
        "DELETE FROM due_work WHERE organization_id = %s AND kind = %s AND subject_id = %s",
        (organization_id, kind, subject_id),
    )


def any_due(c: Connection, kind: str, now: datetime) -> bool:
    """Say whether anything of a kind is due."""
    row = c.execute(
        "SELECT EXISTS (SELECT 1 FROM due_work WHERE kind = %s AND due_at <= %s) AS due", (kind, now)
    ).fetchone()
    return bool(row and row["due"])
