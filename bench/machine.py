"""What a run was taken on: processor, memory, system, versions of what takes part, load by other work."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from app.cli.servers_binaries import postgres_binaries, valkey_binary
from bench.peer import HORDAK

LIBRARIES = ("psycopg", "dramatiq", "flask", "gunicorn", "orjson", "sqlalchemy", "cel-python", "google-re2")


def described() -> dict[str, str]:
    """Name and value of everything that figures depend on."""
    return {
        "Processor": f"{_processor()}, {os.cpu_count()} logical CPUs",
        "Memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.1f} GiB",
        "System": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "Python": platform.python_version(),
        "PostgreSQL": _told(str(postgres_binaries() / "postgres")),
        "Valkey": _told(str(valkey_binary())),
        "Libraries": ", ".join(filter(None, map(_library, LIBRARIES))),
        "Peer of the ledger": HORDAK,
    }


def load() -> float:
    """How many processes wanted to run, on average of the last minute."""
    return round(os.getloadavg()[0], 1)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _told(program: str) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:100]


def _library(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return ""
