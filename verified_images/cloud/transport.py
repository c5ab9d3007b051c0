"""HTTP for the SDK: connections that many threads share, and pauses that end when the connection is closed."""

from __future__ import annotations

import threading
import time
from typing import Any

import requests
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter

from verified_images.waiting import current_budget, patient

# Each long-running operation polls in a thread of its own; the SDK's ten kept connections are soon too few.
_KEPT_CONNECTIONS = 64
_SHORTEST_WAIT = 1.0  # seconds
# The SDK waits 300 s for a connection, and does so again for each retry: a network that is gone would seem to hang.
_LONGEST_TO_CONNECT = 30.0


class InterruptibleTransport(RequestsTransport):  # type: ignore[misc]  # the SDK exports it lazily
    """The SDK's own transport, whose pauses before a retry or the next poll end when it is closed.

    A poller pauses in a thread of its own for as long as Retry-After says, often a minute: one that nobody
    waits for any more, after Ctrl-C, would otherwise outlive the run.
    """

    def __init__(
        self, *, connection_verify: bool | str, use_env_settings: bool, polling_interval: float | None = None
    ) -> None:
        session = requests.Session()
        session.trust_env = use_env_settings
        for scheme in ("https://", "http://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=_KEPT_CONNECTIONS))
        super().__init__(session=session, connection_verify=connection_verify, use_env_settings=use_env_settings)
        self._closed = threading.Event()
        self._polling_interval = polling_interval
        self._begun = threading.local()

    def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's own types
        """Send a request; neither connection nor answer is waited for longer than the budget in force allows."""
        longest = min(options.get("connection_timeout", self.connection_config.timeout), _LONGEST_TO_CONNECT)
        options["connection_timeout"] = longest
        if budget := current_budget():
            budget.check()
            options["connection_timeout"] = max(_SHORTEST_WAIT, min(longest, budget.remaining))
            longest = options.get("read_timeout", self.connection_config.read_timeout)
            options["read_timeout"] = max(_SHORTEST_WAIT, min(longest, budget.remaining))
        return super().send(request, **options)

    def sleep(self, duration: float) -> None:
        """Pause for ``duration`` seconds, or longer before a poll that Azure did not say the time of.

        Raises:
            ServiceRequestError: the transport was closed.
            DeadlineError: the budget in force ends before.
        """
        if duration == self._polling_interval:
            duration = patient(duration, self._elapsed())
        budget = current_budget()
        longest = min(duration, budget.remaining) if budget else duration
        if self._closed.wait(longest):
            raise ServiceRequestError("the connection to Azure was closed")
        if budget:
            budget.check()

    def _elapsed(self) -> float:
        """Return the seconds since this thread first polled: each operation is polled in one of its own."""
        now = time.monotonic()
        begun: float = getattr(self._begun, "at", now)
        self._begun.at = begun
        return now - begun

    def close(self) -> None:
        """Close the connections and end every pause."""
        self._closed.set()
        super().close()
