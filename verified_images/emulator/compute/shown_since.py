"""Since which api-version each property is shown: an answer has no property that its api-version does not have.

Source: recorded answers of all api-versions since 2016; a property counts from the version after the last one whose
answers are all without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

Since = tuple[tuple[str, str], ...]

_INTERFACES = "networkInterfaceConfigurations.properties"
_OS, _STORAGE = "osProfile", "storageProfile"
_PROFILE = "properties.virtualMachineProfile"
_ROLLING = "properties.upgradePolicy.rollingUpgradePolicy"

DISKS: Since = (
    ("2017-03-30", "sku"),
    ("2018-06-01", "properties.diskIOPSReadWrite"),
    ("2018-06-01", "properties.diskMBpsReadWrite"),
    ("2018-06-01", "properties.hyperVGeneration"),
    ("2019-03-01", "properties.diskSizeBytes"),
    ("2019-03-01", "properties.uniqueId"),
    ("2019-07-01", "properties.encryption"),
    ("2020-05-01", "properties.networkAccessPolicy"),
    ("2020-12-01", "properties.publicNetworkAccess"),
    ("2020-12-01", "properties.tier"),
    ("2023-04-02", "properties.LastOwnershipUpdateTime"),
)

SNAPSHOTS: Since = (
    ("2018-06-01", "properties.hyperVGeneration"),
    ("2019-03-01", "properties.creationData.sourceUniqueId"),
    ("2019-03-01", "properties.diskSizeBytes"),
    ("2019-03-01", "properties.encryption"),
    ("2019-03-01", "properties.incremental"),
    ("2019-03-01", "properties.uniqueId"),
    ("2020-05-01", "properties.networkAccessPolicy"),
    ("2020-12-01", "properties.publicNetworkAccess"),
)

_OS_TYPE = f"{_PROFILE}.{_STORAGE}.osDisk.osType"

SCALE_SETS: Since = (
    ("2023-09-01", "etag"),
    ("2023-09-01", f"{_PROFILE}.timeCreated"),
    ("2021-11-01", "properties.timeCreated"),
    ("2021-03-01", "properties.orchestrationMode"),
    ("2021-03-01", f"{_ROLLING}.maxSurge"),
    ("2021-03-01", f"{_ROLLING}.rollbackFailedInstancesOnPolicyBreach"),
    ("2021-03-01", f"{_PROFILE}.networkProfile.{_INTERFACES}.disableTcpStateTracking"),
    ("2017-12-01", f"{_PROFILE}.networkProfile.{_INTERFACES}.enableIPForwarding"),
    ("2021-03-01", _OS_TYPE),
    ("2019-07-01", f"{_PROFILE}.{_STORAGE}.osDisk.diskSizeGB"),
    ("2018-06-01", f"{_PROFILE}.{_OS}.allowExtensionOperations"),
    ("2018-06-01", f"{_PROFILE}.{_OS}.requireGuestProvisionSignal"),
    ("2018-06-01", f"{_PROFILE}.{_OS}.linuxConfiguration.provisionVMAgent"),
    ("2017-12-01", "properties.doNotRunExtensionsOnOverprovisionedVMs"),
)

SCALE_SETS_OF_IMAGES: Since = tuple(each for each in SCALE_SETS if each[1] != _OS_TYPE)
"""Of scale sets made from an image of the subscription, whose system was told earlier than that of others."""

INSTANCES: Since = (
    ("2023-09-01", "etag"),
    ("2024-07-01", "properties.resilientVMDeletionStatus"),
    ("2021-11-01", "properties.timeCreated"),
    ("2021-07-01", "properties.hardwareProfile.vmSize"),
    ("2021-03-01", f"properties.networkProfileConfiguration.{_INTERFACES}.disableTcpStateTracking"),
    ("2019-07-01", "properties.modelDefinitionApplied"),
    ("2019-07-01", "properties.networkProfileConfiguration"),
    ("2019-07-01", f"properties.{_STORAGE}.imageReference.exactVersion"),
    ("2018-06-01", f"properties.{_OS}.allowExtensionOperations"),
    ("2018-06-01", f"properties.{_OS}.requireGuestProvisionSignal"),
    ("2018-06-01", f"properties.{_OS}.linuxConfiguration.provisionVMAgent"),
)

IMAGES: Since = (("2019-03-01", "properties.hyperVGeneration"),)

DEFINITIONS: Since = (("2021-03-01", "properties.architecture"),)

VERSIONS: Since = (("2021-03-01", "properties.safetyProfile"),)

ENCRYPTION_SETS: Since = (("2020-05-01", "properties.encryptionType"),)

_AGENT_UPDATES = "enableVMAgentPlatformUpdates"
_AGENT_UPDATES_SHOWN = ("2022-03-01", "2024-03-01")
_SYSTEMS = ("linuxConfiguration", "windowsConfiguration")


def as_of(body: dict[str, Any], api_version: str, since: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Give a body without what ``api_version`` does not have; the body itself is left as it is."""
    for first, path in since:
        if api_version[:10] < first:
            body = _without(body, path.split("."))
    return body


def with_agent_updates(
    profile: dict[str, Any], api_version: str, location: str, systems: Iterable[str] = _SYSTEMS
) -> dict[str, Any]:
    """Give an osProfile with whether the platform updates the agent, which few api-versions and regions tell."""
    early = location.lower().endswith("euap")
    version = api_version[:10]
    if version < _AGENT_UPDATES_SHOWN[0] or (version >= _AGENT_UPDATES_SHOWN[1] and not early):
        return profile
    given = {key: profile[key] for key in systems if profile.get(key)}
    return {**profile, **{key: {_AGENT_UPDATES: early, **item} for key, item in given.items()}}


def _without(value: Any, path: list[str]) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        return [_without(item, path) for item in value]
    if not isinstance(value, dict) or path[0] not in value:
        return value
    if len(path) == 1:
        return {key: item for key, item in value.items() if key != path[0]}
    return {key: _without(item, path[1:]) if key == path[0] else item for key, item in value.items()}
