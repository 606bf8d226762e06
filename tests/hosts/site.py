"""One installation on several hosts: each part stands on a host and knows the others by their addresses only.

Processes are started by the lines of the Procfile with nothing but settings. The pair of databases is set up,
and failed over, by the commands of docs/how-to/fail-over.md, which `follow` reads from the paper.
"""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psycopg
import redis
import urllib3

from app.cli import procfile
from app.cli.datafolder import ROOT
from app.cli.servers_binaries import postgres_binaries, valkey_binary
from app.cli.servers_identity import choose
from app.cli.servers_ports import ask_postgres, ask_redis
from app.cli.servers_postgres import APP, OWNER, Postgres, make_role, prepare
from app.cli.servers_valkey import Valkey
from tests.faults.traffic import START_SECONDS, Traffic
from tests.hosts.lab import Host, Lab
from tests.waiting import wait_until

PAPER = ROOT / "docs" / "how-to" / "fail-over.md"
DATABASE = "florin"
PORTS = {"db-a": 5432, "db-b": 5433, "redis": 6379, "api-a": 8000, "api-b": 8001}
PROCESSES = ("api-a", "api-b", "worker-a", "worker-b", "worker-c", "scheduler-a", "scheduler-b")
PARTS = ("db-a", "db-b", "redis", *PROCESSES)
TYPES = {"api": "web", "worker": "worker", "scheduler": "scheduler"}
SERVER_OPTIONS = {"shared_buffers": "128MB", "max_wal_size": "1GB", "max_connections": "150"}
PROCEDURE_SECONDS = 60.0


