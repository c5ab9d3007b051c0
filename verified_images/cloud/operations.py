"""Calls to Azure Resource Manager, and the one place that waits on its long-running operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from verified_images.cloud.errors import translated
from verified_images.errors import CloudError, NotFoundError
from verified_images.waiting import Deadline, note_progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.polling import LROPoller

    from verified_images.cloud.connection import CloudConnection

T = TypeVar("T")

Body: TypeAlias = Any
"""A request's body as it is sent: the SDK's own types of it demand keys that Azure Resource Manager does not."""

OPERATION_SECONDS = 30 * 60.0
"""How long an operation may take unless its caller says otherwise."""

_NEWS_SECONDS = 30.0
_LOOK_SECONDS = 1.0
_LOOK_SHARE = 0.05
"""How long is waited between two looks at a resource, as a share of the time that its operation has taken so far."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Azure Resource Manager as one build speaks to it: a connection, and where to tell of progress.

    ``seconds`` is how long an operation may take unless its caller says otherwise.
    """

    connection: CloudConnection
    report: Callable[[str], None]
    seconds: float = OPERATION_SECONDS

    def call(self, what: str, on: str, ask: Callable[[], T]) -> T:
        """Return the answer of a call that ends at once. ``what`` on ``on`` is for messages: "get image 'x'".

        Raises:
            CloudError: ARM refused it.
        """
        with translated(what, on):
            return ask()

    def find(self, what: str, on: str, ask: Callable[[], T]) -> T | None:
        """Return the answer of a call as ``call`` does, or None where ARM knows of nothing of that name.

        Raises:
            CloudError: ARM refused it for another reason.
        """
        try:
            return self.call(what, on, ask)
        except NotFoundError:
            return None

    def begin(
        self,
        what: str,
        on: str,
        start: Callable[[], LROPoller[T]],
        *,
        seconds: float | None = None,
        look: Callable[[], T | None] | None = None,
    ) -> Operation[T]:
        """Start a long-running operation and return it at once, so that another can be started beside it.

        ``look`` asks for the resource itself and returns it once that tells that the operation is done. Azure wants
        the operation to be asked about a minute apart, and so tells of its end up to a minute late (recorded traffic).
        """
        deadline = Deadline(f"{what} '{on}'", self.seconds if seconds is None else seconds)
        self.report(f"{what} '{on}' ...")
        note_progress(f"{what} '{on}' begun")
        with translated(what, on):
            return Operation(what, on, start(), deadline, self.report, look if self.connection.looks else None)

    def run(
        self,
        what: str,
        on: str,
        start: Callable[[], LROPoller[T]],
        *,
        seconds: float | None = None,
        look: Callable[[], T | None] | None = None,
    ) -> T:
        """Run a long-running operation to its end and return its result; the arguments are those of ``begin``."""
        return self.begin(what, on, start, seconds=seconds, look=look).result()

    def when_provisioned(self, kind: str, name: str, ask: Callable[[], T]) -> Callable[[], T | None]:
        """Return a look at a resource for ``begin``: it is done when Azure calls the resource provisioned."""

        def look() -> T | None:
            resource: Any = self.call(f"get {kind}", name, ask)
            return resource if is_provisioned(resource) else None

        return look

    def when_gone(self, kind: str, name: str, ask: Callable[[], object]) -> Callable[[], Any]:
        """Return a look at a resource that is being deleted, for ``begin``."""

        def look() -> bool | None:
            return True if self.find(f"get {kind}", name, ask) is None else None

        return look


def is_provisioned(resource: Any) -> bool:  # noqa: ANN401 - a model of the SDK, which is a mapping
    """Tell whether nothing is being done with a resource any more, and what was done last went well."""
    return bool(resource["properties"].get("provisioningState") == "Succeeded")


@dataclass(slots=True)
class Operation(Generic[T]):
    """A long-running operation that ARM has accepted."""

    what: str
    on: str
    poller: LROPoller[T]
    deadline: Deadline
    report: Callable[[str], None]
    look: Callable[[], T | None] | None = None
    _next_news: float = field(default=_NEWS_SECONDS)
    _next_look: float = field(default=_LOOK_SECONDS)
    _ended: bool = field(default=False)

    @property
    def done(self) -> bool:
        """Whether the operation is known to have ended, well or not."""
        return self._ended or self.poller.done()

    def result(self) -> T:
        """Wait until the operation is done and return its result.

        Raises:
            CloudError: ARM refused it or it failed.
            DeadlineError: it took longer than its budget; the error tells the last status.
        """
        with translated(self.what, self.on):
            result = self._wait()
        self._ended = True
        self.report(f"{self.what} '{self.on}': {self.deadline.elapsed:.1f} s")
        note_progress(f"{self.what} '{self.on}' done")
        return result

    def _wait(self) -> T:
        while not self.poller.done():
            self.poller.wait(self.deadline.patience)
            if self.poller.done():
                break
            self._tell()
            if (seen := self._look_at_resource()) is not None:
                return seen
        return self.poller.result()

    def _look_at_resource(self) -> T | None:
        """Return the resource if it tells by itself that the operation is done."""
        if self.look is None or self.deadline.elapsed < self._next_look:
            return None
        self._next_look = self.deadline.elapsed + max(_LOOK_SECONDS, _LOOK_SHARE * self.deadline.elapsed)
        try:
            return self.look()
        except CloudError:
            return None  # the operation itself will tell what is wrong

    def _tell(self) -> None:
        self.deadline.saw(self.poller.status())
        self.deadline.check()
        if self.deadline.elapsed >= self._next_news:
            elapsed = self.deadline.elapsed
            self.report(f"{self.what} '{self.on}': {self.deadline.last_seen} for {elapsed:.0f} s")
            self._next_news += _NEWS_SECONDS
