"""A transport that records what is sent, and breaks off at a request of one's choice."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from verified_images.cloud.transport import InterruptibleTransport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.cloud.connection import CloudConnection


@dataclass(frozen=True, slots=True)
class Break:
    """Where to break off: at the first request that matches, or at each; ``sent`` or not sent, with this error."""

    method: str
    path: str
    sent: bool
    error: BaseException
    always: bool = False


class RecordingTransport(InterruptibleTransport):
    """The ordinary transport, with a memory and a breaking point."""

    def __init__(self, connection: CloudConnection, breaking: Break | None = None) -> None:
        super().__init__(connection_verify=str(connection.ca_bundle), use_env_settings=False)
        self.bodies: list[tuple[str, str, Any]] = []
        self.breaking = breaking
        self.broken = False

    def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's own types
        """Send the request, and break off where it is told to."""
        path = urlsplit(request.url).path
        if request.method in {"PUT", "PATCH", "POST"}:
            body = json.loads(request.content) if request.content else None
            self.bodies.append((request.method, path, body))
        breaks = self._breaks(request.method, path)
        if breaks and not breaks.sent:
            raise breaks.error
        answer = super().send(request, **options)
        if breaks:
            answer.read()  # gives the network connection back, as whoever was to get the answer would have
            raise breaks.error
        return answer

    def sleep(self, duration: float) -> None:
        """Wait, but not for long, before what broke is tried again."""
        super().sleep(min(duration, 0.1))

    def _breaks(self, method: str, path: str) -> Break | None:
        breaking = self.breaking
        if breaking is None or (self.broken and not breaking.always) or method != breaking.method:
            return None
        if re.search(breaking.path, path) is None:
            return None
        self.broken = True
        return breaking


@contextmanager
def connected_through(connection: CloudConnection, breaking: Break | None = None) -> Iterator[CloudConnection]:
    """Give a connection to the same cloud through a transport of its own."""
    with RecordingTransport(connection, breaking) as transport:
        yield replace(connection, transport=transport)
