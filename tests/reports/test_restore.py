"""A restore into another server: by the step that operate.md gives, its transactions go on from the old."""

import re
import subprocess
from pathlib import Path

import pytest

from app.cli.servers_binaries import postgres_binaries
from app.cli.servers_ports import free_port
from app.cli.servers_postgres import Postgres, prepare

OPERATE = Path(__file__).parents[2] / "docs" / "how-to" / "operate.md"
_NUMBERS = """
SELECT pg_current_xact_id()::text::bigint AS number,
    pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS settled
"""


@pytest.mark.nightly
def test_after_the_documented_step_all_numbers_are_above_those_of_the_old_server(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    server = prepare(
        postgres_binaries(), tmp_path / "new" / "postgres", free_port(), "owner", "app", durable=False
    )
    before = numbers(server)
    (command,) = re.findall(r"^(pg_resetwal .*)$", OPERATE.read_text(encoding="utf-8"), re.MULTILINE)
    run(server, *command.replace("NEXT", "8").replace("FOLDER", str(server.identity.cluster)).split())
    after = numbers(server)
    # The old server was at most at the end of epoch 7; what readers compare with goes on beyond it too.
    assert max(before) < 2**32
    assert min(after) >= 8 * 2**32


def numbers(server: Postgres) -> list[int]:
    """Return the next transaction's number, and below which all have ended, without starting a server."""
    folder = str(server.identity.cluster)
    told = run(server, "postgres", "--single", "-D", folder, "-j", "postgres", ask=_NUMBERS + ";\n\n")
    return [int(number) for number in re.findall(r'(?:number|settled) = "(\d+)"', told)]


def run(server: Postgres, name: str, *arguments: str, ask: str = "") -> str:
    """Run one of the server's programs as the user that the server runs as."""
    done = subprocess.run(
        [*server.identity.prefix, str(server.identity.binaries / name), *arguments],
        input=ask, cwd="/", env={"LC_ALL": "C"}, capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
