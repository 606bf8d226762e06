"""Files, functions and lines stay small enough to be read in one go."""

import ast

from tests.tidy.sources import name, python, tree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
LINE_LENGTH_MAX = 110


def test_no_file_is_longer_than_400_lines() -> None:
    long = {name(path): len(path.read_text(encoding="utf-8").splitlines()) for path in python()}
    assert {path: lines for path, lines in long.items() if lines > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_70_lines() -> None:
    long = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in python()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_no_line_is_longer_than_110_characters() -> None:
    long = [
        f"{name(path)}:{number}"
        for path in python()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > LINE_LENGTH_MAX
    ]
    assert long == []
