"""Check the whole ledger: balances, lots, wallets, budgets, hash chain, derived again from postings."""

from argparse import ArgumentParser
from uuid import UUID

from app.flows import verify


def main(argv: list[str]) -> int:
    """Print each check with its count; the exit code is 1 where anything does not hold."""
    parser = ArgumentParser(prog="dev.py verify", description=__doc__)
    parser.add_argument("--organization", type=UUID, help="only this one")
    arguments = parser.parse_args(argv)
    total = 0
    for checked, note in verify.run(arguments.organization):
        total += checked.violations
        verdict = "ok" if not checked.violations else f"{checked.violations} VIOLATIONS"
        print(f"{checked.name:<20} {verdict:<16} {note}".rstrip())
        for example in checked.examples:
            print(f"    {example.subject}: {example.detail}")
        if checked.violations > len(checked.examples):
            print(f"    … and {checked.violations - len(checked.examples)} more")
    print("The ledger holds." if not total else f"The ledger does NOT hold: {total} violations.")
    return 1 if total else 0
