"""Every call that a build makes to Azure Resource Manager, found by making them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from verified_images.cloud.transport import InterruptibleTransport
from verified_images.emulator.actions import action_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from verified_images.cloud.connection import CloudConnection

_LONGEST_SLEEP = 0.05
_GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|(?<=_)[0-9a-f]{8}\b")


@dataclass(frozen=True, slots=True, order=True)
class Call:
    """A call as any run makes it: RUN stands for the run's id, NUMBER for what it publishes, GUID for any other id.

    ``waits`` tells that its answer began a long-running operation, ``orchestration`` of what scale set its run is.
    """

    method: str
    operation: str
    scope: str
    waits: bool = False
    orchestration: str = "uniform"

    def __str__(self) -> str:
        return f"{self.method} {self.operation}"

    def scope_in(self, run_id: str, number: int) -> str:
        """Give the glob of the scope in one run; a glob has no other characters of its own in these ids."""
        return self.scope.replace("RUN", run_id).replace("NUMBER", str(number)).replace("GUID", "*")


class ClientTransport(InterruptibleTransport):
    """The ordinary transport under a name of its own, in a hurry, with a memory of what was sent."""

    def __init__(self, connection: CloudConnection, name: str) -> None:
        super().__init__(connection_verify=str(connection.ca_bundle), use_env_settings=False)
        self._name = name
        self.sent: list[tuple[str, str, bool]] = []

    def send(self, request: Any, **options: Any) -> Any:  # noqa: ANN401 - the SDK's own types
        """Send the request and remember it."""
        request.headers["User-Agent"] = self._name
        answer = super().send(request, **options)
        waits = "Azure-AsyncOperation" in answer.headers or "Location" in answer.headers
        self.sent.append((request.method, urlsplit(request.url).path, waits and request.method != "GET"))
        return answer

    def sleep(self, duration: float) -> None:
        """Wait, but never for long."""
        super().sleep(min(duration, _LONGEST_SLEEP))


def calls_of(sent: Iterable[tuple[str, str, bool]], run_id: str, number: int) -> Iterator[Call]:
    """Give the calls that were sent, in their order."""
    for method, path, waits in sent:
        if not path.startswith("/subscriptions/"):
            continue  # tokens, and what is downloaded with a permission of its own
        action = action_of(method, path)
        scope = re.sub(rf"(?<=[.-]){number}\b", "NUMBER", action.scope.lower().replace(run_id, "RUN"))
        yield Call(method, action.name, _GUID.sub("GUID", scope), waits)
