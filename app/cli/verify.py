"""Check the whole ledger: balances, lots, wallets, budgets, hash chain, derived again from postings.

With --replay, every event is decided again in an empty database and compared as well.
"""

from argparse import ArgumentParser
from itertools import chain
from uuid import UUID

from app.cli import replay_database
from app.flows import verify


def main(argv: list[str]) -> int:
    """Print each check with its count; the exit code is 1 where anything does not hold."""
    parser = ArgumentParser(prog="dev.py verify", description=__doc__)
    parser.add_argument("--organization", type=UUID, help="only this one")
    parser.add_argument("--replay", action="store_true", help="decide every event again and compare")
    parser.add_argument("--into", help="an empty database for that (one is made and removed by default)")
    arguments = parser.parse_args(argv)
    if arguments.into is not None:
        if not arguments.replay:
            parser.error("--into needs --replay")
        replay_database.refuse_unfit(arguments.into)
    total = 0
    found = verify.run(arguments.organization)
    if arguments.replay:
        found = chain(found, replay_database.replay(arguments.organization, arguments.into))
    for checked, note in found:
        total += checked.violations
        verdict = "ok" if not checked.violations else f"{checked.violations} VIOLATIONS"
        print(f"{checked.name:<20} {verdict:<16} {note}".rstrip())
        for example in checked.examples:
            print(f"    {example.subject}: {example.detail}")
        if checked.violations > len(checked.examples):
            print(f"    … and {checked.violations - len(checked.examples)} more")
    print("The ledger holds." if not total else f"The ledger does NOT hold: {total} violations.")
    return 1 if total else 0
