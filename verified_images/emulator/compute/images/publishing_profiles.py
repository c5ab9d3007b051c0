"""Where and how a gallery image version is published: regions, replicas, storage, and what shows of replication.

Source: Azure OpenAPI, GalleryRP, recorded exchanges, and errors quoted in public issues.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import invalid_parameter
from verified_images.emulator.locations import LOCATIONS, normalize_location

if TYPE_CHECKING:
    from verified_images.emulator.store import Resource

_PATH = "galleryImageVersion.properties.publishingProfile"
_STORAGE_TYPES = ("Standard_LRS", "Standard_ZRS", "Premium_LRS", "PremiumV2_LRS")
_MOST_REPLICAS = 100


def fill_profile(given: dict[str, Any], location: str, existing: Resource | None) -> dict[str, Any]:
    """Give a version's publishingProfile with what Azure fills in.

    Raises:
        ArmError: 400: a region is unknown, given twice or missing, or a number or kind of replicas is not possible.
    """
    old = existing.properties["publishingProfile"] if existing else {}
    mode = _mode(given, old)
    replicas = _replicas(given.get("replicaCount") or old.get("replicaCount", 1), mode, "replicaCount")
    account_type = _account_type(given.get("storageAccountType") or old.get("storageAccountType", "Standard_LRS"))
    regions = given.get("targetRegions") or old.get("targetRegions") or [{"name": location}]
    _check_regions(regions, location)
    profile = {
        **given,
        "targetRegions": [_target_region(region, replicas, account_type, mode) for region in regions],
        "replicaCount": replicas,
        "excludeFromLatest": given.get("excludeFromLatest", old.get("excludeFromLatest", False)),
        "publishedDate": old.get("publishedDate", datetime.now(UTC).isoformat()),
        "storageAccountType": account_type,
    }
    for key in ("endOfLifeDate", "replicationMode"):
        if key in old:
            profile.setdefault(key, old[key])
    _check_end_of_life(profile.get("endOfLifeDate"))
    return profile


def _mode(given: dict[str, Any], old: dict[str, Any]) -> str:
    before = old.get("replicationMode", "Full") if old else None
    mode = str(given.get("replicationMode") or before or "Full")
    if mode not in {"Full", "Shallow"}:
        raise invalid_parameter(f"{_PATH}.replicationMode", f"The replication mode '{mode}' is not Full or Shallow.")
    if before and mode != before:
        raise invalid_parameter(
            f"{_PATH}.replicationMode", "The replication mode of a gallery image version cannot be changed."
        )
    return mode


def _replicas(count: int, mode: str, name: str) -> int:
    if mode == "Shallow" and count != 1:
        raise invalid_parameter(
            f"{_PATH}.{name}",
            f"A gallery image version with Shallow replication has one replica in a region, not {count}.",
        )
    if not 1 <= count <= _MOST_REPLICAS:
        raise invalid_parameter(
            f"{_PATH}.{name}",
            f"The value '{count}' of parameter '{name}' is out of range. The value must be between '1' and "
            f"'{_MOST_REPLICAS}', inclusive.",
        )
    return count


def _account_type(name: str) -> str:
    known = {spelt.lower(): spelt for spelt in _STORAGE_TYPES}
    if name.lower() not in known:
        raise invalid_parameter(
            f"{_PATH}.storageAccountType",
            f"The storage account type '{name}' is not one of: {', '.join(_STORAGE_TYPES)}.",
        )
    return known[name.lower()]


def _check_regions(regions: list[dict[str, Any]], location: str) -> None:
    path = f"{_PATH}.targetRegions"
    names = [normalize_location(str(region.get("name") or "")) for region in regions]
    for name in names:
        if name not in LOCATIONS:
            raise invalid_parameter(path, f"The target region '{name}' is not a valid Azure region.")
    if len(set(names)) != len(names):
        raise invalid_parameter(path, "Duplicate regions are not allowed in target publishing regions.")
    if location not in names:
        raise invalid_parameter(
            path,
            f"Gallery image version publishing profile regions '{', '.join(names)}' must contain the location of image "
            f"version '{LOCATIONS[location]}'.",
        )


def _target_region(region: dict[str, Any], replicas: int, account_type: str, mode: str) -> dict[str, Any]:
    shown = {
        "regionalReplicaCount": replicas,
        "storageAccountType": account_type,
        **{key: value for key, value in region.items() if value is not None},
        "name": LOCATIONS[normalize_location(region["name"])],
    }
    _replicas(shown["regionalReplicaCount"], mode, "targetRegions.regionalReplicaCount")
    shown["storageAccountType"] = _account_type(shown["storageAccountType"])
    os_disk = (shown.get("encryption") or {}).get("osDiskImage")
    if os_disk:
        shown["encryption"] = {**shown["encryption"], "osDiskImage": {"securityProfile": {}, **os_disk}}
    return shown


def _check_end_of_life(date: str | None) -> None:
    try:
        if date:
            datetime.fromisoformat(date)
    except ValueError as error:
        raise invalid_parameter(f"{_PATH}.endOfLifeDate", f"The value '{date}' is not a date.") from error


def encryption_sets(profile: dict[str, Any]) -> list[str]:
    """Give the ids of the disk encryption sets that a profile's regions name."""
    encryptions = [region.get("encryption") or {} for region in profile["targetRegions"]]
    disks = [disk for each in encryptions for disk in (each.get("osDiskImage"), *(each.get("dataDiskImages") or []))]
    return [disk["diskEncryptionSetId"] for disk in disks if disk and disk.get("diskEncryptionSetId")]


