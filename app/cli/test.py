"""Run the tests on servers of their own; arguments go to pytest."""

import os
import sys

from app.cli.datafolder import ROOT

CONFORMANCE = "CEL_CONFORMANCE"


def main(argv: list[str]) -> int:
    """Become pytest, in the project's folder. The data of `run` are never touched."""
    # The public conformance cases of CEL may stand beside the project; they are not part of it.
    cases = ROOT.parent / "shared" / "conformance" / "cel.jsonl"
    if CONFORMANCE not in os.environ and cases.is_file():
        os.environ[CONFORMANCE] = str(cases)
    os.chdir(ROOT)
    os.execv(sys.executable, [sys.executable, "-m", "pytest", *argv])
