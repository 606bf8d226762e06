"""Which organization a command is about: the one that `--organization` names, else the only one there is."""

from argparse import ArgumentParser
from uuid import UUID

from app.cli.failure import Failure
from app.db import transaction
from app.store import organizations


def takes_organization(parser: ArgumentParser) -> None:
    """Give a command the option."""
    parser.add_argument("--organization", type=UUID, help="its id; may be left out where there is only one")


def chosen(named: UUID | None) -> UUID:
    """Return the organization that is meant. Raises Failure where it is not there, or not clear."""
    with transaction() as c:
        rows = organizations.every(c)
    ids: list[UUID] = [row["id"] for row in rows]
    if named is not None:
        if named not in ids:
            raise Failure(f"There is no organization {named}.")
        return named
    if not ids:
        raise Failure("There is no organization yet: make one with `dev.py key organization NAME`.")
    if len(ids) > 1:
        table = "\n".join(f"  {row['id']}  {row['name']}" for row in rows)
        raise Failure(f"Say which --organization is meant:\n{table}")
    return ids[0]
