"""A whole running system of the tests' own: web, worker and scheduler as the Procfile starts them."""

import contextlib
import subprocess
import urllib.request
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from app.cli import procfile
from app.cli.demo import api_of
from app.cli.scenario_player import Api
from app.cli.servers_ports import free_port
from app.cli.supervise import Supervisor
from app.flows.api_keys import new_key
from tests.harness import Servers

READY_SECONDS = 60.0
POLL_SECONDS = 0.02
REDIS_DATABASE = 5  # Others empty theirs between tests.


@pytest.fixture(scope="session")
def running_api(servers: Servers) -> Iterator[Api]:
    """A door to the API of a system that runs for all recipes; its clock may be moved."""
    name = servers.plan.name.removesuffix("_test") + "_recipes_test"
    servers.copy(name)
    key, port = new_key(), free_port()
    values = {
        **servers.plan.environment(name), "BOOTSTRAP_API_KEY": key, "PORT": str(port), "HOST": "127.0.0.1",
        "CLOCK_OFFSET": "0", "WEB_CONCURRENCY": "1", "WORKER_THREADS": "2",
    }
    redis = urlsplit(values["REDIS_URL"])
    values["REDIS_URL"] = urlunsplit(redis._replace(path=f"/{REDIS_DATABASE}"))
    supervisor = Supervisor(say=print)
    logs = servers.plan.folder / "recipes"
    logs.mkdir(parents=True, exist_ok=True)
    try:
        _release(values)
        for line in procfile.lines(values, logs, {}):
            supervisor.add(line)
        url = f"http://127.0.0.1:{port}/health/ready"
        supervisor.watch(lambda: bool(supervisor.hopeless()) or _answers(url), READY_SECONDS, POLL_SECONDS)
        assert _answers(url), _told(logs)
        yield api_of(Namespace(url=f"http://127.0.0.1:{port}", key=key))
    finally:
        supervisor.stop(lambda name: True)
        servers.drop(name)


def _release(values: dict[str, str]) -> None:
    command = procfile.argv(procfile.commands()[procfile.RELEASE])
    done = subprocess.run(
        command, cwd=procfile.ROOT, env=procfile.environment(values), capture_output=True, text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def _told(logs: Path) -> str:
    """Return what the processes said, for a start that failed."""
    return "\n".join(path.read_text(encoding="utf-8")[-2000:] for path in sorted(logs.glob("*.log")))
