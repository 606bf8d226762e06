"""`dev.py run` as a stranger meets it: one banner, every process kept alive, a clean stop."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from app.cli.datafolder import ROOT
from app.cli.servers_ports import free_port
from tests.waiting import wait_until

# A fresh process that finds the environment installed needs nothing of ours.
UNSET = ("DATABASE_URL", "MIGRATION_DATABASE_URL", "REDIS_URL", "SECRET_KEY", "LOG_LEVEL", "FLORIN_ENV")
BACK_SECONDS = 5.0
# Connections and heartbeats need a moment more: events resume within this time of any single fault.
RESUMED_SECONDS = 15.0


class System:
    """A running `dev.py run` with a data folder of its own."""

    def __init__(self, folder: Path, *arguments: str, **variables: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.output = folder.with_name(f"output-{self.port}")
        environ = {name: value for name, value in os.environ.items() if name not in UNSET}
        environ |= {"DATA_DIR": str(folder), **variables}
        command = [sys.executable, "dev.py", "run", "--port", str(self.port), *arguments]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def text(self) -> str:
        """What the terminal has shown so far."""
        return self.output.read_text(encoding="utf-8")

    def wait_for_banner(self) -> str:
        """The terminal's text once the banner is there."""

        def shown() -> bool:
            assert self.process.poll() is None, self.text()
            return "Florin is running" in self.text()

        wait_until(shown, "the banner", 60)
        return self.text()

    def ask(self, path: str, key: str | None = None) -> tuple[int, dict[str, object]]:
        """Status and body of a GET; status 0 when nobody answers."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError:
            return 0, {}

    def is_ready(self) -> bool:
        """Whether every part says that it is there."""
        return self.ask("/health/ready")[0] == 200

    def roots(self) -> dict[str, psutil.Process]:
        """The process of each line, by a name taken from its command."""
        found = {}
        for child in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):
                command = " ".join(child.cmdline())
                for word in ("postgres", "valkey-server", "gunicorn", "dramatiq", "scheduler"):
                    if word in command:
                        found[f"{word} {child.pid}" if word == "dramatiq" else word] = child
                        break
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Stop it as a terminal would; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=60)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """One running system for the tests that leave it as they found it."""
    started = System(tmp_path_factory.mktemp("run") / "data")
    try:
        started.wait_for_banner()
        yield started
    finally:
        started.stop()


def test_the_banner_says_all_that_is_needed_to_begin(system: System) -> None:
    text = system.text()
    assert text.count("Florin is running") == 1
    assert f"http://127.0.0.1:{system.port}/v1" in text
    assert f"http://127.0.0.1:{system.port}/docs" in text
    assert "10,000 requests/s, burst 20,000" in text
    assert "Ctrl-C" in text
    key = re.search(r"sk_[\w-]{40,}", text)
    assert key
    assert key.group() == (system.folder / "first-api-key").read_text(encoding="utf-8").strip()
    assert system.ask("/v1/programs", key.group())[0] == 200
    assert system.ask("/v1/programs", key.group()[:-1])[0] == 401


def test_secrets_are_readable_by_their_owner_only(system: System) -> None:
    names = ["first-api-key", "secret-key", "env", "owner-password", "app-password", "valkey-password"]
    assert [name for name in names if (system.folder / name).stat().st_mode & 0o077] == []
    # Where the server's user cannot reach this folder, the banner says where the database went.
    moved = re.search(r"database in (\S+)", system.text())
    cluster = Path(moved.group(1)) if moved else system.folder / "postgres"
    assert cluster.stat().st_mode & 0o077 == 0
    stored = _dev(system, "psql", "-tAc", "SELECT * FROM api_keys")
    key = (system.folder / "first-api-key").read_text(encoding="utf-8").strip()
    assert key[:8] in stored
    assert key[:9] not in stored


def test_a_second_run_says_in_one_line_that_one_is_running(system: System) -> None:
    second = subprocess.run(
        [sys.executable, "dev.py", "run"],
        cwd=ROOT,
        env=_environment_of(system),
        capture_output=True,
        text=True,
        check=False,
    )
    assert second.returncode == 1
    assert second.stdout == ""
    assert len(second.stderr.splitlines()) == 1
    assert f"already running (http://127.0.0.1:{system.port}, process {system.process.pid}" in second.stderr
    assert system.is_ready()


def test_the_processes_work_as_a_role_that_owns_no_table(system: System) -> None:
    statement = """
        SELECT DISTINCT usename FROM pg_stat_activity
        WHERE datname = 'florin' AND pid <> pg_backend_pid()
    """
    assert _dev(system, "psql", "-tAc", statement).split() == ["florin_app"]


def test_keys_are_made_listed_and_revoked_from_the_command_line(system: System) -> None:
    made = _dev(system, "key", "create", "--name", "till")
    key = made.splitlines()[0]
    assert system.ask("/v1/programs", key)[0] == 200
    row = _row(system, "till")
    assert key not in row
    assert key[:8] in row
    _dev(system, "key", "revoke", row.split()[0])
    wait_until(lambda: system.ask("/v1/programs", key)[0] == 401, "the key is refused", 1.5)
    assert "revoked" in _row(system, "till")


def test_what_a_recipe_did_is_verified_and_decided_again(system: System) -> None:
    """The budget is reset by a call in between, the wallet is filled by one, a participant is suspended."""
    for name in ("prefunded-campaign", "suspended-participant"):
        assert "Everything came out as the recipe says." in _dev(system, "demo", name)
    text = _dev(system, "verify", "--replay")
    found = re.search(r"replayed_events +ok +(\d+) of (\d+) events compared", text)
    assert found, text
    compared, known = map(int, found.groups())
    assert 0 < compared < known, "the one who was suspended cannot be compared"
    assert re.search(r"replayed_budgets +ok +1 compared", text)
    assert text.endswith("The ledger holds.\n")
    databases = _dev(system, "psql", "-tAc", "SELECT count(*) FROM pg_database WHERE datname LIKE '%_replay'")
    assert databases.strip() == "0"


def _row(system: System, name: str) -> str:
    return next(line for line in _dev(system, "key", "list").splitlines() if line.endswith(name))


@pytest.mark.parametrize("victim", ["postgres", "valkey-server", "gunicorn", "dramatiq", "scheduler"])
def test_a_killed_process_is_back_within_five_seconds(system: System, victim: str) -> None:
    wait_until(system.is_ready, "ready before", 20)
    name, process = next((name, each) for name, each in system.roots().items() if name.startswith(victim))
    others = {each.pid for other, each in system.roots().items() if other != name}
    process.kill()
    wait_until(lambda: not process.is_running(), f"{victim} is gone")
    wait_until(lambda: _is_back(system, others), f"{victim} is back", BACK_SECONDS)
    wait_until(system.is_ready, "ready again", RESUMED_SECONDS)


def _is_back(system: System, others: set[int]) -> bool:
    now = {each.pid for each in system.roots().values()}
    return others < now and len(now) == len(others) + 1


@pytest.mark.parametrize("victim", ["gunicorn", "dramatiq"])
def test_a_killed_child_of_a_master_is_replaced_within_five_seconds(system: System, victim: str) -> None:
    wait_until(system.is_ready, "ready before", 20)
    master = next(each for name, each in system.roots().items() if name.startswith(victim))
    count = len(master.children())
    child = master.children()[-1]
    child.kill()
    wait_until(lambda: not child.is_running(), f"the child of {victim} is gone")

    def replaced() -> bool:
        with suppress(psutil.Error):
            masters = [each for name, each in system.roots().items() if name.startswith(victim)]
            expected = 2 if victim == "dramatiq" else 1
            return len(masters) == expected and all(len(each.children()) >= count for each in masters)
        return False

    wait_until(replaced, f"the child of {victim} is replaced", BACK_SECONDS)
    wait_until(system.is_ready, "ready again", RESUMED_SECONDS)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., System]]:
    """Starts systems on one data folder; those that a failed test leaves are stopped."""
    started: list[System] = []

    def begin(*arguments: str) -> System:
        started.append(System(tmp_path / "data", *arguments))
        return started[-1]

    yield begin
    for each in started:
        if each.process.poll() is None:
            each.stop()


def test_a_killed_run_takes_its_processes_down_and_the_next_one_starts(start: Callable[..., System]) -> None:
    first = start()
    first.wait_for_banner()
    family = psutil.Process(first.process.pid).children(recursive=True)
    first.process.kill()
    first.process.wait()
    second = start()
    second.wait_for_banner()
    wait_until(lambda: all(map(_has_ended, family)), "the first family has ended", 15)
    assert second.stop() == 0


def test_a_stop_ends_everything_in_order_and_the_data_are_there_again(start: Callable[..., System]) -> None:
    first = start("--test-clock")
    assert "POST /v1/test/clock" in first.wait_for_banner()
    key = (first.folder / "first-api-key").read_text(encoding="utf-8").strip()
    _stops_cleanly(first, signal.SIGINT)
    second = start()
    assert "/v1/test/clock" not in second.wait_for_banner()
    assert second.ask("/v1/programs", key)[0] == 200
    _stops_cleanly(second, signal.SIGTERM)


def _stops_cleanly(system: System, number: signal.Signals) -> None:
    family = psutil.Process(system.process.pid).children(recursive=True)
    ends = _watch_ends(system)
    assert system.stop(number) == 0
    assert system.text().rstrip().endswith("Stopped.")
    assert [each for each in family if not _has_ended(each)] == []
    assert not (system.folder / "env").exists()
    log = (system.folder / "logs" / "postgres.log").read_text(encoding="utf-8")
    assert log.rstrip().endswith("database system is shut down")
    assert ends() == ["gunicorn", "dramatiq", "scheduler", "postgres", "valkey-server"]


def _watch_ends(system: System) -> Callable[[], list[str]]:
    """Note when each line ends; the answer names them in that order, workers once."""
    ended: list[str] = []
    lines = {each: name.partition(" ")[0] for name, each in system.roots().items()}

    def all_ended() -> bool:
        for each in [each for each in lines if _has_ended(each)]:
            ended.append(lines.pop(each))
        return not lines

    thread = threading.Thread(target=wait_until, args=(all_ended, "all have ended", 60))
    thread.start()

    def names() -> list[str]:
        thread.join()
        return list(dict.fromkeys(ended))

    return names


def _has_ended(process: psutil.Process) -> bool:
    # A dead process whose parent has not looked yet, or never will, is dead all the same.
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _environment_of(system: System) -> dict[str, str]:
    environ = {name: value for name, value in os.environ.items() if name not in UNSET}
    return {**environ, "DATA_DIR": str(system.folder), "PORT": str(system.port)}


def _dev(system: System, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "dev.py", *arguments],
        cwd=ROOT,
        env=_environment_of(system),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