def encryption_set_of(version: Resource, location: str, lun: int | None = None) -> str:
    """Give the id of the disk encryption set that a version names for its OS disk, or the data disk at a LUN.

    It is that of the region that a machine is made in; empty when the version names none.
    """
    regions = version.properties["publishingProfile"]["targetRegions"]
    region: dict[str, Any] = next((each for each in regions if normalize_location(each["name"]) == location), {})
    encryption = region.get("encryption") or {}
    if lun is None:
        disk = encryption.get("osDiskImage") or {}
    else:
        disk = next((each for each in encryption.get("dataDiskImages") or [] if each.get("lun") == lun), {})
    return str(disk.get("diskEncryptionSetId") or "")


def region_names(version: Resource) -> list[str]:
    """Give the names of a version's target regions."""
    return [normalize_location(region["name"]) for region in version.properties["publishingProfile"]["targetRegions"]]


def is_latest_in(version: Resource, location: str) -> bool:
    """Tell whether a version may be the latest one in a region, in which it has a replica."""
    profile = version.properties["publishingProfile"]
    excluded_in = {
        normalize_location(region["name"]) for region in profile["targetRegions"] if region.get("excludeFromLatest")
    }
    is_excluded = profile["excludeFromLatest"] or location in excluded_in
    return not is_excluded and location in version.hidden.get("replicated", [])


def replication_status(version: Resource, progress: int) -> dict[str, Any]:
    """Give the state of each region; ``progress`` is that of those which are not done, in percent."""
    done, failed = version.hidden.get("replicated", []), version.hidden.get("unreplicated", [])
    summary = []
    for region in version.properties["publishingProfile"]["targetRegions"]:
        name = normalize_location(region["name"])
        is_done = name in done
        has_failed = name in failed or (version.state == "Failed" and not is_done)
        state = "Failed" if has_failed else "Completed" if is_done else "Replicating"
        shown = 100 if is_done else progress
        summary.append({"region": region["name"], "state": state, "details": "", "progress": shown})
    states = {region["state"] for region in summary}
    aggregated = "Failed" if "Failed" in states else "InProgress" if "Replicating" in states else "Completed"
    return {"aggregatedState": aggregated, "summary": summary}
