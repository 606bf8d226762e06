"""Write the pages of the recipes from their scenarios; with --check, only say which are out of date."""

from argparse import ArgumentParser

from app.cli import scenario
from app.cli.scenario_page import index, page


def main(argv: list[str]) -> int:
    """Write every page in docs/how-to/recipes; with --check 1 where one of them would change."""
    parser = ArgumentParser(prog="dev.py recipes", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(argv).check
    stale = outdated()
    for name, text in stale.items():
        print(f"{name} is out of date" if check else f"wrote {name}")
        if not check:
            (scenario.RECIPES / name).write_text(text, encoding="utf-8")
    return 1 if check and stale else 0


def outdated() -> dict[str, str]:
    """Return the pages that are not what their scenarios say: file name and what it should hold."""
    scenarios = [scenario.load(name) for name in scenario.names()]
    wanted = {f"{one.name}.md": page(one) for one in scenarios} | {"README.md": index(scenarios)}
    found = {path.name: path.read_text(encoding="utf-8") for path in scenario.RECIPES.glob("*.md")}
    return {name: text for name, text in wanted.items() if found.get(name) != text}
