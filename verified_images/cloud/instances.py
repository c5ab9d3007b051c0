"""The instances of a scale set, in either orchestration mode, as whoever waits for them and logs into them needs them.

Those of a uniform scale set are known by numbers and belong to it alone; those of a flexible one are virtual machines
with names, cards and logs of their own.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

from verified_images.cloud.compute import (
    command_body,
    download_serial_log,
    fetch_serial_log,
    finish_run_command,
    run_command,
)
from verified_images.cloud.ids import parse_id, same_id
from verified_images.cloud.load_balancers import BACKEND_POOL
from verified_images.cloud.network import SSH_PORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from verified_images.cloud.operations import Arm
    from verified_images.cloud.place import Place

Orchestration = Literal["uniform", "flexible"]


@dataclass(frozen=True, slots=True)
class InstanceState:
    """What ARM tells of an instance: what its scale set calls it (the "instance id"), and whether it is up."""

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


class Instances(Protocol):
    """The instances of one scale set behind one load balancer; each call asks ARM anew."""

    def read_states(self) -> Sequence[InstanceState]:
        """Return the instances, in the order of their numbers or names."""

    def read_private_addresses(self) -> Mapping[str, str]:
        """Return the private address of each instance, by its number."""

    def read_ssh_ports(self) -> Mapping[str, int]:
        """Return the load balancer's port that leads to each instance's SSH server, by the instance's number."""

    def fetch_log(self, number: str) -> str:
        """Return what an instance has written to its serial console, as far as Azure has it by now."""

    def run_command(self, number: str, script: list[str]) -> str:
        """Run shell lines as root by an instance's agent and return the agent's message."""


def instances_behind(  # noqa: PLR0913 - where a scale set is, and how it is reached
    arm: Arm, place: Place, scale_set: str, balancer: str, orchestration: Orchestration, *, ssh_port: int = SSH_PORT
) -> Instances:
    """Return the instances of a scale set of an orchestration mode, behind a load balancer, by their names."""
    kind = FlexibleInstances if orchestration == "flexible" else UniformInstances
    return kind(arm, place, scale_set, balancer, ssh_port)


@dataclass(frozen=True, slots=True)
class UniformInstances:
    """The instances of a uniform scale set."""

    arm: Arm
    place: Place
    scale_set: str
    balancer: str
    ssh_port: int = SSH_PORT

    def read_states(self) -> Sequence[InstanceState]:
        """Return the instances, in the order of their numbers."""
        instances, group = self.arm.connection.compute.virtual_machine_scale_set_vms, self.place.group
        found = self.arm.call(
            "list instances of",
            self.scale_set,
            lambda: list(instances.list(group, self.scale_set, expand="instanceView")),
        )
        return sorted((_state(item) for item in found), key=lambda state: (len(state.number), state.number))

    def read_private_addresses(self) -> Mapping[str, str]:
        """Return the private address of each instance, by its number."""
        interfaces, group = self.arm.connection.network.network_interfaces, self.place.group
        found = self.arm.call(
            "list network interfaces of",
            self.scale_set,
            lambda: list(interfaces.list_virtual_machine_scale_set_network_interfaces(group, self.scale_set)),
        )
        return {_instance_of(str(item["id"])): _address_of(item) for item in found}

    def read_ssh_ports(self) -> Mapping[str, int]:
        """Return the load balancer's ports: each instance has an inbound NAT rule that its pool made."""
        balancers, group = self.arm.connection.network.load_balancers, self.place.group
        answer = self.arm.call("get load balancer", self.balancer, lambda: balancers.get(group, self.balancer))
        rules: list[Mapping[str, Any]] = answer["properties"].get("inboundNatRules") or []
        return {
            _instance_of(str(target["id"])): int(rule["properties"]["frontendPort"])
            for rule in rules
            if (target := rule["properties"].get("backendIPConfiguration"))
            and int(rule["properties"]["backendPort"]) == self.ssh_port
        }

    def fetch_log(self, number: str) -> str:
        """Return what an instance has written to its serial console."""
        instances, group = self.arm.connection.compute.virtual_machine_scale_set_vms, self.place.group
        links = self.arm.call(
            "get serial log of",
            f"{self.scale_set}_{number}",
            lambda: instances.retrieve_boot_diagnostics_data(group, self.scale_set, number),
        )
        return download_serial_log(self.arm, links.get("serialConsoleLogBlobUri"))

    def run_command(self, number: str, script: list[str]) -> str:
        """Run shell lines as root by an instance's agent."""
        instances, group = self.arm.connection.compute.virtual_machine_scale_set_vms, self.place.group
        return finish_run_command(
            self.arm,
            f"{self.scale_set}_{number}",
            lambda: instances.begin_run_command(group, self.scale_set, number, command_body(script)),
        )


