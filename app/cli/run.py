"""Start everything, keep it alive, stop it in order: servers, migrations, API, workers, scheduler."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path

from app.cli import procfile
from app.cli.banner import Banner
from app.cli.datafolder import ROOT, DataFolder, kept
from app.cli.failure import Failure
from app.cli.servers import Servers
from app.cli.servers_ports import is_free
from app.cli.supervise import Supervisor
from app.db import connection, engine
from app.flows.api_keys import hash_of, new_key
from app.settings import Settings, load, settings
from app.store import identities

READY_SECONDS = 60.0
# The last run may have been killed a moment ago, and its processes be ending just now.
PORT_WAIT_SECONDS = 3.0
LOG_TAIL_BYTES = 2_000


def main(argv: list[str]) -> int:
    """Run until Ctrl-C or SIGTERM; the exit code is 0 unless the start failed."""
    arguments = _parse(argv)
    started_at = time.monotonic()
    environ = dict(os.environ)
    if arguments.port is not None:
        environ["PORT"] = str(arguments.port)
    if arguments.test_clock:
        environ.setdefault("CLOCK_OFFSET", "0")
    configured = load(environ)
    folder = DataFolder.of_environment(environ)
    folder.create()
    url = f"http://{configured.host}:{configured.port}"
    with folder.lock(
        f"Florin is already running ({url}, process {os.getpid()}, data in {folder.path}): "
        f"stop it with Ctrl-C there, or with: kill {os.getpid()}"
    ):
        supervisor = Supervisor(_say)
        supervisor.listen_for_signals()
        try:
            if _start(supervisor, folder, configured, environ, url, started_at):
                supervisor.watch(until=lambda: False)
        finally:
            _stop(supervisor, folder)
    return 0


def _parse(argv: list[str]) -> Namespace:
    parser = ArgumentParser(prog="dev.py run", description=__doc__)
    parser.add_argument("--port", type=int, help="where the API listens (PORT, 8000)")
    parser.add_argument("--test-clock", action="store_true", help="allow moving the clock forward")
    return parser.parse_args(argv)


def _start(
    supervisor: Supervisor,
    folder: DataFolder,
    configured: Settings,
    environ: Mapping[str, str],
    url: str,
    started_at: float,
) -> bool:
    """Bring everything up and print the banner; False when a stop was asked for meanwhile."""
    if not supervisor.watch(lambda: is_free(configured.port, configured.host), PORT_WAIT_SECONDS):
        if supervisor.stops_asked:
            return False
        raise Failure(f"Port {configured.port} is taken by another program; choose one with --port.")
    servers = Servers.prepare(folder, configured)
    if not servers.start(supervisor):
        return False
    values = {
        "PORT": str(configured.port),
        "HOST": configured.host,
        **({"CLOCK_OFFSET": environ["CLOCK_OFFSET"]} if "CLOCK_OFFSET" in environ else {}),
        "SECRET_KEY": configured.secret_key or folder.secret("secret-key"),
        **servers.environment(),
    }
    key = configured.bootstrap_api_key or kept(folder.first_api_key, new_key)
    _release({**values, "BOOTSTRAP_API_KEY": key})
    folder.write_environment(values)
    copies = {"worker": configured.worker_processes}
    for line in procfile.lines(values, folder.logs, copies):
        supervisor.add(line)
    if not _wait_until_ready(supervisor, folder, f"{url}/health/ready"):
        return False
    _say(_banner(folder, configured, values, servers, url, key, time.monotonic() - started_at).text())
    return True


def _wait_until_ready(supervisor: Supervisor, folder: DataFolder, url: str) -> bool:
    """False when a stop was asked for meanwhile. Raises Failure with the log of whatever does not come up."""

    def decided() -> bool:
        return supervisor.hopeless() is not None or _answers(url)

    supervisor.watch(decided, READY_SECONDS)
    if supervisor.stops_asked:
        return False
    if broken := supervisor.hopeless():
        raise Failure(f"{broken.name} does not stay up; the end of its log:\n{_tail(broken.log)}")
    if not _answers(url):
        raise Failure(f"Not ready after {READY_SECONDS:.0f} s; {url} says what is missing.")
    return True


def _release(values: Mapping[str, str]) -> None:
    # A process of its own, as in production: the very line of the Procfile.
    done = subprocess.run(
        procfile.argv(procfile.commands()[procfile.RELEASE]),
        cwd=ROOT,
        env=procfile.environment(values),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise Failure(f"The database could not be brought up to date.\n{done.stderr.strip()}")


def _banner(
    folder: DataFolder,
    configured: Settings,
    values: Mapping[str, str],
    servers: Servers,
    url: str,
    key: str,
    seconds: float,
) -> Banner:
    os.environ.update(values)
    settings.cache_clear()
    with connection() as asking:
        identity = identities.find(asking, hash_of(key))
    engine().dispose()
    return Banner(
        url=url,
        api_key=key if identity else None,
        api_key_file=_relative(folder.first_api_key),
        rate_limit_per_second=identity.rate_limit_per_second if identity else 0,
        rate_limit_burst=identity.rate_limit_burst if identity else 0,
        processes=f"{configured.web_concurrency} web, {configured.worker_processes} workers, scheduler",
        servers=servers.text(),
        data_folder=_relative(folder.path),
        test_clock="CLOCK_OFFSET" in values,
        seconds=seconds,
    )


def _stop(supervisor: Supervisor, folder: DataFolder) -> None:
    """Web first, so that nothing new comes in; then workers finish their batch; the servers last."""
    _say("Stopping …")
    for group in (_is("web"), _is("worker"), _is("scheduler"), _is("postgres"), _is("valkey")):
        supervisor.stop(group)
    folder.environment_file.unlink(missing_ok=True)
    _say("Stopped.")


def _is(kind: str) -> Callable[[str], bool]:
    return lambda name: name.partition(".")[0] == kind


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            ready: bool = answer.status == 200
            return ready
    except (urllib.error.URLError, OSError):
        return False


def _tail(log: Path) -> str:
    return log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()


def _relative(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def _say(text: str) -> None:
    print(text, file=sys.stdout, flush=True)
