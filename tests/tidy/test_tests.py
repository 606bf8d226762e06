"""Tests wait on conditions instead of sleeping, and run the real thing instead of an imitation."""

import ast

from tests.tidy.sources import name, python, tree

# The one loop that waits for a condition has to rest between two looks.
MAY_REST = {"tests/waiting.py"}


def test_no_test_sleeps() -> None:
    found = [
        f"{name(path)}:{node.lineno}"
        for path in python("tests")
        if name(path) not in MAY_REST
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute) and node.attr == "sleep"
    ]
    assert found == []


def test_nothing_is_mocked() -> None:
    found = [
        f"{name(path)}:{node.lineno}"
        for path in python("tests")
        for node in ast.walk(tree(path))
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest"))
        or (isinstance(node, ast.Import) and any(alias.name.startswith("unittest") for alias in node.names))
    ]
    assert found == []
