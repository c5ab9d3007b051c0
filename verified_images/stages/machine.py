"""A machine that runs, with the SSH session that leads into it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verified_images.ssh.session import Session


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine that booted, finished its cloud-init and is logged into.

    ``id`` is its ARM id, ``host_name`` what it calls itself, ``private_address`` its own address in the build's
    network, ``session`` the one SSH session to it (its host keys are those that Azure told of).
    """

    id: str
    name: str
    host_name: str
    private_address: str
    session: Session