class Site(Traffic):
    """The parts, where they stand, and which of the two databases is written to."""

    def __init__(self, folder: Path, lab: Lab, places: Mapping[str, str]) -> None:
        """Start everything; `places` names the host of each part."""
        self.folder = folder
        self.network = f"{lab.network}.0/24"
        self.hosts: dict[str, Host] = {part: lab.hosts[places[part]] for part in PARTS}
        super().__init__([f"http://{self.place(part)}" for part in ("api-a", "api-b")])
        self.passwords = {name: secrets.token_hex(16) for name in (OWNER, APP, "replica", "redis")}
        self.primary, self.replica = "db-a", "db-b"
        self.servers = self._clusters()
        self.values = self._settings()
        try:
            self._start_all()
        except BaseException:
            print(self.logs())
            raise

    def place(self, part: str) -> str:
        """The address and port under which others reach a part."""
        return f"{self.hosts[part].address}:{PORTS[part]}"

    def owner(self, *parts: str, database: str = DATABASE) -> str:
        """The address of a database for the owner of the tables; of several the one that is written to."""
        places = ",".join(self.place(part) for part in parts)
        ending = "?target_session_attrs=read-write" if len(parts) > 1 else ""
        return f"postgresql://{OWNER}:{self.passwords[OWNER]}@{places}/{database}{ending}"

    def _settings(self) -> dict[str, str]:
        owner = self.owner("db-a", "db-b")
        return {
            "FLORIN_ENV": "production", "SECRET_KEY": secrets.token_hex(32), "LOG_LEVEL": "WARNING",
            "MIGRATION_DATABASE_URL": owner,
            "DATABASE_URL": owner.replace(f"{OWNER}:{self.passwords[OWNER]}", f"{APP}:{self.passwords[APP]}"),
            "APP_DATABASE_ROLE": APP,
            "REDIS_URL": f"redis://:{self.passwords['redis']}@{self.place('redis')}/0",
            "WEB_CONCURRENCY": "1", "BOOTSTRAP_API_KEY": "sk_" + secrets.token_hex(24),
        }

    def _clusters(self) -> dict[str, Postgres]:
        words = self.passwords[OWNER], self.passwords[APP]
        first = prepare(postgres_binaries(), self.folder / "db-a" / "postgres", PORTS["db-a"], *words)
        with (first.identity.cluster / "pg_hba.conf").open("a", encoding="utf-8") as file:
            file.write(f"host all all {self.network} scram-sha-256\n")
        second = self.folder / "db-b" / "postgres"
        second.parent.mkdir(parents=True)
        identity = choose(postgres_binaries(), second, self.passwords[OWNER])
        identity.cluster.mkdir(mode=0o700, parents=True)
        identity.give(identity.cluster)
        return {"db-a": first, "db-b": Postgres(identity, PORTS["db-b"], *words)}

    def _start_all(self) -> None:
        for host in self.hosts.values():
            host.join()  # The last installation may have lost it.
        self.start("db-a")
        self.start("redis")
        maintenance = self.owner("db-a", database="postgres")
        wait_until(lambda: ask_postgres(maintenance) is None, "PostgreSQL answers", START_SECONDS)
        wait_until(lambda: ask_redis(self.values["REDIS_URL"]) is None, "Redis answers", START_SECONDS)
        with psycopg.connect(maintenance, autocommit=True) as c:
            make_role(c, APP, self.passwords[APP])
            c.execute(f"CREATE DATABASE {DATABASE}")  # type: ignore[arg-type]  # Not a literal, but ours.
        self.follow("Prepare the primary")
        self.command("api-a", procfile.commands()["release"])
        for part in PROCESSES:
            self.start(part)
        wait_until(self.is_ready, "every part is ready", START_SECONDS)
        self.open_program(self.owner(self.primary), self.values["BOOTSTRAP_API_KEY"])

    def is_ready(self) -> bool:
        """Whether each API host says that everything it needs is there."""
        return all(self.health(address) == 200 for address in self.addresses)

    def health(self, address: str) -> int:
        """Ask one API host for its readiness; 0 where it does not answer."""
        try:
            return self.pool.request("GET", f"{address}/health/ready").status
        except urllib3.exceptions.HTTPError:
            return 0

    def start(self, part: str) -> None:
        """Start a part on its host."""
        host, log, kind = self.hosts[part], self.folder / f"{part}.log", part.partition("-")[0]
        if kind == "db":
            line = self.servers[part].line(log)
            line.before()
            options = SERVER_OPTIONS | {"listen_addresses": host.address}
            host.start([*line.argv, *(f"--{name}={value}" for name, value in options.items())],
                       line.environ, log, line.folder)
        elif kind == "redis":
            valkey = Valkey(valkey_binary(), self.folder / "redis", PORTS[part], self.passwords["redis"])
            line = valkey.line(log)
            host.start([*line.argv, "--bind", host.address], line.environ, log, line.folder)
        else:
            own = {"HOST": host.address, "PORT": str(PORTS.get(part, 8000))}
            environ = procfile.environment(self.values | own)
            host.start(procfile.argv(procfile.commands()[TYPES[kind]]), environ, log, ROOT)

    def lose(self, part: str) -> None:
        """Lose the host of a part."""
        self.hosts[part].lose()

    def back(self, part: str) -> None:
        """The host of a part comes back, and the part is started on it."""
        self.hosts[part].join()
        self.start(part)

    def command(self, part: str, script: str, **more: str) -> str:
        """Run a shell script on the host of a part with the settings of the product; return what it said."""
        environ = procfile.environment(self.values | more)
        return self._run(self.hosts[part].inside(["sh", "-ec", script]), environ)

    def _run(self, argv: list[str], environ: dict[str, str]) -> str:
        done = subprocess.run(argv, cwd=ROOT, env=environ, capture_output=True, text=True, check=False,
                              timeout=PROCEDURE_SECONDS)
        assert done.returncode == 0, f"{argv[-1]}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def follow(self, heading: str) -> str:
        """Do what the paper says under a heading, each block where it says; return what was answered."""
        return "".join(self._block(block) for block in blocks(heading))

    def _block(self, block: str) -> str:
        first = block.partition("\n")[0]
        if first == "# on the host of a process":
            return self.command("api-a", block)
        part = {"# on the primary": self.primary, "# on the replica": self.replica}[first]
        identity = self.servers[part].identity
        environ = os.environ | {
            "PRIMARY": self.owner(self.primary), "REPLICA": self.owner(self.replica),
            "REPLICATION": self._replication(), "REPLICA_PASSWORD": self.passwords["replica"],
            "NETWORK": self.network, "PGDATA": str(identity.cluster),
            "PATH": os.pathsep.join([str(identity.binaries), os.environ.get("PATH", os.defpath)]),
        }
        argv = [*identity.prefix, "sh", "-ec", block]
        return self._run(self.hosts[part].inside(argv), environ)

    def _replication(self) -> str:
        return (f"postgresql://florin_replica:{self.passwords['replica']}@{self.place(self.primary)}"
                "/?application_name=florin_replica")

    def replicate(self) -> None:
        """Make the replica and have every commit wait for it, as the paper says."""
        self.follow("Copy the primary")
        self.start(self.replica)
        its_own = self.owner(self.replica)
        wait_until(lambda: ask_postgres(its_own) is None, "the replica answers", START_SECONDS)
        self.follow("Let every commit wait for the replica")
        wait_until(self.in_step, "the replica is in step", 15)

    def in_step(self) -> bool:
        """Whether commits wait for the replica, asked as the paper says."""
        return self.follow("See that it does").split() == ["sync"]

    def promote(self) -> None:
        """Fail over as the paper says; from now on the other one is the primary."""
        self.follow("Promote the replica")
        self.primary, self.replica = self.replica, self.primary
        self.database = self.owner(self.primary)

    def sessions(self, part: str) -> int:
        """How many sessions of a host the database holds."""
        told = self.rows("SELECT count(*) AS n FROM pg_stat_activity WHERE client_addr = %s",
                         self.hosts[part].address)
        return int(told[0]["n"])

    def client(self) -> "redis.Redis[bytes]":
        """A client of Redis from our place in the network."""
        return redis.Redis.from_url(self.values["REDIS_URL"], socket_timeout=5)

    def logs(self) -> str:
        """The ends of all logs, for a test that failed."""
        return "\n".join(
            f"--- {log.name}\n{log.read_text(errors='replace')[-1500:]}"
            for log in sorted(self.folder.glob("*.log"))
        )

    def stop(self) -> None:
        """Kill what runs, and remove data that had to move out of the folder."""
        for host in set(self.hosts.values()):
            host.end()
        for server in self.servers.values():
            shutil.rmtree(server.identity.cluster, ignore_errors=True)
        self.pool.clear()


def blocks(heading: str) -> list[str]:
    """The blocks of commands that the paper has under a heading."""
    paper = PAPER.read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ [A-Z]|\Z)", paper, re.MULTILINE | re.DOTALL)
    assert found, f"{PAPER.name} has no heading {heading!r}"
    return re.findall(r"```sh\n(.*?)```", found[1], re.DOTALL)


@contextmanager
def site_on(folder: Path, lab: Lab, places: Mapping[str, str]) -> Iterator[Site]:
    """An installation for as long as the block runs; its folder stays where a test failed inside."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    made = Site(folder, lab, places)
    try:
        yield made
    finally:
        made.stop()
    shutil.rmtree(folder, ignore_errors=True)
