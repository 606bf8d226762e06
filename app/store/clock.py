"""The SQL of the system's clock: how far a test clock runs ahead. Reading it is app/db.py's."""

from datetime import timedelta

from app.db import Connection


def move_ahead(connection: Connection, ahead: timedelta) -> None:
    """Let the whole system's clock run at least `ahead` of the real one; it never moves back."""
    connection.execute("UPDATE clock SET ahead = greatest(ahead, %s)", (ahead,))


def ahead(connection: Connection) -> timedelta:
    """How far the system's clock runs ahead of the real one; zero unless a test clock was used."""
    row = connection.execute("SELECT ahead FROM clock").fetchone()
    assert row is not None
    moved: timedelta = row["ahead"]
    return moved
