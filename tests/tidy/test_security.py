"""Every test that the page on security names is there."""

import ast
import re

from tests.tidy.sources import ROOT


def test_every_threat_names_tests_that_exist() -> None:
    page = (ROOT / "docs" / "explanation" / "security.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page)
    assert len(named) > 40
    missing = [f"{path}::{name}" for path, name in named if name not in _tests_of(path)]
    assert missing == []
    threats = re.split(r"^### ", page.partition("## The threats")[2], flags=re.MULTILINE)[1:]
    assert [threat.splitlines()[0] for threat in threats if "- `tests/" not in threat] == []


def _tests_of(path: str) -> set[str]:
    if not (ROOT / path).exists():
        return set()
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
