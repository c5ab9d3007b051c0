"""QEMU's machine protocol (QEMU documentation, "QMP"), over a socket that no one else can open."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    import socket

_SECONDS_TO_ANSWER = 30.0


class MonitorClosedError(HypervisorError):
    """QEMU has ended, or its monitor does not answer any more."""


class Monitor:
    """Gives commands to one QEMU process and remembers the events that it reports. Safe to use from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._received = bytearray()
        self._events: list[dict[str, Any]] = []

    def open(self, timeout: float) -> None:
        """Wait for QEMU's greeting and take up the conversation.

        Raises:
            MonitorClosedError: QEMU ended, or said nothing within ``timeout`` seconds.
        """
        with self._lock:
            self._read(time.monotonic() + timeout)
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - each command has a shape of its own
        """Run a command and give what it returns.

        Raises:
            HypervisorError: QEMU refused it.
            MonitorClosedError: QEMU has ended or does not answer.
        """
        number = next(self._numbers)
        request = {"execute": command, "arguments": arguments, "id": number}
        with self._lock:
            deadline = time.monotonic() + _SECONDS_TO_ANSWER
            self._send(json.dumps(request).encode() + b"\n")
            while (answer := self._read(deadline)).get("id") != number:
                self._remember(answer)
        if "error" in answer:
            raise HypervisorError(f"QEMU refused {command}: {answer['error'].get('desc', answer['error'])}")
        return answer["return"]

    def run_human_command(self, line: str) -> str:
        """Run a command that exists only for human users and give what it prints."""
        return str(self.execute("human-monitor-command", **{"command-line": line}))

    def read_last_events(self) -> list[dict[str, Any]]:
        """Give all events that QEMU has reported, when it has ended."""
        with self._lock, contextlib.suppress(MonitorClosedError):
            while True:
                self._remember(self._read(time.monotonic() + _SECONDS_TO_ANSWER))
        return self._events

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._socket.close()

    def _remember(self, message: dict[str, Any]) -> None:
        if "event" in message:
            self._events.append(message)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(_SECONDS_TO_ANSWER)
            self._socket.sendall(data)
        except OSError as error:
            raise MonitorClosedError("QEMU has ended") from error

    def _read(self, deadline: float) -> dict[str, Any]:
        while b"\n" not in self._received:
            try:
                self._socket.settimeout(max(0.01, deadline - time.monotonic()))
                received = self._socket.recv(1 << 16)
            except TimeoutError as error:
                raise MonitorClosedError("QEMU's monitor does not answer") from error
            except OSError as error:
                raise MonitorClosedError("QEMU has ended") from error
            if not received:
                raise MonitorClosedError("QEMU has ended")
            self._received += received
        line, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message
