"""Open psql on the running system's database; arguments go to psql."""

import os
import shutil

from app.cli.failure import Failure
from app.cli.servers_binaries import postgres_binaries
from app.settings import settings


def main(argv: list[str]) -> int:
    """Become psql, connected as the owner of the tables."""
    program = shutil.which("psql") or str(postgres_binaries() / "psql")
    if not os.path.exists(program):
        raise Failure("There is no psql on this machine.")
    # Under its full name: psql looks for its own files beside itself.
    os.execv(program, [program, settings().migration_database_url, *argv])
