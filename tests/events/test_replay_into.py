"""`verify --replay --into`: the database that somebody names is looked at before anything else happens."""

from collections.abc import Iterator

import psycopg
import pytest

from app.cli import verify
from app.cli.failure import Failure
from tests.events.scene import PURCHASE, Scene, counter, credit, work
from tests.harness import Servers


@pytest.fixture
def spare(servers: Servers) -> Iterator[str]:
    """The address of an empty database."""
    name = servers.plan.name.removesuffix("_test") + "_spare_test"
    servers.create(name)
    yield servers.plan.owner_url(name)
    servers.drop(name)


def tables(url: str) -> list[str]:
    with psycopg.connect(url) as c:
        rows = c.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        return [name for (name,) in rows]


def test_all_events_are_decided_again_in_it_and_it_is_kept(
    scene: Scene, spare: str, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.rule(PURCHASE, credit("event.amount"), counter())
    for number in range(3):
        scene.send(f"k{number}")
    work()
    assert verify.main(["--replay", "--into", spare]) == 0
    out = capsys.readouterr().out
    assert "replayed_events      ok               3 of 3 events compared" in out
    assert out.endswith("The ledger holds.\n")
    with psycopg.connect(spare) as c:
        assert c.execute("SELECT count(*) FROM decisions").fetchone() == (3,)
        assert c.execute("SELECT available FROM accounts WHERE id > 0").fetchone() == (30,)
    with pytest.raises(Failure, match="is not empty"):
        verify.main(["--replay", "--into", spare])
    assert "replayed" not in capsys.readouterr().out


def test_a_difference_is_told_and_is_the_exit_code(
    scene: Scene, spare: str, servers: Servers, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.rule(PURCHASE, counter())
    scene.run()
    with psycopg.connect(servers.plan.owner_url(servers.plan.name), autocommit=True) as c:
        c.execute("UPDATE owners SET tags = '{forged}' WHERE kind = 'PARTICIPANT'")
    assert verify.main(["--replay", "--into", spare]) == 1
    assert "replayed_states      1 VIOLATIONS" in capsys.readouterr().out


def test_a_database_with_anything_in_it_is_left_as_it_is(spare: str) -> None:
    with psycopg.connect(spare, autocommit=True) as c:
        c.execute("CREATE TABLE theirs (n integer)")
    with pytest.raises(Failure, match="is not empty"):
        verify.main(["--replay", "--into", spare])
    assert tables(spare) == ["theirs"]


def test_the_system_itself_is_not_replayed_into(scene: Scene, servers: Servers) -> None:
    with pytest.raises(Failure, match="is not empty"):
        verify.main(["--replay", "--into", servers.plan.owner_url(servers.plan.name)])


@pytest.mark.parametrize("into", ["nonsense", "postgresql://", "mysql://host/name", "postgresql://host"])
def test_what_is_no_address_is_told(into: str) -> None:
    with pytest.raises(Failure, match="--into must look like"):
        verify.main(["--replay", "--into", into])


def test_a_database_that_is_not_there_is_told_in_a_sentence(servers: Servers) -> None:
    for into in (servers.plan.owner_url("not_there_test"), "postgresql://a:b@127.0.0.1:1/c"):
        with pytest.raises(Failure, match="cannot be used: ") as refused:
            verify.main(["--replay", "--into", into])
        assert "\n" not in str(refused.value)


def test_into_alone_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        verify.main(["--into", "postgresql://host/name"])
    assert "--into needs --replay" in capsys.readouterr().err
