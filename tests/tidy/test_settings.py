"""Settings: each is documented with its default, validated, and read in one place."""

import ast
import re

import pytest

from app import settings
from tests.tidy.sources import ROOT, name, python, tree

DOCUMENT = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
# The rows of the tables in which defaults stand: name, default, meaning.
DOCUMENTED = dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]+) \| [^|]+ \|$", DOCUMENT, re.MULTILINE))
READERS = ("app/settings.py", "app/cli/")


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert set(DOCUMENTED) == set(settings.names())


def test_every_documented_default_is_the_one_that_is_used() -> None:
    silent = settings.load({})
    for variable, cell in DOCUMENTED.items():
        default = re.match(r"`([^`]+)`", cell)
        if default and default.group(1) not in settings.names():
            assert settings.load({variable: default.group(1)}) == silent, variable


def test_only_the_settings_and_the_commands_read_the_environment() -> None:
    found = [
        f"{name(path)}:{node.lineno}"
        for path in python("app", "workers", "scheduler", "migrations")
        if not name(path).startswith(READERS)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
        and node.attr in {"environ", "getenv"}
        and isinstance(node.value, ast.Name)
        and node.value.id == "os"
    ]
    assert found == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PORT", "0"),
        ("PORT", "70000"),
        ("PORT", "٨٠"),
        ("PORT", "8_0"),
        ("WEB_CONCURRENCY", "two"),
        ("DATABASE_URL", "mysql://u@h/d"),
        ("DATABASE_URL", "postgresql:///florin"),
        ("DATABASE_URL", "postgresql://host:port/florin"),
        ("DATABASE_URL", "postgresql://host"),
        ("REDIS_URL", "localhost:6379"),
        ("LOG_FORMAT", "xml"),
        ("FLORIN_ENV", "staging"),
        ("PGBOUNCER", "yes"),
        ("APP_DATABASE_ROLE", 'app"; DROP'),
        ("BOOTSTRAP_API_KEY", "secret"),
        ("SECRET_KEY", "short"),
        ("WEBHOOK_ALLOWED_NETWORKS", "10.0.0.0/8,intranet"),
        ("CLOCK_OFFSET", "-1"),
        ("QUEUE_LIMIT", "1e6"),
    ],
)
def test_an_unusable_value_is_refused_and_the_variable_named(variable: str, value: str) -> None:
    with pytest.raises(settings.SettingError) as refused:
        settings.load({variable: value})
    assert refused.value.name == variable
    assert variable in str(refused.value)


def test_an_empty_value_counts_as_absent() -> None:
    assert settings.load({"PORT": "", "DATABASE_URL": ""}) == settings.load({})


def test_every_spelling_of_a_database_address_becomes_the_one_that_both_drivers_take() -> None:
    for scheme in ("postgres", "postgresql", "postgresql+psycopg"):
        found = settings.load({"DATABASE_URL": f"{scheme}://u:p%40@h:1/d?sslmode=require"})
        assert found.database_url == "postgresql://u:p%40@h:1/d?sslmode=require"
        assert found.migration_database_url == found.database_url


WRITES = "?target_session_attrs=read-write"


@pytest.mark.parametrize("hosts", ["a:1,b:2", "a,b:2,c", "[fd00::1]:1,10.0.0.2"])
def test_a_database_address_may_name_several_hosts_of_which_one_is_written_to(hosts: str) -> None:
    for ending in (WRITES, "?sslmode=require&target_session_attrs=primary"):
        url = f"postgresql://u:p%40@{hosts}/d{ending}"
        assert settings.load({"DATABASE_URL": url}).database_url == url
    for ending in ("", "?sslmode=require", "?target_session_attrs=any"):
        with pytest.raises(settings.SettingError, match="target_session_attrs=read-write"):
            settings.load({"DATABASE_URL": f"postgresql://u:p@{hosts}/d{ending}"})


@pytest.mark.parametrize("hosts", ["a:1,", ",b:2", "a:1,b:x", "a:0,b:1", ""])
def test_each_of_several_hosts_must_be_one(hosts: str) -> None:
    with pytest.raises(settings.SettingError, match="must name a host"):
        settings.load({"DATABASE_URL": f"postgresql://u:p@{hosts}/d{WRITES}"})


def test_production_refuses_a_moved_clock_and_a_missing_key() -> None:
    key = {"FLORIN_ENV": "production", "SECRET_KEY": "k" * 32}
    assert settings.load(key).production
    with pytest.raises(settings.SettingError, match="SECRET_KEY"):
        settings.load({"FLORIN_ENV": "production"})
    with pytest.raises(settings.SettingError, match="CLOCK_OFFSET"):
        settings.load({**key, "CLOCK_OFFSET": "0"})


def test_no_secret_is_shown_when_settings_are_printed() -> None:
    secrets = {
        "DATABASE_URL": "postgresql://u:hidden@h/d",
        "REDIS_URL": "redis://:hidden@h",
        "SECRET_KEY": "hidden" * 8,
        "BOOTSTRAP_API_KEY": "sk_hidden_hidden_hidden_hidden",
    }
    assert "hidden" not in repr(settings.load(secrets))
