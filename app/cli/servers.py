"""The two servers of `run`: our own, or those that DATABASE_URL and REDIS_URL name; no silent fallback."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.cli.datafolder import DataFolder
from app.cli.failure import Failure
from app.cli.servers_binaries import postgres_binaries, valkey_binary
from app.cli.servers_ports import ask_postgres, ask_redis, own_port, require
from app.cli.servers_postgres import PORT as POSTGRES_PORT
from app.cli.servers_postgres import Postgres, make_database, prepare
from app.cli.servers_valkey import PORT as VALKEY_PORT
from app.cli.servers_valkey import Valkey
from app.cli.supervise import Supervisor
from app.settings import Settings

DATABASE = "florin"
START_SECONDS = 30.0
POLL_SECONDS = 0.05
LOG_TAIL_BYTES = 1_500


@dataclass(frozen=True)
class Servers:
    """Where the two servers are; `postgres` and `valkey` are None where an outside one is used."""

    folder: DataFolder
    postgres: Postgres | None
    valkey: Valkey | None
    outside: dict[str, str]

    @classmethod
    def prepare(cls, folder: DataFolder, configured: Settings) -> "Servers":
        """Ask the outside servers, make the data of our own. Raises Failure."""
        outside = {}
        if configured.database_url:
            outside["DATABASE_URL"] = configured.database_url
            outside["MIGRATION_DATABASE_URL"] = configured.migration_database_url
            for name in ("DATABASE_URL", "MIGRATION_DATABASE_URL"):
                require(name, outside[name], ask_postgres)
        if configured.redis_url:
            outside["REDIS_URL"] = configured.redis_url
            require("REDIS_URL", configured.redis_url, ask_redis)
        postgres = valkey = None
        if not configured.database_url:
            postgres = prepare(
                postgres_binaries(),
                folder.postgres,
                own_port(POSTGRES_PORT, folder.path),
                folder.secret("owner-password"),
                folder.secret("app-password"),
            )
        if not configured.redis_url:
            port = own_port(VALKEY_PORT, folder.path)
            valkey = Valkey(valkey_binary(), folder.valkey, port, folder.secret("valkey-password"))
        return cls(folder, postgres, valkey, outside)

    def start(self, supervisor: Supervisor) -> bool:
        """Start our own servers and wait until both answer; False when a stop was asked for instead.

        Raises Failure with the end of the server's log when one does not come up.
        """
        questions: dict[str, Callable[[], str | None]] = {}
        if self.postgres:
            supervisor.add(self.postgres.line(self.folder.logs / "postgres.log"))
            questions["postgres"] = partial(ask_postgres, self.postgres.owner_url("postgres"))
        if self.valkey:
            supervisor.add(self.valkey.line(self.folder.logs / "valkey.log"))
            questions["valkey"] = partial(ask_redis, self.valkey.url)
        for name, ask in questions.items():
            if not supervisor.watch(partial(_is_fine, ask), START_SECONDS, POLL_SECONDS):
                if supervisor.stops_asked:
                    return False
                raise Failure(f"{name} did not start: {ask()}\n{self._tail(name)}")
        if self.postgres:
            make_database(self.postgres, DATABASE)
        return True

    def environment(self) -> dict[str, str]:
        """The addresses for every process of the product."""
        found = dict(self.outside)
        if self.postgres:
            found["DATABASE_URL"] = self.postgres.app_url(DATABASE)
            found["MIGRATION_DATABASE_URL"] = self.postgres.owner_url(DATABASE)
        if self.valkey:
            found["REDIS_URL"] = self.valkey.url
        return found

    def text(self) -> str:
        """One phrase for the banner."""
        parts = [
            f"PostgreSQL on port {self.postgres.port}" if self.postgres else "PostgreSQL of DATABASE_URL",
            f"Valkey on port {self.valkey.port}" if self.valkey else "Redis of REDIS_URL",
        ]
        note = self.postgres.identity.note if self.postgres else ""
        return ", ".join([*parts, *([note] if note else [])])

    def _tail(self, name: str) -> str:
        log = self.folder.logs / f"{name}.log"
        return log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace") if log.exists() else ""


def _is_fine(ask: Callable[[], str | None]) -> bool:
    return ask() is None
