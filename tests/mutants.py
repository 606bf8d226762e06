"""Mutation testing of the pure modules: `python -m tests.mutants [--sample 100] [--seed 1] [TARGET …]`.

Each mutant is one module with one operator, constant or condition changed. It is compiled in memory in a
child process of its own, which then runs the tests of that module; a mutant that no test fails on has
survived and is printed with its line. No file is touched. The tests are run unchanged first: where they fail
anyhow they find out nothing.
"""

import argparse
import ast
import contextlib
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from app.cli.datafolder import ROOT

CPU_SECONDS_MAX = 30  # Not of the clock: on a busy machine that would find out changes that no test did.
# What every child would import again, for longer than most tests take; none of it is ever changed here.
LIBRARIES = ("hypothesis.stateful", "schemathesis.pytest.plugin", "psycopg", "redis", "sqlalchemy")
TARGET_SHARE = 0.85
CEL = [
    f"tests/cel/test_{name}.py"
    for name in ("runtime", "operators", "conformance", "functions", "dialect", "errors")
]
TESTS = {
    "app/ledger": ["tests/ledger"],
    "app/engine/budgets.py": ["tests/engine/test_budgets_and_wallets.py"],
    "app/engine/cel/runtime.py": CEL,
}
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add, ast.Mod: ast.Add, ast.FloorDiv: ast.Mult,
}  # fmt: skip
_CALLED = {"add": "subtract", "subtract": "add", "min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """One change: the place in the walk over the module's tree, and what it does there."""

    path: Path
    place: int
    line: int
    what: str


def changes(node: ast.AST) -> str | None:
    """What a mutant does to this node, None where it does nothing."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            return f"{type(op).__name__} → {_COMPARED[type(op)].__name__}"
        case ast.BinOp(op=op) if type(op) in _COMPUTED:
            return f"{type(op).__name__} → {_COMPUTED[type(op)].__name__}"
        case ast.BoolOp(op=op):
            return "and → or" if isinstance(op, ast.And) else "or → and"
        case ast.UnaryOp(op=ast.Not()):
            return "not dropped"
        case ast.Constant(value=bool(value)):
            return f"{value} → {not value}"
        case ast.Constant(value=int(value)):
            return f"{value} → {value + 1}"
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name)) if name in _CALLED:
            return f"{name} → {_CALLED[name]}"
        case ast.If() | ast.IfExp():
            return "condition negated"
        case ast.Continue():
            return "continue → break"
        case _:
            return None


def change(node: ast.AST) -> None:
    """Do to a node what `changes` says."""
    match node:
        case ast.Compare():
            node.ops = [_COMPARED[type(node.ops[0])]()]
        case ast.BinOp():
            node.op = _COMPUTED[type(node.op)]()
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        case ast.UnaryOp():
            node.op = ast.Not()
            node.operand = ast.UnaryOp(ast.Not(), node.operand)
        case ast.Constant(value=bool(value)):
            node.value = not value
        case ast.Constant(value=int(value)):
            node.value = value + 1
        case ast.Call(func=ast.Attribute() as function):
            function.attr = _CALLED[function.attr]
        case ast.Call(func=ast.Name() as function):
            function.id = _CALLED[function.id]
        case ast.If() | ast.IfExp():
            node.test = ast.UnaryOp(ast.Not(), node.test)
        case _:
            raise AssertionError(node)


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Every mutant of a file; `continue` is left alone where replacing it needs another node.

    So are decorators: that a value is frozen is held by the type checker, and no test can tell.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    decorations = {
        id(part) for node in ast.walk(tree) for each in getattr(node, "decorator_list", ())
        for part in ast.walk(each)
    }
    for place, node in enumerate(ast.walk(tree)):
        what = changes(node)
        if what is not None and not isinstance(node, ast.Continue) and id(node) not in decorations:
            yield Mutant(path, place, getattr(node, "lineno", 0), what)


def code_of(mutant: Mutant) -> ast.Module:
    """The module's tree with the change in it."""
    tree = copy.deepcopy(ast.parse(mutant.path.read_text(encoding="utf-8")))
    change(list(ast.walk(tree))[mutant.place])
    return ast.fix_missing_locations(tree)


class Swapped(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports one module from a tree in memory."""

    def __init__(self, name: str, mutant: Mutant) -> None:
        self.name, self.mutant = name, mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Answer for the module that is swapped, and for no other."""
        if fullname != self.name:
            return None
        return importlib.util.spec_from_file_location(fullname, self.mutant.path, loader=_Loader(self.mutant))

    def get_source(self, fullname: str) -> str:
        """The text is the file's; only what is run is changed."""
        return self.mutant.path.read_text(encoding="utf-8")


class _Loader(importlib.abc.Loader):
    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(code_of(self.mutant), str(self.mutant.path), "exec"), module.__dict__)


def files_of(tests: list[str]) -> list[str]:
    """The files of tests that these names stand for, in order."""
    places = [ROOT / name for name in tests]
    return [str(file) for place in places for file in (sorted(place.glob("test_*.py")) or [place])]


def run(file: str) -> int:
    """Run the tests of a file up to the first that fails."""
    return int(pytest.main(["-x", "-q", "--assert=plain", file]))


def survives(mutant: Mutant | None, tests: list[str]) -> bool:
    """Whether the tests pass with the change in place. A child that hangs or dies has been found out."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS_MAX, CPU_SECONDS_MAX))
        code = 1
        with contextlib.suppress(BaseException):
            if mutant is not None:
                name = ".".join(mutant.path.relative_to(ROOT).with_suffix("").parts)
                sys.meta_path.insert(0, Swapped(name, mutant))
            with open(os.devnull, "w") as sink:
                os.dup2(sink.fileno(), 1)
                os.dup2(sink.fileno(), 2)
            sys.stdout = io.StringIO()
            # File by file: most changes are found out by the first one, before the others are collected.
            code = next((code for file in files_of(tests) if (code := run(file))), 0)
        os._exit(code)
    return os.waitpid(child, 0)[1] == 0


def main(argv: list[str]) -> int:
    """Print the survivors and the share of those found out; 1 below the target."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="so many of each target, 0 for all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("targets", nargs="*", default=list(TESTS), metavar="TARGET")
    options = parser.parse_args(argv)
    reached = True
    for library in LIBRARIES:
        importlib.import_module(library)
    for target in options.targets:
        tests = TESTS[target] if target in TESTS else TESTS["app/ledger"]
        if not survives(None, tests):
            raise SystemExit(f"the tests of {target} fail with nothing changed")
        place = ROOT / target
        files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
        found = [mutant for path in files for mutant in mutants_of(path)]
        if options.sample and options.sample < len(found):
            found = random.Random(options.seed).sample(found, options.sample)
        started, survivors = time.monotonic(), 0
        for mutant in found:
            if survives(mutant, tests):
                survivors += 1
                print(f"  survived: {mutant.path.relative_to(ROOT)}:{mutant.line} {mutant.what}", flush=True)
        share = 1 - survivors / len(found)
        reached = reached and share >= TARGET_SHARE
        seconds = time.monotonic() - started
        print(f"{target}: {len(found)} mutants, {share:.1%} found out, {seconds:.0f} s", flush=True)
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
