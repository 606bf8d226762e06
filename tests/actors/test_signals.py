"""A worker finishes the task in hand, however often it is told to stop."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import redis

from tests.waiting import wait_until

ACTORS = '''
import os, sys, time
import dramatiq
from dramatiq.brokers.redis import RedisBroker
from workers.signals import StopOnce
broker = RedisBroker(url=os.environ["REDIS_URL"], middleware=[StopOnce()], namespace="signals")
dramatiq.set_broker(broker)

@dramatiq.actor
def task(folder):
    open(os.path.join(folder, "begun"), "w").close()
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        sum(range(1000))
    open(os.path.join(folder, "done"), "w").close()
'''


def test_a_worker_that_is_told_twice_to_stop_still_finishes_its_task(
    tmp_path: Path, redis_client: "redis.Redis[bytes]"
) -> None:
    (tmp_path / "signal_actors.py").write_text(ACTORS, encoding="utf-8")
    path = os.pathsep.join([str(tmp_path), os.getcwd()])
    environ = {**os.environ, "PYTHONPATH": path, "LOG_LEVEL": "INFO"}
    send = f"import signal_actors; signal_actors.task.send({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", send], env=environ, check=True)
    command = [sys.executable, "-m", "dramatiq", "signal_actors", "--processes", "1", "--threads", "1"]
    log = tmp_path / "log"
    with (
        log.open("ab") as output,
        subprocess.Popen(command, env=environ, stderr=output, start_new_session=True) as worker,
    ):
        try:
            wait_until((tmp_path / "begun").exists, "the task begins", 20)
            os.killpg(worker.pid, signal.SIGTERM)
            wait_until(lambda: b"Stopping worker process" in log.read_bytes(), "the first signal is seen", 20)
            os.killpg(worker.pid, signal.SIGTERM)
            assert worker.wait(timeout=20) == 0
        finally:
            if worker.poll() is None:
                os.killpg(worker.pid, signal.SIGKILL)
    assert (tmp_path / "done").exists()
