"""Uniform virtual machine scale sets. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute import api_versions, machine_model
from verified_images.emulator.compute.guests import set_power
from verified_images.emulator.compute.image_references import resolve_image
from verified_images.emulator.compute.machine_storage import check_security, wrong_generation
from verified_images.emulator.compute.scale_set_instances import add_instances, instances_of, remove_instances
from verified_images.emulator.compute.scale_set_routes import instance_routes
from verified_images.emulator.compute.scale_set_upgrades import upgrade_all
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.compute.usages import check_quota
from verified_images.emulator.lifecycle import Kind, Style, set_state
from verified_images.emulator.operations import COMPUTE
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.compute.source_images import SourceImage

TYPE = "Microsoft.Compute/virtualMachineScaleSets"
_MOST_INSTANCES = 1000
_IMMUTABLE = ("orchestrationMode", "platformFaultDomainCount", "zoneBalance")


class ScaleSets(Kind):
    """Microsoft.Compute/virtualMachineScaleSets."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(COMPUTE, etag="counter", retry_write=10, retry_delete=10)
    slow_write: ClassVar[bool] = True
    slow_delete: ClassVar[bool] = True
    noun: ClassVar[str] = "VMScaleSet"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of a scale set's views, actions and instances."""
        item = self.collection_pattern() + "/{name}"
        yield Route("GET", item + "/instanceView", self._get_instance_view)
        yield from instance_routes(item)

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the model against image, size and quota, and fill in the defaults."""
        properties = dict(body.get("properties") or {})
        _check_sku(cloud, body, existing)
        if existing:
            return _updated(cloud, existing, body, properties)
        if str(properties.get("orchestrationMode", "Uniform")).lower() != "uniform":
            raise invalid_parameter("orchestrationMode", "The value of parameter 'orchestrationMode' is invalid.")
        if not (properties.get("upgradePolicy") or {}).get("mode"):
            raise missing_parameter("upgradePolicy")
        profile = properties.get("virtualMachineProfile")
        if not profile:
            raise missing_parameter("virtualMachineProfile")
        filled, hidden = _fill_profile(cloud, request.id.name, body, profile, {})
        defaults = {
            "singlePlacementGroup": True,
            "orchestrationMode": "Uniform",
            "overprovision": True,
            "doNotRunExtensionsOnOverprovisionedVMs": False,
            "platformFaultDomainCount": 5,
            "uniqueId": str(uuid.uuid4()),
            "timeCreated": datetime.now(UTC).isoformat(),
        }
        properties = {**defaults, **properties, "virtualMachineProfile": filled}
        return Resource(request.id, {**body, "properties": properties}, {"next": 0, "model": 1, **hidden})

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Add or remove instances until there are as many as the capacity says."""
        wanted = int(resource.body["sku"]["capacity"])
        present = [each for each in instances_of(cloud, resource) if each.state != "Deleting"]
        if len(present) > wanted:
            remove_instances(cloud, present[wanted:])
        if resource.properties["upgradePolicy"]["mode"] != "Manual":
            upgrade_all(cloud, resource)
        if len(present) < wanted:
            add_instances(cloud, resource, wanted - len(present))

    def interrupt(self, cloud: Cloud, resource: Resource) -> None:
        """Let go of all instances, some of which may be being made."""
        for instance in instances_of(cloud, resource):
            set_state(cloud, instance.id, "Deleting")
            cloud.hypervisor.stop(instance.hidden["guest"], graceful=False)

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Remove all instances."""
        remove_instances(cloud, instances_of(cloud, resource))

    def recover(self, cloud: Cloud, resource: Resource) -> None:
        """Note that the instances' guests are gone, and that whatever was done on them did not come to its end."""
        for instance in instances_of(cloud, resource):
            if instance.hidden.get("power") not in {"stopped", "deallocated"}:
                set_power(cloud, instance, "stopped")
            if instance.state != "Succeeded":
                set_state(cloud, instance.id, "Failed")

    def _get_instance_view(self, cloud: Cloud, request: Request) -> Answer:
        scale_set = self.find(cloud, request.id)
        states = [instance.state.lower() for instance in instances_of(cloud, scale_set)]
        summary = [
            {"code": f"ProvisioningState/{state}", "count": states.count(state)} for state in sorted(set(states))
        ]
        status = {
            "code": f"ProvisioningState/{scale_set.state.lower()}",
            "level": "Info",
            "displayStatus": f"Provisioning {scale_set.state.lower()}",
            "time": datetime.now(UTC).isoformat(),
        }
        return Answer(200, {"virtualMachine": {"statusesSummary": summary}, "statuses": [status]})


def _check_sku(cloud: Cloud, body: dict[str, Any], existing: Resource | None) -> None:
    sku = {**(existing.body["sku"] if existing else {}), **(body.get("sku") or {})}
    if not sku.get("name"):
        raise missing_parameter("sku.name")
    size = find_size(sku["name"])
    if sku.get("capacity") is None:
        raise missing_parameter("sku.capacity")
    capacity = int(sku["capacity"])
    if not 0 <= capacity <= _MOST_INSTANCES:
        raise invalid_parameter("sku.capacity", f"The capacity must be between 0 and {_MOST_INSTANCES}.")
    before = int(existing.body["sku"]["capacity"]) if existing else 0
    if capacity > before:
        check_quota(cloud, body["location"], size.name, capacity - before)
    body["sku"] = {"tier": size.name.partition("_")[0], **sku, "name": size.name, "capacity": capacity}


