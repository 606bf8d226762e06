"""Whoever makes an exception or waits by the clock says why, beside it."""

import ast
import re

from tests.tidy.sources import name, python, tree

# The second half is the reason: a comment of its own.
EXCEPTION = re.compile(r"#\s*(type: ignore|noqa|pragma: no cover)\b")
REASONED = re.compile(r"# (type: ignore\[[a-z,-]+\]|noqa: [A-Z0-9, ]+|pragma: no cover)  # \w+")
COMMENT = re.compile(r"#\s*\w+.* .*\w")


def test_every_exception_from_a_check_has_its_reason_beside_it() -> None:
    bare = [
        f"{name(path)}:{number}"
        for path in python()
        if path.name != "test_reasons.py"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if EXCEPTION.search(line) and not REASONED.search(line)
    ]
    assert bare == []


def test_every_sleep_of_the_product_has_its_reason_beside_it() -> None:
    bare = []
    for path in python("app", "workers", "scheduler", "migrations", "bench"):
        lines = path.read_text(encoding="utf-8").splitlines()
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and _called(node.func) == "sleep":
                here, before = lines[node.lineno - 1], lines[node.lineno - 2].strip()
                if not COMMENT.search(here) and not (before.startswith("#") and COMMENT.search(before)):
                    bare.append(f"{name(path)}:{node.lineno}")
    assert bare == []


def _called(function: ast.expr) -> str:
    match function:
        case ast.Attribute(attr=called) | ast.Name(id=called):
            return called
        case _:
            return ""
