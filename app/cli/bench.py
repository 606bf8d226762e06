"""Measure the system beside the limit of the machine: bench [main-path] [--quick]; see --help of each.

What is measured lives in the folder bench; a benchmark is a module there with a function `main`.
"""

import ast
import importlib
import sys

from app.cli.datafolder import ROOT
from app.cli.failure import Failure

DEFAULT = "main-path"


def main(argv: list[str]) -> int:
    """Run the benchmark that the first argument names, the main path by default."""
    name, arguments = (argv[0], argv[1:]) if argv and not argv[0].startswith("-") else (DEFAULT, argv)
    if name not in names():
        raise Failure(f"There is no benchmark {name!r}; there are: {', '.join(names())}.")
    # They stand beside the product, not in it, and are found from wherever this was called.
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    exit_code: int = importlib.import_module(f"bench.{name.replace('-', '_')}").main(arguments) or 0
    return exit_code


def names() -> list[str]:
    """Every benchmark, in alphabetical order; read from the source text, so that none is imported."""
    found = []
    for path in sorted((ROOT / "bench").glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        takes = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "main"]
        if takes and takes[0].args.args:
            found.append(path.stem.replace("_", "-"))
    return found
