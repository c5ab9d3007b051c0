"""VM sizes: which a location offers, what they can do, and how much of the quota is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.operations import Arm


@dataclass(frozen=True, slots=True)
class Size:
    """A VM size in one location. ``restriction`` says why the subscription cannot use it there, if so.

    ``zones`` are those that have it and that the subscription may use it in.
    """

    name: str
    family: str
    capabilities: Mapping[str, str]
    restriction: str = ""
    zones: tuple[str, ...] = ()

    @property
    def cores(self) -> int:
        """The number of vCPUs."""
        return int(self.capabilities.get("vCPUs", "0"))

    @property
    def generations(self) -> tuple[str, ...]:
        """The hypervisor generations of images that the size can boot."""
        return tuple(self.capabilities.get("HyperVGenerations", "V1").split(","))

    @property
    def architecture(self) -> str:
        """The processor's architecture, "x64" or "Arm64"."""
        return self.capabilities.get("CpuArchitectureType", "x64")

    @property
    def is_confidential(self) -> bool:
        """Whether machines of the size are confidential ones: their memory is encrypted, by SNP or TDX."""
        return self.capabilities.get("ConfidentialComputingType", "").upper() in {"SNP", "TDX"}

    def has(self, capability: str) -> bool:
        """Tell whether a capability that is "True" or "False" is there."""
        return self.capabilities.get(capability, "").lower() == "true"


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of one quota of a location is used, and its limit."""

    name: str
    title: str
    used: int
    limit: int


def list_sizes(arm: Arm, location: str) -> Mapping[str, Size]:
    """Return the sizes of a location by their lower-case names."""
    skus = arm.connection.compute.resource_skus
    found = arm.call("list VM sizes in", location, lambda: list(skus.list(filter=f"location eq '{location}'")))
    sizes = [_size(item, location) for item in found if item.get("resourceType") == "virtualMachines"]
    return {size.name.lower(): size for size in sizes}


def list_usages(arm: Arm, location: str) -> Mapping[str, Usage]:
    """Return the usage of each compute quota of a location by its lower-case name."""
    usages = arm.connection.compute.usage
    found = arm.call("list usages in", location, lambda: list(usages.list(location)))
    return {usage.name.lower(): usage for usage in map(_usage, found)}


def _size(item: Mapping[str, Any], location: str) -> Size:
    capabilities = {entry["name"]: str(entry["value"]) for entry in item.get("capabilities") or []}
    restrictions = [each for each in item.get("restrictions") or [] if _concerns(each, location)]
    reasons = [str(each.get("reasonCode") or "restricted") for each in restrictions if each.get("type") == "Location"]
    closed = {zone for each in restrictions for zone in (each.get("restrictionInfo") or {}).get("zones") or []}
    zones = [
        zone
        for info in item.get("locationInfo") or []
        if str(info.get("location")).lower() == location
        for zone in info.get("zones") or []
    ]
    usable = tuple(sorted(set(zones) - closed))
    return Size(item["name"], item.get("family") or "", capabilities, ", ".join(reasons), usable)


def _concerns(restriction: Mapping[str, Any], location: str) -> bool:
    return location in [value.lower() for value in restriction.get("values") or []]


def _usage(item: Mapping[str, Any]) -> Usage:
    name = item["name"]
    return Usage(
        str(name["value"]), str(name.get("localizedValue") or name["value"]), item["currentValue"], item["limit"]
    )
