"""What the older api-versions do not show of a machine. Source: recorded answers, and the versions of the OpenAPI."""

from __future__ import annotations

from typing import Any

from verified_images.emulator.compute import shown_since

_DISKS = ("properties.storageProfile.osDisk", "properties.storageProfile.dataDisks")
_LINUX = "properties.osProfile.linuxConfiguration"
_WINDOWS = "properties.osProfile.windowsConfiguration"
# Since which api-version a property is shown.
_SINCE = (
    ("2024-03-01", "etag"),
    ("2022-08-01", "properties.storageProfile.diskControllerType"),
    ("2021-11-01", "properties.timeCreated"),
    ("2021-07-01", f"{_DISKS[0]}.deleteOption"),
    ("2021-07-01", f"{_DISKS[1]}.deleteOption"),
    ("2021-03-01", "properties.networkProfile.networkInterfaces.properties.deleteOption"),
    ("2021-03-01", "properties.userData"),
    ("2021-03-01", f"{_LINUX}.patchSettings.assessmentMode"),
    ("2021-03-01", f"{_WINDOWS}.patchSettings.assessmentMode"),
    ("2020-12-01", f"{_LINUX}.patchSettings"),
    ("2020-06-01", f"{_WINDOWS}.patchSettings"),
    ("2020-12-01", "properties.securityProfile"),
    ("2019-12-01", "properties.storageProfile.imageReference.exactVersion"),
    ("2019-12-01", f"{_DISKS[1]}.toBeDetached"),
    ("2019-03-01", "properties.osProfile.requireGuestProvisionSignal"),
    ("2018-06-01", f"{_LINUX}.provisionVMAgent"),
    ("2017-03-30", f"{_DISKS[0]}.diskSizeGB"),
    ("2018-06-01", "properties.osProfile.allowExtensionOperations"),
    ("2018-06-01", "properties.instanceView.hyperVGeneration"),
    ("2018-06-01", "properties.instanceView.computerName"),
    ("2018-06-01", "properties.instanceView.osName"),
    ("2018-06-01", "properties.instanceView.osVersion"),
)


def as_of(body: dict[str, Any], api_version: str) -> dict[str, Any]:
    """Give a machine without what ``api_version`` does not have; the body itself is left as it is."""
    return _without_empty_cards(shown_since.as_of(body, api_version, _SINCE))


def _without_empty_cards(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out the properties of references to network cards where there are none."""
    network = body.get("properties", {}).get("networkProfile") or {}
    cards = network.get("networkInterfaces") or []
    if all(card.get("properties") != {} for card in cards):
        return body
    shown = [{key: card[key] for key in card if key != "properties" or card[key]} for card in cards]
    properties = {**body["properties"], "networkProfile": {**network, "networkInterfaces": shown}}
    return {**body, "properties": properties}
