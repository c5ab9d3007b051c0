"""The body of a scale set: what Azure checks in it and fills in, new or changed. Source: recorded answers."""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute.images.references import resolve_image
from verified_images.emulator.compute.machines import model as machine_model
from verified_images.emulator.compute.machines.security import check_security
from verified_images.emulator.compute.machines.storage import wrong_generation
from verified_images.emulator.compute.scale_sets.extensions import fill_extensions
from verified_images.emulator.compute.scale_sets.network import fill_network
from verified_images.emulator.compute.scale_sets.policies import extensions_of, fill_policies, orchestration_mode
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.compute.usages import check_quota
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.compute.images.source_images import SourceImage
    from verified_images.emulator.wire import Request

_MOST_INSTANCES = 1000
_FAULT_DOMAINS = {"Uniform": 5, "Flexible": 1}
_DISK_CONTROLLERS = "2022-08-01"
_IMMUTABLE = ("orchestrationMode", "platformFaultDomainCount", "zoneBalance")
_KEPT = ("etag", "identity", "zones", "plan", "tags")


def is_flexible(scale_set: Resource) -> bool:
    """Tell whether a scale set's instances are virtual machines of their own."""
    return bool(scale_set.properties.get("orchestrationMode") == "Flexible")


def new_scale_set(cloud: Cloud, request: Request, body: dict[str, Any]) -> Resource:
    """Give a new scale set with the defaults that Azure fills in.

    Raises:
        ArmError: the model does not fit image, size, quota, network or itself.
    """
    properties = dict(body.get("properties") or {})
    mode = orchestration_mode(properties)
    flexible = mode == "Flexible"
    _check_zone_list(body)
    profile = properties.pop("virtualMachineProfile", None)
    if not profile and not flexible:
        raise missing_parameter("virtualMachineProfile")
    if not profile and properties.get("platformFaultDomainCount") is None:
        raise missing_parameter("platformFaultDomainCount")
    hidden: dict[str, Any] = {"next": 0, "model": 1}
    if profile:
        check_sku(cloud, body, None)
        filled, more = _fill_profile(cloud, request, body, profile, flexible=flexible)
        filled["timeCreated"] = datetime.now(UTC).isoformat()
        properties["virtualMachineProfile"] = filled
        hidden |= more
    properties = {**_defaults(properties, mode), **properties, "uniqueId": str(uuid.uuid4())}
    if properties.get("orchestrationMode"):
        properties["orchestrationMode"] = mode
    if flexible and properties.get("overprovision"):
        raise invalid_parameter(
            "overprovision",
            "Parameter 'overprovision' is not allowed for a Virtual Machine Scale Set with orchestration mode "
            "'Flexible'.",
        )
    if profile:
        fill_policies(properties, body.get("zones") or [], int(body["sku"]["capacity"]))
    properties["timeCreated"] = datetime.now(UTC).isoformat()
    return Resource(request.id, {**body, "properties": properties}, hidden)


def _defaults(properties: dict[str, Any], mode: str) -> dict[str, Any]:
    domains = {"platformFaultDomainCount": _FAULT_DOMAINS[mode]} if properties.get("orchestrationMode") else {}
    if mode == "Flexible":
        return {"singlePlacementGroup": False, **domains, "constrainedMaximumCapacity": False}
    return {
        "singlePlacementGroup": True,
        "overprovision": True,
        "doNotRunExtensionsOnOverprovisionedVMs": False,
        **domains,
    }


def _check_zone_list(body: dict[str, Any]) -> None:
    if body.get("zones") is not None and not isinstance(body["zones"], list):
        raise invalid_parameter("zones", "The value of parameter 'zones' is invalid.")


def check_sku(cloud: Cloud, body: dict[str, Any], existing: Resource | None) -> None:
    """Complete the sku of a scale set's body in place, having checked size, capacity and quota.

    Raises:
        ArmError: 400: it is missing or no such size; 409: the quota has no room for more instances.
    """
    sku = {**(existing.body.get("sku") or {} if existing else {}), **(body.get("sku") or {})}
    if not sku.get("name"):
        raise missing_parameter("sku.name")
    size = find_size(sku["name"])
    if sku.get("capacity") is None:
        raise missing_parameter("sku.capacity")
    capacity = int(sku["capacity"])
    if not 0 <= capacity <= _MOST_INSTANCES:
        raise invalid_parameter("sku.capacity", f"The capacity must be between 0 and {_MOST_INSTANCES}.")
    before = int((existing.body.get("sku") or {}).get("capacity", 0)) if existing else 0
    if capacity > before:
        check_quota(cloud, body["location"], size.name, capacity - before)
    body["sku"] = {"tier": size.name.partition("_")[0], **sku, "name": size.name, "capacity": capacity}


def _fill_profile(  # noqa: PLR0913 - a model, what it is for, and what is known of it
    cloud: Cloud,
    request: Request,
    body: dict[str, Any],
    profile: dict[str, Any],
    *,
    flexible: bool,
    kept: dict[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Any]]:
    profile, kept = copy.deepcopy(profile), kept or {}
    secrets = {**kept.get("secrets", {}), **machine_model.split_secrets(profile)}
    storage = dict(profile.get("storageProfile") or {})
    reference = storage.get("imageReference")
    if not reference:
        raise missing_parameter("virtualMachineProfile.storageProfile.imageReference")
    source = resolve_image(cloud, reference, body["location"])
    size = find_size(body["sku"]["name"])
    if source.generation not in size.generations:
        raise wrong_generation(size.name, source.generation)
    check_security(profile, reference, source)
    storage["osDisk"] = _fill_os_disk(storage.get("osDisk") or {}, source, premium=size.premium, flexible=flexible)
    if source.generation == "V2" and request.api_version >= _DISK_CONTROLLERS:
        storage.setdefault("diskControllerType", "SCSI")
    profile["storageProfile"] = storage
    given = profile.get("osProfile")
    profile["osProfile"] = _fill_os_profile(given, request, secrets, source, flexible=flexible)
    if profile["osProfile"] is None:
        del profile["osProfile"]
    profile["networkProfile"] = fill_network(
        cloud, profile.get("networkProfile") or {}, flexible=flexible, version=request.api_version
    )
    fill_extensions(profile)
    protected = dict(kept.get("protected", {}))
    for extension in extensions_of(profile):
        settings = (extension.get("properties") or {}).pop("protectedSettings", None)
        if settings is not None:
            protected[str(extension.get("name"))] = settings
    return profile, {"secrets": secrets, "generation": source.generation, "protected": protected}