@dataclass(frozen=True, slots=True)
class FlexibleInstances:
    """The instances of a flexible scale set, which are virtual machines of its group."""

    arm: Arm
    place: Place
    scale_set: str
    balancer: str
    ssh_port: int = SSH_PORT

    def read_states(self) -> Sequence[InstanceState]:
        """Return the instances, in the order of their names."""
        machines, group = self.arm.connection.compute.virtual_machines, self.place.group
        states = []
        for item in self._machines():
            name = str(item["name"])
            view = self.arm.call("get state of", name, functools.partial(machines.instance_view, group, name))
            states.append(_state({**item, "instanceId": name}, view))
        return sorted(states, key=lambda state: state.number)

    def _machines(self) -> Sequence[Mapping[str, Any]]:
        machines, group = self.arm.connection.compute.virtual_machines, self.place.group
        wanted = self.place.compute_id("virtualMachineScaleSets", self.scale_set)
        found = self.arm.call("list virtual machines in", group, lambda: list(machines.list(group)))
        return [item for item in found if same_id(_scale_set_of(item), wanted)]

    def _interfaces(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Give the network cards in the group that belong to a machine, with the machine's name."""
        interfaces, group = self.arm.connection.network.network_interfaces, self.place.group
        for item in self.arm.call("list network interfaces in", group, lambda: list(interfaces.list(group))):
            if machine := item["properties"].get("virtualMachine"):
                yield parse_id(str(machine["id"])).name, item

    def read_private_addresses(self) -> Mapping[str, str]:
        """Return the private address of each instance, by its name."""
        return {name: _address_of(item) for name, item in self._interfaces()}

    def read_ssh_ports(self) -> Mapping[str, int]:
        """Return the load balancer's ports, which the backend pool tells of each card that is in it."""
        pools, group = self.arm.connection.network.load_balancer_backend_address_pools, self.place.group
        pool = self.arm.call(
            "get backend pool of", self.balancer, lambda: pools.get(group, self.balancer, BACKEND_POOL)
        )
        owners = {
            str(configuration["id"]).lower(): name
            for name, item in self._interfaces()
            for configuration in item["properties"]["ipConfigurations"]
        }
        ports = {}
        for member in pool["properties"].get("loadBalancerBackendAddresses") or []:
            target = member["properties"].get("networkInterfaceIPConfiguration") or {}
            owner = owners.get(str(target.get("id")).lower())
            for mapping in member["properties"].get("inboundNatRulesPortMapping") or []:
                if owner and int(mapping["backendPort"]) == self.ssh_port:
                    ports[owner] = int(mapping["frontendPort"])
        return ports

    def fetch_log(self, number: str) -> str:
        """Return what an instance has written to its serial console."""
        return fetch_serial_log(self.arm, self.place.group, number)

    def run_command(self, number: str, script: list[str]) -> str:
        """Run shell lines as root by an instance's agent."""
        return run_command(self.arm, self.place.group, number, script)


def _scale_set_of(machine: Mapping[str, Any]) -> str:
    return str((machine["properties"].get("virtualMachineScaleSet") or {}).get("id") or "")


def _instance_of(child_id: str) -> str:
    """Return the number of the instance that a network interface, or a part of one, belongs to."""
    return parse_id(child_id).names[1]


def _address_of(interface: Mapping[str, Any]) -> str:
    return str(interface["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"])


def _state(item: Mapping[str, Any], view: Mapping[str, Any] | None = None) -> InstanceState:
    properties = item["properties"]
    shown = view if view is not None else properties.get("instanceView") or {}
    statuses: list[Mapping[str, Any]] = shown.get("statuses") or []
    codes = [str(status.get("code") or "").partition("/") for status in statuses]
    return InstanceState(
        number=str(item["instanceId"]),
        id=str(item["id"]),
        name=str(item["name"]),
        host_name=str((properties.get("osProfile") or {}).get("computerName") or ""),
        provisioning=str(properties.get("provisioningState") or ""),
        power=next((value for kind, _, value in codes if kind == "PowerState"), ""),
    )
