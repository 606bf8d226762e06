"""Every setting of the process, read once from the environment into one frozen value.

Here live the names, the bounds and the defaults; docs/reference/settings.md explains them and a tidy test
compares the two. Nothing else in the product reads `os.environ`, and nothing here opens a connection.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

Network = IPv4Network | IPv6Network
T = TypeVar("T")

SECRET_KEY_LENGTH_MIN = 32
# The clock may be moved at most ten years ahead: further, calendar arithmetic of tiers loses its meaning.
CLOCK_OFFSET_SECONDS_MAX = 10 * 366 * 86_400
WRITABLE = {"read-write", "primary"}  # The ways to choose among hosts that find the one that writes.


class SettingError(ValueError):
    """One variable of the environment holds something unusable; the text names it."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(f"{name} {problem}.")
        self.name = name


def _text(name: str, value: str) -> str:
    return value


def _integer(low: int, high: int) -> Callable[[str, str], int]:
    def parse(name: str, value: str) -> int:
        # int() would also take "1_000", " 7 " and digits of other scripts.
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and low <= int(value) <= high):
            raise SettingError(name, f"must be a whole number from {low} to {high}, not {value!r}")
        return int(value)

    return parse


def _choice(*allowed: str) -> Callable[[str, str], str]:
    def parse(name: str, value: str) -> str:
        if value not in allowed:
            raise SettingError(name, f"must be {' or '.join(allowed)}, not {value!r}")
        return value

    return parse


def _flag(name: str, value: str) -> bool:
    if value not in ("0", "1"):
        raise SettingError(name, f"must be 0 or 1, not {value!r}")
    return value == "1"


def _database_url(name: str, value: str) -> str:
    scheme, separator, rest = value.partition("://")
    # Hosting companies write postgres://, which SQLAlchemy refuses; this scheme serves it and psycopg alike.
    if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise SettingError(name, "must look like postgresql://user:password@host:5432/database")
    place, _, path = rest.partition("/")
    hosts = place.rpartition("@")[2].split(",")
    database, _, query = path.partition("?")
    if not all(_has_host(f"postgresql://{host}") for host in hosts) or not database.strip("/"):
        raise SettingError(name, "must name a host and a database")
    # Without it the first host that answers is taken, and that may be one that only reads.
    if len(hosts) > 1 and not set(parse_qs(query).get("target_session_attrs", ())) & WRITABLE:
        raise SettingError(name, "names several hosts, so it must end in ?target_session_attrs=read-write")
    return f"postgresql://{rest}"


def _redis_url(name: str, value: str) -> str:
    if urlsplit(value).scheme not in ("redis", "rediss") or not _has_host(value):
        raise SettingError(name, "must look like redis://host:6379/0")
    return value


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return False


def _role(name: str, value: str) -> str:
    # The name is written into GRANT statements, so only a plain identifier will do.
    if not re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", value):
        raise SettingError(name, f"must be a plain lower-case role name, not {value!r}")
    return value


def _api_key(name: str, value: str) -> str:
    if not re.fullmatch(r"sk_[A-Za-z0-9_-]{24,128}", value):
        raise SettingError(name, "must be sk_ followed by 24 to 128 letters, digits, - or _")
    return value


def _secret(name: str, value: str) -> str:
    if len(value) < SECRET_KEY_LENGTH_MIN:
        raise SettingError(name, f"must have at least {SECRET_KEY_LENGTH_MIN} characters")
    return value


def _networks(name: str, value: str) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(part.strip()) for part in value.split(",") if part.strip())
    except ValueError as error:
        raise SettingError(name, f"must list networks such as 10.0.0.0/8,::1/128 ({error})") from None


def _setting(name: str, parse: Callable[[str, str], T], default: T, secret: bool = False) -> T:
    """A field of Settings that is read from the variable `name`."""
    found: T = field(default=default, repr=not secret, metadata={"name": name, "parse": parse})
    return found


