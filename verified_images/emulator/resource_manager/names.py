"""The check whether a name may be used. Source: Azure REST, "Check Resource Name"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

_RESERVED = {"azure", "bing", "login", "microsoft", "office", "windows", "xbox"}


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("POST", "/providers/Microsoft.Resources/checkResourceName", _check)


def _check(cloud: Cloud, request: Request) -> Answer:
    del cloud
    body = request.json()
    name, kind = body.get("name"), body.get("type")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise ArmError(400, "InvalidRequestContent", "The resource name and its type are required.")
    status = "Reserved" if any(word in name.lower() for word in _RESERVED) else "Allowed"
    return Answer(200, {"name": name, "type": kind, "status": status})
