"""Guests that misbehave on purpose, for tests of what waits for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuestFault:
    """How a guest misbehaves; the default one does not.

    ``boot_seconds`` is how long it takes before SSH may answer. A guest that is ``never_provisioned`` serves SSH, but
    its agent stays silent. ``refuses_ssh`` closes every connection to the SSH port. ``cannot_start`` makes ``start``
    fail with that text.
    """

    boot_seconds: float = 0.0
    never_provisioned: bool = False
    refuses_ssh: bool = False
    cannot_start: str = ""
