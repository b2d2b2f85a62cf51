"""Programs that die at any moment and are started again, as a machine's supervisor would.

Knows nothing of what they do. The one surprising fact: `kill -9` of PostgreSQL's first
process leaves its others alive for a moment, attached to its memory, and a new one refuses
to start beside them. So a program is killed with all its children.
"""

import asyncio
import ctypes
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

# How soon a supervisor notices a death.
_GLANCE_S = 0.05

# How long it leaves a dead program alone: from at once to a restart policy's first back-off.
_PAUSE_S = (0.1, 1.5)

# For a program that is asked to stop and does not.
_PATIENCE_S = 20.0


@dataclass
class Program:
    """A command that can be started, killed, frozen and started again; one log for all lives.

    `stops_by` is the signal that ends it in peace; `user` whom to run it as, if not ourselves;
    `niceness` how much it lets others go first, as nice(1) has it.
    """

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    cwd: Path = Path("/")
    user: str | None = None
    stops_by: signal.Signals = signal.SIGTERM
    niceness: int = 0
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def pid(self) -> int:
        """Of its present life."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended since."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> "subprocess.Popen[bytes]":
        """Start it."""
        assert not self.is_running
        with self.log.open("ab") as log:  # an unread pipe would stop it
            self._process = subprocess.Popen(
                self.command,
                cwd=self.cwd,
                env=dict(self.environment),
                user=self.user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=self._begin,
            )
        return self._process

    def _begin(self) -> None:
        """In the new process, before it becomes the program."""
        os.nice(self.niceness)
        if sys.platform == "linux":
            # Should the tests be killed, the kernel kills it: prctl(2), PR_SET_PDEATHSIG = 1.
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    def kill(self) -> None:
        """`kill -9`, its children too."""
        assert self._process is not None
        for pid in (self.pid, *_children(self.pid)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()

    def freeze(self) -> None:
        """It neither answers nor ends."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on as if nothing had been."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """End it in peace, or else."""
        if not self.is_running:
            return
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGCONT)
            os.kill(self.pid, self.stops_by)
        try:
            self._process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()


@dataclass
class Supervisor:
    """Starts again whatever died, after a pause by chance. `deaths` counts those it was asked for.

    `gave_up` are programs that ended by themselves: rightly, if what they need was away.
    """

    programs: Mapping[str, Program]
    chance: random.Random
    deaths: Counter[str] = field(default_factory=Counter)
    gave_up: Counter[str] = field(default_factory=Counter)
    _held: set[str] = field(default_factory=set)
    _dying: set[str] = field(default_factory=set)

    def kill(self, names: Iterable[str]) -> str | None:
        """Kill the first of these that is alive; its name."""
        for name in names:
            if self.programs[name].is_running:
                self._dying.add(name)
                self.programs[name].kill()
                self.deaths[name] += 1
                return name
        return None

    def hold_down(self, name: str) -> None:
        """Kill it, and leave it dead until `let_up`."""
        self._held.add(name)
        self.kill([name])

    def let_up(self, name: str) -> None:
        """Start it again."""
        self._held.discard(name)

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Keep everything running meanwhile; at the end it runs."""
        watches = [asyncio.create_task(self._watch(name)) for name in self.programs]
        try:
            yield
        finally:
            for watch in watches:
                watch.cancel()
            for outcome in await asyncio.gather(*watches, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome

    async def _watch(self, name: str) -> None:
        program = self.programs[name]
        while True:
            await asyncio.sleep(_GLANCE_S)
            if program.is_running or name in self._held:
                continue
            if name not in self._dying:
                self.gave_up[name] += 1
            self._dying.discard(name)
            await asyncio.sleep(self.chance.uniform(*_PAUSE_S))
            if name not in self._held:
                program.start()


def _children(pid: int) -> list[int]:
    """Those of a process, and theirs (Linux only)."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                # proc(5): the parent is the second field after the command, which is in brackets.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = parents.get(pid, [])
    return [each for child in found for each in (child, *_children(child))]