def _fill_os_disk(disk: dict[str, Any], source: SourceImage, *, premium: bool, flexible: bool) -> dict[str, Any]:
    given = disk.get("deleteOption")
    filled = machine_model.fill_os_disk(disk, "", source, premium=premium)
    del filled["name"], filled["deleteOption"]
    if flexible or given:
        filled["deleteOption"] = given or "Delete"
    return filled


def _fill_os_profile(
    given: dict[str, Any] | None,
    request: Request,
    secrets: dict[str, str],
    source: SourceImage,
    *,
    flexible: bool,
) -> dict[str, Any] | None:
    machine_model.check_os_profile(given, secrets, source)
    if not given:
        return None
    windows = source.os_type == "Windows"
    model = _with_windows(given) if windows else given
    profile = machine_model.fill_os_profile(model, request.id.name)
    profile.pop("computerName", None)
    for system in ("linuxConfiguration", "windowsConfiguration"):
        if not flexible and system in profile and not (given.get(system) or {}).get("patchSettings"):
            profile[system].pop("patchSettings", None)
    if not profile.get("computerNamePrefix"):
        raise missing_parameter("virtualMachineProfile.osProfile.computerNamePrefix")
    machine_model.check_computer_name(f"{profile['computerNamePrefix']}000000")
    return profile


def _with_windows(given: dict[str, Any]) -> dict[str, Any]:
    configuration: dict[str, Any] = {"provisionVMAgent": True, "enableAutomaticUpdates": True}
    rest = {key: value for key, value in given.items() if key != "linuxConfiguration"}
    return {**rest, "windowsConfiguration": {**configuration, **(given.get("windowsConfiguration") or {})}}


def updated_scale_set(cloud: Cloud, request: Request, existing: Resource, body: dict[str, Any]) -> Resource:
    """Give the scale set that an update leaves; instances keep their model until they are upgraded.

    Raises:
        ArmError: 409 PropertyChangeNotAllowed and others: what may not change would.
    """
    properties = dict(body.get("properties") or {})
    before = existing.properties
    for key in _IMMUTABLE:
        if properties.get(key) is not None and properties[key] != before.get(key, properties[key]):
            raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{key}' is not allowed.", target=key)
    _check_zone_list(body)
    hidden = dict(existing.hidden)
    body = {**body, "location": existing.location}
    given = properties.pop("virtualMachineProfile", None) or {}
    old = before.get("virtualMachineProfile") or {}
    merged = {**before, **properties}
    if old or given:
        check_sku(cloud, body, existing)
        profile = {**old, **given}
        for key in ("storageProfile", "osProfile", "networkProfile"):
            if old.get(key) or given.get(key):
                profile[key] = {**(old.get(key) or {}), **(given.get(key) or {})}
        flexible = is_flexible(existing)
        filled, more = _kept_or_filled(cloud, request, existing, body, profile, flexible=flexible)
        secrets_changed = more["secrets"] != hidden.get("secrets") or more["protected"] != hidden.get("protected", {})
        size_changed = body["sku"]["name"] != (existing.body.get("sku") or {}).get("name")
        hidden |= more
        if _essence(filled) != _essence(old) or size_changed or secrets_changed:
            hidden["model"] = int(hidden["model"]) + 1
        merged["virtualMachineProfile"] = filled
        fill_policies(merged, body.get("zones") or existing.body.get("zones") or [], int(body["sku"]["capacity"]))
    kept = {key: value for key, value in existing.body.items() if key in _KEPT}
    return Resource(existing.id, {**kept, **body, "properties": merged}, hidden)


def _kept_or_filled(  # noqa: PLR0913 - a model, old and new, and what it is for
    cloud: Cloud,
    request: Request,
    existing: Resource,
    body: dict[str, Any],
    profile: dict[str, Any],
    *,
    flexible: bool,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Complete a changed model; one that is as before needs its image only where there are to be more instances."""
    before = existing.body.get("sku") or {}
    same_size = body["sku"]["name"] == before.get("name")
    if same_size and profile == existing.properties.get("virtualMachineProfile"):
        if int(body["sku"]["capacity"]) > int(before.get("capacity", 0)):
            resolve_image(cloud, profile["storageProfile"]["imageReference"], body["location"])
        return profile, {"secrets": existing.hidden["secrets"], "protected": existing.hidden.get("protected", {})}
    return _fill_profile(cloud, request, body, profile, flexible=flexible, kept=existing.hidden)


def _essence(profile: dict[str, Any]) -> dict[str, Any]:
    storage = profile.get("storageProfile") or {}
    reference = {key: value for key, value in (storage.get("imageReference") or {}).items() if key != "exactVersion"}
    rest = {key: value for key, value in profile.items() if key != "timeCreated"}
    return {**rest, "storageProfile": {**storage, "imageReference": reference}}
