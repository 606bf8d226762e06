"""The data folder (`.data`): what stands where in it, the lock of the one running system, secrets.

Nothing here starts anything. Secrets are files that only their owner may read.
"""

import fcntl
import os
import secrets
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from app.cli.failure import Failure

ROOT = Path(__file__).resolve().parents[2]
SECRET_BYTES = 32


@dataclass(frozen=True)
class DataFolder:
    """Paths below one folder that belongs to one running system."""

    path: Path

    @classmethod
    def of_environment(cls, environ: Mapping[str, str] = os.environ) -> "DataFolder":
        """The folder that DATA_DIR names, relative to the project; `.data` by default."""
        return cls((ROOT / (environ.get("DATA_DIR") or ".data")).resolve())

    @property
    def postgres(self) -> Path:
        """The database cluster."""
        return self.path / "postgres"

    @property
    def valkey(self) -> Path:
        """Where Valkey works and keeps its configuration."""
        return self.path / "valkey"

    @property
    def logs(self) -> Path:
        """One log file a process."""
        return self.path / "logs"

    @property
    def environment_file(self) -> Path:
        """The addresses of the running system; there only while it runs."""
        return self.path / "env"

    @property
    def first_api_key(self) -> Path:
        """The key that the first start made, for scripts and the quickstart."""
        return self.path / "first-api-key"

    def create(self) -> None:
        """Make the folder and its log folder."""
        self.path.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(mode=0o700, exist_ok=True)

    def secret(self, name: str) -> str:
        """The secret in the file `name`, made at first use."""
        return kept(self.path / name, lambda: secrets.token_urlsafe(SECRET_BYTES))

    def lock(self, say: str) -> TextIO:
        """Take the lock and leave `say` in it for whoever comes second. Raises Failure when it is taken.

        The lock lasts as long as the returned file is open, so a killed holder never leaves one behind.
        """
        file = (self.path / "lock").open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise Failure(file.read().strip() or "Another run is just starting.") from None
        file.truncate(0)
        file.write(say)
        file.flush()
        return file

    def write_environment(self, values: Mapping[str, str]) -> None:
        """Leave the addresses of the running system for other commands and for a shell's `source`."""
        lines = [f"{name}={shlex.quote(value)}" for name, value in sorted(values.items())]
        write_private(self.environment_file, "\n".join(lines))

    def lend_environment(self) -> None:
        """Fill os.environ from the environment file, where it says nothing itself."""
        if self.environment_file.exists():
            for line in self.environment_file.read_text(encoding="utf-8").splitlines():
                name, _, value = line.partition("=")
                os.environ.setdefault(name, "".join(shlex.split(value)))


def kept(path: Path, make: Callable[[], str]) -> str:
    """The text of a private file, made at first use."""
    if not path.exists():
        write_private(path, make())
    return path.read_text(encoding="utf-8").strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read; it appears whole or not at all."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text + "\n")
    fresh.rename(path)
