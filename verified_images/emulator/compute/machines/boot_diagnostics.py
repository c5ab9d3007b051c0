"""Boot diagnostics: the serial console's log under a signed URL. Source: Azure OpenAPI, ComputeRP."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError, invalid_parameter
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.store import Resource

_KEY = secrets.token_bytes(32)
_DEFAULT_MINUTES = 120
_MOST_MINUTES = 1440


def routes(item: str, find: Callable[[Cloud, ResourceId], Resource]) -> Iterator[Route]:
    """Give the route of the call that hands out URLs; ``find`` gives the machine of an id."""
    yield Route("POST", f"{item}/retrieveBootDiagnosticsData", _retrieving(find))


def blob_routes() -> Iterator[Route]:
    """Give the route of the logs themselves, whose URL is the permission."""
    yield Route("GET", "/bootdiagnostics/{guest}/{name}.serialconsole.log", _serve, anonymous=True)


def _retrieving(find: Callable[[Cloud, ResourceId], Resource]) -> Handler:
    def retrieve(cloud: Cloud, request: Request) -> Answer:
        machine = find(cloud, request.id)
        if not _is_enabled(machine):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"Boot diagnostics data is not available for VM '{machine.id.name}': boot diagnostics is not enabled.",
            )
        minutes = _minutes(request.query.get("sasuriexpirationtimeinminutes", str(_DEFAULT_MINUTES)))
        guest, expiry = machine.hidden["guest"], str(int(time.time()) + minutes * 60)
        base = f"{request.base_url}/bootdiagnostics/{guest}/{machine.id.name}"
        query = f"se={expiry}&sp=r&sig={_sign(guest, expiry)}"
        return Answer(
            200,
            {
                "consoleScreenshotBlobUri": f"{base}.screenshot.bmp?{query}",
                "serialConsoleLogBlobUri": f"{base}.serialconsole.log?{query}",
            },
        )

    return retrieve


def _minutes(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_MINUTES:
        raise invalid_parameter(
            "sasUriExpirationTimeInMinutes",
            f"The value '{text}' of parameter 'sasUriExpirationTimeInMinutes' is out of range. The value must be "
            f"between '1' and '{_MOST_MINUTES}', inclusive.",
        )
    return int(text)


def _is_enabled(machine: Resource) -> bool:
    profile = machine.properties.get("diagnosticsProfile") or {}
    return bool((profile.get("bootDiagnostics") or {}).get("enabled"))


def _sign(guest: str, expiry: str) -> str:
    return hmac.new(_KEY, f"{guest} {expiry}".encode(), hashlib.sha256).hexdigest()


def _serve(cloud: Cloud, request: Request) -> Answer:
    guest, expiry = request.parameters["guest"], request.query.get("se", "")
    expected = _sign(guest, expiry)
    if not hmac.compare_digest(expected, request.query.get("sig", "")) or float(expiry) < time.time():
        raise ArmError(403, "AuthenticationFailed", "Server failed to authenticate the request.")
    return Answer(200, cloud.hypervisor.read_serial_log(guest), {"Content-Type": "application/octet-stream"})
