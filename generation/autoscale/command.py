"""A machine that commands start and stop: of another cloud, of libvirt, of ssh. No shell reads them."""

import logging
import os
import signal
import subprocess
from collections.abc import Sequence
from tempfile import TemporaryFile

from generation.autoscale.drivers import DriverError, Reading
from generation.autoscale.rules import Machine

logger = logging.getLogger(__name__)

SECONDS = 300.0
# As `systemctl is-active`, `pgrep` and `grep -q` answer.
RUNS, DOES_NOT = 0, (1, 3)
LOGGED = 4_000


class Commands:
    """Each command is a list of words, and ends within `seconds`; `state` may be empty."""

    def __init__(self, *, start: Sequence[str], stop: Sequence[str], state: Sequence[str] = (), seconds: float = SECONDS) -> None:
        self._start, self._stop, self._state, self._seconds = start, stop, state, seconds

    def read(self) -> Reading:
        """Return whether the machine runs, if there is a command that tells."""
        if not self._state:
            return Reading(None)
        code = self._run("AUTOSCALE_STATE", self._state, fine=(RUNS, *DOES_NOT))
        return Reading(Machine.RUNNING if code == RUNS else Machine.STOPPED)

    def start(self) -> None:
        """Run the command that starts the machine."""
        self._run("AUTOSCALE_START", self._start)

    def stop(self) -> None:
        """Run the command that stops it."""
        self._run("AUTOSCALE_STOP", self._stop)

    def _run(self, name: str, words: Sequence[str], *, fine: Sequence[int] = (0,)) -> int:
        # A file and not a pipe: what the command leaves running would hold that open, and us with it.
        with TemporaryFile() as output:
            try:
                process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True)
            except OSError as error:
                raise DriverError(f"{name}: {words[0]}: {error.strerror}.") from error
            try:
                code = process.wait(self._seconds)
                trouble = f"exited {code}"
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                code = process.wait()
                trouble = f"took more than {self._seconds:g} seconds and was ended"
            if code in fine:
                return code
            output.seek(0)
            said = output.read().decode(errors="replace").strip()
        if said:
            logger.error("%s %s. It said:\n%s", name, trouble, said[-LOGGED:])
        raise DriverError(f"{name} {trouble}: {said.splitlines()[-1].strip() if said else 'it said nothing'}")
