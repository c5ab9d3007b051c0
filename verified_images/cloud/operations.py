"""Calls to Azure Resource Manager, and the one place that waits on its long-running operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from verified_images.cloud.errors import translated
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

    def begin(
        self, what: str, on: str, start: Callable[[], LROPoller[T]], *, seconds: float | None = None
    ) -> Operation[T]:
        """Start a long-running operation and return it at once, so that another can be started beside it."""
        deadline = Deadline(f"{what} '{on}'", self.seconds if seconds is None else seconds)
        self.report(f"{what} '{on}' ...")
        note_progress(f"{what} '{on}' begun")
        with translated(what, on):
            return Operation(what, on, start(), deadline, self.report)

    def run(self, what: str, on: str, start: Callable[[], LROPoller[T]], *, seconds: float | None = None) -> T:
        """Run a long-running operation to its end and return its result."""
        return self.begin(what, on, start, seconds=seconds).result()


@dataclass(slots=True)
class Operation(Generic[T]):
    """A long-running operation that ARM has accepted."""

    what: str
    on: str
    poller: LROPoller[T]
    deadline: Deadline
    report: Callable[[str], None]
    _next_news: float = field(default=_NEWS_SECONDS)

    def result(self) -> T:
        """Wait until the operation is done and return its result.

        Raises:
            CloudError: ARM refused it or it failed.
            DeadlineError: it took longer than its budget; the error tells the last status.
        """
        with translated(self.what, self.on):
            while not self.poller.done():
                self.poller.wait(min(_LOOK_SECONDS, self.deadline.remaining))
                self._look()
            result = self.poller.result()
        self.report(f"{self.what} '{self.on}': {self.deadline.elapsed:.1f} s")
        note_progress(f"{self.what} '{self.on}' done")
        return result

    def _look(self) -> None:
        if self.poller.done():
            return
        self.deadline.saw(self.poller.status())
        self.deadline.check()
        if self.deadline.elapsed >= self._next_news:
            elapsed = self.deadline.elapsed
            self.report(f"{self.what} '{self.on}': {self.deadline.last_seen} for {elapsed:.0f} s")
            self._next_news += _NEWS_SECONDS
