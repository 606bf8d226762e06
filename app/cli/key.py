"""Manage API keys and organizations: create, list, revoke, organization, limit."""

from argparse import ArgumentParser, Namespace
from typing import Any
from uuid import UUID

from app.cli.failure import Failure
from app.cli.organization import chosen, takes_organization
from app.db import read_clock, transaction
from app.flows import api_keys as flow
from app.flows import bootstrap
from app.store import api_keys, organizations


def main(argv: list[str]) -> int:
    """Do what the first argument says, on the database of the running system or of DATABASE_URL."""
    arguments = _parser().parse_args(argv)
    action: Any = arguments.action
    action(arguments)
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="dev.py key", description=__doc__)
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a key and show it once")
    create.set_defaults(action=_create)
    create.add_argument("--name", default="Made by dev.py key create")
    takes_organization(create)
    listing = actions.add_parser("list", help="show all keys of an organization, never their text")
    listing.set_defaults(action=_list)
    takes_organization(listing)
    revoke = actions.add_parser("revoke", help="make a key useless, everywhere, within a second")
    revoke.set_defaults(action=_revoke)
    revoke.add_argument("key_id", type=UUID, help="the id that `list` shows")
    takes_organization(revoke)
    organization = actions.add_parser("organization", help="make an organization and its first key")
    organization.set_defaults(action=_organization)
    organization.add_argument("name")
    limit = actions.add_parser("limit", help="set an organization's rate limit")
    limit.set_defaults(action=_limit)
    limit.add_argument("per_second", type=int, help="requests a second; 0 means no limit")
    limit.add_argument("burst", type=int, help="requests at once")
    takes_organization(limit)
    return parser


def _create(arguments: Namespace) -> None:
    key_id, key = flow.create(chosen(arguments.organization), arguments.name)
    print(f"{key}\nThis is key {key_id}. It is shown this once.")


def _list(arguments: Namespace) -> None:
    organization_id = chosen(arguments.organization)
    with transaction() as connection:
        rows = api_keys.of_organization(connection, organization_id)
    for row in rows:
        state = f"revoked {row['revoked_at']:%Y-%m-%d %H:%M}" if row["revoked_at"] else "active"
        print(f"{row['id']}  {row['prefix']}…  {row['created_at']:%Y-%m-%d %H:%M}  {state}  {row['name']}")


def _revoke(arguments: Namespace) -> None:
    flow.revoke(chosen(arguments.organization), arguments.key_id)
    print("Revoked.")


def _organization(arguments: Namespace) -> None:
    key = flow.new_key()
    with transaction() as connection:
        organization_id = bootstrap.create_organization(
            connection, arguments.name, bootstrap.GUEST_LIMIT_PER_SECOND, bootstrap.GUEST_LIMIT_BURST
        )
        flow.store(
            connection,
            organization_id=organization_id,
            name=bootstrap.FIRST_KEY,
            key=key,
            now=read_clock(connection),
        )
    print(f"{key}\nThis is the first key of organization {organization_id}. It is shown this once.")


def _limit(arguments: Namespace) -> None:
    if arguments.per_second < 0 or arguments.burst < 0:
        raise Failure("A limit cannot be negative.")
    with transaction() as connection:
        organizations.set_rate_limit(
            connection,
            organization_id=chosen(arguments.organization),
            per_second=arguments.per_second,
            burst=arguments.burst,
            now=read_clock(connection),
        )
    print("Set; it holds everywhere within a second.")
