"""Writes the page of a recipe from its scenario, so that what is read is what is tested."""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from app.cli.scenario import Expectation, Scenario, Step

GENERATED = "<!-- Written by `python3 dev.py recipes` from the TOML file beside it. Change that one. -->"
INDEX_TITLE = "Recipes"
INDEX_INTRO = """Each recipe is a program's set-up, its rules, some events, and what comes out of them.
`python3 dev.py demo NAME` plays one against the running system; the tests play all of them, and compare to
the last digit. In the JSON, `$name` stands for the id of what was made before, `@name` for a participant's
external id."""

CLOCK_NOTE = "It moves the clock of the whole system, which must run with `python3 dev.py run --test-clock`."


def page(scenario: Scenario) -> str:
    """Return a recipe's page as Markdown."""
    parts = [GENERATED, "", f"# {scenario.title}", "", scenario.intro, ""]
    parts += [f"Play it: `python3 dev.py demo {scenario.name}`", ""]
    if scenario.test_clock:
        parts += [CLOCK_NOTE, ""]
    parts += ["## Set-up", "", "A program, and in it:", ""]
    for asset in scenario.assets:
        parts += [f"- {_asset(asset)}"]
    if not scenario.assets and not scenario.setup:
        parts += ["- nothing but its rules"]
    parts.append("")
    for step in scenario.setup:
        parts += _call(step)
    parts += ["## Rules", ""]
    for rule in scenario.rules:
        parts += ["```json", _rule(rule), "```", ""]
    parts += ["## What happens", ""]
    for number, step in enumerate(scenario.steps, 1):
        parts += _step(number, step)
    if scenario.notes:
        parts += ["## Notes", "", scenario.notes, ""]
    return "\n".join(parts).rstrip() + "\n"


def index(scenarios: Iterable[Scenario]) -> str:
    """Return the page that lists all recipes."""
    parts = [GENERATED, "", f"# {INDEX_TITLE}", "", INDEX_INTRO, ""]
    parts += [f"- [{scenario.title}]({scenario.name}.md)" for scenario in scenarios]
    return "\n".join(parts) + "\n"


def _asset(asset: Mapping[str, Any]) -> str:
    decimals = {0: "no decimals", 1: "one decimal"}.get(asset["scale"], f"{asset['scale']} decimals")
    return (
        f"the asset `${asset['key']}`: {asset['name']} (`{asset['symbol']}`), `{asset['inventory_mode']}`, "
        f"`{asset['issuance_policy']}`, {decimals}"
    )


def _call(step: Step) -> list[str]:
    saved = f" (its id is `${step.save}`)" if step.save else ""
    parts = [f"{step.say}{saved}", "", "```http", str(step.call), "```", ""]
    if step.body is not None:
        parts += ["```json", _json(step.body), "```", ""]
    return parts


def _rule(rule: Mapping[str, Any]) -> str:
    """Write a rule with one line for each field, and one for each action."""
    lines = []
    for field, value in rule.items():
        if isinstance(value, list):
            items = ",\n".join(f"    {json.dumps(_plain(item), ensure_ascii=False)}" for item in value)
            lines.append(f'  "{field}": [\n{items}\n  ]')
        else:
            lines.append(f'  "{field}": {json.dumps(_plain(value), ensure_ascii=False)}')
    return "{\n" + ",\n".join(lines) + "\n}"


def _step(number: int, step: Step) -> list[str]:
    parts = [f"{number}. {step.say}", ""]
    done = _done(step)
    if done:
        parts += [f"   {done}", ""]
    outcome = _outcome(step)
    if outcome:
        parts += [f"   → {outcome}", ""]
    return parts


def _done(step: Step) -> str:
    if step.event is not None:
        of = f"of `{step.who}`" + (f" for `{step.recipient}`" if step.recipient else "")
        at = f", dated {step.at}" if step.at else ""
        key = f", key `{step.key}`" if step.key else ""
        return f"Event {of}{at}{key}: `{json.dumps(_plain(step.event), ensure_ascii=False)}`"
    if step.retry is not None:
        return f"`POST /v1/events/{{id}}/retry` of the event with key `{step.retry}`"
    if step.call is not None:
        body = f" `{json.dumps(_plain(step.body), ensure_ascii=False)}`" if step.body else ""
        return f"`{step.call}`{body}"
    return ""


def _outcome(step: Step) -> str:
    expect = step.expect
    told = []
    if step.event is not None or step.retry is not None:
        told.append((expect.status or "COMPLETED") + (f" `{expect.error_code}`" if expect.error_code else ""))
    for name, word in (expect.rules or {}).items():
        told.append(f"`{name}` {word}")
    told += [f"{name} `{value}`" for name, value in expect.answer.items()]
    told += _states(expect)
    return "; ".join(told)


def _states(expect: Expectation) -> list[str]:
    told = []
    for name, state in (*expect.participants.items(), *expect.groups.items(), ("program", expect.program)):
        for what, value in state.items():
            told.append(f"{name}.{what} = {_shown(value)}")
    return told


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(f"`{item}`" for item in value) or "none"
    return str(value) if value == "none" else f"**{value}**"


def _json(value: Any) -> str:
    return json.dumps(_plain(value), indent=2, ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Return a value as JSON shows it; a decimal of the file stands as the number it is."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
