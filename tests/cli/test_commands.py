"""The table of commands: what exists is listed, what does not is refused, and refusals are one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli.__main__ import commands
from app.cli.datafolder import ROOT, DataFolder
from app.cli.servers_ports import free_port


def _dev(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "dev.py", *arguments],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_help_lists_every_command_with_its_line() -> None:
    done = _dev("--help")
    assert done.returncode == 0
    table = commands()
    assert {"run", "test", "key", "psql", "release"} <= set(table)
    assert all(summary for summary in table.values())
    assert [name for name, summary in table.items() if f"  {name} " not in done.stdout] == []


def test_an_unknown_command_is_refused_with_the_list() -> None:
    done = _dev("fly")
    assert done.returncode == 2
    assert "There is no command 'fly'." in done.stderr
    assert "  run " in done.stderr


def test_a_module_that_only_serves_is_no_command() -> None:
    assert {"supervise", "servers", "banner", "procfile", "datafolder"}.isdisjoint(commands())


@pytest.mark.parametrize("name", ["run", "key", "release"])
def test_a_command_explains_itself(name: str) -> None:
    done = _dev(name, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"usage: dev.py {name}")


def test_a_command_without_a_running_system_says_so_in_one_line(tmp_path: Path) -> None:
    nothing = {"DATABASE_URL": "", "MIGRATION_DATABASE_URL": "", "REDIS_URL": "", "DATA_DIR": str(tmp_path)}
    done = _dev("key", "list", **nothing)
    assert done.returncode == 1
    assert done.stderr == "dev.py key: DATABASE_URL is not set (`python3 dev.py run` brings its own).\n"


def test_a_server_that_went_away_is_told_in_one_line() -> None:
    done = _dev("key", "list", DATABASE_URL=f"postgresql://u:hidden@127.0.0.1:{free_port()}/d")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "a server does not answer; is the system running?" in done.stderr
    assert "hidden" not in done.stderr


def test_a_release_on_an_empty_database_makes_it_ready_and_again_changes_nothing(
    own_database: dict[str, str],
) -> None:
    key = "sk_" + "k" * 40
    first = _dev("release", **own_database, BOOTSTRAP_API_KEY=key)
    assert first.returncode == 0, first.stderr
    assert "Made the first organization" in first.stdout
    second = _dev("release", **own_database, BOOTSTRAP_API_KEY="sk_" + "x" * 40)
    assert second.returncode == 0, second.stderr
    assert second.stdout == ""
    listed = _dev("key", "list", **own_database)
    assert len(listed.stdout.splitlines()) == 1
    assert key[:8] in listed.stdout


def test_a_second_organization_has_to_be_named_and_its_keys_are_its_own(own_database: dict[str, str]) -> None:
    _dev("key", "organization", "One", **own_database)
    _dev("key", "organization", "Two", **own_database)
    unsaid = _dev("key", "list", **own_database)
    assert unsaid.returncode == 1
    ids = [line.split()[0] for line in unsaid.stderr.splitlines()[1:]]
    assert len(ids) == 2
    made = _dev("key", "create", "--organization", ids[1], "--name", "second", **own_database)
    assert made.returncode == 0
    lists = [_dev("key", "list", "--organization", each, **own_database).stdout for each in ids]
    assert [len(text.splitlines()) for text in lists] == [1, 2]
    foreign = lists[1].split()[0]
    stolen = _dev("key", "revoke", foreign, "--organization", ids[0], **own_database)
    assert stolen.returncode == 1
    assert "There is no such key" in stolen.stderr


def test_production_refuses_a_database_whose_clock_was_moved(own_database: dict[str, str]) -> None:
    assert _dev("release", **own_database, CLOCK_OFFSET="60").returncode == 0
    done = _dev("release", **{**own_database, "FLORIN_ENV": "production"})
    assert done.returncode == 1
    assert "A test clock was used on this database" in done.stderr


def test_secrets_are_made_once_and_kept(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    first = folder.secret("one")
    assert folder.secret("one") == first
    assert folder.secret("two") != first
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600


def test_the_environment_file_survives_every_character(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "postgresql://u:p'\"$ \\x@h/d"
    DataFolder(tmp_path).write_environment({"FLORIN_TEST_VALUE": value})
    monkeypatch.delenv("FLORIN_TEST_VALUE", raising=False)
    DataFolder(tmp_path).lend_environment()
    assert os.environ.pop("FLORIN_TEST_VALUE") == value
