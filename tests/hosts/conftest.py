"""The hosts, the installation on them, and the list of what this machine could not run."""

import os
from collections.abc import Iterator

import pytest

from app.cli.datafolder import ROOT
from tests.hosts.lab import Lab, lab_of
from tests.hosts.site import PARTS, Site, site_on

FOLDER = ROOT / ".data" / "hosts" / str(os.getpid())
ONE = "one"


@pytest.fixture(scope="package")
def lab() -> Iterator[Lab]:
    """Ten hosts for the parts, and one for all of them."""
    with lab_of([*PARTS, ONE]) as made:
        yield made


@pytest.fixture(scope="module")
def site(lab: Lab) -> Iterator[Site]:
    """Each part on a host of its own, and every commit waits for the replica."""
    with site_on(FOLDER / "several", lab, {part: part for part in PARTS}) as made:
        made.replicate()
        yield made


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the tests that were not run, each with its reason."""
    for report in terminalreporter.getreports("skipped"):
        if "tests/hosts" in report.nodeid and isinstance(report.longrepr, tuple):
            terminalreporter.write_line(f"NOT RUN: {report.nodeid}: {report.longrepr[2]}")
