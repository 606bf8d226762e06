"""The table of commands: finds the modules of app.cli that define `main`, and calls one of them.

The table is read from the source text, so that listing the commands imports none of them.
"""

import ast
import importlib
import sys
from pathlib import Path

import psycopg
import redis
from sqlalchemy.exc import OperationalError as SqlalchemyError

from app.cli.datafolder import DataFolder
from app.cli.failure import Failure
from app.domain.errors import DomainError
from app.settings import SettingError

USAGE_EXIT = 2


def commands() -> dict[str, str]:
    """Every command by its name, with its one line of help, in alphabetical order."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("[!_]*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "main" for node in tree.body):
            summary = (ast.get_docstring(tree) or "").partition("\n")[0]
            found[path.stem.replace("_", "-")] = summary
    return found


def usage() -> str:
    """The text of --help."""
    table = commands()
    width = max(map(len, table))
    lines = [f"  {name:<{width}}  {summary}" for name, summary in table.items()]
    return "\n".join(["usage: python3 dev.py COMMAND [arguments]", "", *lines])


def main(argv: list[str]) -> int:
    """Run the command that argv names; its exit code is ours."""
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0 if argv else USAGE_EXIT
    name, arguments = argv[0], argv[1:]
    if name not in commands():
        print(f"There is no command {name!r}.\n\n{usage()}", file=sys.stderr)
        return USAGE_EXIT
    if name not in ("run", "test"):
        # The other commands talk to the system that `run` keeps going, unless the environment names another.
        DataFolder.of_environment().lend_environment()
    try:
        exit_code: int = importlib.import_module(f"app.cli.{name.replace('-', '_')}").main(arguments)
    except (Failure, SettingError, DomainError) as error:
        print(f"dev.py {name}: {error}", file=sys.stderr)
        return 1
    except (psycopg.OperationalError, SqlalchemyError, redis.ConnectionError) as error:
        reason = str(error).strip().partition("\n")[0]
        print(f"dev.py {name}: a server does not answer; is the system running? ({reason})", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
