"""testinfra on the SSH session that the build has open anyway: one round trip a command.

testinfra's own paramiko backend opens a connection of its own, warns of an unknown host key rather than refuse
it, and its cache of hosts would give the host of an earlier machine at the same address.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from testinfra.backend.base import BaseBackend, CommandResult
from testinfra.host import Host

if TYPE_CHECKING:
    from verified_images.stages.machine import Machine


BACK_WITHIN = 10 * 60.0
"""Seconds that a machine may take to come back after a test has restarted it."""


class SessionBackend(BaseBackend):  # type: ignore[misc] # testinfra is untyped to mypy
    """Runs testinfra's commands in a machine's SSH session."""

    NAME = "verified-images"

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine.name)
        self._session = machine.session

    def run(self, command: str, *args: str, **_: Any) -> CommandResult:  # noqa: ANN401 - testinfra's signature
        """Run a command and give its result; testinfra's quoting and ``host.sudo()`` have their effect.

        After a command that has restarted the machine, the next one waits until it is back.
        """
        line = self.get_command(command, *args)
        if not self._session.alive:
            self._session.reconnect(BACK_WITHIN)
        result = self._session.run(line)
        return self.result(result.exit_code, line.encode(), result.stdout, result.stderr)

    def get_encoding(self) -> str:
        """Give the encoding of the machine's output: the cloud images of today all speak UTF-8."""
        return "utf-8"


def connect_host(machine: Machine) -> Host:
    """Give a testinfra host of the machine, with nothing cached from another one."""
    backend = SessionBackend(machine)
    host = Host(backend)
    backend.set_host(host)
    return host
