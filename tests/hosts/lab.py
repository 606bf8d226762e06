"""Hosts made of network namespaces: each with an address of its own, one bridge between them.

A host is lost as by a pulled plug: its link goes first, so that no farewell gets out, then its processes.
"""

import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.waiting import wait_until

PREFIX = "flo"
NETWORK = "198.18"  # Set aside by RFC 2544 for networks of tests, so it is nobody's.
END_SECONDS = 10.0


def ip(*arguments: str) -> str:
    """Call iproute2."""
    return subprocess.run(["ip", *arguments], capture_output=True, text=True, check=True).stdout


class Host:
    """One namespace with its link to the bridge."""

    def __init__(self, name: str, namespace: str, address: str) -> None:
        self.name = name
        self.namespace = namespace
        self.address = address
        self._started: list[subprocess.Popen[bytes]] = []

    def start(
        self, argv: Sequence[str], environ: Mapping[str, str], log: Path, folder: Path
    ) -> "subprocess.Popen[bytes]":
        """Start a process on this host; it ends with us at the latest."""
        with log.open("ab") as file:
            started = subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", "--", *self.inside(argv)], cwd=folder, env=dict(environ),
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True,
            )
        self._started.append(started)
        return started

    def inside(self, argv: Sequence[str]) -> list[str]:
        """How to run a command on this host."""
        return ["ip", "netns", "exec", self.namespace, *argv]

    def pids(self) -> list[int]:
        """Every process of this host."""
        return [int(pid) for pid in ip("netns", "pids", self.namespace).split()]

    def cut(self) -> None:
        """Take its link away; its processes go on and do not know."""
        ip("link", "set", self.namespace, "down")

    def join(self) -> None:
        """Bring its link back."""
        ip("link", "set", self.namespace, "up")

    def lose(self) -> None:
        """Lose the host: no packet leaves it from now on, and nothing on it lives."""
        self.cut()
        self.end()

    def end(self) -> None:
        """Kill all its processes."""

        def gone() -> bool:
            pids = self.pids()
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            for process in self._started:
                process.poll()
            return not pids

        wait_until(gone, f"nothing lives on {self.name}", END_SECONDS)
        for process in self._started:
            process.wait(END_SECONDS)
        self._started.clear()


class Lab:
    """The hosts and the bridge, on which this process has an address too: the clients' place."""

    def __init__(self, names: Sequence[str]) -> None:
        self.bridge = f"{PREFIX}{os.getpid()}"
        self.network = f"{NETWORK}.{os.getpid() % 256}"
        ip("link", "add", self.bridge, "type", "bridge")
        ip("address", "add", f"{self.network}.1/24", "dev", self.bridge)
        ip("link", "set", self.bridge, "up")
        self.hosts = {name: self._add(name, number) for number, name in enumerate(names, 10)}

    def _add(self, name: str, number: int) -> Host:
        # A namespace and the outer end of its link have one name, which must fit into 15 characters.
        host = Host(name, f"{self.bridge}-{number}", f"{self.network}.{number}")
        ip("netns", "add", host.namespace)
        ip("link", "add", host.namespace, "type", "veth", "peer", "name", "eth0", "netns", host.namespace)
        ip("link", "set", host.namespace, "master", self.bridge, "up")
        for arguments in (
            ("address", "add", f"{host.address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"), ("link", "set", "lo", "up"),
        ):
            ip("-netns", host.namespace, *arguments)
        return host

    def remove(self) -> None:
        """End everything on every host, and take the network down."""
        for host in self.hosts.values():
            host.end()
        remove(self.bridge)


def remove(bridge: str) -> None:
    """Take down the namespaces and the bridge of one process; links go with their namespaces."""
    for namespace in re.findall(rf"^{bridge}-\d+", ip("netns", "list"), re.MULTILINE):
        for pid in ip("netns", "pids", namespace).split():
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        ip("netns", "delete", namespace)
    ip("link", "delete", bridge)


def remove_leftovers() -> None:
    """Take down what runs left that were killed."""
    for bridge in re.findall(rf": ({PREFIX}(\d+)):", ip("link", "show", "type", "bridge")):
        if not Path(f"/proc/{bridge[1]}").exists():
            remove(bridge[0])


def demand() -> None:
    """Skip, with the reason, where this machine cannot make hosts."""
    if os.geteuid() != 0:
        pytest.skip("hosts are network namespaces, and making them needs root")
    if shutil.which("ip") is None:
        pytest.skip("hosts are network namespaces, and iproute2 (`ip`) is not installed")
    probe = f"{PREFIX}{os.getpid()}-0"
    try:
        ip("netns", "add", probe)
        ip("link", "add", probe, "type", "veth", "peer", "name", "eth0", "netns", probe)
        ip("link", "add", f"{PREFIX}{os.getpid()}", "type", "bridge")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine makes no network namespaces: {error.stderr.strip()}")
    finally:
        for arguments in (("netns", "delete", probe), ("link", "delete", f"{PREFIX}{os.getpid()}")):
            with contextlib.suppress(subprocess.CalledProcessError):
                ip(*arguments)


@contextmanager
def lab_of(names: Sequence[str]) -> Iterator[Lab]:
    """Hosts of these names for as long as the block runs."""
    demand()
    remove_leftovers()
    made = Lab(names)
    try:
        yield made
    finally:
        made.remove()
