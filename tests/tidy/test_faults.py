"""The tables of faults and of lost hosts, and their tests: every cell has a test, every test a cell."""

import ast
import re

from tests.tidy.sources import ROOT, name, python, tree

PAPER = ROOT / "docs" / "explanation" / "reliability.md"


def told(room: str) -> set[str]:
    """The tests of a room that the paper names."""
    return set(re.findall(rf"`({room}/\w+\.py::test_\w+)", PAPER.read_text(encoding="utf-8")))


def written(*places: str) -> set[str]:
    """The tests that stand in a room or in a file."""
    return {
        f"{name(path)}::{node.name}"
        for path in python("tests") if name(path).startswith(places)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def test_each_cell_of_the_table_is_a_test_and_each_test_a_cell() -> None:
    assert written("tests/faults/")
    assert told("tests/faults") == written("tests/faults/")


def test_each_loss_of_a_host_in_the_table_is_a_test_and_each_test_of_a_loss_is_in_it() -> None:
    losses = written("tests/hosts/test_losses.py", "tests/hosts/test_fail_over.py")
    assert losses
    assert told("tests/hosts") == losses
