"""Validates what goes over the wire of each local Azure that a test starts; what is wrong fails the test.

Answers are validated always. Of requests those that the library itself sends are: tests send wrong ones on purpose.
"""

from __future__ import annotations

import json
import re
import threading
from typing import TYPE_CHECKING, Any

from tests.emulator.openapi.operations import find_operation, is_documented
from tests.emulator.openapi.schemas import violations
from verified_images.emulator import local_cloud
from verified_images.emulator.app import make_app

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from tests.emulator.openapi.operations import Operation
    from verified_images.emulator.cloud import Cloud

_REFUSED = 400
_ACCEPTED = 202
_UNDOCUMENTED = re.compile(
    r"""\.(
        kind | properties\.allowPort25Out                              # of network interfaces
        | properties\.(enableDestinationServiceEndpoint | allowBackendPortConflict)   # of rules of load balancers
        | loadBalancerBackendAddresses\[\d+\]\.(id | etag | type | properties\.provisioningState)
        | properties\.resilientVMDeletionStatus                        # of instances, before it was documented
        | galleryApplications\[\d+\]\.manuallyManaged               # of machines with applications
        | properties\.readOnly                                        # of disks whose speed is chosen
        | properties\.routeServiceVips                                # of peerings
        | sku\.tier                                                   # of NAT gateways
        | authorizations                                              # of providers
        | error\.innererror\.internalErrorCode | error\.additionalInfo  # of throttling and policies
        | properties\.replica(Type | Count) | osDiskImage\.sizeIn(Gb | Bytes)   # of Marketplace images
    ):\ is\ no\ property$
    | ^\$\.count:\ is\ no\ property$                                # of the list of subscriptions
    | ^\$\.nextLink:\ is\ required$                                # the last page has none""",
    re.VERBOSE,
)
"""What recorded answers have although it is not documented."""


class Findings:
    """The violations found since somebody last asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[str] = []
        self.validated = 0

    def add(self, found: list[str]) -> None:
        """Note violations."""
        with self._lock:
            self.validated += 1
            self._found.extend(found)

    def take(self) -> list[str]:
        """Give the violations, each once, and forget them."""
        with self._lock:
            found, self._found = list(dict.fromkeys(self._found)), []
            return found


FINDINGS = Findings()


class Validation:
    """An ASGI middleware that lets calls pass as they are and notes what in them is wrong."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a call."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, answer, status = bytearray(), bytearray(), 0

        async def listen() -> Message:
            message = await receive()
            request.extend(message.get("body", b""))
            return message

        async def tell(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))
            # Before the client has the whole answer, so that its test has not ended.
            if message["type"] == "http.response.body" and not message.get("more_body"):
                _validate(scope, bytes(request), status, bytes(answer))
            await send(message)

        await self._app(scope, listen, tell)


def _validate(scope: Scope, request: bytes, status: int, answer: bytes) -> None:
    query = dict(part.partition("=")[::2] for part in scope["query_string"].decode().split("&"))
    version = query.get("api-version", "")
    if operation := find_operation(scope["method"], scope["path"], version):
        call = f"{scope['method']} {scope['path']}?api-version={version}"
        agent = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
        own = request if b"verified-images" in agent else b""
        FINDINGS.add([*_check_request(call, operation, own), *_check_answer(call, operation, status, answer)])


def _check_request(call: str, operation: Operation, request: bytes) -> Iterator[str]:
    if request and (node := operation.request):
        for violation in violations(json.loads(request), node):
            yield f"{call}: request: {violation}"


def _check_answer(call: str, operation: Operation, status: int, answer: bytes) -> Iterator[str]:
    try:
        answered = operation.answer(status)
    except KeyError:
        if status < _REFUSED:
            yield f"{call}: status {status} is not documented"
        return
    if answer and answered and (body := _parse(answer)) is not None:
        for violation in violations(body, answered):
            # The answer to a write that is under way tells part of the resource.
            is_partial = status == _ACCEPTED and violation.endswith(": is required")
            if not is_partial and not _UNDOCUMENTED.search(violation):
                yield f"{call}: answer {status}: {violation}"


def _parse(content: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(content)
    except ValueError:
        return None


def make_validated_app(cloud: Cloud) -> Starlette:
    """Make the application that serves a cloud, validated."""
    app = make_app(cloud)
    app.add_middleware(Validation)
    return app


def install() -> None:
    """Validate each local Azure that this process starts from now on, if the documents are here."""
    if is_documented():
        vars(local_cloud)["make_app"] = make_validated_app
