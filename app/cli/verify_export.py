"""Verify a file that `export-journal` wrote, offline: chain, balances of entries and assets, texts."""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.cli.failure import Failure
from app.domain.json import loads
from app.ledger import export


def main(argv: list[str]) -> int:
    """Print the verdict; the exit code is 1 where anything does not hold."""
    parser = ArgumentParser(prog="dev.py verify-export", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--head", help="the hash that the chain must end with, known from elsewhere")
    arguments = parser.parse_args(argv)
    verdict = export.verify(_lines(arguments.file))
    if arguments.head is not None and arguments.head != verdict.head:
        verdict.blame("end", f"the chain ends with {verdict.head}, not with {arguments.head}")
    for example in verdict.examples:
        print(example)
    holds = "holds" if not verdict.faults else f"does NOT hold: {verdict.faults} faults"
    print(f"{verdict.entries} entries, head {verdict.head}: the journal {holds}.")
    return 1 if verdict.faults else 0


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8") as file:
            for text in file:
                yield loads(text)
    except (OSError, ValueError) as error:
        raise Failure(f"{path} cannot be read: {error}") from None
