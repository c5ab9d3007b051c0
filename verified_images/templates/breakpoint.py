"""The ``breakpoint`` provisioner's keys."""

from __future__ import annotations

from typing import ClassVar

from verified_images.templates.fields import Text
from verified_images.templates.provisioners import Provisioner


class BreakpointProvisioner(Provisioner):
    """Wait until somebody at the terminal says to go on; where there is no terminal, do nothing."""

    kind: ClassVar[str] = "breakpoint"

    disable: bool = False
    """Whether to go on without waiting."""
    note: Text = ""
    """What is shown while it waits."""
