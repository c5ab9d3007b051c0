"""The ``timeouts`` of a template: how long each stage of its build may take."""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from verified_images.templates.base import TemplateModel, wrong
from verified_images.templates.fields import Seconds


class Timeouts(TemplateModel):
    """How long each stage may take as a whole, tests not counted, and how long nothing may happen."""

    preflight: Seconds | None = None
    """How long the checks may take; as long as they need unless given."""
    provision: Seconds | None = None
    """How long booting and provisioning the machine may take; as long as they need unless given."""
    capture: Seconds | None = None
    """How long the capture may take; as long as it needs unless given."""
    deploy: Seconds | None = None
    """How long the scale set may take to be deployed; as long as it needs unless given."""
    publish: Seconds | None = None
    """How long publishing may take; as long as it needs unless given."""
    cleanup: Seconds | None = None
    """How long the clean-up may take; as long as it needs unless given."""
    stall: Seconds = 2 * 3600.0
    """How long a stage may go on without any progress: no output, no other state of what is waited for."""

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        for name in type(self).model_fields:
            if getattr(self, name) == 0:
                raise wrong(f"'{name}' must be longer than 0 s")
        return self
