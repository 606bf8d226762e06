"""What the processes tell about themselves: JSON logs. Metrics of the product stand in app/api/metrics.py."""

import logging
import sys
from typing import Any

import structlog

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
