"""Running the programs that a disk is built with: found beforehand, watched while they run, quoted when they fail."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

_SECONDS_BETWEEN_SIGNS_OF_LIFE = 5.0

SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
"""Where programs are looked for: an ordinary user's PATH often lacks the folders of sfdisk and mke2fs."""


def require_tools(packages: Mapping[str, str], purpose: str) -> None:
    """See that each program is there; ``packages`` names the Debian package of each.

    Raises:
        HypervisorError: some are missing; the text says how to install them.
    """
    missing = [tool for tool in packages if shutil.which(tool, path=SEARCH_PATH) is None]
    if missing:
        wanted = " ".join(dict.fromkeys(packages[tool] for tool in missing))
        raise HypervisorError(
            f"{purpose} needs {', '.join(missing)}, which this machine lacks; install with: apt-get install {wanted}"
        )


@dataclass(frozen=True, slots=True)
class Workbench:
    """Runs programs one after another, their output in ``log``, and tells ``progress`` how it goes."""

    purpose: str
    log: Path
    progress: Callable[[str], None]
    _started: float = field(default_factory=time.monotonic)

    def say(self, step: str) -> None:
        """Report a step, with the seconds since the work began."""
        self.progress(f"{self.purpose}: {step} ({time.monotonic() - self._started:.0f} s)")

    def run(self, command: Sequence[str], step: str, *, stdin: str = "") -> None:
        """Run a program to its end.

        Raises:
            HypervisorError: it failed; the text holds its last words.
        """
        self.say(step)
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=log, env={**os.environ, "PATH": SEARCH_PATH}
            )
            try:
                self._watch(process, step, stdin)
            except BaseException:
                process.kill()
                process.wait()
                raise
        if process.returncode:
            raise HypervisorError(
                f"{self.purpose} failed after {time.monotonic() - self._started:.0f} s: {command[0]} "
                f"ended with exit code {process.returncode}: {self._last_words()}"
            )

    def _watch(self, process: subprocess.Popen[bytes], step: str, stdin: str) -> None:
        rest: bytes | None = stdin.encode()
        while True:
            try:
                process.communicate(rest, timeout=_SECONDS_BETWEEN_SIGNS_OF_LIFE)
            except subprocess.TimeoutExpired:
                rest = None
                self.say(f"{step}: {self._last_words(1)}")
            else:
                return

    def _last_words(self, count: int = 8) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " / ".join(line.strip() for line in lines[-count:] if line.strip()) or "it said nothing"
