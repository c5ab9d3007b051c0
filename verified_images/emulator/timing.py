"""How long operations take: a knob.

By default an operation takes as long as its real work does. A profile names seconds by operation
(``Microsoft.Compute/virtualMachines/write``) and is scaled by a factor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Timing:
    """Least seconds an operation takes, by name; ``default`` for those not named."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    default: float = 0.0
    scale: float = 1.0

    def of(self, operation: str) -> float:
        """Give the least duration of an operation in seconds."""
        return self.seconds.get(operation, self.default) * self.scale

    def stretch(self, seconds: float) -> float:
        """Give how long a time that a resource's own settings name lasts, in seconds."""
        return seconds * self.scale
