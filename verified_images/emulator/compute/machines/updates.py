"""A PUT or PATCH of a machine that exists: what may change, and what that does to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.machines import model as machine_model
from verified_images.emulator.compute.machines.cards import check_cards_of_update, exchange_cards
from verified_images.emulator.compute.machines.disks import (
    check_attachable,
    disk_id,
    disks_of,
    let_go_of_disk,
    plug_disks,
    provide_disks,
    unplug_disk,
)
from verified_images.emulator.compute.machines.guests import machine_size, power_of
from verified_images.emulator.compute.machines.identity import fill_identity
from verified_images.emulator.compute.machines.placement import check_movable, is_spot
from verified_images.emulator.compute.machines.power import restart_on_new_hardware
from verified_images.emulator.compute.machines.storage import fill_data_disks, wrong_generation
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.compute.usages import check_quota
from verified_images.emulator.lifecycle import check_wanted
from verified_images.emulator.offering import check_restrictions
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud

_IMMUTABLE = {
    "osProfile": ("computerName", "adminUsername", "adminPassword", "customData"),
    "osProfile.linuxConfiguration": ("disablePasswordAuthentication", "ssh", "provisionVMAgent"),
    "storageProfile.osDisk": ("name", "createOption", "osType"),
    "": ("priority", "evictionPolicy"),
    "availabilitySet": ("id",),
    "virtualMachineScaleSet": ("id",),
}
_NAMES = {"ssh": "ssh.publicKeys"}
_KEPT = ("vmId", "timeCreated", "osProfile")
_KEPT_OF_BODY = {"etag", "identity", "zones", "plan"}


def updated_machine(cloud: Cloud, existing: Resource, body: dict[str, Any]) -> Resource:
    """Give the machine that an update leaves.

    Raises:
        ArmError: 409 PropertyChangeNotAllowed and others: what may not change would.
    """
    properties = dict(body.get("properties") or {})
    old, kept_secrets = existing.properties, existing.hidden.get("secrets") or {}
    for path, names in _IMMUTABLE.items():
        before = _at(old, path) | (kept_secrets if path == "osProfile" else {})
        _check_unchanged(before, _at(properties, path), path, names)
    check_movable(cloud, existing, body)
    secrets = machine_model.split_secrets(properties)
    size = find_size((properties.get("hardwareProfile") or {}).get("vmSize") or machine_size(existing))
    _check_resize(cloud, existing, size.name)
    hidden = {**existing.hidden, "model_disks": [disk_id(disk) for disk in disks_of(existing) if disk_id(disk)]}
    if "userData" in secrets:
        hidden["secrets"] = {**hidden.get("secrets", {}), "userData": secrets["userData"]}
    merged = {**old, **properties, **{key: old[key] for key in _KEPT if key in old}}
    for read_only in ("instanceView", "virtualMachineScaleSet"):
        merged.pop(read_only, None)
    merged |= {key: old[key] for key in ("virtualMachineScaleSet",) if key in old}
    if "osProfile" in old:
        merged["osProfile"] = _os_profile(old["osProfile"], properties.get("osProfile") or {})
    resource = Resource(existing.id, {}, hidden)
    kept = {key: value for key, value in existing.body.items() if key in _KEPT_OF_BODY}
    resource.body = {**kept, **{key: value for key, value in body.items() if key != "resources"}}
    resource.body["properties"] = merged
    fill_identity(cloud, existing.id, resource.body, existing.body.get("identity"))
    merged["hardwareProfile"] = {**old["hardwareProfile"], **(properties.get("hardwareProfile") or {})}
    merged["storageProfile"] = _storage(cloud, existing, properties.get("storageProfile") or {})
    check_cards_of_update(cloud, existing, merged)
    resource.hidden["changes"] = _essence(resource.body) != _essence(existing.body)
    return resource


def _essence(body: dict[str, Any]) -> dict[str, Any]:
    properties = {key: value for key, value in body["properties"].items() if key != "provisioningState"}
    return {"properties": properties, **{key: body.get(key) for key in ("identity", "plan", "zones")}}


def _os_profile(old: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Take over what may change of an osProfile: whether extensions are allowed, and how it is patched."""
    changed = dict(old)
    if given.get("allowExtensionOperations") is not None:
        changed["allowExtensionOperations"] = given["allowExtensionOperations"]
    for system in ("linuxConfiguration", "windowsConfiguration"):
        if system in old and (settings := (given.get(system) or {}).get("patchSettings")):
            patching = {**(old[system].get("patchSettings") or {}), **settings}
            changed[system] = {**old[system], "patchSettings": patching}
    return changed


def _at(properties: dict[str, Any], path: str) -> dict[str, Any]:
    for key in path.split(".") if path else ():
        properties = properties.get(key) or {}
    return properties


def _check_unchanged(old: dict[str, Any], new: dict[str, Any], path: str, names: tuple[str, ...]) -> None:
    for name in names:
        before = old.get(name, "Regular" if name == "priority" else None)
        if new.get(name) is not None and _folded(new[name]) != _folded(before):
            prefix = path.rpartition(".")[2]
            target = f"{prefix}.{_NAMES.get(name, name)}" if prefix else name
            raise ArmError(
                409, "PropertyChangeNotAllowed", f"Changing property '{target}' is not allowed.", target=target
            )


