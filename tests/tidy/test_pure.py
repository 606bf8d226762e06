"""The pure rooms compute with the standard library and with four libraries that do nothing else."""

import ast
import sys

from tests.tidy.sources import python, tree

ALLOWED = {
    "app/domain": {"orjson"},
    "app/ledger": set[str](),
    "app/engine": {"celpy", "cronsim", "re2"},
}
# What would let them reach outside: the import rules name no modules of the standard library.
OUTSIDE = {"asyncio", "http", "multiprocessing", "os", "pathlib", "shutil", "signal", "socket", "sqlite3",
           "ssl", "subprocess", "tempfile", "time", "urllib"}  # fmt: skip


def test_the_pure_rooms_use_nothing_else() -> None:
    for room, libraries in ALLOWED.items():
        used = {module for path in python(room) for module in _imported(tree(path))} - {"app"}
        assert used - set(sys.stdlib_module_names) == libraries, room
        assert used & OUTSIDE == set(), room


def _imported(module: ast.Module) -> set[str]:
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found
