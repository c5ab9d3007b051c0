"""What the builds of a session are doing, and who looks at that from time to time."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import pytest

    from pytest_plugin.progress import Progress

STATUS_INPUT = "verified_images_status"
"""The key under which a controller gives its xdist workers the channel through which they say what they do."""

_LOOK_SECONDS = 0.5


class Doing(NamedTuple):
    """What is being done for one spec: a stage, for how many seconds, and the last that it told.

    Without a stage the spec waits until fewer others have machines.
    """

    spec: str
    stage: str = ""
    seconds: float = 0.0
    told: str = ""


class Task:
    """What is being done for one spec."""

    def __init__(self, spec: str, progress: Progress) -> None:
        self._spec = spec
        self._progress = progress
        self._begun: tuple[str, float] | None = None

    @contextlib.contextmanager
    def at(self, stage: str) -> Iterator[None]:
        """Say that a stage is being done."""
        self._begun = (str(stage), time.monotonic())
        try:
            yield
        finally:
            self._begun = None

    def now(self) -> Doing | None:
        """Give what is being done, if something is."""
        begun = self._begun
        if begun is None:
            return None
        return Doing(self._spec, begun[0], time.monotonic() - begun[1], self._progress.latest)


class Look(threading.Thread):
    """Looks at what is being done every half a second and has it shown, in a thread of its own."""

    def __init__(self, board: Callable[[], Sequence[Doing]], show: Callable[[Sequence[Doing]], None]) -> None:
        super().__init__(name="what specs are doing", daemon=True)
        self._board = board
        self._show = show
        self._ending = threading.Event()

    def run(self) -> None:
        """Look until the end, at which there is nothing to be shown."""
        while not self._ending.wait(_LOOK_SECONDS):
            self._show(self._board())
        self._show(())

    def end(self) -> None:
        """Stop looking."""
        self._ending.set()
        if self.is_alive():
            self.join()


def status_sender(config: pytest.Config) -> Callable[[Sequence[Doing]], None] | None:
    """Give what tells the controller what is being done, in an xdist worker; elsewhere None."""
    channel = getattr(config, "workerinput", {}).get(STATUS_INPUT)
    if channel is None:
        return None

    def send(doing: Sequence[Doing]) -> None:
        with contextlib.suppress(OSError):  # a controller that is gone
            channel.send([tuple(each) for each in doing])

    return send


class Elsewhere:
    """What is being done in other processes, as they told last."""

    def __init__(self) -> None:
        self._told: dict[object, tuple[float, Sequence[Doing]]] = {}

    def take(self, source: object, doing: Sequence[Sequence[object]]) -> None:
        """Take what a process tells, as it was sent."""
        self._told[source] = (time.monotonic(), [Doing(*each) for each in doing])  # type: ignore[arg-type]

    def board(self) -> list[Doing]:
        """Give what all of them do by now."""
        now = time.monotonic()
        return [
            each._replace(seconds=each.seconds + now - at) if each.stage else each
            for at, told in list(self._told.values())
            for each in told
        ]
