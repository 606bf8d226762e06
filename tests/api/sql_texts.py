"""Every SQL statement in app/store and app/book, found in the source, with its parameters by name and type.

What lives here: finding the texts and filling them. What they must not do stands in test_statements.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import psycopg

from app.db import Connection, limited
from tests.tidy.sources import ROOT

_STATEMENT = re.compile(r"\s*(WITH|SELECT|INSERT|UPDATE|DELETE|COPY)\b")
_PARAMETER = re.compile(r"%\((\w+)\)s|%s|%%")
_NAME = re.compile(r"(\w+)\s*(?:=|<>|<=?|>=?)\s*(?:ANY\()?$")
_COLUMNS = re.compile(r"INSERT INTO (\w+) \(([^)]*)\)", re.DOTALL)
_TABLES = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE|ONLY)\s+([a-z_]+)")
_RECORD = re.compile(r"jsonb_to_recordset\(\$(\d+)[^)]*\)\s+AS\s+\w+\s*\(([^)]*)\)", re.DOTALL)
# Lists are put together from a start such as this and the filters of a request; all begin with Where.of.
_LISTED = SimpleNamespace(sql=lambda: "{alias}organization_id = %(organization_id)s")
_PLACES = ("", "a.", "p.", "e.", "r.", "d.", "v.", "s.", "m.", "t.", "w.", "q.")


@dataclass
class Statement:
    """One text with numbered parameters; `key` says where it stands."""

    key: str
    text: str
    names: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)

    @property
    def tables(self) -> list[str]:
        """The tables that it names, the main one first."""
        return list(dict.fromkeys(_TABLES.findall(self.text)))

    def records(self) -> dict[int, list[str]]:
        """The columns of the rows that come as JSON, by the number of their parameter."""
        return {
            int(number) - 1: [each.split()[0].strip('"') for each in columns.split(",")]
            for number, columns in _RECORD.findall(self.text)
        }

    def names_an_organization(self) -> bool:
        """Whether an organization is among its parameters or in the rows that it is given."""
        return any("organization" in name for name in self.names) or any(
            "organization_id" in columns or "o" in columns for columns in self.records().values()
        )


def found() -> Iterator[Statement]:
    """Yield every statement; one that is put together by a function with its usual parts."""
    for folder in ("store", "book"):
        for path in sorted((ROOT / "app" / folder).glob("*.py")):
            module = importlib.import_module(f"app.{folder}.{path.stem}")
            for name, text in _texts(ast.parse(path.read_text(encoding="utf-8")), vars(module)):
                whole = text.replace("$texts", getattr(module, "_TEXTS", ""))
                yield _numbered(f"{folder}/{path.stem}:{name}", limited(whole, 100))


def _texts(tree: ast.Module, names: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for owner in tree.body:
        targets = owner.targets if isinstance(owner, ast.Assign) else [getattr(owner, "target", owner)]
        name = getattr(owner, "name", None) or getattr(targets[0], "id", "")
        joined = [node for node in ast.walk(owner) if isinstance(node, ast.JoinedStr)]
        inner = {id(part) for node in joined for part in node.values}
        for node in ast.walk(owner):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inner:
                if _STATEMENT.match(node.value):
                    yield name, node.value
            elif isinstance(node, ast.JoinedStr) and _STATEMENT.match(ast.unparse(node)[2:]):
                yield name, _evaluated(node, names)


def _evaluated(node: ast.JoinedStr, names: dict[str, Any]) -> str:
    code = compile(ast.Expression(node), "sql", "eval")
    try:
        return str(eval(code, {**names, "where": _LISTED, "suffix": ""}))
    except NameError:
        return ast.unparse(node)  # Cannot be run as it stands: listed with a reason, or the test fails.


def _numbered(key: str, text: str) -> Statement:
    names: list[str] = []
    positions: dict[str, int] = {}
    columns = [each.strip() for match in _COLUMNS.findall(text)[:1] for each in match[1].split(",")]
    out, end = [], 0
    for match in _PARAMETER.finditer(text):
        out.append(text[end : match.start()])
        end = match.end()
        if match.group() == "%%":
            out.append("%")
            continue
        name = match.group(1)
        if name is None:
            before = _NAME.search(text[: match.start()])
            in_order = columns[len(names)] if "VALUES" in text and len(names) < len(columns) else ""
            name = before.group(1) if before else in_order
            names.append(name)
            out.append(f"${len(names)}")
        else:
            if name not in positions:
                names.append(name)
                positions[name] = len(names)
            out.append(f"${positions[name]}")
    return Statement(key, "".join([*out, text[end:]]), names)


def prepare(c: Connection, statement: Statement) -> str | None:
    """Have the server read a statement and tell its parameters' types; returns why it cannot."""
    why = None
    for place in _PLACES:
        text = statement.text.replace("{alias}", place)
        try:
            with c.transaction():
                c.execute(b"PREPARE tried AS " + text.encode())
                row = c.execute(
                    "SELECT parameter_types::text[] AS types FROM pg_prepared_statements WHERE name = 'tried'"
                ).fetchone()
                c.execute("DEALLOCATE tried")
        except psycopg.Error as error:
            why = why or str(error)
            if "{alias}" not in statement.text:
                return why
            continue
        assert row is not None
        statement.text, statement.types = text, row["types"]
        return None
    return why
