"""The ``sleep`` provisioner: a wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.waiting import pause

if TYPE_CHECKING:
    from verified_images.provisioners.attempt import Attempt
    from verified_images.templates.sleep import SleepProvisioner


def sleep(provisioner: SleepProvisioner, attempt: Attempt) -> None:
    """Wait for as long as the template says.

    Raises:
        DeadlineError: the provisioner's time is up before that.
    """
    if attempt.deadline is None:
        pause(provisioner.duration)
    else:
        attempt.deadline.sleep(provisioner.duration)
