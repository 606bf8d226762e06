"""Every recipe comes out as it says, through HTTP and workers; and its page says what is played."""

import re
import secrets
from datetime import UTC, datetime

import pytest

from app.cli import recipes, scenario
from app.cli.scenario import Expectation, Scenario, ScenarioError, Step
from app.cli.scenario_player import WIDTH, Api, Mismatch, Player
from app.domain.actions import ActionType


def play(api: Api, recipe: Scenario, **settings: float) -> list[str]:
    """Play a recipe; return what a terminal would show."""
    said: list[str] = []
    Player(recipe, api, secrets.token_hex(2), lambda: datetime.now(UTC), said.append, **settings).play()
    return said


# Those that move the clock come last: the system that all of them play on is years ahead then.
NAMES = sorted(scenario.names(), key=lambda name: scenario.load(name).test_clock)


@pytest.mark.parametrize("name", NAMES)
def test_a_recipe_comes_out_as_it_says(name: str, running_api: Api) -> None:
    recipe = scenario.load(name)
    said = play(running_api, recipe)
    heads = [f"{number:>3}. {step.say}" for number, step in enumerate(recipe.steps, 1)]
    assert [line for line in said if line in heads] == heads
    for line in said:
        assert line.strip(), "an empty line tells nothing"
        assert line in heads or len(line) <= WIDTH, line
        assert not re.search(r"(= *(,|$)|\{\}|None|\[\])", line), line


def test_a_difference_in_the_last_digit_is_found(running_api: Api) -> None:
    recipe = scenario.load("quickstart")
    step = recipe.steps[0]
    off = Step(step.say, event=step.event, who=step.who, expect=Expectation(
        participants={step.who or "": {"points": "11"}}
    ))
    wrong = Scenario(recipe.name, recipe.title, "", "", recipe.assets, (), recipe.rules, (off,))
    with pytest.raises(Mismatch, match="points of ada: 10, not 11"):
        play(running_api, wrong, wait_seconds=2.0)


def test_a_rule_that_was_not_foretold_is_found(running_api: Api) -> None:
    recipe = scenario.load("quickstart")
    step = recipe.steps[0]
    off = Step(step.say, event=step.event, who=step.who, expect=Expectation(rules={}))
    wrong = Scenario(recipe.name, recipe.title, "", "", recipe.assets, (), recipe.rules, (off,))
    with pytest.raises(Mismatch, match="the evaluations"):
        play(running_api, wrong)


def test_a_recipe_that_moves_the_clock_says_what_it_needs() -> None:
    with pytest.raises(Mismatch, match="run --test-clock"):
        play(lambda method, path, body=None: (403, None), scenario.load("expiring-points"))


def test_every_page_says_what_is_played() -> None:
    assert recipes.outdated() == {}, "run `python3 dev.py recipes`"


def test_the_recipes_show_every_action() -> None:
    shown = {
        action["type"] for name in scenario.names() for rule in scenario.load(name).rules
        for action in rule["actions"]
    }
    assert shown == set(ActionType)


def test_an_unknown_recipe_is_told_with_those_there_are() -> None:
    with pytest.raises(ScenarioError, match="quickstart"):
        scenario.load("unheard-of")
