"""The processes of a running game: one that ends by itself is started again, until it ends too often."""

import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from game.embedded import disk
from game.embedded.processes import Problem, last_line, stop

# Seconds before each new start. One more end within MEMORY_SECONDS ends the game.
PAUSES = (0.0, 2.0)
MEMORY_SECONDS = 60.0
DISK_SECONDS = 10.0
# A process that was ended from outside wrote nothing about it.
FROM_OUTSIDE = {signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
ERROR_LINE = re.compile(r"\b(ERROR|CRITICAL|FATAL|PANIC)\b|\w(Error|Exception|ImproperlyConfigured)\b")


class Child:
    """A process of the game, under the name that sentences begin with; `start` and `end` may raise Problem."""

    def __init__(
        self,
        name: str,
        log: Path,
        start: Callable[[], subprocess.Popen[bytes]],
        end: Callable[[subprocess.Popen[bytes]], None] = stop,
    ) -> None:
        self.name, self.log, self._start, self._end = name, log, start, end
        self.process = start()
        self.ends: list[float] = []
        self.failed_start = ""

    def has_ended(self) -> bool:
        """Say whether the process has ended by itself, or could not be started again."""
        return self.process.poll() is not None

    def end(self) -> None:
        """End the process, and what it started."""
        self._end(self.process)

    def revive(self, say: Callable[[str], None]) -> None:
        """Start an ended process again; raise Problem if it ended too often."""
        if not self.failed_start:
            stop(self.process)  # what it left behind would stand in the way of the next
        now = time.monotonic()
        self.ends = [*(end for end in self.ends if now - end < MEMORY_SECONDS), now]
        if len(self.ends) > len(PAUSES):
            raise Problem(self.failed_start or f"{self.name} ended {len(self.ends)} times within a minute {self._explain()}")
        say(f"{self.failed_start} Trying again." if self.failed_start else f"{self.name} ended ({self._reason()}); starting it again.")
        time.sleep(PAUSES[len(self.ends) - 1])
        try:
            self.process = self._start()
            self.failed_start = ""
        except Problem as problem:
            self.failed_start = str(problem)

    def _reason(self) -> str:
        code = self.process.returncode
        return f"exit code {code}" if code >= 0 else f"killed by signal {-code}"

    def _explain(self) -> str:
        said = last_line(self.log) if -self.process.returncode not in FROM_OUTSIDE else ""
        return f"({self._reason()}); see {self.log}{f': {said}' if ERROR_LINE.search(said) else ''}"


class Watch:
    """Keeps the children of a game alive, and an eye on the disk."""

    def __init__(self, var: Path, children: Sequence[Child], say: Callable[[str], None]) -> None:
        self.var, self.children, self.say = var, children, say
        self.next_look = 0.0

    def look(self) -> None:
        """Start again what has ended, and say when the disk runs full. Raises Problem where there is no going on."""
        for child in self.children:
            if child.has_ended():
                if disk.is_full(self.var):
                    raise Problem(f"{disk.describe_full_disk(self.var)} {child.name} could not go on.")
                child.revive(self.say)
        if (now := time.monotonic()) >= self.next_look:
            self.next_look = now + DISK_SECONDS
            if line := disk.warn_of_disk(self.var):
                self.say(line)
