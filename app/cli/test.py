"""Run the tests on servers of their own; arguments go to pytest.

With `--coverage` the lines and branches of the pure layers and the flows are measured, in every process;
below the share that pyproject.toml names the command fails.
"""

import os
import shutil
import subprocess
import sys

from app.cli.datafolder import ROOT

CONFORMANCE = "CEL_CONFORMANCE"
COVERAGE = "--coverage"
MEASURED = ROOT / ".data" / "coverage"


def main(argv: list[str]) -> int:
    """Become pytest, in the project's folder. The data of `run` are never touched."""
    # The public conformance cases of CEL may stand beside the project; they are not part of it.
    cases = ROOT.parent / "shared" / "conformance" / "cel.jsonl"
    if CONFORMANCE not in os.environ and cases.is_file():
        os.environ[CONFORMANCE] = str(cases)
    os.chdir(ROOT)
    if COVERAGE in argv:
        return measured([each for each in argv if each != COVERAGE])
    return os.execv(sys.executable, [sys.executable, "-m", "pytest", *argv])


def measured(argv: list[str]) -> int:
    """Run pytest under coverage and print what it left out; the first exit code that is not 0."""
    shutil.rmtree(MEASURED, ignore_errors=True)
    MEASURED.mkdir(parents=True)
    coverage = [sys.executable, "-m", "coverage"]
    codes = [
        subprocess.run([*coverage, *arguments], check=False).returncode
        for arguments in (["run", "-m", "pytest", *argv], ["combine", "--quiet"], ["report"])
    ]
    return next((code for code in codes if code), 0)
