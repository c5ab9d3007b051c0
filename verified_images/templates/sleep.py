"""The ``sleep`` provisioner's keys."""

from __future__ import annotations

from typing import ClassVar

from verified_images.templates.fields import Seconds
from verified_images.templates.provisioners import Provisioner


class SleepProvisioner(Provisioner):
    """Wait for a while."""

    kind: ClassVar[str] = "sleep"

    duration: Seconds
    """How long."""
