"""Export an organization's sealed journal as lines of JSON, for `verify-export` or your own code."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from uuid import UUID

from app.book import chain
from app.cli.failure import Failure
from app.db import transaction
from app.domain.json import dumps
from app.flows import export_journal


def main(argv: list[str]) -> int:
    """Write to the file that is named, or to the standard output."""
    parser = ArgumentParser(prog="dev.py export-journal", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="where to write; the standard output by default")
    parser.add_argument("--organization", type=UUID, help="may be left out where there is only one")
    arguments = parser.parse_args(argv)
    lines = export_journal.lines(arguments.organization or _only_organization())
    if arguments.file is None:
        for line in lines:
            sys.stdout.write(dumps(line) + "\n")
        return 0
    with arguments.file.open("w", encoding="utf-8") as file:
        count = sum(1 for line in lines if file.write(dumps(line) + "\n"))
    print(f"{count - 1} entries written to {arguments.file}")
    return 0


def _only_organization() -> UUID:
    with transaction() as c:
        found = chain.organizations(c)
    if len(found) != 1:
        raise Failure(f"There are {len(found)} organizations; name one with --organization.")
    return found[0]
