"""Moments of a session at which a signal can come: the plugin of the session that waits for it there."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from pytest_plugin.schedule import stage_of
from pytest_plugin.stages import TESTED_AFTER
from verified_images.cloud.transport import InterruptibleTransport
from verified_images.waiting import current_budget

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

PATIENCE = 300.0
"""Seconds that a session may take on a busy machine, or the signal that it waits for."""

_CHANGING = {"PUT", "PATCH", "POST", "DELETE"}
_ASKING = "/retrieveBootDiagnosticsData"  # a POST, as often as it takes


@dataclass(frozen=True, slots=True)
class Moment:
    """The moment after the ``number``-th call, from 1, by which a stage changes something, or in a test of it.

    Of preflight, which changes nothing, each call counts.
    """

    stage: str
    number: int = 1

    def __str__(self) -> str:
        return f"{self.stage} {self.number}"


@dataclass(slots=True)
class Waits:
    """Makes the plugin that waits at these moments, one after the other, until a signal has come."""

    moments: tuple[Moment, ...]

    def __call__(self, wire: Connection) -> object:
        return _Waiter(wire, list(self.moments))


@dataclass(slots=True)
class _Waiter:
    wire: Connection
    moments: list[Moment]
    counts: Counter[str] = field(default_factory=Counter)
    waits: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def pytest_configure(self) -> None:
        send = InterruptibleTransport.send
        InterruptibleTransport.send = _noting(send, self._sent)  # type: ignore[method-assign] # in a process of its own

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        stage = stage_of(item)
        if stage in TESTED_AFTER:
            self._reached(str(stage))

    def pytest_unconfigure(self) -> None:
        if not self.moments:
            self.wire.send(dict(self.counts))

    def _sent(self, method: str, path: str) -> None:
        budget = current_budget()
        if budget is None or not path.startswith("/subscriptions/") or path.endswith(_ASKING):
            return
        if method in _CHANGING or budget.name == "preflight":
            self._reached(budget.name)

    def _reached(self, stage: str) -> None:
        with self.lock:
            self.counts[stage] += 1
            if self.moments[:1] != [Moment(stage, self.counts[stage])]:
                return
            del self.moments[0]
            self.waits += 1
        self.wire.send("here")
        # A wait that the signal has broken off leaves what was sent for it.
        while self.wire.poll(PATIENCE) and self.wire.recv() != self.waits:
            pass


def _noting(send: Callable[..., Any], note: Callable[[str, str], None]) -> Callable[..., Any]:
    def send_and_note(transport: InterruptibleTransport, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's own types
        answer = send(transport, request, **options)
        note(request.method, urlsplit(request.url).path)
        return answer

    return send_and_note
