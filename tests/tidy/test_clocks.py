"""Time is read in one place, read_clock() of the database, after the locks; elsewhere it is an argument."""

import ast
import re

from tests.tidy.sources import name, python, strings, tree

SQL_CLOCK = re.compile(
    r"\b(now|clock_timestamp|statement_timestamp|transaction_timestamp|timeofday)\s*\(\s*\)"
    r"|\b(current_timestamp|current_date|current_time|localtimestamp|localtime)\b",
    re.IGNORECASE,
)
SQL_CLOCK_ALLOWED = {
    # read_clock() itself: the real clock plus what a test clock runs ahead.
    "migrations/versions/0001_tenants.py": {"clock_timestamp()"},
    # Who leads follows real time: a test clock that jumps must not end the lease of a living process.
    "scheduler/leader.py": {"clock_timestamp()"},
    # So does for how long a session has said nothing.
    "app/store/leases.py": {"clock_timestamp()"},
}
PYTHON_CLOCK = {"now", "utcnow", "today", "fromtimestamp"}


def test_no_statement_reads_a_clock_of_its_own() -> None:
    found: dict[str, set[str]] = {}
    for path in python("app/store", "app/book", "app/flows", "migrations", "workers", "scheduler"):
        for _, text in strings(path):
            for match in SQL_CLOCK.finditer(_without_comments(text)):
                found.setdefault(name(path), set()).add(match.group())
    assert found == SQL_CLOCK_ALLOWED


def _without_comments(sql: str) -> str:
    return re.sub(r"--[^\n]*", "", sql)


def test_nothing_below_the_processes_reads_the_clock_of_python() -> None:
    rooms = ("app/domain", "app/ledger", "app/engine", "app/book", "app/store", "app/flows")
    found = [
        f"{name(path)}:{node.lineno} {node.func.attr}"
        for path in python(*rooms)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in PYTHON_CLOCK
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date"}
    ]
    assert found == []
