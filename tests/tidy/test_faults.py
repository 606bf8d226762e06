"""The table of the fault matrix and its tests name each other: every cell has a test, every test a cell."""

import ast
import re

from tests.tidy.sources import ROOT, name, python, tree

PAPER = ROOT / "docs" / "explanation" / "reliability.md"


def test_each_cell_of_the_table_is_a_test_and_each_test_a_cell() -> None:
    told = set(re.findall(r"`(tests/faults/\w+\.py::test_\w+)", PAPER.read_text(encoding="utf-8")))
    written = {
        f"{name(path)}::{node.name}"
        for path in python("tests/faults")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert written
    assert told == written
