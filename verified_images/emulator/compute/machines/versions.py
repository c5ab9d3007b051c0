"""What the older api-versions do not show of a machine. Source: recorded answers, and the versions of the OpenAPI."""

from __future__ import annotations

from typing import Any

_DISKS = ("properties.storageProfile.osDisk", "properties.storageProfile.dataDisks")
_LINUX = "properties.osProfile.linuxConfiguration"
_WINDOWS = "properties.osProfile.windowsConfiguration"
# Since which api-version a property is shown.
_SINCE = (
    ("2024-03-01", "etag"),
    ("2021-11-01", "properties.timeCreated"),
    ("2021-07-01", f"{_DISKS[0]}.deleteOption"),
    ("2021-07-01", f"{_DISKS[1]}.deleteOption"),
    ("2021-03-01", "properties.networkProfile.networkInterfaces.properties.deleteOption"),
    ("2021-03-01", "properties.userData"),
    ("2021-03-01", f"{_LINUX}.patchSettings.assessmentMode"),
    ("2021-03-01", f"{_WINDOWS}.patchSettings.assessmentMode"),
    ("2022-03-01", f"{_WINDOWS}.enableVMAgentPlatformUpdates"),
    ("2020-12-01", f"{_LINUX}.patchSettings"),
    ("2020-06-01", f"{_WINDOWS}.patchSettings"),
    ("2020-12-01", "properties.securityProfile"),
    ("2019-12-01", "properties.storageProfile.imageReference.exactVersion"),
    ("2019-12-01", f"{_DISKS[1]}.toBeDetached"),
    ("2019-03-01", "properties.osProfile.requireGuestProvisionSignal"),
    ("2017-03-30", f"{_LINUX}.provisionVMAgent"),
    ("2017-03-30", f"{_DISKS[0]}.diskSizeGB"),
    ("2018-06-01", "properties.osProfile.allowExtensionOperations"),
)


def as_of(body: dict[str, Any], api_version: str) -> dict[str, Any]:
    """Give a machine without what ``api_version`` does not have; the body itself is left as it is."""
    for since, path in _SINCE:
        if api_version[:10] < since:
            body = _without(body, path.split("."))
    return _without_empty_cards(body)


def _without_empty_cards(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out the properties of references to network cards where there are none."""
    network = body.get("properties", {}).get("networkProfile") or {}
    cards = network.get("networkInterfaces") or []
    if all(card.get("properties") != {} for card in cards):
        return body
    shown = [{key: card[key] for key in card if key != "properties" or card[key]} for card in cards]
    properties = {**body["properties"], "networkProfile": {**network, "networkInterfaces": shown}}
    return {**body, "properties": properties}


def _without(value: Any, path: list[str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_without(item, path) for item in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    if len(path) == 1:
        return {key: item for key, item in value.items() if key != path[0]}
    return {key: _without(item, path[1:]) if key == path[0] else item for key, item in value.items()}
