"""The checks that have tools of their own: style, types, and who may import whom."""

import sys
from pathlib import Path

import pytest

from tests.tidy.sources import run

PROGRAMS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        [str(PROGRAMS / "ruff"), "check", "--no-cache", "."],
        [sys.executable, "-m", "mypy"],
        [str(PROGRAMS / "lint-imports"), "--no-cache"],
    ],
    ids=["style", "types", "layers"],
)
def test_the_tool_has_nothing_to_say(command: list[str]) -> None:
    done = run(*command)
    assert done.returncode == 0, done.stdout + done.stderr
