"""The eviction of a build VM while it is tested: told with the test that fails, and waited for by no other.

A machine that was taken back in the middle of its tests is not made again on the next rung of its ladder: those of its
tests that have passed are not known to pass there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_plugin.stages import Stage
from verified_images.errors import GateClosedError, MachineError

if TYPE_CHECKING:
    from verified_images.pipeline import Build


class Eviction:
    """Whether a spec's build VM was taken back: found out when a test of it fails."""

    def __init__(self) -> None:
        self._told = ""

    def explain(self, build: Build, error: BaseException) -> str:
        """Say that a test has failed since Azure took the machine back, or nothing."""
        if not self._told and isinstance(error, MachineError) and (evicted := build.find_eviction(error)):
            self._told = str(evicted)
        return self._told

    def check(self) -> None:
        """Return if the machine has not been found gone.

        Raises:
            GateClosedError: Azure took it back while it was tested.
        """
        if self._told:
            raise GateClosedError(Stage.MACHINE, (self._told,))
