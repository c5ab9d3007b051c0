"""The instances of a uniform scale set: made from its model, overprovisioned, removed. Source: recorded exchanges."""

from __future__ import annotations

import math
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.images.references import resolve_image
from verified_images.emulator.compute.machines import model as machine_model
from verified_images.emulator.compute.machines import power
from verified_images.emulator.compute.machines.disks import let_go_of_disks, provide_disks
from verified_images.emulator.compute.machines.guests import boot_guest
from verified_images.emulator.compute.machines.side_by_side import on_each
from verified_images.emulator.compute.machines.storage import with_image_disks
from verified_images.emulator.compute.scale_sets.cards import make_cards
from verified_images.emulator.compute.scale_sets.extensions import run_extensions
from verified_images.emulator.lifecycle import check_wanted, set_state
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId

TYPE = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines"
_SURPLUS_SHARE = 0.2
_LEAST_SURPLUS = 2
_COPIED = ("diagnosticsProfile", "securityProfile", "licenseType", "additionalCapabilities", "hardwareProfile")


def uniform_instances(cloud: Cloud, scale_set: ResourceId) -> list[Resource]:
    """Give the instances of a uniform scale set, oldest first."""
    return sorted(cloud.store.select(TYPE, under=scale_set), key=lambda instance: int(instance.id.name))


def add_uniform(cloud: Cloud, scale_set: Resource, count: int) -> None:
    """Make instances and boot them side by side, a few more than wanted where the scale set overprovisions.

    Raises:
        ArmError: fewer than wanted came up; the first failure, when all have come to an end.
    """
    made: list[Resource] = []
    try:
        for _ in range(count + (surplus_of(count) if scale_set.properties.get("overprovision") else 0)):
            made.append(_make_instance(cloud, scale_set.id))  # noqa: PERF401 - those made are wanted when one fails
    except ArmError:
        remove_uniform(cloud, made)
        raise
    race = _Race(cloud, scale_set.id, made, count)
    try:
        on_each(cloud, made, race.boot)
    except ArmError:
        race.drop_losers()
        if not race.is_won:
            raise


def surplus_of(count: int) -> int:
    """Give how many instances more than wanted are made. Recorded: 1 for 1, 2 for 2; Azure's documents say 20%."""
    return min(count, max(_LEAST_SURPLUS, math.ceil(count * _SURPLUS_SHARE)))


class _Race:
    """Overprovisioning: some of the instances have a place, the others stand in for those that do not come up.

    Those with a place are the last one and others evenly before it, which is what the recordings show most: 1 of 0 and
    1, 0 and 3 of 0 to 3.
    """

    def __init__(self, cloud: Cloud, scale_set: ResourceId, made: list[Resource], places: int) -> None:
        self._cloud = cloud
        self._scale_set = scale_set
        self._made = made
        self._places = places
        # The zones of instances that are made one after another are balanced.
        zonal = any(each.body.get("zones") for each in made)
        seeded = range(places) if zonal else _evenly(places, len(made))
        self._seeded = {made[index].id.key for index in seeded}
        self._arrived: list[str] = []
        self._failed: set[str] = set()
        self._winners: set[str] = set()
        self._lock = threading.Lock()

    @property
    def is_won(self) -> bool:
        return len(self._winners) >= self._places

    def boot(self, cloud: Cloud, instance: Resource) -> None:
        scale_set = check_wanted(cloud, self._scale_set)
        late = bool(scale_set.properties.get("doNotRunExtensionsOnOverprovisionedVMs"))
        try:
            provide_disks(cloud, instance)
            boot_guest(cloud, instance, nic=power.primary_interface(cloud, instance))
            if not late:
                run_extensions(cloud, scale_set, check_wanted(cloud, instance.id))
        except BaseException:
            self._settle(instance, came_up=False)
            raise
        with cloud.store.changing(instance.id) as found:
            if found:
                found.body["etag"] = '"2"'
        self._settle(instance, came_up=True)
        if late and (instance.id.key in self._winners or not self.is_won):
            run_extensions(cloud, scale_set, check_wanted(cloud, instance.id))

    def _settle(self, instance: Resource, *, came_up: bool) -> None:
        """Note how an instance fared; the one that decides the race takes away those without a place."""
        with self._lock:
            if self.is_won:
                return
            if came_up:
                self._arrived.append(instance.id.key)
            else:
                self._failed.add(instance.id.key)
            if not self._seeded <= {*self._arrived, *self._failed} or len(self._arrived) < self._places:
                return
            ordered = sorted(self._arrived, key=lambda key: key not in self._seeded)
            self._winners = set(ordered[: self._places])
        # One that fails may decide the race against itself: it is removed after its turn.
        self.drop_losers(except_for=instance)

    def drop_losers(self, except_for: Resource | None = None) -> None:
        """Remove what is more than wanted: the winners stay, else what came up, then what was asked for first."""
        ranked = [*self._winners, *self._arrived, *(each.id.key for each in self._made)]
        stay = {*list(dict.fromkeys(ranked))[: self._places], *([except_for.id.key] if except_for else [])}
        remove_uniform(self._cloud, [each for each in self._made if each.id.key not in stay])


def _evenly(places: int, count: int) -> list[int]:
    """Give the positions of ``places`` among ``count``, the last one always among them."""
    if places < 2 or places == count:  # noqa: PLR2004 - one place has nothing to be even with
        return list(range(count))[-places:] if places else []
    return [round(place * (count - 1) / (places - 1)) for place in range(places)]