def _fill_profile(
    cloud: Cloud, name: str, body: dict[str, Any], profile: dict[str, Any], secrets: dict[str, str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    profile = copy.deepcopy(profile)
    secrets = {**secrets, **machine_model.split_secrets(profile)}
    storage = dict(profile.get("storageProfile") or {})
    reference = storage.get("imageReference")
    if not reference:
        raise missing_parameter("virtualMachineProfile.storageProfile.imageReference")
    source = resolve_image(cloud, reference, body["location"])
    size = find_size(body["sku"]["name"])
    if source.generation not in size.generations:
        raise wrong_generation(size.name, source.generation)
    check_security(profile, reference, source)
    storage["osDisk"] = _fill_os_disk(storage.get("osDisk") or {}, source, premium=size.premium)
    profile["storageProfile"] = storage
    profile["osProfile"] = _fill_os_profile(profile.get("osProfile"), name, secrets, source)
    profile["networkProfile"] = _fill_network(cloud, profile.get("networkProfile") or {})
    profile.setdefault("timeCreated", datetime.now(UTC).isoformat())
    return profile, {"secrets": secrets, "generation": source.generation}


def _fill_os_disk(disk: dict[str, Any], source: SourceImage, *, premium: bool) -> dict[str, Any]:
    filled = machine_model.fill_os_disk(disk, "", source, premium=premium)
    del filled["name"], filled["deleteOption"]
    return filled


def _fill_os_profile(
    given: dict[str, Any] | None, name: str, secrets: dict[str, str], source: SourceImage
) -> dict[str, Any]:
    machine_model.check_os_profile(given, secrets, source)
    profile = machine_model.fill_os_profile(given or {}, name)
    del profile["computerName"]
    profile["linuxConfiguration"].pop("patchSettings", None)
    if not profile.get("computerNamePrefix"):
        raise missing_parameter("virtualMachineProfile.osProfile.computerNamePrefix")
    machine_model.check_computer_name(f"{profile['computerNamePrefix']}000000")
    return profile


def _fill_network(cloud: Cloud, network: dict[str, Any]) -> dict[str, Any]:
    cards = network.get("networkInterfaceConfigurations")
    if not cards:
        raise missing_parameter("virtualMachineProfile.networkProfile.networkInterfaceConfigurations")
    return {**network, "networkInterfaceConfigurations": [_fill_card(cloud, card, len(cards)) for card in cards]}


def _fill_card(cloud: Cloud, card: dict[str, Any], count: int) -> dict[str, Any]:
    given = dict(card.get("properties") or {})
    configurations = given.get("ipConfigurations")
    if not configurations:
        raise missing_parameter("networkInterfaceConfiguration.ipConfigurations")
    if count == 1:
        given.setdefault("primary", True)
    filled = {
        "enableAcceleratedNetworking": False,
        "disableTcpStateTracking": False,
        "dnsSettings": {"dnsServers": []},
        "enableIPForwarding": False,
        **given,
        "ipConfigurations": [
            {
                **configuration,
                "properties": {**(configuration.get("properties") or {}), "privateIPAddressVersion": "IPv4"},
            }
            for configuration in configurations
        ],
    }
    for configuration in filled["ipConfigurations"]:
        for reference in _references(configuration["properties"]):
            parent = reference.rsplit("/", 2)[0]
            if cloud.store.find(reference) is None and cloud.store.find(parent) is None:
                raise ArmError(
                    400,
                    "InvalidResourceReference",
                    f"Resource {reference} referenced by the scale set was not found. Please make sure that the "
                    "referenced resource exists, and that both resources are in the same region.",
                    details=[],
                )
    return {**card, "properties": filled}


def _references(properties: dict[str, Any]) -> Iterator[str]:
    if subnet := (properties.get("subnet") or {}).get("id"):
        yield subnet
    for key in ("loadBalancerBackendAddressPools", "loadBalancerInboundNatPools"):
        for reference in properties.get(key) or []:
            yield reference["id"]


def _updated(cloud: Cloud, existing: Resource, body: dict[str, Any], properties: dict[str, Any]) -> Resource:
    """Take over a changed model; instances keep theirs until they are upgraded."""
    before = existing.properties
    old = before["virtualMachineProfile"]
    given = properties.pop("virtualMachineProfile", None) or {}
    for key in _IMMUTABLE:
        if properties.get(key) is not None and properties[key] != before.get(key):
            raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{key}' is not allowed.", target=key)
    profile = {**old, **given}
    for key in ("storageProfile", "osProfile"):
        profile[key] = {**old[key], **(given.get(key) or {})}
    hidden = dict(existing.hidden)
    body = {**body, "location": existing.location}
    filled, changed = _fill_profile(cloud, existing.id.name, body, profile, hidden["secrets"])
    if _essence(filled) != _essence(old) or body["sku"]["name"] != existing.body["sku"]["name"]:
        hidden |= {**changed, "model": int(hidden["model"]) + 1}
    merged = {**before, **properties, "virtualMachineProfile": filled}
    kept = {key: value for key, value in existing.body.items() if key in {"etag", "identity", "zones", "plan", "tags"}}
    return Resource(existing.id, {**kept, **body, "properties": merged}, hidden)


def _essence(profile: dict[str, Any]) -> dict[str, Any]:
    reference = {
        key: value for key, value in profile["storageProfile"]["imageReference"].items() if key != "exactVersion"
    }
    return {**profile, "storageProfile": {**profile["storageProfile"], "imageReference": reference}}
