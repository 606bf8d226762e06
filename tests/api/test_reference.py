"""The written reference says what the code does: errors, operations."""

import re
from pathlib import Path

from app.api.errors import STATUS, every_error
from app.api.openapi import document
from app.api.reference import pages

DOCS = Path(__file__).resolve().parents[2] / "docs" / "reference"


def test_every_error_code_is_in_the_reference_with_its_status(application: object) -> None:
    rows = re.findall(
        r"^\| (\d{3}) \| `([a-z_]+)` \| (.+) \|$", (DOCS / "errors.md").read_text(), re.MULTILINE
    )
    assert {code: int(status) for status, code, _ in rows} == STATUS
    assert len(rows) == len(STATUS)


def test_no_two_errors_share_a_code(application: object) -> None:
    codes = [error.code for error in every_error()]
    assert len(codes) == len(set(codes))


def test_the_reference_of_the_api_is_the_one_made_from_the_route_table(application: object) -> None:
    written = {path.name: path.read_text() for path in (DOCS / "api").glob("*.md")}
    stale = "run: python -m app.api.reference docs/reference/api"
    made = pages(document())
    assert set(written) == set(made), stale
    assert [name for name in made if written[name] != made[name]] == [], stale
