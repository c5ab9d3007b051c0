"""What a location offers just now: restrictions of sizes, limits of cores, and capacity that is used up.

Everything is offered unless told otherwise, by the methods of `Offering` or by the file ``offering.json`` in the folder
of the local Azure. Source of the texts: messages quoted in public issues.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.compute.sizes import Size
    from verified_images.emulator.store import Resource

CORE_LIMIT = 100
_GUIDANCE = "Read more about improving likelihood of allocation success at http://aka.ms/allocation-guidance"


@dataclass(frozen=True, slots=True)
class Restriction:
    """A size that a subscription may not use in a location, or in some of its zones when ``zones`` names them."""

    size: str
    location: str
    zones: tuple[str, ...] = ()
    reason: str = "NotAvailableForSubscription"

    def concerns(self, size: str, location: str) -> bool:
        """Tell whether it is about a size in a location."""
        return self.size.lower() == size.lower() and self.location in {location, "*"}


@dataclass(slots=True)
class Offering:
    """The restrictions, core limits and shortages of an installation; all may be changed while it runs."""

    restrictions: list[Restriction] = field(default_factory=list)
    limits: dict[str, int] = field(default_factory=dict)
    shortages: list[Restriction] = field(default_factory=list)

    @classmethod
    def load(cls, path: Path) -> Offering:
        """Read the file of an installation; without one everything is offered.

        Raises:
            ValueError: the file does not have the form ``{"restrictions": [{"size", "location", "zones", "reason"}],
                "limits": {"cores": 10}, "shortages": [...]}``.
        """
        if not path.exists():
            return cls()
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                [_read(each) for each in content.get("restrictions", [])],
                {str(name): int(limit) for name, limit in content.get("limits", {}).items()},
                [_read(each) for each in content.get("shortages", [])],
            )
        except (ValueError, TypeError, AttributeError, KeyError) as error:
            raise ValueError(f"{path} does not say what is offered: {error!r}") from error

    def restrict(self, size: str, location: str, *, zones: Sequence[str] = (), reason: str = "") -> None:
        """Refuse a size in a location (``*``: in all), or in zones of it."""
        self.restrictions.append(Restriction(size, location, tuple(zones), reason or "NotAvailableForSubscription"))

    def limit(self, name: str, cores: int) -> None:
        """Set a quota: ``cores``, ``lowPriorityCores`` or the name of a size family."""
        self.limits[name.lower()] = cores

    def use_up(self, size: str, location: str, *, zones: Sequence[str] = ()) -> None:
        """Let a size run short: machines of it fail to be allocated in a location, or in zones of it."""
        self.shortages.append(Restriction(size, location, tuple(zones)))

    def clear(self) -> None:
        """Offer everything again."""
        self.restrictions.clear()
        self.limits.clear()
        self.shortages.clear()

    def limit_of(self, name: str) -> int:
        """Give a quota."""
        return self.limits.get(name.lower(), CORE_LIMIT)


def _read(each: dict[str, Any]) -> Restriction:
    reason = str(each.get("reason", "NotAvailableForSubscription"))
    return Restriction(str(each["size"]), str(each.get("location", "*")), tuple(each.get("zones", ())), reason)


def check_restrictions(cloud: Cloud, location: str, size: Size, zones: Sequence[str]) -> None:
    """Refuse a size that is restricted in a location, or in one of the zones.

    Raises:
        ArmError: 409 SkuNotAvailable.
    """
    for restriction in cloud.offering.restrictions:
        if restriction.concerns(size.name, location) and (not restriction.zones or set(zones) & set(restriction.zones)):
            place = f"location '{location}'" + (f" zone '{','.join(zones)}'" if restriction.zones else "")
            raise ArmError(
                409,
                "SkuNotAvailable",
                "The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: "
                f"{size.name}' is currently not available in {place}. Please try another size or deploy to a different "
                "location or different zone. See https://aka.ms/azureskunotavailable for details.",
            )


def allocate(cloud: Cloud, machine: Resource, size: Size) -> None:
    """Fail as the platform does when there is no hardware left for a machine.

    Raises:
        ArmError: 409 AllocationFailed, or ZonalAllocationFailed.
    """
    zones = machine.body.get("zones") or []
    for shortage in cloud.offering.shortages:
        if not shortage.concerns(size.name, machine.location):
            continue
        if zones and (not shortage.zones or set(zones) & set(shortage.zones)):
            raise _no_capacity("ZonalAllocationFailed", "zone")
        if not shortage.zones:
            raise _no_capacity("AllocationFailed", "region")


def _no_capacity(code: str, place: str) -> ArmError:
    return ArmError(
        409,
        code,
        f"Allocation failed. We do not have sufficient capacity for the requested VM size in this {place}. {_GUIDANCE}",
    )
