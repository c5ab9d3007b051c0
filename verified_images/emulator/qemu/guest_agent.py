"""The QEMU guest agent (QEMU documentation, "QEMU Guest Agent Protocol Reference"): commands in a guest without SSH."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from typing import TYPE_CHECKING, Any

from verified_images.emulator.hypervisor import CommandOutcome, HypervisorError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

_SECONDS_TO_ANSWER = 60.0
_SECONDS_TO_DIE = 5
_LARGEST_FILE = 1 << 20
_TIMED_OUT = (124, 137)
"""Exit codes of ``timeout`` when it had to end, or to kill, what it ran."""

_RUN_SCRIPT = """umask 077
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && cat >"$folder/script" || exit 1
umask 022
case $(head -c 2 "$folder/script") in
    '#!') chmod u+x "$folder/script"; set -- "$folder/script" ;;
    *) set -- /bin/sh "$folder/script" ;;
esac
timeout --kill-after={grace} {seconds} "$@" </dev/null
"""


class AgentSilentError(HypervisorError):
    """The guest agent does not answer."""


class GuestAgent:
    """Talks to the agent of one guest. Safe to use from any thread."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._lock = threading.Lock()

    def answers(self, timeout: float) -> bool:
        """Tell whether the agent answers within ``timeout`` seconds; one that is busy for as long does not."""
        try:
            self.execute("guest-ping", timeout=timeout)
        except HypervisorError:
            return False
        return True

    def execute(  # each command answers with a shape of its own
        self, command: str, arguments: Mapping[str, object] | None = None, *, timeout: float = _SECONDS_TO_ANSWER
    ) -> Any:  # noqa: ANN401 - see above
        """Run one of the agent's commands and give what it returns.

        Raises:
            HypervisorError: the agent refused it.
            AgentSilentError: it did not answer within ``timeout`` seconds.
        """
        if not self._lock.acquire(timeout=timeout):
            raise AgentSilentError("the guest agent is busy")
        try:
            answer = self._ask({"execute": command, "arguments": dict(arguments or {})}, time.monotonic() + timeout)
        except OSError as error:
            raise AgentSilentError("the guest agent does not answer") from error
        finally:
            self._lock.release()
        if "error" in answer:
            raise HypervisorError(f"the guest agent refused {command}: {answer['error'].get('desc')}")
        return answer["return"]

    def read_file(self, path: str) -> str | None:
        """Give the text of a file of up to 1 MiB, or None when there is none; no process is started for it.

        Raises:
            HypervisorError: the agent refused for another reason, or does not answer.
        """
        try:
            handle = self.execute("guest-file-open", {"path": path})
        except HypervisorError as error:
            if "No such file" in str(error):
                return None
            raise
        try:
            content = self.execute("guest-file-read", {"handle": handle, "count": _LARGEST_FILE})
        finally:
            self.execute("guest-file-close", {"handle": handle})
        return _decode(content["buf-b64"])

    def reboot(self) -> None:
        """Tell the guest to restart itself; there is no answer."""
        request = {"execute": "guest-shutdown", "arguments": {"mode": "reboot"}}
        with self._lock:
            self._socket.settimeout(_SECONDS_TO_ANSWER)
            self._socket.sendall(json.dumps(request).encode() + b"\n")

    def run_script(self, script: str, timeout: float) -> CommandOutcome:
        """Run a shell script as root, by its own interpreter if it names one; it may run for ``timeout`` seconds.

        Raises:
            HypervisorError: it did not end in time and was killed, or the guest restarted meanwhile.
        """
        started = time.monotonic()
        wrapper = _RUN_SCRIPT.format(grace=_SECONDS_TO_DIE, seconds=max(timeout, 0.1))
        outcome = self._run(["/bin/sh", "-c", wrapper], script.encode(), timeout + 2 * _SECONDS_TO_DIE)
        if outcome.exit_code in _TIMED_OUT and time.monotonic() - started >= timeout:
            raise HypervisorError(f"the script did not end within {timeout:.0f} s and was killed")
        return outcome

    def close(self) -> None:
        """Hang up."""
        with self._lock:
            self._socket.close()

    def _run(self, command: list[str], stdin: bytes, timeout: float) -> CommandOutcome:
        deadline = time.monotonic() + timeout
        started = self.execute(
            "guest-exec",
            {
                "path": command[0],
                "arg": command[1:],
                "input-data": base64.b64encode(stdin).decode(),
                "capture-output": True,
            },
        )
        pause = 0.01
        while not (status := self.execute("guest-exec-status", started))["exited"]:
            if time.monotonic() > deadline:
                raise HypervisorError(f"the script did not end within {timeout:.0f} s")
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)
        return CommandOutcome(
            exit_code=status["exitcode"] if "exitcode" in status else 128 + status.get("signal", 0),
            stdout=_decode(status.get("out-data", "")),
            stderr=_decode(status.get("err-data", "")),
        )

    def _ask(self, request: dict[str, object], deadline: float) -> dict[str, Any]:
        # An answer to an earlier question, one that was given up, may still be under way: the number tells them apart.
        number = secrets.randbits(31)
        sync = {"execute": "guest-sync-delimited", "arguments": {"id": number}}
        self._socket.settimeout(max(0.01, deadline - time.monotonic()))
        self._socket.sendall(b"\xff" + json.dumps(sync).encode() + b"\n" + json.dumps(request).encode() + b"\n")
        received = bytearray()
        marker = json.dumps({"return": number}).encode() + b"\n"
        while True:
            _, found, answer = received.rpartition(marker)
            if found and b"\n" in answer:
                return dict(json.loads(answer.partition(b"\n")[0]))
            self._socket.settimeout(max(0.01, deadline - time.monotonic()))
            data = self._socket.recv(1 << 16)
            if not data:
                raise OSError("the guest has ended")
            received += data


def _decode(data: str) -> str:
    return base64.b64decode(data).decode(errors="replace")
