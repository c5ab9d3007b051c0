"""How a scale set is told to behave: upgrades, repairs, spot, zones. What Azure checks and fills in.

Source: Azure OpenAPI, ComputeRP; error messages as quoted in public issues.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

HEALTH_PUBLISHER = "Microsoft.ManagedServices"
HEALTH_TYPES = {"applicationhealthlinux", "applicationhealthwindows"}
_MODES = ("Automatic", "Manual", "Rolling")
_ORCHESTRATIONS = ("Uniform", "Flexible")
_ZONES = {"1", "2", "3"}
_MOST_IN_ONE_PLACEMENT_GROUP = 100
_DURATION = re.compile(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
ROLLING_DEFAULTS: dict[str, Any] = {
    "maxBatchInstancePercent": 20,
    "maxUnhealthyInstancePercent": 20,
    "maxUnhealthyUpgradedInstancePercent": 20,
    "pauseTimeBetweenBatches": "PT0S",
}
_ROLLING_RANGES = {
    "maxBatchInstancePercent": (5, 100),
    "maxUnhealthyInstancePercent": (5, 100),
    "maxUnhealthyUpgradedInstancePercent": (0, 100),
}
_GRACE_MINUTES = (10, 90)
_REPAIR_ACTIONS = ("Replace", "Restart", "Reimage")


def spell(name: str, value: Any, allowed: tuple[str, ...]) -> str:  # noqa: ANN401 - any JSON value
    """Give an enumeration's value as Azure spells it, whatever case it was given in.

    Raises:
        ArmError: 400 InvalidParameter: it is none of them.
    """
    for known in allowed:
        if str(value).lower() == known.lower():
            return known
    raise invalid_parameter(name, f"The value '{value}' of parameter '{name}' is invalid.")


def orchestration_mode(properties: dict[str, Any]) -> str:
    """Give the orchestration mode that a model asks for; ``Uniform`` when it says nothing."""
    return spell("orchestrationMode", properties.get("orchestrationMode") or "Uniform", _ORCHESTRATIONS)


def seconds_in(text: str, name: str = "duration") -> int:
    """Read an ISO 8601 duration of hours, minutes and seconds.

    Raises:
        ArmError: 400 InvalidParameter: it is none.
    """
    match = _DURATION.fullmatch(text)
    if not match or text == "PT":
        raise invalid_parameter(name, f"The value '{text}' of parameter '{name}' is not an ISO 8601 duration.")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds


def health_extension(profile: dict[str, Any]) -> dict[str, Any] | None:
    """Give the Application Health extension of a model, or None."""
    for extension in extensions_of(profile):
        properties = extension.get("properties") or {}
        ours = str(properties.get("publisher", "")).lower() == HEALTH_PUBLISHER.lower()
        if ours and str(properties.get("type", "")).lower() in HEALTH_TYPES:
            return extension
    return None


def extensions_of(profile: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the extensions of a model."""
    yield from (profile.get("extensionProfile") or {}).get("extensions") or []


def health_probe(profile: dict[str, Any]) -> str:
    """Give the id of the load balancer probe that tells of health; empty when there is none."""
    return str(((profile.get("networkProfile") or {}).get("healthProbe") or {}).get("id") or "")


def fill_policies(properties: dict[str, Any], zones: list[Any], capacity: int) -> None:
    """Complete the policies of a scale set's properties in place.

    Raises:
        ArmError: 400: a value is refused, or a policy needs what the model does not have.
    """
    profile = properties.get("virtualMachineProfile") or {}
    _fill_upgrade_policy(properties, profile)
    _check_repairs(properties, profile)
    _fill_priority(profile)
    _check_zones(properties, zones)
    if properties.get("singlePlacementGroup") and capacity > _MOST_IN_ONE_PLACEMENT_GROUP:
        raise invalid_parameter(
            "sku.capacity",
            f"The requested capacity {capacity} is more than the maximum of {_MOST_IN_ONE_PLACEMENT_GROUP} of a "
            "Virtual Machine Scale Set with a single placement group. Set 'singlePlacementGroup' to false.",
        )
    for rule in (properties.get("scaleInPolicy") or {}).get("rules") or []:
        spell("scaleInPolicy.rules", rule, ("Default", "OldestVM", "NewestVM"))


