"""Where a machine's SSH server is, whom to log in as, and which host keys prove that it is the right one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """One machine's SSH server.

    ``machine`` is its name in messages. ``host_keys`` are public key lines ("ssh-ed25519 AAAA..."): the machine is
    let in only with one of these.
    """

    machine: str
    host: str
    port: int
    username: str
    host_keys: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.machine!r} ({self.host}:{self.port})"
