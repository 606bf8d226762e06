"""Scenarios: a program's set-up, events in, and what must come out, as data in a TOML file.

What lives here: the values and their reading. app/cli/scenario_player plays one against a running system,
app/cli/scenario_page writes its page. The recipes in docs/how-to/recipes are scenarios.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.cli.datafolder import ROOT

RECIPES = ROOT / "docs" / "how-to" / "recipes"


class ScenarioError(ValueError):
    """The file is not a scenario; the text says which part."""


@dataclass(frozen=True)
class Expectation:
    """What must hold after a step. Whatever is absent is not looked at.

    `rules` maps the name of each rule that was evaluated to its status, or to the reason why it was skipped;
    it is complete. `participants`, `groups` map names, `program` itself, to assets and `tags`, `counters`,
    `attributes`, `tiers`.
    """

    status: str | None = None
    error_code: str | None = None
    rules: Mapping[str, str] | None = None
    answer: Mapping[str, Any] = field(default_factory=dict)
    participants: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    groups: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    program: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One event, one call of the API, or a mere look at the outcome.

    `$name` in a text stands for a saved id (`$program`, an asset, a participant, what `save` named), `@name`
    for the external id of a participant.
    """

    say: str
    event: Mapping[str, Any] | None = None
    who: str | None = None
    recipient: str | None = None
    at: str | None = None
    key: str | None = None
    retry: str | None = None
    call: str | None = None
    body: Mapping[str, Any] | None = None
    code: int | None = None
    save: str | None = None
    expect: Expectation = field(default_factory=Expectation)


@dataclass(frozen=True)
class Scenario:
    """A whole scenario; `name` is the file's. `test_clock`: it moves the system's clock."""

    name: str
    title: str
    intro: str
    notes: str
    assets: tuple[Mapping[str, Any], ...]
    setup: tuple[Step, ...]
    rules: tuple[Mapping[str, Any], ...]
    steps: tuple[Step, ...]
    test_clock: bool = False


def names() -> list[str]:
    """Return the names of all recipes, in alphabetical order."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def load(name: str) -> Scenario:
    """Read the recipe of that name. Raises ScenarioError."""
    path = RECIPES / f"{name}.toml"
    if not path.is_file():
        raise ScenarioError(f"There is no recipe {name!r}; there are: {', '.join(names())}.")
    return read(path)


def read(path: Path) -> Scenario:
    """Read a scenario; numbers with a fraction are exact decimals. Raises ScenarioError."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        return Scenario(
            name=path.stem,
            title=data.pop("title"),
            intro=data.pop("intro").strip(),
            notes=data.pop("notes", "").strip(),
            assets=tuple(data.pop("assets", ())),
            setup=tuple(_step(step) for step in data.pop("setup", ())),
            rules=tuple(data.pop("rules", ())),
            steps=tuple(_step(step) for step in data.pop("steps")),
            **data,
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise ScenarioError(f"{path.name}: {error}") from error


def _step(fields: Mapping[str, Any]) -> Step:
    return Step(**{**fields, "expect": Expectation(**fields.get("expect", {}))})
