"""Every error that verified-images raises on purpose.

The tree::

    VerifiedImagesError
    ├── TemplateError          a template, or a file that it names, is wrong
    ├── PreflightError         the cloud or the target would refuse the build; nothing was created
    ├── CloudError             Azure Resource Manager refused a call or an operation failed
    │   ├── NotFoundError
    │   ├── ConflictError
    │   ├── CapacityError      no room for this size in this place: another place or size may work
    │   ├── RestrictionError   the subscription may not use this size in this place
    │   ├── QuotaError         the subscription's quota is used up
    │   ├── ThrottledError
    │   └── AccessDeniedError  no credential, an expired one, or one without the role
    ├── LadderError            every size, zone and location of a ladder was refused
    ├── DeadlineError          a wait ran out of time
    │   └── StallError         nothing happened for too long
    ├── CalledOffError         the session ends, so a stage that was being done is not wanted any more
    ├── MachineError           a machine could not be reached or did not do as told
    │   ├── UnreachableError
    │   ├── HostKeyError
    │   ├── LoginError
    │   ├── EvictedError       Azure took the spot machine back
    │   ├── ConnectionLostError
    │   └── CommandError       a remote command failed
    ├── ProvisionerError       a provisioner of the template failed
    ├── PostProcessorError     what comes after publishing went wrong; the image stays published
    ├── GateClosedError        a stage was asked for that its gate does not allow
    └── CleanupError           something temporary is still there

The text of an error is one sentence: what failed, on which named thing, after how long, what to do next.
The facts are attributes. Errors never log themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class VerifiedImagesError(Exception):
    """Base of all errors raised on purpose."""


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """One mistake in a template: where it is and what to write instead."""

    file: Path
    line: int | None
    key_path: str
    message: str

    def __str__(self) -> str:
        where = str(self.file) if self.line is None else f"{self.file}:{self.line}"
        return f"{where}: {self.key_path}: {self.message}" if self.key_path else f"{where}: {self.message}"


class TemplateError(VerifiedImagesError):
    """A template, or a file that it names, is wrong; ``problems`` holds every mistake found, in file order."""

    def __init__(self, problems: Sequence[TemplateProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class PreflightError(VerifiedImagesError):
    """The cloud or the target would refuse the build; nothing was created. ``problems``: one sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class CloudError(VerifiedImagesError):
    """Azure Resource Manager refused a call, or an operation that it had accepted failed.

    ``operation`` says in words what was tried ("create virtual machine"), ``resource`` on which id or name.
    ``code`` is ARM's most specific code, ``details`` the unfolded nested messages, ``correlation_id`` what
    Azure support asks for.
    """

    def __init__(  # noqa: PLR0913 - the facts of one ARM answer
        self,
        message: str,
        *,
        operation: str = "",
        resource: str = "",
        status: int | None = None,
        code: str = "",
        details: Sequence[str] = (),
        correlation_id: str = "",
    ) -> None:
        self.operation = operation
        self.resource = resource
        self.status = status
        self.code = code
        self.details = tuple(details)
        self.correlation_id = correlation_id
        super().__init__(message)


class NotFoundError(CloudError):
    """The named resource does not exist."""


class ConflictError(CloudError):
    """The resource's state, or another resource that uses it, does not allow the call."""


class CapacityError(CloudError):
    """There is no room for this size in this place; another size, zone or location may work."""


class RestrictionError(CloudError):
    """The subscription may not use this size in this place; another size, zone or location may work."""


class QuotaError(CloudError):
    """The subscription's quota does not allow it."""


class ThrottledError(CloudError):
    """Azure asked to slow down, for longer than the call's budget."""


class AccessDeniedError(CloudError):
    """There is no credential, it has expired, or it lacks the role that the call needs."""


class LadderError(VerifiedImagesError):
    """No rung of a ladder could be had: ``failures`` hold each rung in words, and why it failed or was not tried."""

    def __init__(self, what: str, failures: Sequence[tuple[str, str]]) -> None:
        self.failures = tuple(failures)
        told = "; ".join(f"{rung}: {reason.rstrip('.')}" for rung, reason in self.failures)
        super().__init__(f"{what} could not be had on any of {len(self.failures)} rungs: {told}")


