"""The supervisor: what ends is started again, leftovers are cleared, and groups stop in order."""

import os
import signal
import sys
from pathlib import Path

import pytest

from app.cli import supervise
from app.cli.supervise import Keeper, Line, Supervisor
from tests.waiting import wait_until

SLEEPER = "import signal; print('up', flush=True); signal.pause()"
WITH_CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]); {SLEEPER}"
TALKER = f"import signal; signal.signal(signal.SIGUSR1, lambda *a: None); {SLEEPER}; print('bye')"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, lambda *a: None); {SLEEPER}; {SLEEPER}"


class Lines:
    """Makes lines that run Python text and log below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, name: str, program: str, **options: object) -> Line:
        argv = [sys.executable, "-c", program]
        log = self.folder / f"{name}.log"
        return Line(name, argv, dict(os.environ), log, **options)

    def ups(self, name: str) -> int:
        """How often processes of this line have said that they are up."""
        log = self.folder / f"{name}.log"
        return log.read_text(encoding="utf-8").count("up") if log.exists() else 0


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    return Lines(tmp_path)


def _pid(supervisor: Supervisor, name: str) -> int:
    process = next(keeper for keeper in supervisor.keepers if keeper.line.name == name).process
    assert process is not None
    return process.pid


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_killed_process_is_back_within_a_second_and_its_neighbour_is_left_alone(lines: Lines) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    for name in ("one", "two"):
        supervisor.add(lines.make(name, SLEEPER))
    assert supervisor.watch(lambda: lines.ups("one") == lines.ups("two") == 1, 10)
    os.kill(_pid(supervisor, "one"), signal.SIGKILL)
    assert supervisor.watch(lambda: lines.ups("one") == 2, 2)
    assert lines.ups("two") == 1
    assert said == ["one ended (killed by SIGKILL); starting it again"]
    supervisor.stop(lambda name: True)


def test_the_children_of_a_killed_master_do_not_outlive_it(lines: Lines) -> None:
    supervisor = Supervisor(print)
    supervisor.add(lines.make("master", WITH_CHILD))
    assert supervisor.watch(lambda: lines.ups("master") == 2, 10)
    first = _pid(supervisor, "master")
    children = Path(f"/proc/{first}/task/{first}/children").read_text(encoding="utf-8").split()
    os.kill(first, signal.SIGKILL)
    assert supervisor.watch(lambda: lines.ups("master") == 4, 10)
    assert [child for child in children if _is_alive(int(child))] == []
    supervisor.stop(lambda name: True)


def test_what_ends_at_once_is_tried_again_ever_more_slowly_up_to_five_seconds(lines: Lines) -> None:
    keeper = Keeper(lines.make("broken", "raise SystemExit(3)"))
    delays = []
    for _ in range(6):
        keeper.start()
        assert keeper.process is not None
        keeper.process.wait()
        assert keeper.has_ended() == 3
        delays.append(keeper.start_again_at - keeper.started_at)
    assert [round(delay) for delay in delays[1:]] == [1, 2, 4, 5, 5]
    assert 0.5 <= delays[0] < 1


def test_a_process_that_was_healthy_is_started_again_without_that_delay(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "HEALTHY_AFTER_SECONDS", 0.0)
    keeper = Keeper(lines.make("healthy", "pass"))
    for _ in range(3):
        keeper.start()
        assert keeper.process is not None
        keeper.process.wait()
        assert keeper.has_ended() == 0
    assert keeper.start_again_at - keeper.started_at < 1


def test_groups_stop_one_after_another_while_the_rest_is_kept_alive(lines: Lines) -> None:
    supervisor = Supervisor(print)
    supervisor.add(lines.make("worker", STUBBORN, grace_seconds=2.0))
    supervisor.add(lines.make("server", SLEEPER))
    assert supervisor.watch(lambda: lines.ups("worker") == lines.ups("server") == 1, 10)
    os.kill(_pid(supervisor, "server"), signal.SIGKILL)
    supervisor.stop(lambda name: name == "worker")
    assert lines.ups("server") == 2
    supervisor.stop(lambda name: name == "server")
    assert supervisor.keepers == []


def test_a_process_that_does_not_stop_in_its_grace_is_killed(lines: Lines) -> None:
    said: list[str] = []
    supervisor = Supervisor(said.append)
    supervisor.add(lines.make("stubborn", STUBBORN, grace_seconds=0.3))
    assert supervisor.watch(lambda: lines.ups("stubborn") == 1, 10)
    pid = _pid(supervisor, "stubborn")
    supervisor.stop(lambda name: True)
    assert not _is_alive(pid)
    assert said == ["stubborn did not stop in time and is killed"]


def test_a_full_log_is_moved_aside_and_the_process_goes_on_writing(
    lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervise, "LOG_BYTES_MAX", 10)
    keeper = Keeper(lines.make("talker", TALKER))
    keeper.start()
    assert keeper.process is not None
    wait_until(lambda: lines.ups("talker"), "the process writes")
    with keeper.line.log.open("ab") as log:
        log.write(b"x" * 11)
    keeper.keep_log_small()
    assert keeper.line.log.read_bytes() == b""
    assert keeper.line.log.with_name("talker.log.1").read_bytes().endswith(b"x" * 11)
    keeper.signal(signal.SIGUSR1)
    keeper.process.wait()
    assert keeper.line.log.read_bytes() == b"bye\n"