def _fill_upgrade_policy(properties: dict[str, Any], profile: dict[str, Any]) -> None:
    policy = dict(properties.get("upgradePolicy") or {})
    if not policy.get("mode"):
        if orchestration_mode(properties) == "Uniform":
            raise missing_parameter("upgradePolicy")
        policy["mode"] = "Manual"
    policy["mode"] = spell("upgradePolicy.mode", policy["mode"], _MODES)
    has_health = bool(health_probe(profile) or health_extension(profile))
    if policy["mode"] == "Rolling":
        if not has_health:
            raise ArmError(
                400,
                "BadRequest",
                "Rolling Upgrade mode is not supported for this Virtual Machine Scale Set because a health probe or "
                "health extension was not provided.",
            )
        policy["rollingUpgradePolicy"] = _fill_rolling(policy.get("rollingUpgradePolicy") or {})
    if (policy.get("automaticOSUpgradePolicy") or {}).get("enableAutomaticOSUpgrade"):
        _check_automatic_upgrade(profile)
    properties["upgradePolicy"] = policy


def _check_automatic_upgrade(profile: dict[str, Any]) -> None:
    probe, extension = health_probe(profile), health_extension(profile)
    why = ""
    if not probe and not extension:
        why = "a health probe or health extension was not specified."
    elif probe and extension:
        why = (
            "both a health probe and a health extension were provided. Remove the health probe or health extension "
            "prior to enabling automatic OS upgrade."
        )
    if why:
        raise ArmError(
            400,
            "BadRequest",
            f"Automatic OS Upgrade is not supported for this Virtual Machine Scale Set because {why}",
        )


def _fill_rolling(given: dict[str, Any]) -> dict[str, Any]:
    rules = {**ROLLING_DEFAULTS, **given}
    for name, (least, most) in _ROLLING_RANGES.items():
        if not least <= int(rules[name]) <= most:
            raise invalid_parameter(
                f"rollingUpgradePolicy.{name}",
                f"The value {rules[name]} of parameter 'rollingUpgradePolicy.{name}' is out of range. The value must "
                f"be between {least} and {most}, inclusive.",
            )
    if int(rules["maxUnhealthyInstancePercent"]) < int(rules["maxBatchInstancePercent"]):
        raise invalid_parameter(
            "rollingUpgradePolicy.maxUnhealthyInstancePercent",
            "The value of parameter 'rollingUpgradePolicy.maxUnhealthyInstancePercent' must not be less than "
            "'rollingUpgradePolicy.maxBatchInstancePercent'.",
        )
    seconds_in(str(rules["pauseTimeBetweenBatches"]), "rollingUpgradePolicy.pauseTimeBetweenBatches")
    return rules


def _check_repairs(properties: dict[str, Any], profile: dict[str, Any]) -> None:
    policy = properties.get("automaticRepairsPolicy") or {}
    if not policy.get("enabled"):
        return
    if not health_probe(profile) and not health_extension(profile):
        raise ArmError(
            400,
            "BadRequest",
            "Automatic repairs not supported for this Virtual Machine Scale Set because a health probe or health "
            "extension was not provided.",
        )
    minutes = seconds_in(str(policy.get("gracePeriod") or "PT10M"), "automaticRepairsPolicy.gracePeriod") / 60
    if not _GRACE_MINUTES[0] <= minutes <= _GRACE_MINUTES[1]:
        raise invalid_parameter(
            "automaticRepairsPolicy.gracePeriod",
            "The value of parameter 'automaticRepairsPolicy.gracePeriod' is invalid: it must be between "
            f"{_GRACE_MINUTES[0]} and {_GRACE_MINUTES[1]} minutes.",
        )
    filled = {"gracePeriod": "PT10M", **policy}
    if action := policy.get("repairAction"):
        filled["repairAction"] = spell("automaticRepairsPolicy.repairAction", action, _REPAIR_ACTIONS)
    properties["automaticRepairsPolicy"] = filled


def _fill_priority(profile: dict[str, Any]) -> None:
    if "priority" in profile:
        profile["priority"] = spell("priority", profile["priority"], ("Regular", "Low", "Spot"))
    if profile.get("priority") in {"Spot", "Low"}:
        policy = profile.get("evictionPolicy") or "Deallocate"
        profile["evictionPolicy"] = spell("evictionPolicy", policy, ("Deallocate", "Delete"))
    elif profile.get("evictionPolicy"):
        raise ArmError(
            409,
            "OperationNotAllowed",
            "Eviction policy can be set only on Azure Spot Virtual Machines. For more information, see "
            "http://aka.ms/AzureSpot/errormessages.",
        )


def _check_zones(properties: dict[str, Any], zones: list[Any]) -> None:
    for zone in zones:
        if str(zone) not in _ZONES:
            raise ArmError(
                400, "InvalidAvailabilityZone", f"The zone(s) '{zone}' for resource is not supported.", target="zones"
            )
    if properties.get("zoneBalance") and not zones:
        raise invalid_parameter("zoneBalance", "Parameter 'zoneBalance' is not allowed without availability zones.")
