"""A Valkey of our own: writes its configuration and says how to start it.

It keeps nothing on disk. PostgreSQL is the truth and Valkey a doorbell: what it loses is rung again.
"""

from dataclasses import dataclass
from pathlib import Path

from app.cli.datafolder import write_private
from app.cli.servers_ports import LOOPBACK
from app.cli.supervise import Line

PORT = 56379


@dataclass(frozen=True)
class Valkey:
    """One server: its program, its folder, where it listens, its password."""

    binary: Path
    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"redis://:{self.password}@{LOOPBACK}:{self.port}/0"

    def line(self, log: Path) -> Line:
        """Write the configuration (so no password is on the command line) and describe the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "valkey.conf"
        options = {
            "bind": LOOPBACK,
            "port": self.port,
            "requirepass": self.password,
            "dir": self.folder,
            "save": '""',
            "appendonly": "no",
            # A doorbell that is thrown out is not rung: refuse to store rather than forget.
            "maxmemory-policy": "noeviction",
        }
        write_private(configuration, "\n".join(f"{name} {_quoted(value)}" for name, value in options.items()))
        return Line(
            name="valkey",
            argv=[str(self.binary), str(configuration)],
            environ={"LC_ALL": "C"},
            log=log,
        )


def _quoted(value: object) -> str:
    text = str(value)
    return text if text == '""' else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