class CalledOffError(VerifiedImagesError):
    """The session ends, so what was being done is not wanted any more."""

    def __init__(self) -> None:
        super().__init__("called off, since the session ends")


class DeadlineError(VerifiedImagesError):
    """A wait ran out of time; ``what`` was waited for, for ``seconds``, and ``last_seen`` was the last state."""

    def __init__(self, what: str, seconds: float, last_seen: str = "") -> None:
        self.what = what
        self.seconds = seconds
        self.last_seen = last_seen
        seen = f"; last seen: {last_seen}" if last_seen else ""
        super().__init__(self._sentence(what, f"{seconds:.0f} s") + seen)

    def _sentence(self, what: str, duration: str) -> str:
        return f"{what} did not happen within {duration}"


class StallError(DeadlineError):
    """Nothing happened for too long; ``what`` is the work that stalled."""

    def _sentence(self, what: str, duration: str) -> str:
        return f"{what} made no progress for {duration}"


class MachineError(VerifiedImagesError):
    """A machine could not be reached, or did not do as it was told; ``machine`` names it."""

    def __init__(self, message: str, *, machine: str = "") -> None:
        self.machine = machine
        super().__init__(message)


class UnreachableError(MachineError):
    """No SSH server answered at the machine's address."""


class HostKeyError(MachineError):
    """The machine showed a host key other than those that Azure told of."""


class LoginError(MachineError):
    """The machine refused the run's key."""


class EvictedError(MachineError):
    """Azure took the spot machine back before it was captured."""


class ConnectionLostError(MachineError):
    """The connection broke while a command ran."""


class CommandError(MachineError):
    """A remote command ended with an exit code that was not expected."""

    def __init__(self, message: str, *, machine: str = "", exit_code: int | None = None, tail: str = "") -> None:
        self.exit_code = exit_code
        self.tail = tail
        super().__init__(message, machine=machine)


class ProvisionerError(VerifiedImagesError):
    """A provisioner failed: its ``kind``, ``index`` (from 1), ``file`` and ``line`` in the template.

    ``exit_code`` is that of the remote command where there was one, ``tail`` its last lines of output.
    """

    def __init__(  # noqa: PLR0913 - the facts of one failure
        self,
        message: str,
        *,
        kind: str,
        index: int,
        file: Path | None = None,
        line: int | None = None,
        exit_code: int | None = None,
        tail: str = "",
    ) -> None:
        self.kind = kind
        self.index = index
        self.file = file
        self.line = line
        self.exit_code = exit_code
        self.tail = tail
        super().__init__(message)


class PostProcessorError(VerifiedImagesError):
    """A post-processor failed, after the image was published: its ``kind`` and ``index`` (from 1) in the template."""

    def __init__(self, message: str, *, kind: str, index: int) -> None:
        self.kind = kind
        self.index = index
        super().__init__(message)


class GateClosedError(VerifiedImagesError):
    """A stage was asked for that its gate does not allow; ``reasons`` name what closed it."""

    def __init__(self, stage: str, reasons: Sequence[str]) -> None:
        self.stage = stage
        self.reasons = tuple(reasons)
        super().__init__(f"{stage} not done: {'; '.join(self.reasons)}")


class CleanupError(VerifiedImagesError):
    """Something temporary is still there: ``left`` names it, ``errors`` says why."""

    def __init__(self, left: Sequence[str], errors: Sequence[BaseException] = ()) -> None:
        self.left = tuple(left)
        self.errors = tuple(errors)
        why = "; ".join(dict.fromkeys(str(error) for error in self.errors))
        if not self.left:
            super().__init__(f"clean-up failed: {why}")
            return
        there = f"{len(self.left)} temporary resource(s) are still there: {', '.join(self.left)}"
        super().__init__(f"{there}; {why}" if why else there)
