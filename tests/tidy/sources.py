"""The project's own files, for the tests that read source text."""

import ast
import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {"__pycache__"}
HIDDEN_BUT_OURS = {".ci", ".gitignore"}


@cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """All files of the project with one of these suffixes, or all text files for none."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        # Not entered at all: servers make and remove files in there while this runs.
        folders[:] = [each for each in folders if _is_ours(each)]
        found += [Path(folder, each) for each in names if _is_ours(each)]
    return tuple(sorted(path for path in found if not suffixes or path.suffix in suffixes))


def _is_ours(part: str) -> bool:
    # Hidden folders hold the environment, the data of servers and the caches of tools.
    return part not in LEFT_OUT and (not part.startswith(".") or part in HIDDEN_BUT_OURS)


def python(*folders: str) -> list[Path]:
    """All Python files, or those below the given folders."""
    return [
        path for path in files(".py") if not folders or name(path).startswith(tuple(f"{f}/" for f in folders))
    ]


def name(path: Path) -> str:
    """The path as the project knows it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """Every text in a file that is not a docstring, with its line."""
    docstrings = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            docstrings.add(id(node.value))
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.lineno, node.value


def run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a tool in the project's folder."""
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
