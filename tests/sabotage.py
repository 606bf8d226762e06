"""Something bad that PostgreSQL does on purpose: a trigger on the way to one row."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from tests.harness import Servers

REFUSE = "RAISE EXCEPTION 'broken on purpose'"


@contextmanager
def sabotage(
    servers: Servers, condition: str, deed: str = REFUSE, on: str = "INSERT ON decisions"
) -> Iterator[None]:
    """Do the deed before a write whose new row (NEW) meets a condition."""
    with psycopg.connect(servers.plan.owner_url(servers.plan.name), autocommit=True) as owner:
        owner.execute(
            "CREATE FUNCTION sabotage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$"
            f" BEGIN IF {condition} THEN {deed}; END IF; RETURN NEW; END $$"
        )
        owner.execute(f"CREATE TRIGGER sabotage BEFORE {on} FOR EACH ROW EXECUTE FUNCTION sabotage()")
        try:
            yield
        finally:
            owner.execute(f"DROP TRIGGER sabotage ON {on.split()[-1]}")
            owner.execute("DROP FUNCTION sabotage")
