"""What the processes tell about themselves: JSON logs, and counts that meet in Redis.

The page of metrics stands in app/api/metrics.py.
"""

import contextlib
import logging
import sys
from typing import Any

import structlog
from redis import RedisError

from app.settings import settings


def configure_logging() -> None:
    """Send structlog's and the libraries' messages to standard error: JSON lines, or plain text."""
    level = getattr(logging, settings().log_level)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer() if settings().log_format == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    if settings().log_format == "text":
        shared.remove(structlog.processors.format_exc_info)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    # APScheduler tells of every run of every duty; only its warnings are news.
    logging.getLogger("apscheduler").setLevel(max(level, logging.WARNING))


def log(name: str) -> Any:
    """Return a logger whose lines carry `part=name`."""
    return structlog.get_logger(part=name)


# Counts that several processes add to and /metrics shows; a field is `name` or `name|outcome`.
COUNTS = "florin:measures:counts"


def count(redis: Any, **numbers: int) -> None:
    """Add to counters that /metrics shows as `florin_<name>_total`; lost where Redis is away.

    Meant for batches: one round trip for all numbers. A name may carry an outcome after `__by_`:
    `webhook_deliveries__by_delivered` is the counter webhook_deliveries with outcome="delivered".
    """
    with contextlib.suppress(RedisError):
        pipe = redis.pipeline(transaction=False)
        for name, number in numbers.items():
            if number:
                pipe.hincrby(COUNTS, name.replace("__by_", "|"), number)
        pipe.execute()
