"""How long operations take, and how long clients are told to wait: a knob.

By default (``instant``) an operation takes as long as its real work does. A profile names seconds by operation
(``Microsoft.Compute/virtualMachines/write``) and is scaled by a factor, as is every Retry-After: a client that honours
it then waits in proportion.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

PROFILES = ("instant", "typical")
"""The profiles that are shipped: no durations, and the medians of recorded operations with Azure."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Least seconds an operation takes, by name; ``default`` for those not named.

    ``polls`` are the seconds that the answer to a poll tells a client to wait, by operation. ``scale`` stretches all
    of these, and what an operation's first answer tells a client to wait. ``wait``, where it is given, is what every
    answer of an operation tells instead: the clients of others wait for half a minute or more where they are told
    nothing.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    default: float = 0.0
    scale: float = 1.0
    polls: Mapping[str, float] = field(default_factory=dict)
    wait: int | None = None

    def of(self, operation: str) -> float:
        """Give the least duration of an operation in seconds."""
        return _look_up(self.seconds, operation, self.default) * self.scale

    def stretch(self, seconds: float) -> float:
        """Give how long a time that a resource's own settings name lasts, in seconds."""
        return seconds * self.scale

    def retry_after(self, seconds: float) -> str:
        """Give the Retry-After that stands for a wait in Azure, or an empty string when it is shorter than a second."""
        scaled = round(seconds * self.scale) if self.wait is None else self.wait
        return str(scaled) if scaled >= 1 else ""

    def poll(self, operation: str) -> str:
        """Give the Retry-After of a poll of an operation that still runs, or an empty string for none."""
        return self.retry_after(_look_up(self.polls, operation, 0.0))


def _look_up(table: Mapping[str, float], operation: str, otherwise: float) -> float:
    if operation in table:
        return table[operation]
    folded = operation.lower()
    return next((value for name, value in table.items() if name.lower() == folded), otherwise)


def load_timing(profile: str, scale: float = 1.0, wait: int | None = None) -> Timing:
    """Give a shipped profile, scaled, with what clients are told to wait in seconds (default: by the profile).

    Raises:
        ValueError: there is no such profile, the scale is negative, or the wait is shorter than a second.
    """
    if wait is not None and wait < 1:
        raise ValueError(f"clients cannot be told to wait for {wait} seconds: give 1 or more")
    if scale < 0:
        raise ValueError(f"the scale of the timing cannot be {scale}: give 0 or more")
    if profile == "instant":
        return Timing(scale=scale, wait=wait)
    if profile not in PROFILES:
        raise ValueError(f"there is no timing profile '{profile}': choose one of {', '.join(PROFILES)}")
    text = (files("verified_images.emulator") / "timings" / f"{profile}.json").read_text(encoding="utf-8")
    content = json.loads(text)
    operations = content["operations"]
    return Timing(
        {name: facts["seconds"] for name, facts in operations.items()},
        content["default"],
        scale,
        {name: facts["poll"] for name, facts in operations.items() if "poll" in facts},
        wait,
    )
