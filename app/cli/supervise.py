"""Keeps a set of processes alive: starts them, restarts whichever ends, and stops them in order.

honcho and Dramatiq stop everything when one process ends; here each one stands for itself. Nothing in this
file knows what the processes are.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

RESTART_DELAY_SECONDS_MIN = 0.5
RESTART_DELAY_SECONDS_MAX = 5.0
# A process that lived this long was healthy; its next end is treated as the first one again.
HEALTHY_AFTER_SECONDS = 10.0
HOPELESS_AFTER_ENDS = 4
LOG_BYTES_MAX = 64 * 1024 * 1024
HOUSEKEEPING_SECONDS = 5.0
POLL_SECONDS = 0.25

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Line:
    """One process to keep alive. `before` runs ahead of every start and clears what a killed one left."""

    name: str
    argv: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    stop_signal: signal.Signals = signal.SIGTERM
    grace_seconds: float = 35.0
    folder: Path = Path("/")
    before: Callable[[], None] = field(default=lambda: None)


class Keeper:
    """One line and the process that runs it now."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0
        self.start_again_at = 0.0
        self.delay_seconds = RESTART_DELAY_SECONDS_MIN
        self.early_ends = 0

    def start(self) -> None:
        """Start the process in a session of its own, so that Ctrl-C in the terminal does not reach it."""
        self.line.before()
        with self.line.log.open("ab") as log:
            self.process = subprocess.Popen(
                list(self.line.argv),
                cwd=self.line.folder,
                env=dict(self.line.environ),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=self._die_with_parent,
            )
        self.started_at = time.monotonic()

    def _die_with_parent(self) -> None:
        # A supervisor that is killed outright must not leave servers behind that nobody watches.
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(self.line.stop_signal))

    def has_ended(self) -> int | None:
        """The exit code when the process has just ended, else None; plans the restart."""
        if self.process is None or (code := self.process.poll()) is None:
            return None
        self.kill_group()
        self.process = None
        self.early_ends += 1
        if time.monotonic() - self.started_at > HEALTHY_AFTER_SECONDS:
            self.delay_seconds = RESTART_DELAY_SECONDS_MIN
            self.early_ends = 0
        self.start_again_at = time.monotonic() + self.delay_seconds
        self.delay_seconds = min(2 * self.delay_seconds, RESTART_DELAY_SECONDS_MAX)
        return code

    def kill_group(self) -> None:
        """End what the process left behind, such as the children of a master that was killed."""
        if self.process is not None:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process alone: a master tells its children itself, and only once."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)

    def keep_log_small(self) -> None:
        """Move a full log aside. Processes append, so emptying the file under them is safe."""
        log = self.line.log
        if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
            log.with_name(log.name + ".1").write_bytes(log.read_bytes())
            os.truncate(log, 0)


class Supervisor:
    """Starts lines, watches them until told to stop, stops them group by group."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self.keepers: list[Keeper] = []
        self._wake_reader, self._wake_writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._housekeeping_at = 0.0
        self.stops_asked = 0

    def listen_for_signals(self) -> None:
        """Let Ctrl-C and SIGTERM ask for the stop, and the end of a child wake the loop."""
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup the end of the terminal is to be ignored, and stays so.
            if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self.stops_asked += 1

    def add(self, line: Line) -> None:
        """Start a line and watch it from now on."""
        keeper = Keeper(line)
        keeper.start()
        self.keepers.append(keeper)

    def watch(
        self, until: Callable[[], bool], seconds: float = float("inf"), every: float = POLL_SECONDS
    ) -> bool:
        """Keep everything alive until the condition holds. False when time is up or a stop was asked for."""
        end = time.monotonic() + seconds
        while not self.stops_asked:
            self._tend(self.keepers)
            if until():
                return True
            if time.monotonic() >= end:
                return False
            self._rest(every)
        return False

    def hopeless(self) -> Line | None:
        """A line that keeps ending at once, for a start that need not wait any longer."""
        for keeper in self.keepers:
            if keeper.early_ends >= HOPELESS_AFTER_ENDS:
                return keeper.line
        return None

    def _rest(self, seconds: float) -> None:
        readable, _, _ = select.select([self._wake_reader], [], [], seconds)
        if readable:
            os.read(self._wake_reader, 4096)

    def _tend(self, keepers: Sequence[Keeper]) -> None:
        now = time.monotonic()
        for keeper in keepers:
            code = keeper.has_ended()
            if code is not None:
                self._say(f"{keeper.line.name} ended ({_reason(code)}); starting it again")
            if keeper.process is None and now >= keeper.start_again_at:
                keeper.start()
        if now >= self._housekeeping_at:
            self._housekeeping_at = now + HOUSEKEEPING_SECONDS
            for keeper in keepers:
                keeper.keep_log_small()

    def stop(self, names: Callable[[str], bool]) -> None:
        """Stop the lines whose name the condition picks, all at once, each with its grace; then forget them.

        The others are kept alive meanwhile, for a worker that finishes its batch needs the servers.
        A second Ctrl-C ends the waiting.
        """
        picked = [keeper for keeper in self.keepers if names(keeper.line.name)]
        self.keepers = [keeper for keeper in self.keepers if keeper not in picked]
        for keeper in picked:
            keeper.signal(keeper.line.stop_signal)
        asked = self.stops_asked
        for keeper in picked:
            end = time.monotonic() + keeper.line.grace_seconds
            while keeper.process is not None and keeper.process.poll() is None:
                if time.monotonic() >= end or self.stops_asked > max(asked, 1):
                    self._say(f"{keeper.line.name} did not stop in time and is killed")
                    keeper.signal(signal.SIGKILL)
                    keeper.process.wait()
                    break
                self._tend(self.keepers)
                self._rest(POLL_SECONDS)
            keeper.kill_group()


def _reason(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
