"""Clean-up: remove whatever the build made and did not publish, then ask Azure whether that is so."""

from __future__ import annotations

from dataclasses import dataclass

from verified_images.errors import CleanupError


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """What clean-up removed, what it had to leave and why; ARM ids, newest first."""

    removed: tuple[str, ...]
    left: tuple[str, ...]
    errors: tuple[BaseException, ...]
    seconds: float

    def check(self) -> None:
        """Return if nothing is left.

        Raises:
            CleanupError: something temporary is still there, or ARM could not be asked.
        """
        if self.left or self.errors:
            raise CleanupError(self.left, self.errors)
