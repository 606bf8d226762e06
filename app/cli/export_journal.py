"""Export an organization's sealed journal as lines of JSON, for `verify-export` or your own code."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from app.cli.organization import chosen, takes_organization
from app.domain.json import dumps
from app.flows import export_journal


def main(argv: list[str]) -> int:
    """Write to the file that is named, or to the standard output."""
    parser = ArgumentParser(prog="dev.py export-journal", description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, help="where to write; the standard output by default")
    takes_organization(parser)
    arguments = parser.parse_args(argv)
    lines = export_journal.lines(chosen(arguments.organization))
    if arguments.file is None:
        for line in lines:
            sys.stdout.write(dumps(line) + "\n")
        return 0
    with arguments.file.open("w", encoding="utf-8") as file:
        count = sum(1 for line in lines if file.write(dumps(line) + "\n"))
    print(f"{count - 1} entries written to {arguments.file}")
    return 0
