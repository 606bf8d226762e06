"""Names the upgrade that could not be tried, with its reason."""

import pytest


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nothing is left out in silence."""
    for report in terminalreporter.getreports("skipped"):
        if "tests/upgrade" in report.nodeid and isinstance(report.longrepr, tuple):
            terminalreporter.write_line(f"NOT RUN: {report.nodeid}: {report.longrepr[2]}")
