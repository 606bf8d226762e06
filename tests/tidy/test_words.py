"""Names say what a thing is, every module says what lives in it, and nothing is left open."""

import ast
import re

from tests.tidy.sources import ROOT, files, name, python, tree

EMPTY_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|managers?|base|misc)(_|$)")
EMPTY_CLASSES = re.compile(r"^(Base[A-Z].*|.*(Helper|Manager|Utils?))$")
OPEN_ENDS = re.compile(r"\b(TODO|FIXME|XXX)\b|NotImplementedError")
# A machine's own folders, never a part of the product. Written so that this file does not find itself.
MACHINE_PATHS = re.compile(r"/(?:wor[k]|hom[e]|Use[r]s)/[a-z]+|/roo[t]/|/mn[t]/")
TEXT = {".py", ".md", ".toml", ".txt", ".in", ".yml", ".yaml", ".json", ".html", ".sql", ".sh", ""}


def test_no_module_or_class_has_a_name_that_says_nothing() -> None:
    modules = [
        name(path)
        for path in python()
        if any(EMPTY_NAMES.search(part) for part in path.relative_to(ROOT).with_suffix("").parts)
    ]
    classes = [
        f"{name(path)}:{node.lineno} {node.name}"
        for path in python()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ClassDef) and EMPTY_CLASSES.search(node.name)
    ]
    assert modules + classes == []


def test_every_module_says_what_lives_in_it() -> None:
    # An empty file that only makes a folder of tests a package has nothing to say.
    spoken = [path for path in python() if path.stat().st_size > 0]
    assert [name(path) for path in spoken if not ast.get_docstring(tree(path))] == []


def test_nothing_is_left_for_later() -> None:
    open_ends = [
        f"{name(path)}:{number}"
        for path in python("app", "workers", "scheduler", "migrations", "bench")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if OPEN_ENDS.search(line)
    ]
    assert open_ends == []


def test_no_file_names_the_machine_on_which_it_was_written() -> None:
    found = [
        f"{name(path)}:{number}"
        for path in files()
        if path.suffix in TEXT
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if MACHINE_PATHS.search(line)
    ]
    assert found == []
