"""Uniform scale sets and their instances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.cloud.compute import (
    command_body,
    download_serial_log,
    finish_run_command,
    linux_configuration,
    security_profile,
)
from verified_images.cloud.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verified_images.cloud.compute import Login
    from verified_images.cloud.operations import Arm, Body
    from verified_images.cloud.place import Place


@dataclass(frozen=True, slots=True)
class ScaleSetSpec:
    """A scale set as it is to be made; the ids are of resources that exist."""

    name: str
    size: str
    instances: int
    image_id: str
    login: Login
    computer_name_prefix: str
    os_disk_type: str
    interface_name: str
    subnet_id: str
    security_group_id: str
    backend_pool_id: str
    ssh_pool_id: str
    security_type: str | None = None
    purchase_plan: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class InstanceState:
    """What ARM tells of an instance: its own ARM name (the "instance id"), and whether it is up."""

    number: str
    id: str
    name: str
    host_name: str
    provisioning: str
    power: str

    @property
    def is_ready(self) -> bool:
        """Whether Azure calls the instance provisioned and running."""
        return self.provisioning == "Succeeded" and self.power == "running"

    def __str__(self) -> str:
        return f"{self.name} {self.provisioning}, {self.power or 'no power state'}"


def create_scale_set(arm: Arm, place: Place, spec: ScaleSetSpec) -> None:
    """Make a scale set; its instances may still be on their way when this returns."""
    body = scale_set_body(place, spec)
    scale_sets = arm.connection.compute.virtual_machine_scale_sets
    arm.run(
        "create scale set",
        spec.name,
        lambda: scale_sets.begin_create_or_update(place.group, spec.name, body),
    )


def delete_scale_set(arm: Arm, scale_set_id: str) -> None:
    """Delete a scale set with its instances."""
    parsed = parse_id(scale_set_id)
    scale_sets = arm.connection.compute.virtual_machine_scale_sets
    arm.run("delete scale set", parsed.name, lambda: scale_sets.begin_delete(parsed.group, parsed.name))


def list_instances(arm: Arm, group: str, name: str) -> Sequence[InstanceState]:
    """Return the instances of a scale set, in the order of their numbers."""
    instances = arm.connection.compute.virtual_machine_scale_set_vms
    found = arm.call("list instances of", name, lambda: list(instances.list(group, name, expand="instanceView")))
    return sorted((_state(item) for item in found), key=lambda state: (len(state.number), state.number))


def list_private_addresses(arm: Arm, group: str, name: str) -> Mapping[str, str]:
    """Return the private address of each instance of a scale set, by the instance's number."""
    interfaces = arm.connection.network.network_interfaces
    found = arm.call(
        "list network interfaces of",
        name,
        lambda: list(interfaces.list_virtual_machine_scale_set_network_interfaces(group, name)),
    )
    return {
        instance_of(str(item["id"])): str(item["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"])
        for item in found
    }


def fetch_instance_log(arm: Arm, group: str, name: str, number: str) -> str:
    """Return what an instance has written to its serial console, as far as Azure has it by now."""
    instances = arm.connection.compute.virtual_machine_scale_set_vms
    links = arm.call(
        "get serial log of",
        f"{name}_{number}",
        lambda: instances.retrieve_boot_diagnostics_data(group, name, number),
    )
    return download_serial_log(arm, links.get("serialConsoleLogBlobUri"))


def run_instance_command(arm: Arm, group: str, name: str, number: str, script: list[str]) -> str:
    """Run shell lines as root by an instance's agent and return the agent's message."""
    instances = arm.connection.compute.virtual_machine_scale_set_vms
    return finish_run_command(
        arm,
        f"{name}_{number}",
        lambda: instances.begin_run_command(group, name, number, command_body(script)),
    )


def instance_of(child_id: str) -> str:
    """Return the number of the instance that a network interface, or a part of one, belongs to."""
    return parse_id(child_id).names[1]


def scale_set_body(place: Place, spec: ScaleSetSpec) -> Body:
    """Return the body of the request that makes the scale set."""
    body: Body = {
        "location": place.location,
        "tags": dict(place.tags),
        "sku": {"name": spec.size, "tier": "Standard", "capacity": spec.instances},
        "properties": {
            "orchestrationMode": "Uniform",
            # Overprovisioning makes instances that vanish again, and a smoke test would meet them.
            "overprovision": False,
            "singlePlacementGroup": True,
            "upgradePolicy": {"mode": "Manual"},
            "virtualMachineProfile": _profile(spec),
        },
    }
    if spec.purchase_plan:
        body["plan"] = dict(spec.purchase_plan)
    return body


def _profile(spec: ScaleSetSpec) -> Body:
    profile: Body = {
        "osProfile": {
            "computerNamePrefix": spec.computer_name_prefix,
            "adminUsername": spec.login.username,
            "linuxConfiguration": linux_configuration(spec.login),
        },
        "storageProfile": {
            "imageReference": {"id": spec.image_id},
            "osDisk": {
                "createOption": "FromImage",
                "caching": "ReadWrite",
                "managedDisk": {"storageAccountType": spec.os_disk_type},
            },
        },
        "networkProfile": {"networkInterfaceConfigurations": [_interface(spec)]},
        "diagnosticsProfile": {"bootDiagnostics": {"enabled": True}},
    }
    if spec.security_type:
        profile["securityProfile"] = security_profile(spec.security_type)
    return profile


def _interface(spec: ScaleSetSpec) -> Body:
    return {
        "name": spec.interface_name,
        "properties": {
            "primary": True,
            "networkSecurityGroup": {"id": spec.security_group_id},
            "ipConfigurations": [
                {
                    "name": "primary",
                    "properties": {
                        "primary": True,
                        "subnet": {"id": spec.subnet_id},
                        "loadBalancerBackendAddressPools": [{"id": spec.backend_pool_id}],
                        "loadBalancerInboundNatPools": [{"id": spec.ssh_pool_id}],
                    },
                }
            ],
        },
    }


def _state(item: Mapping[str, Any]) -> InstanceState:
    properties = item["properties"]
    statuses: list[Mapping[str, Any]] = (properties.get("instanceView") or {}).get("statuses") or []
    codes = [str(status.get("code") or "").partition("/") for status in statuses]
    return InstanceState(
        number=str(item["instanceId"]),
        id=str(item["id"]),
        name=str(item["name"]),
        host_name=str((properties.get("osProfile") or {}).get("computerName") or ""),
        provisioning=str(properties.get("provisioningState") or ""),
        power=next((value for kind, _, value in codes if kind == "PowerState"), ""),
    )
