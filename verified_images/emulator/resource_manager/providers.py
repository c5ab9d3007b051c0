"""Resource providers and their registration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.locations import DISPLAY_NAMES
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

_BASE = "/subscriptions/{subscription}/providers"


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", _BASE, _list)
    yield Route("GET", _BASE + "/{provider}", _get)
    yield Route("POST", _BASE + "/{provider}/register", _get)


def _types(cloud: Cloud) -> dict[str, list[str]]:
    by_provider: dict[str, list[str]] = {"Microsoft.Resources": ["resourceGroups", "subscriptions"]}
    for kind in cloud.kinds.values():
        provider, _, rest = kind.type.partition("/")
        by_provider.setdefault(provider, []).append(rest)
    return by_provider


def _describe(cloud: Cloud, provider: str, types: list[str]) -> dict[str, Any]:
    return {
        "id": f"/subscriptions/{cloud.account.subscription_id}/providers/{provider}",
        "namespace": provider,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "Registered",
        "resourceTypes": [
            {
                "resourceType": name,
                "locations": list(DISPLAY_NAMES),
                "apiVersions": [],
                "capabilities": "None",
            }
            for name in types
        ],
    }


def _list(cloud: Cloud, request: Request) -> Answer:
    del request
    return Answer(200, {"value": [_describe(cloud, name, types) for name, types in _types(cloud).items()]})


def _get(cloud: Cloud, request: Request) -> Answer:
    wanted = request.parameters["provider"].lower()
    for name, types in _types(cloud).items():
        if name.lower() == wanted:
            return Answer(200, _describe(cloud, name, types))
    raise ArmError(
        404,
        "InvalidResourceNamespace",
        f"The resource namespace '{request.parameters['provider']}' is invalid.",
    )
