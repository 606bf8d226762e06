"""The scheduler process: jobs declared in code, held in memory, run only by the leader."""

import signal
import sys
import threading
from importlib import import_module
from pkgutil import iter_modules

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

import scheduler as package
from app.observe import configure_logging
from app.queue import broker, client
from scheduler.duty import Duty
from scheduler.leader import RENEW_SECONDS, Leadership

HEARTBEAT_KEY = "florin:heartbeat:scheduler"
HEARTBEAT_SECONDS = 15
log = structlog.get_logger("scheduler")


def duties() -> list[Duty]:
    """Return the duties of all files in this folder."""
    found = []
    for module in iter_modules(package.__path__):
        loaded = import_module(f"scheduler.{module.name}") if module.name != "__main__" else None
        duty = getattr(loaded, "DUTY", None)
        if isinstance(duty, Duty):
            found.append(duty)
    return sorted(found, key=lambda duty: duty.name)


def led(duty: Duty, leadership: Leadership) -> None:
    """Run a duty if this process leads; a failure is logged and the next tick tries again."""
    if not leadership.leads:
        return
    try:
        duty.run_once()
    except Exception as error:
        log.warning("duty_failed", duty=duty.name, error=str(error), kind=type(error).__name__)


def beat(leadership: Leadership) -> None:
    """Renew the lease and tell the health check that a scheduler is alive, leading or not."""
    try:
        leadership.renew()
        client().set(HEARTBEAT_KEY, leadership.me, ex=HEARTBEAT_SECONDS)
    except Exception as error:
        log.warning("heartbeat_failed", error=str(error), kind=type(error).__name__)


def main() -> int:
    """Run until told to stop; finish the duties in hand, then resign."""
    configure_logging()
    broker()
    leadership = Leadership()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    jobs = BackgroundScheduler(
        timezone="UTC", executors={"default": ThreadPoolExecutor(4)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": 3600},
    )
    jobs.add_job(beat, "interval", seconds=RENEW_SECONDS, args=[leadership], id="heartbeat")
    for duty in duties():
        jobs.add_job(led, "interval", seconds=duty.every_seconds, args=[duty, leadership], id=duty.name)
    beat(leadership)
    jobs.start()
    log.info("scheduler_started", duties=[duty.name for duty in duties()])
    stop.wait()
    jobs.shutdown(wait=True)
    try:
        leadership.resign()
    except Exception as error:
        log.warning("resign_failed", error=str(error))
    log.info("scheduler_stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