def _make_instance(cloud: Cloud, scale_set: ResourceId) -> Resource:
    with cloud.store.lock:
        model = check_wanted(cloud, scale_set)
        number = int(model.hidden["next"])
        model.hidden["next"] = number + 1
        cloud.store.put(model)
        identifier = scale_set.child("virtualMachines", str(number))
        instance = Resource(identifier, uniform_model(cloud, model, identifier))
        if zone := _emptiest_zone(cloud, model):
            instance.body["zones"] = [zone]
        instance.hidden = {
            "guest": instance.properties["vmId"],
            "power": "starting",
            **{key: model.hidden[key] for key in ("secrets", "generation", "model")},
        }
        cloud.store.put(instance)
        try:
            for part in make_cards(cloud, model, instance):
                cloud.store.put(part)
        except ArmError:
            _forget(cloud, instance)
            raise
    return instance


def _emptiest_zone(cloud: Cloud, scale_set: Resource) -> str | None:
    taken = [each.body["zones"][0] for each in uniform_instances(cloud, scale_set.id) if each.body.get("zones")]
    zones = [str(zone) for zone in scale_set.body.get("zones") or []]
    return min(zones, key=taken.count) if zones else None


def uniform_model(cloud: Cloud, scale_set: Resource, identifier: ResourceId) -> dict[str, Any]:
    """Give the body of an instance as the scale set's model says it is."""
    profile = scale_set.properties["virtualMachineProfile"]
    storage = dict(profile["storageProfile"])
    reference = storage["imageReference"]
    source = resolve_image(cloud, reference, scale_set.location)
    if source.exact_version:
        storage["imageReference"] = {**reference, "exactVersion": source.exact_version}
    storage["osDisk"] = {**storage["osDisk"], "name": new_disk_name(identifier)}
    storage["dataDisks"] = _data_disks(with_image_disks(storage.get("dataDisks"), source), identifier)
    cards = profile["networkProfile"]["networkInterfaceConfigurations"]
    properties = {
        "modelDefinitionApplied": "VirtualMachineScaleSet",
        "networkProfileConfiguration": {"networkInterfaceConfigurations": cards},
        "provisioningState": "Creating",
        **{key: profile[key] for key in _COPIED if key in profile},
        "vmId": str(uuid.uuid4()),
        "storageProfile": storage,
        **_os_profile(profile, identifier),
        "networkProfile": {
            "networkInterfaces": [{"id": str(identifier.child("networkInterfaces", card["name"]))} for card in cards]
        },
        "timeCreated": datetime.now(UTC).isoformat(),
    }
    properties["hardwareProfile"] = {
        **(profile.get("hardwareProfile") or {}),
        "vmSize": scale_set.body["sku"]["name"],
    }
    return {
        "name": f"{scale_set.id.name}_{identifier.name}",
        "id": str(identifier),
        "type": TYPE,
        "location": scale_set.location,
        **{key: scale_set.body[key] for key in ("tags", "identity", "plan") if scale_set.body.get(key) is not None},
        "instanceId": identifier.name,
        "sku": {"name": scale_set.body["sku"]["name"], "tier": scale_set.body["sku"]["tier"]},
        "properties": properties,
        "etag": '"1"',
    }


def _data_disks(given: list[dict[str, Any]], identifier: ResourceId) -> list[dict[str, Any]]:
    """Complete the data disks of a model: those of a uniform scale set go with their instance, and do not say so."""
    said = [bool(disk.get("deleteOption")) for disk in given]
    filled = machine_model.fill_data_disks(given, f"{identifier.names[0]}_{identifier.name}", premium=True)
    return [
        {key: value for key, value in disk.items() if key != "deleteOption" or says}
        for disk, says in zip(filled, said, strict=True)
    ]


def _os_profile(profile: dict[str, Any], identifier: ResourceId) -> dict[str, Any]:
    given = dict(profile.get("osProfile") or {})
    if not given:
        return {}
    prefix = given.pop("computerNamePrefix")
    return {"osProfile": {"computerName": f"{prefix}{base36(int(identifier.name))}", **given}}


def new_disk_name(instance: ResourceId) -> str:
    """Give a name for an instance's new OS disk."""
    name = instance.names[0][:20]
    return f"{name}{name}_OS__1_{uuid.uuid4().hex}"


def base36(number: int) -> str:
    """Write an instance's number as Azure does in host names: six digits to base 36."""
    digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    text = ""
    for _ in range(6):
        number, digit = divmod(number, 36)
        text = digits[digit] + text
    return text


def remove_uniform(cloud: Cloud, instances: list[Resource]) -> None:
    """Stop instances and delete them with their disks and cards, whatever is being done on them."""
    for instance in instances:
        set_state(cloud, instance.id, "Deleting")
        cloud.hypervisor.stop(instance.hidden["guest"], graceful=False)
    for instance in instances:
        with cloud.operations.turns.ask(instance.id.key):
            if found := cloud.store.find(instance.id):
                cloud.hypervisor.forget(found.hidden["guest"])
                let_go_of_disks(cloud, found, delete=True)
                _forget(cloud, found)


def _forget(cloud: Cloud, instance: Resource) -> None:
    with cloud.store.lock:
        for child in cloud.store.select(under=instance.id):
            cloud.store.remove(child.id)
        cloud.store.remove(instance.id)
