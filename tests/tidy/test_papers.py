"""The papers that a stranger looks for are there, and name the two commands."""

import re
from pathlib import Path

import pytest

from app.cli.__main__ import commands
from app.cli.bench import names as benchmarks
from tests.tidy.sources import ROOT, files, name, python


@pytest.mark.parametrize("paper", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "Procfile", ".ci/run"])
def test_the_paper_is_there(paper: str) -> None:
    assert (ROOT / paper).is_file()


def test_the_readme_shows_both_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python3 dev.py run" in readme
    assert "python3 dev.py test" in readme


def test_the_map_of_the_house_names_every_room_and_no_other() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+`) \|", readme.partition("## The map of the house")[2], re.MULTILINE)
    told = {room for row in rows for room in re.findall(r"`([^`]+)`", row)}
    top = {name(path).partition("/")[0] for path in python() if "/" in name(path)} | {"docs"}
    inner = {path.relative_to(ROOT).parts[1] for path in python("app")}
    rooms = {f"app/{each}" for each in inner if not each.endswith(".py")} | {"app/*.py"}
    assert told == (top - {"app"}) | rooms


def test_every_process_of_the_procfile_leaves_no_shell_behind() -> None:
    lines = (ROOT / "Procfile").read_text(encoding="utf-8").splitlines()
    assert [line.partition(":")[0] for line in lines] == ["release", "web", "worker", "scheduler"]
    assert all(re.match(r"[a-z]+: exec ", line) for line in lines)


def test_no_link_in_a_paper_leads_nowhere() -> None:
    broken = []
    for paper in files(".md"):
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", _prose(paper)):
            if "://" not in target and not (paper.parent / target).exists():
                broken.append(f"{name(paper)} → {target}")
    assert broken == []


def test_every_link_into_a_paper_meets_a_heading() -> None:
    broken = []
    for paper in files(".md"):
        for target, anchor in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", _prose(paper)):
            meant = paper.parent / target if target else paper
            if "://" not in target and meant.exists() and anchor not in _anchors(meant):
                broken.append(f"{name(paper)} → {target}#{anchor}")
    assert broken == []


def _read(paper: Path) -> str:
    return paper.read_text(encoding="utf-8")


def _prose(paper: Path) -> str:
    return re.sub(r"```.*?```", "", _read(paper), flags=re.DOTALL)


def _anchors(paper: Path) -> set[str]:
    """The headings as links name them: small letters, hyphens for spaces, no other signs."""
    headings = re.findall(r"^#+ (.*)$", _prose(paper), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in headings}


def test_every_file_that_a_text_names_is_there() -> None:
    outer, inner = "app|workers|scheduler|bench|tests|docs|migrations", "flows|store|book|engine|ledger"
    places = re.compile(rf"(?<![\w./-])(?:{outer}|{inner})/[\w/.-]*\w")
    lost = [
        f"{name(path)} → {place}"
        for path in files(".md", ".py")
        for place in places.findall(path.read_text(encoding="utf-8"))
        if not place.endswith("_") and not _is_there(place)  # What ends so is the beginning of several.
    ]
    assert lost == []


def _is_there(place: str) -> bool:
    """A room of app may stand without it, a module without its ending, a function behind it by a point."""
    stems = [place, place.rpartition(".")[0] or place]
    return any(
        (ROOT / f"{top}{stem}{end}").exists() for top in ("", "app/") for stem in stems for end in ("", ".py")
    )


def test_every_command_that_a_paper_shows_is_there() -> None:
    known = set(commands()) | {f"bench {each}" for each in benchmarks()}
    shown = set()
    for paper in files(".md"):
        for command, first in re.findall(r"dev\.py ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", _read(paper)):
            shown.add(f"bench {first}" if command == "bench" and first else command)
    assert len(shown) > 15
    assert shown <= known


def test_every_dependency_says_what_it_saves() -> None:
    told = (ROOT / "docs" / "explanation" / "dependencies.md").read_text(encoding="utf-8")
    for paper in ("requirements", "requirements-dev"):
        assert [package for package in _asked_for(paper) if not re.search(rf"\b{package}\b", told)] == []


def test_every_dependency_is_pinned() -> None:
    for paper in ("requirements", "requirements-dev"):
        pins = (ROOT / f"{paper}.txt").read_text(encoding="utf-8")
        assert [package for package in _asked_for(paper) if f"\n{package}==" not in pins] == []


def _asked_for(paper: str) -> list[str]:
    text = (ROOT / f"{paper}.in").read_text(encoding="utf-8")
    asked = re.findall(r"^([a-z][\w-]+)", text, re.MULTILINE)
    assert asked
    return asked


def test_every_pinned_file_has_its_hash() -> None:
    for paper in ("requirements.txt", "requirements-dev.txt"):
        text = (ROOT / paper).read_text(encoding="utf-8")
        pins = re.findall(r"^\S+==\S+", text, re.MULTILINE)
        blocks = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
        assert pins
        assert all("--hash=sha256:" in block for block in blocks)
