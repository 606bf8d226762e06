"""A PostgreSQL of our own: makes its cluster, says how to start it, makes the roles and the database.

The supervisor runs the process; this module only describes it. `florin_owner` owns the tables and migrates;
`florin_app` is the role of the running product and owns nothing.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from app.cli.failure import Failure
from app.cli.servers_identity import Identity, choose
from app.cli.servers_ports import LOOPBACK
from app.cli.supervise import Line

OWNER = "florin_owner"
APP = "florin_app"
# Never 5432: on some machines that is another service's.
PORT = 54329
MEBIBYTE = 1024 * 1024
SHARED_BUFFERS_MB_MIN = 128
SHARED_BUFFERS_MB_MAX = 4096
# Few checkpoints keep the log small, but never more log than a twentieth of the free disk.
WAL_MB_MAX = 16_384
WAL_MB_MIN = 512
LEFTOVERS_SECONDS = 2.0


@dataclass(frozen=True)
class Postgres:
    """One cluster: how it is called, where it listens, the passwords of its two roles."""

    identity: Identity
    port: int
    owner_password: str
    app_password: str
    durable: bool = True

    def owner_url(self, database: str) -> str:
        """The address of the owner of the tables."""
        return f"postgresql://{OWNER}:{self.owner_password}@{LOOPBACK}:{self.port}/{database}"

    def app_url(self, database: str) -> str:
        """The address of the product's own role."""
        return f"postgresql://{APP}:{self.app_password}@{LOOPBACK}:{self.port}/{database}"

    def line(self, log: Path) -> Line:
        """The process for the supervisor. SIGINT stops it fast; SIGTERM would wait for every client."""
        options = [f"--{name}={value}" for name, value in self._options().items()]
        server = self.identity.binaries / "postgres"
        return Line(
            name="postgres",
            argv=[*self.identity.prefix, str(server), "-D", str(self.identity.cluster), *options],
            environ=_environment(),
            log=log,
            stop_signal=signal.SIGINT,
            before=lambda: clear_leftovers(self.identity.cluster),
        )

    def _options(self) -> dict[str, str]:
        memory_mb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MEBIBYTE
        disk_mb = shutil.disk_usage(self.identity.cluster).free // MEBIBYTE
        options = {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            # Long paths break the 107 bytes that the name of a socket may have.
            "unix_socket_directories": "",
            "log_timezone": "UTC",
            "log_lock_waits": "on",
            "jit": "off",
        }
        if not self.durable:
            return {
                **options,
                "fsync": "off",
                "full_page_writes": "off",
                "synchronous_commit": "off",
                "max_connections": "200",
                "autovacuum": "off",
            }
        return {
            **options,
            "shared_buffers": f"{_within(memory_mb // 8, SHARED_BUFFERS_MB_MIN, SHARED_BUFFERS_MB_MAX)}MB",
            "effective_cache_size": f"{memory_mb // 2}MB",
            "max_wal_size": f"{_within(disk_mb // 20, WAL_MB_MIN, WAL_MB_MAX)}MB",
            "checkpoint_timeout": "15min",
            "random_page_cost": "1.1",
            "autovacuum_naptime": "5s",
            "log_min_duration_statement": "2s",
        }


def prepare(
    binaries: Path, cluster: Path, port: int, owner_password: str, app_password: str, durable: bool = True
) -> Postgres:
    """Make the cluster unless it is there. Raises Failure."""
    cluster.parent.mkdir(parents=True, exist_ok=True)
    identity = choose(binaries, cluster, owner_password)
    if identity.cluster.exists():
        _check_version(identity)
    else:
        _initialise(identity, owner_password, durable)
    return Postgres(identity, port, owner_password, app_password, durable)


def _initialise(identity: Identity, password: str, durable: bool) -> None:
    # Built beside its place and moved there when whole, so that an interrupted start leaves no half cluster.
    fresh = identity.cluster.with_name("postgres.new")
    password_file = identity.cluster.with_name("postgres.password")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    identity.give(fresh)
    password_file.touch(mode=0o600)
    password_file.write_text(password + "\n", encoding="utf-8")
    identity.give(password_file)
    done = subprocess.run(
        [
            *identity.prefix,
            str(identity.binaries / "initdb"),
            f"--pgdata={fresh}",
            f"--username={OWNER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            *([] if durable else ["--no-sync"]),
        ],
        cwd="/",
        env=_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    password_file.unlink()
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise Failure(f"initdb could not make the database: {done.stderr.strip()[-500:]}")
    fresh.rename(identity.cluster)


def _check_version(identity: Identity) -> None:
    made_by = (identity.cluster / "PG_VERSION").read_text(encoding="utf-8").strip()
    answer = subprocess.run(
        [str(identity.binaries / "postgres"), "--version"], capture_output=True, text=True, check=False
    )
    if f" {made_by}." not in answer.stdout:
        raise Failure(
            f"The data in {identity.cluster} were made by PostgreSQL {made_by}, but here is "
            f"{answer.stdout.strip()}: move them with pg_upgrade, or remove the folder to start anew."
        )


def clear_leftovers(cluster: Path) -> None:
    """End what a killed server left behind, so that the next one starts at once.

    Its backends stand in sessions of their own and may finish a long statement first, while the new server
    refuses to start beside them. And a lock whose number now belongs to a foreign process (usual in
    containers, where numbers repeat) would be believed.
    """
    killed = {number for number in _numbers() if _is_server_of(number, cluster)}
    for number in killed:
        os.kill(number, signal.SIGKILL)
    end = time.monotonic() + LEFTOVERS_SECONDS
    while any(_is_server_of(number, cluster) for number in killed) and time.monotonic() < end:
        time.sleep(0.01)  # They are no children of ours, so nothing tells when they have ended.
    lock = cluster / "postmaster.pid"
    if lock.exists():
        holder = int(lock.read_text(encoding="utf-8").partition("\n")[0])
        if holder not in killed and Path(f"/proc/{holder}").exists():
            lock.unlink()


def _numbers() -> list[int]:
    return [int(process.name) for process in Path("/proc").glob("[0-9]*")]


def _is_server_of(number: int, cluster: Path) -> bool:
    process = Path(f"/proc/{number}")
    try:
        name = process.joinpath("comm").read_text(encoding="utf-8").strip()
        return name == "postgres" and process.joinpath("cwd").readlink() == cluster
    except OSError:
        return False


def make_database(server: Postgres, database: str) -> None:
    """Make the application's role and the database, where they are missing."""
    with psycopg.connect(server.owner_url("postgres"), autocommit=True) as connection:
        make_role(connection, APP, server.app_password)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (database,)).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))


def make_role(connection: psycopg.Connection, role: str, password: str) -> None:
    """Make a role that may connect and owns nothing, or give it this password."""
    exists = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
    verb = sql.SQL("ALTER" if exists else "CREATE")
    parts = (verb, sql.Identifier(role), sql.Literal(password))
    connection.execute(sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(*parts))


def _environment() -> dict[str, str]:
    # PG* variables of the caller would lead the server's own tools astray.
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


def _within(value: int, low: int, high: int) -> int:
    return max(low, min(value, high))
