"""Run the tests on servers of their own; arguments go to pytest."""

import os
import subprocess
import sys

from app.cli.datafolder import ROOT

CONFORMANCE = "CEL_CONFORMANCE"


def main(argv: list[str]) -> int:
    """Run pytest from the project's folder; its exit code is ours. The data of `run` are never touched."""
    environ = dict(os.environ)
    # The public conformance cases of CEL may stand beside the project; they are not part of it.
    cases = ROOT.parent / "shared" / "conformance"
    if CONFORMANCE not in environ and cases.is_dir():
        environ[CONFORMANCE] = str(cases)
    tests = subprocess.Popen([sys.executable, "-m", "pytest", *argv], cwd=ROOT, env=environ)
    while True:
        try:
            return tests.wait()
        except KeyboardInterrupt:
            # The terminal told pytest too, which stops its servers and reports what it has.
            continue