def _folded(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {key: _folded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_folded(item) for item in value]
    return value.strip().lower() if isinstance(value, str) else value


def _check_resize(cloud: Cloud, existing: Resource, wanted: str) -> None:
    before, after = find_size(machine_size(existing)), find_size(wanted)
    if before.name == after.name:
        return
    if existing.hidden["generation"] not in after.generations:
        raise wrong_generation(after.name, existing.hidden["generation"])
    check_restrictions(cloud, existing.location, after, existing.body.get("zones") or [])
    check_quota(cloud, existing.location, after.name, 1, freed=before, spot=is_spot(existing.properties))


def _storage(cloud: Cloud, existing: Resource, given: dict[str, Any]) -> dict[str, Any]:
    old = existing.properties["storageProfile"]
    reference, before = given.get("imageReference") or {}, old.get("imageReference") or {}
    for key in ("id", "publisher", "offer", "sku", "version"):
        if reference.get(key) is not None and reference[key] != before.get(key):
            raise ArmError(
                409,
                "PropertyChangeNotAllowed",
                f"Changing property 'imageReference.{key}' is not allowed.",
                target=f"imageReference.{key}",
            )
    profile = {**old, "osDisk": _os_disk(cloud, existing, given.get("osDisk") or {})}
    if given.get("dataDisks") is not None:
        size = find_size(machine_size(existing))
        wanted = fill_data_disks(cloud, existing, _matched(old, given["dataDisks"]), size)
        profile["dataDisks"] = _with_leaving(old.get("dataDisks") or [], wanted)
    return profile


def _with_leaving(old: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the wanted disks, and among them, in their old places, those that are to be detached."""
    kept = {disk["name"].lower(): disk for disk in wanted}
    disks = [kept.pop(disk["name"].lower(), {**disk, "toBeDetached": True}) for disk in old]
    return [*disks, *kept.values()]


def _os_disk(cloud: Cloud, existing: Resource, given: dict[str, Any]) -> dict[str, Any]:
    old = existing.properties["storageProfile"]["osDisk"]
    wanted, size = disk_id(given), given.get("diskSizeGB") or old["diskSizeGB"]
    changed = {key: given[key] for key in ("caching", "deleteOption", "diskSizeGB") if given.get(key) is not None}
    if size < old["diskSizeGB"]:
        raise ArmError(
            409, "ResizeDiskError", "Disk size cannot be reduced: a disk can only be made larger.", target="osDisk"
        )
    swapped = bool(wanted) and wanted.lower() != disk_id(old).lower()
    if (swapped or size > old["diskSizeGB"]) and power_of(cloud, existing) != "deallocated":
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"Cannot resize or swap the OS disk of VM '{existing.id.name}' while it is running. Resizing a disk of an "
            "Azure Virtual Machine requires the virtual machine to be deallocated. Please stop your VM and retry the "
            "operation.",
        )
    if not swapped:
        return {**old, **changed}
    found = check_attachable(cloud, given, existing.id)
    managed = {"storageAccountType": found.body["sku"]["name"], "id": str(found.id)}
    facts = {"name": found.id.name, "managedDisk": managed, "diskSizeGB": found.properties["diskSizeGB"]}
    return {**old, **changed, **facts}


def _matched(old: dict[str, Any], given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let the disks that the machine has already keep what the update does not say of them."""
    present = {disk["name"].lower(): disk for disk in old.get("dataDisks") or []}
    matched = []
    for disk in given:
        if disk.get("toBeDetached"):
            continue
        known = present.get(str(disk.get("name", "")).lower(), {})
        managed = {**(known.get("managedDisk") or {}), **(disk.get("managedDisk") or {})}
        matched.append({**known, **disk, **({"managedDisk": managed} if managed else {})})
    return matched


def apply_update(cloud: Cloud, machine: Resource) -> None:
    """Attach and detach disks and cards as the model says now; one that runs with another size is started anew."""
    machine = _detach_leaving(cloud, machine)
    provide_disks(cloud, machine)
    present = {disk_id(disk).lower() for disk in disks_of(machine)}
    for identifier in machine.hidden.get("model_disks", []):
        if identifier.lower() not in present:
            unplug_disk(cloud, machine, identifier)
            let_go_of_disk(cloud, machine, {"managedDisk": {"id": identifier}}, delete=False)
    plug_disks(cloud, machine)
    exchange_cards(cloud, machine)
    booted = machine.hidden.get("booted_size")
    if power_of(cloud, machine) == "running" and booted and booted.lower() != machine_size(machine).lower():
        restart_on_new_hardware(cloud, machine)
    with cloud.store.changing(machine.id) as found:
        if found:
            found.hidden["booted_size"] = machine_size(machine)


def _detach_leaving(cloud: Cloud, machine: Resource) -> Resource:
    leaving = [disk for disk in machine.properties["storageProfile"].get("dataDisks") or [] if disk["toBeDetached"]]
    for disk in leaving:
        unplug_disk(cloud, machine, disk_id(disk))
        let_go_of_disk(cloud, machine, disk, delete=disk.get("detachOption") == "Delete")
    if not leaving:
        return machine
    with cloud.store.changing(machine.id) as found:
        if found:
            profile = found.properties["storageProfile"]
            profile["dataDisks"] = [disk for disk in profile["dataDisks"] if not disk["toBeDetached"]]
    return check_wanted(cloud, machine.id)
