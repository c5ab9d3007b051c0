"""What is known of each of Azure's regions. Source: recorded answers, kept in ``schemas/locations.json``."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any

from verified_images.emulator.locations import LOCATIONS

_METADATA_SINCE = "2019-11-01"
_TYPE_SINCE = "2021-01-01"
_GEOGRAPHY_SINCE = "2022-12-01"
_PLACE = ("longitude", "latitude")


def describe_location(prefix: str, name: str, version: str) -> dict[str, Any]:
    """Give a region as an api-version lists it; ``prefix`` is what stands before its name in its id."""
    facts = _known().get(name, {})
    shown: dict[str, Any] = {"id": f"{prefix}/{name}", "name": name}
    if version >= _TYPE_SINCE:
        shown["type"] = "Region"
    shown["displayName"] = LOCATIONS[name]
    if version < _METADATA_SINCE:
        return shown | {key: facts[key] for key in _PLACE if key in facts}
    shown["regionalDisplayName"] = facts.get("regional", LOCATIONS[name])
    shown["metadata"] = _metadata(prefix, facts, version)
    zones = facts.get("zones")
    if zones and version >= _GEOGRAPHY_SINCE:
        numbered = enumerate(zones, 1)
        shown["availabilityZoneMappings"] = [{"logicalZone": str(at), "physicalZone": zone} for at, zone in numbered]
    return shown


def _metadata(prefix: str, facts: dict[str, Any], version: str) -> dict[str, Any]:
    metadata = {"regionType": "Physical", "regionCategory": facts.get("category", "Other")}
    names = ["geographyGroup", *_PLACE, "physicalLocation"]
    if version >= _GEOGRAPHY_SINCE:
        names.insert(0, "geography")
    metadata |= {key: facts[key] for key in names if key in facts}
    paired = [{"name": other, "id": f"{prefix}/{other}"} for other in facts.get("paired", ())]
    return {**metadata, "pairedRegion": paired}


@cache
def _known() -> dict[str, dict[str, Any]]:
    text = (files("verified_images.emulator") / "schemas" / "locations.json").read_text(encoding="utf-8")
    known: dict[str, dict[str, Any]] = json.loads(text)
    return known
