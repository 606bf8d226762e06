"""The Procfile, read for the supervisor: the one place that says how each process is started."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from honcho.environ import parse_procfile

from app.cli.datafolder import ROOT
from app.cli.supervise import Line

# A release runs once before the start and is not kept alive.
RELEASE = "release"


def commands() -> dict[str, str]:
    """Each process type with its shell command, in the order in which the file names them."""
    return dict(parse_procfile((ROOT / "Procfile").read_text(encoding="utf-8")).processes)


def argv(command: str) -> list[str]:
    """How to run a command of the Procfile; `exec` in it leaves no shell behind."""
    return ["sh", "-c", command]


def environment(values: Mapping[str, str]) -> dict[str, str]:
    """Our own environment with `values` on top, and the programs of this virtual environment found first."""
    programs = str(Path(sys.executable).parent)
    path = os.pathsep.join([programs, os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PYTHONUNBUFFERED": "1", **values, "PATH": path}


def lines(values: Mapping[str, str], logs: Path, copies: Mapping[str, int]) -> list[Line]:
    """Every process to keep alive; `copies` says how many of a type, one by default."""
    found = []
    for kind, command in commands().items():
        count = 0 if kind == RELEASE else copies.get(kind, 1)
        for number in range(1, count + 1):
            name = f"{kind}.{number}" if count > 1 else kind
            found.append(
                Line(
                    name=name,
                    argv=argv(command),
                    environ=environment(values),
                    log=logs / f"{name}.log",
                    folder=ROOT,
                )
            )
    return found
