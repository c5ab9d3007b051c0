"""Scale sets, uniform and flexible; ``instances`` is about what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.cloud.compute import (
    linux_configuration,
    security_profile,
)
from verified_images.cloud.ids import parse_id
from verified_images.cloud.machine_extras import encrypted_disk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.compute import Login
    from verified_images.cloud.operations import Arm, Body
    from verified_images.cloud.place import Place


NETWORK_API_VERSION = "2020-11-01"
"""That by which a flexible scale set makes its machines' network cards."""


@dataclass(frozen=True, slots=True)
class ScaleSetSpec:
    """A scale set as it is to be made; the ids are of resources that exist.

    Without a ``login`` the image is a specialized one, whose instances have its users and keys.
    ``ssh_pool_id`` is the inbound NAT pool that a uniform scale set names; None makes a flexible one, to whose
    machines the load balancer's own rule leads.
    """

    name: str
    size: str
    instances: int
    image_id: str
    login: Login | None
    computer_name_prefix: str
    os_disk_type: str
    interface_name: str
    subnet_id: str
    security_group_id: str
    backend_pool_id: str
    ssh_pool_id: str | None
    security_type: str | None = None
    purchase_plan: Mapping[str, str] | None = None
    zone: str | None = None
    security_encryption_type: str | None = None
    disk_encryption_set: str | None = None


def create_scale_set(arm: Arm, place: Place, spec: ScaleSetSpec) -> None:
    """Make a scale set; its instances may still be on their way when this returns."""
    body = scale_set_body(place, spec)
    scale_sets = arm.connection.compute.virtual_machine_scale_sets
    arm.run(
        "create scale set",
        spec.name,
        lambda: scale_sets.begin_create_or_update(place.group, spec.name, body),
        look=arm.when_provisioned("scale set", spec.name, lambda: scale_sets.get(place.group, spec.name)),
    )


def delete_scale_set(arm: Arm, scale_set_id: str) -> None:
    """Delete a scale set with its instances."""
    parsed = parse_id(scale_set_id)
    scale_sets = arm.connection.compute.virtual_machine_scale_sets
    arm.run(
        "delete scale set",
        parsed.name,
        lambda: scale_sets.begin_delete(parsed.group, parsed.name),
        look=arm.when_gone("scale set", parsed.name, lambda: scale_sets.get(parsed.group, parsed.name)),
    )


def scale_set_body(place: Place, spec: ScaleSetSpec) -> Body:
    """Return the body of the request that makes the scale set."""
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "sku": {"name": spec.size, "tier": "Standard", "capacity": spec.instances},
        "properties": {**_orchestration(spec), "virtualMachineProfile": _profile(spec)},
    }
    if spec.zone:
        body["zones"] = [spec.zone]
    if spec.purchase_plan:
        body["plan"] = dict(spec.purchase_plan)
    return body


def _orchestration(spec: ScaleSetSpec) -> Body:
    if spec.ssh_pool_id is None:
        # One fault domain is "as many as possible", which Azure recommends.
        return {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1, "singlePlacementGroup": False}
    return {
        "orchestrationMode": "Uniform",
        # Overprovisioning makes instances that vanish again, and a smoke test would meet them.
        "overprovision": False,
        "singlePlacementGroup": True,
        "upgradePolicy": {"mode": "Manual"},
    }


def _profile(spec: ScaleSetSpec) -> Body:
    encryption = encrypted_disk(spec.security_encryption_type, spec.disk_encryption_set)
    profile: Body = {
        "storageProfile": {
            "imageReference": {"id": spec.image_id},
            "osDisk": {
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "managedDisk": {"storageAccountType": spec.os_disk_type, **encryption},
            },
        },
        "networkProfile": _network(spec),
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    if spec.login:
        profile["osProfile"] = {
            "computerNamePrefix": spec.computer_name_prefix,
            "adminUsername": spec.login.username,
            "linuxConfiguration": linux_configuration(spec.login),
        }
    if spec.security_type:
        profile["securityProfile"] = security_profile(spec.security_type)
    return profile


def _network(spec: ScaleSetSpec) -> Body:
    configurations: Body = {"networkInterfaceConfigurations": [_interface(spec)]}
    return {"networkApiVersion": NETWORK_API_VERSION, **configurations} if spec.ssh_pool_id is None else configurations


def _interface(spec: ScaleSetSpec) -> Body:
    configuration: Body = {
        "primary": True,
        "subnet": {"id": spec.subnet_id},
        "loadBalancerBackendAddressPools": [{"id": spec.backend_pool_id}],
    }
    if spec.ssh_pool_id:
        configuration["loadBalancerInboundNatPools"] = [{"id": spec.ssh_pool_id}]
    return {
        "name": spec.interface_name,
        "properties": {
            "primary": True,
            "networkSecurityGroup": {"id": spec.security_group_id},
            "ipConfigurations": [{"name": "primary", "properties": configuration}],
        },
    }
