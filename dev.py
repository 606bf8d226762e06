#!/usr/bin/env python3
"""The one door for developers: `python3 dev.py run`, `python3 dev.py test`, `python3 dev.py --help`.

Only what has to happen before the virtual environment exists lives here: make `.venv`, install the pinned
libraries when their list changed, go on inside it. The commands themselves live in app/cli.
"""

import configparser
import fcntl
import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import urllib.parse
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "installed"
REQUIREMENTS = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
OLDEST = (3, 11)

# For machines that have neither ensurepip nor pip, such as a minimal Debian.
PIP_WHEEL = "pip-26.3-py3-none-any.whl"
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
PIP_CONFIGURATIONS = ["/etc/pip.conf", "~/.pip/pip.conf", "~/.config/pip/pip.conf"]
INDEX = "https://pypi.org/simple"
DOWNLOAD_SECONDS = 60


def main():
    """Make the environment if it is not there, then run the command inside it."""
    if sys.version_info < OLDEST:
        sys.exit(f"Florin needs Python {OLDEST[0]}.{OLDEST[1]} or newer; this is {sys.version.split()[0]}.")
    try:
        prepare()
    except (subprocess.CalledProcessError, OSError) as error:
        sys.exit(f"dev.py: the environment could not be made: {error}")
    if Path(sys.prefix) != VENV:
        os.execv(PYTHON, [str(PYTHON), str(ROOT / "dev.py"), *sys.argv[1:]])
    from app.cli.__main__ import main as command

    return command(sys.argv[1:])


def prepare():
    """Bring `.venv` to what the requirements say; nothing to do when the stamp says so already."""
    wanted = hashlib.sha256(b"".join(path.read_bytes() for path in REQUIREMENTS)).hexdigest()
    if is_stamped(wanted):
        return
    data = ROOT / ".data"
    data.mkdir(exist_ok=True)
    with (data / "setup.lock").open("w") as lock:
        # Two commands that are started at once must not install over each other.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if is_stamped(wanted):
            return
        print("Installing the pinned libraries into .venv (once; about half a minute) …", flush=True)
        install()
        STAMP.write_text(wanted, encoding="utf-8")


def is_stamped(wanted):
    """Whether the environment stands and holds what is wanted."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted


def install():
    """Make the environment and install into it; every file is checked against its pinned hash."""
    if not runs(PYTHON, "-c", "pass"):
        if importlib.util.find_spec("venv") is None:
            raise OSError("Python's venv module is missing (apt-get install python3-venv)")
        without_pip = [] if importlib.util.find_spec("ensurepip") else ["--without-pip"]
        subprocess.run([sys.executable, "-m", "venv", "--clear", *without_pip, str(VENV)], check=True)
    files = [part for path in REQUIREMENTS for part in ("-r", str(path))]
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    subprocess.run([*pip(), "install", *options, *files], check=True, cwd=ROOT, stdin=subprocess.DEVNULL)


def pip():
    """A pip that installs into the environment: the environment's own, the outer one, or a fetched one."""
    inside = [str(PYTHON), "-m", "pip"]
    if runs(*inside, "--version"):
        return inside
    outer = [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    if runs(*outer, "--version"):
        return outer
    wheel = fetch_pip()
    # A wheel can run from its own archive: pip installs itself.
    own = [str(PYTHON), str(wheel / "pip"), "install", "--quiet", "--no-index", "--no-deps", str(wheel)]
    subprocess.run(own, check=True)
    wheel.unlink()
    return inside


def runs(*command):
    """Whether a command exists and succeeds."""
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def fetch_pip():
    """Fetch the pinned pip from the index that pip itself would use, and check its hash."""
    page_url = index_url().rstrip("/") + "/pip/"
    page = urllib.request.urlopen(page_url, timeout=DOWNLOAD_SECONDS).read().decode()
    found = re.search(rf'href="([^"]*/)?{re.escape(PIP_WHEEL)}[#"]', page)
    if found is None:
        raise OSError(f"{page_url} has no {PIP_WHEEL} (apt-get install python3-venv helps too)")
    url = urllib.parse.urljoin(page_url, (found.group(1) or "") + PIP_WHEEL)
    content = urllib.request.urlopen(url, timeout=DOWNLOAD_SECONDS).read()
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        raise OSError(f"{url} is not the file that was pinned")
    path = VENV / PIP_WHEEL
    path.write_bytes(content)
    return path


def index_url():
    """The package index: PIP_INDEX_URL, else that of pip's configuration files, else the public one."""
    files = configparser.RawConfigParser()
    names = [*PIP_CONFIGURATIONS, os.environ.get("PIP_CONFIG_FILE", "")]
    files.read([os.path.expanduser(name) for name in names])
    return os.environ.get("PIP_INDEX_URL") or files.get("global", "index-url", fallback=INDEX)


if __name__ == "__main__":
    sys.exit(main())