def _optional(name: str, parse: Callable[[str, str], T], secret: bool = False) -> T | None:
    """Like `_setting`, for a variable that may be absent and then is None."""
    found: T | None = field(default=None, repr=not secret, metadata={"name": name, "parse": parse})
    return found


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the environment says. Units and bounds stand in the names and in docs/reference/settings.md."""

    environment: str = _setting("FLORIN_ENV", _choice("production", "development"), "development")

    database_url: str = _setting("DATABASE_URL", _database_url, "", secret=True)
    migration_database_url: str = _setting("MIGRATION_DATABASE_URL", _database_url, "", secret=True)
    app_database_role: str = _setting("APP_DATABASE_ROLE", _role, "florin_app")
    pgbouncer: bool = _setting("PGBOUNCER", _flag, False)
    database_pool_size: int = _setting("DATABASE_POOL_SIZE", _integer(1, 100), 8)
    redis_url: str = _setting("REDIS_URL", _redis_url, "", secret=True)

    host: str = _setting("HOST", _text, "127.0.0.1")
    port: int = _setting("PORT", _integer(1, 65_535), 8000)
    web_concurrency: int = _setting("WEB_CONCURRENCY", _integer(1, 64), 2)
    trusted_proxies: tuple[Network, ...] = _setting("TRUSTED_PROXIES", _networks, ())
    web_threads: int = _setting("WEB_THREADS", _integer(1, 64), 4)
    worker_processes: int = _setting("WORKER_PROCESSES", _integer(1, 64), 2)
    worker_threads: int = _setting("WORKER_THREADS", _integer(1, 32), 2)

    log_format: str = _setting("LOG_FORMAT", _choice("json", "text"), "json")
    log_level: str = _setting("LOG_LEVEL", _choice("DEBUG", "INFO", "WARNING", "ERROR"), "INFO")
    log_retention_days: int = _setting("LOG_RETENTION_DAYS", _integer(1, 3650), 30)

    bootstrap_api_key: str | None = _optional("BOOTSTRAP_API_KEY", _api_key, secret=True)
    secret_key: str = _setting("SECRET_KEY", _secret, "", secret=True)
    webhook_allowed_networks: tuple[Network, ...] = _setting("WEBHOOK_ALLOWED_NETWORKS", _networks, ())
    queue_limit: int = _setting("QUEUE_LIMIT", _integer(1, 100_000_000), 5_000_000)
    clock_offset_seconds: int | None = _optional("CLOCK_OFFSET", _integer(0, CLOCK_OFFSET_SECONDS_MAX))

    data_dir: str = _setting("DATA_DIR", _text, ".data")

    @property
    def production(self) -> bool:
        """True where test aids such as a moved clock are refused."""
        return self.environment == "production"


def names() -> tuple[str, ...]:
    """Every variable that `load` reads, in the order of the fields."""
    return tuple(each.metadata["name"] for each in fields(Settings))


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from a mapping such as os.environ; an empty value counts as absent. Raises SettingError."""
    values = {
        each.name: each.metadata["parse"](each.metadata["name"], environ[each.metadata["name"]])
        for each in fields(Settings)
        if environ.get(each.metadata["name"])
    }
    # Where there is no owner of its own, the application migrates its own tables.
    values.setdefault("migration_database_url", values.get("database_url", ""))
    found = Settings(**values)
    if found.production and found.clock_offset_seconds is not None:
        raise SettingError("CLOCK_OFFSET", "is refused in production (FLORIN_ENV=production)")
    if found.production and not found.secret_key:
        raise SettingError("SECRET_KEY", "must be set in production (FLORIN_ENV=production)")
    return found


@cache
def settings() -> Settings:
    """The settings of this process, read at the first call. Raises SettingError.

    A process of the product cannot live without its two servers and its key, so their absence is told here.
    """
    found = load(os.environ)
    for name in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY"):
        if not getattr(found, name.lower()):
            raise SettingError(name, "is not set (`python3 dev.py run` brings its own)")
    return found
