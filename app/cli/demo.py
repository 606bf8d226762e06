"""Play a recipe against the running system and show what it does: demo NAME, or demo alone for the list.

The recipes are the scenarios in docs/how-to/recipes; the tests play the same files.
"""

import importlib
import secrets
from argparse import ArgumentParser, Namespace
from datetime import UTC, datetime
from typing import Any

import urllib3

from app.cli import scenario
from app.cli.datafolder import DataFolder
from app.cli.failure import Failure
from app.cli.scenario import ScenarioError
from app.cli.scenario_player import Api, Mismatch, Player
from app.domain.json import dumps, loads
from app.settings import settings

# Demonstrations that are more than a recipe have a module of their own with a function `play`.
LARGER = {"cdnow": "app.cli.demo_cdnow"}
TIMEOUT_SECONDS = 15.0


def main(argv: list[str]) -> int:
    """Play the recipe that the first argument names; 1 when something came out otherwise than it says."""
    arguments = _parse(argv)
    if arguments.name is None:
        print(_table())
        return 0
    if arguments.name in LARGER:
        exit_code: int = importlib.import_module(LARGER[arguments.name]).play(arguments)
        return exit_code
    try:
        recipe = scenario.load(arguments.name)
        print(f"{recipe.title}\n\n{recipe.intro}\n")
        Player(
            recipe, api_of(arguments), secrets.token_hex(2), lambda: datetime.now(UTC), print
        ).play()
    except (ScenarioError, Mismatch) as error:
        raise Failure(str(error)) from None
    print("\nEverything came out as the recipe says.")
    return 0


def _parse(argv: list[str]) -> Namespace:
    parser = ArgumentParser(prog="dev.py demo", description=__doc__)
    parser.add_argument("name", nargs="?", help="the recipe; leave it out to see them all")
    parser.add_argument("--url", help="where the API is (the running system's)")
    parser.add_argument("--key", help="the API key (the first one of the running system)")
    return parser.parse_args(argv)


def _table() -> str:
    names = [*scenario.names(), *LARGER]
    width = max(map(len, names))
    lines = [f"  {name:<{width}}  {scenario.load(name).title}" for name in scenario.names()]
    lines += [f"  {name:<{width}}  a larger demonstration" for name in LARGER]
    return "\n".join(["Recipes (python3 dev.py demo NAME):", "", *lines])


def api_of(arguments: Namespace) -> Api:
    """Return a door to the API that the arguments name, the running system's by default. Raises Failure."""
    url = arguments.url or f"http://{settings().host}:{settings().port}"
    key = arguments.key or _first_key()
    pool = urllib3.PoolManager(timeout=TIMEOUT_SECONDS, retries=False)

    def call(method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = pool.request(
                method, url + path, body=None if body is None else dumps(body), headers=headers
            )
        except urllib3.exceptions.HTTPError as error:
            raise Failure(f"{url} does not answer ({error}); start it with: python3 dev.py run") from None
        return answer.status, loads(answer.data) if answer.data else None

    return call


def _first_key() -> str:
    path = DataFolder.of_environment().first_api_key
    if not path.is_file():
        raise Failure("There is no API key yet; start the system with: python3 dev.py run, or give --key.")
    return path.read_text(encoding="utf-8").strip()
