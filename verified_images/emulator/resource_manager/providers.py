"""Resource providers and their registration. Source: recorded exchanges."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.locations import DISPLAY_NAMES
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.actions import Action
    from verified_images.emulator.cloud import Cloud

_BASE = "/subscriptions/{subscription}/providers"
_COLLECTION = "registrations"
_SHARED = ("locations", "apiVersions", "zoneMappings", "locationMappings", "apiProfiles")
_ALWAYS_REGISTERED = {"microsoft.resources", "microsoft.authorization"}
_OF_RESOURCE_MANAGER = {
    "Microsoft.Resources": ["deployments", "locations", "providers", "resourceGroups", "subscriptions", "tags"],
    "Microsoft.Authorization": ["locks", "roleAssignments", "roleDefinitions"],
}
_FIRST_WITH_MANAGING_ROLE = "2022-01-01"
_VERSIONS = ["2025-04-01", "2024-11-01", "2024-07-01", "2024-03-01", "2023-07-01", "2022-09-01", "2021-04-01"]


def routes() -> Iterator[Route]:
    """Give the URL table."""
    for base in (_BASE, "/providers"):
        yield Route("GET", base, _list)
        yield Route("GET", base + "/{provider}", _get)
    yield Route("GET", _BASE + "/{provider}/resourceTypes", _list_types)
    yield Route("POST", _BASE + "/{provider}/register", _register)
    yield Route("POST", _BASE + "/{provider}/unregister", _unregister)


def check_registered(cloud: Cloud, method: str, action: Action) -> None:
    """Refuse what would write to a provider that the subscription is not registered with.

    Raises:
        ArmError: 409 MissingSubscriptionRegistration.
    """
    provider = action.type.partition("/")[0]
    if action.name.endswith(("/register/action", "/unregister/action")):
        return
    if method in {"PUT", "PATCH", "POST"} and not _is_registered(cloud, provider):
        raise ArmError(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{provider}'. See https://aka.ms/rps-not-found for "
            "how "
            "to register subscriptions.",
        )


def _is_registered(cloud: Cloud, provider: str) -> bool:
    return cloud.records.find(_COLLECTION, provider) is None


@cache
def _recorded() -> dict[str, Any]:
    """Give what is recorded of each provider, with the lists that its types share put back."""
    text = (files("verified_images.emulator") / "schemas" / "providers.json").read_text(encoding="utf-8")
    content = json.loads(text)
    for description in content["providers"].values():
        description["resourceTypes"] = [
            {key: content["lists"][value] if key in _SHARED else value for key, value in kind.items()}
            for kind in description["resourceTypes"]
        ]
    found: dict[str, Any] = content["providers"]
    return found


def _names(cloud: Cloud) -> list[str]:
    names = [*_recorded(), *_OF_RESOURCE_MANAGER, *(kind.type.partition("/")[0] for kind in cloud.kinds.values())]
    return list({name.lower(): name for name in reversed(names)}.values())


def _types(cloud: Cloud, provider: str) -> list[dict[str, Any]]:
    """Give a provider's types: those recorded, with the api-versions that are emulated, and those emulated besides."""
    emulated = {
        kind.type.partition("/")[2]: list(kind.api_versions)
        for kind in cloud.kinds.values()
        if kind.type.partition("/")[0].lower() == provider.lower()
    }
    types = [dict(kind) for kind in _recorded().get(provider, {}).get("resourceTypes", ())]
    for kind in types:
        versions = emulated.pop(kind["resourceType"], [])
        kind["apiVersions"] = sorted({*kind["apiVersions"], *versions}, reverse=True)
    names = {**dict.fromkeys(_OF_RESOURCE_MANAGER.get(provider, ()), _VERSIONS), **emulated}
    return types + [
        {
            "resourceType": name,
            "locations": list(DISPLAY_NAMES),
            "apiVersions": sorted(versions or _VERSIONS, reverse=True),
            "capabilities": "CrossResourceGroupResourceMove, CrossSubscriptionResourceMove, SupportsTags, "
            "SupportsLocation",
        }
        for name, versions in names.items()
    ]


def _describe(cloud: Cloud, request: Request, provider: str) -> dict[str, Any]:
    described: dict[str, Any] = {}
    if subscription := request.parameters.get("subscription"):
        described["id"] = f"/subscriptions/{subscription}/providers/{provider}"
    described["namespace"] = provider
    if authorizations := _recorded().get(provider, {}).get("authorizations"):
        described["authorizations"] = [_as_of(request.api_version, each) for each in authorizations]
    described["resourceTypes"] = _types(cloud, provider)
    if subscription:
        free = provider.lower() in _ALWAYS_REGISTERED
        described["registrationState"] = "Registered" if _is_registered(cloud, provider) else "Unregistered"
        described["registrationPolicy"] = "RegistrationFree" if free else "RegistrationRequired"
    return described


def _as_of(api_version: str, authorization: dict[str, Any]) -> dict[str, Any]:
    """Give an authorization as an api-version shows it: the older ones have no role that manages it."""
    new = api_version >= _FIRST_WITH_MANAGING_ROLE
    return {key: value for key, value in authorization.items() if new or key != "managedByRoleDefinitionId"}


def _find(cloud: Cloud, request: Request) -> str:
    wanted = request.parameters["provider"]
    for name in _names(cloud):
        if name.lower() == wanted.lower():
            return name
    raise ArmError(
        404,
        "InvalidResourceNamespace",
        f"The resource namespace '{wanted}' is invalid.",
        headers={"x-ms-failure-cause": "gateway"},
    )


def _list(cloud: Cloud, request: Request) -> Answer:
    return page(cloud, request, [_describe(cloud, request, name) for name in _names(cloud)])


def _get(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, _describe(cloud, request, _find(cloud, request)))


def _list_types(cloud: Cloud, request: Request) -> Answer:
    return Answer(200, {"value": _types(cloud, _find(cloud, request))})


def _register(cloud: Cloud, request: Request) -> Answer:
    provider = _find(cloud, request)
    cloud.records.remove(_COLLECTION, provider)
    return Answer(200, _describe(cloud, request, provider))


def _unregister(cloud: Cloud, request: Request) -> Answer:
    provider = _find(cloud, request)
    if provider.lower() in _ALWAYS_REGISTERED:
        raise ArmError(409, "CannotUnregisterProvider", f"The namespace '{provider}' cannot be unregistered.")
    used = sorted({each.id.type for each in cloud.store.select() if each.id.provider.lower() == provider.lower()})
    if used:
        raise ArmError(
            409,
            "SubscriptionUnregistrationNotAllowed",
            f"The namespace '{provider}' cannot be unregistered since the subscription has resources of the types "
            f"'{', '.join(used)}'. Delete them first.",
        )
    cloud.records.put(_COLLECTION, provider, {"namespace": provider})
    return Answer(200, _describe(cloud, request, provider))
