"""A resource group to make network resources in, through the real SDK."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError

from verified_images.emulator.ids import ResourceId
from verified_images.emulator.network.interfaces import attach
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from collections.abc import Callable

    from azure.core.pipeline import PipelineResponse

    from tests.emulator.clients import Clients
    from tests.emulator.network.machines import Machines
    from verified_images.emulator.cloud import Cloud

LOCATION = "westeurope"

Json = Any
"""A body as the SDK gives it: a mapping in wire shape."""


@dataclass
class FirstAnswer:
    """What the first answer of a call was; give it as ``raw_response_hook``."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None

    def __call__(self, response: PipelineResponse[Any, Any]) -> None:
        if not self.status:
            answer = response.http_response
            self.status, self.headers = (
                answer.status_code,
                {name.lower(): value for name, value in answer.headers.items()},
            )
            content = answer.read()
            self.body = json.loads(content) if content else None


@dataclass
class Place:
    """Group ``g``, and short ways to fill it."""

    azure: Clients
    machines: Machines

    @property
    def cloud(self) -> Cloud:
        return self.azure.cloud.cloud

    def id(self, kind: str, name: str) -> str:
        subscription = self.azure.cloud.account.subscription_id
        return f"/subscriptions/{subscription}/resourceGroups/g/providers/Microsoft.Network/{kind}/{name}"

    @property
    def subnet(self) -> str:
        return self.id("virtualNetworks", "vnet") + "/subnets/default"

    def make_network(self, *prefixes: str, **properties: object) -> Json:
        subnets = [
            {
                "name": "default" if not number else f"subnet{number}",
                "properties": {"addressPrefix": prefix, **properties},
            }
            for number, prefix in enumerate(prefixes or ("10.0.0.0/24",))
        ]
        body: Json = {
            "location": LOCATION,
            "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}, "subnets": subnets},
        }
        return self.azure.network.virtual_networks.begin_create_or_update("g", "vnet", body).result()

    def make_group(self, *rules: dict[str, Any], name: str = "nsg") -> str:
        body: Json = {"location": LOCATION, "properties": {"securityRules": list(rules)}}
        self.azure.network.network_security_groups.begin_create_or_update("g", name, body).result()
        return self.id("networkSecurityGroups", name)

    def make_address(self, name: str = "ip", *, sku: str = "Standard", **properties: object) -> str:
        method = "Static" if sku == "Standard" else "Dynamic"
        body: Json = {
            "location": LOCATION,
            "sku": {"name": sku},
            "properties": {"publicIPAllocationMethod": method, **properties},
        }
        self.azure.network.public_ip_addresses.begin_create_or_update("g", name, body).result()
        return self.id("publicIPAddresses", name)

    def read_address(self, name: str = "ip") -> str:
        address = self.azure.network.public_ip_addresses.get("g", name)
        return str(address["properties"].get("ipAddress"))

    def make_interface(self, name: str = "nic", *, group: str | None = None, **configuration: object) -> Json:
        properties: dict[str, Any] = {
            "ipConfigurations": [{"name": "primary", "properties": {"subnet": {"id": self.subnet}, **configuration}}]
        }
        if group:
            properties["networkSecurityGroup"] = {"id": group}
        body: Json = {"location": LOCATION, "properties": properties}
        return self.azure.network.network_interfaces.begin_create_or_update("g", name, body).result()

    def make_balancer(self, name: str = "lb", *, sku: str = "Standard", **properties: object) -> Json:
        body: Json = {"location": LOCATION, "sku": {"name": sku}, "properties": properties}
        return self.azure.network.load_balancers.begin_create_or_update("g", name, body).result()

    def balancer_part(self, collection: str, name: str) -> dict[str, str]:
        return {"id": f"{self.id('loadBalancers', 'lb')}/{collection}/{name}"}

    def make_machine(self, name: str, interface: str = "nic") -> str:
        """Put a virtual machine into the store, as compute does, and tie an interface to it."""
        text = self.id("x", name).replace("Microsoft.Network/x", "Microsoft.Compute/virtualMachines")
        self.cloud.store.put(Resource(ResourceId.parse(text), {"id": text, "name": name}, {"guest": name}))
        attach(self.cloud, self.id("networkInterfaces", interface), text)
        return text

    def make_instances(self, *names: str, configuration: dict[str, Any], scale_set: str = "ss") -> None:
        """Put a scale set with an interface for each instance into the store, as compute does."""
        base = self.id("x", scale_set).replace("Microsoft.Network/x", "Microsoft.Compute/virtualMachineScaleSets")
        model = {"networkProfile": {"references": configuration["model"]}}
        self.cloud.store.put(
            Resource(ResourceId.parse(base), {"id": base, "properties": {"virtualMachineProfile": model}})
        )
        for index, name in enumerate(names):
            machine = f"{base}/virtualMachines/{name}"
            interface = ResourceId.parse(f"{machine}/networkInterfaces/nic")
            properties = {
                "subnet": {"id": self.subnet},
                "privateIPAddress": f"10.0.0.{index + 20}",
                **{key: value(name) for key, value in configuration["instance"].items()},
            }
            body = {
                "id": str(interface),
                "properties": {
                    "ipConfigurations": [{"name": "primary", "properties": properties}],
                    "virtualMachine": {"id": machine},
                    **configuration.get("interface", {}),
                },
            }
            self.cloud.store.put(Resource(ResourceId.parse(machine), {"id": machine}, {"guest": f"{scale_set}-{name}"}))
            self.cloud.store.put(Resource(interface, body))


def rule(priority: int, port: str = "22", **properties: object) -> dict[str, Any]:
    """Make an inbound rule that admits TCP from everywhere, unless told otherwise."""
    return {
        "name": f"rule{priority}{properties.get('direction', '')}",
        "properties": {
            "priority": priority,
            "direction": "Inbound",
            "access": "Allow",
            "protocol": "Tcp",
            "sourcePortRange": "*",
            "sourceAddressPrefix": "*",
            "destinationPortRange": port,
            "destinationAddressPrefix": "*",
            **properties,
        },
    }


def refusal(call: Callable[[], Any]) -> tuple[int, str, str]:
    """Give status, code and message of the error that a call ends in."""
    with pytest.raises(HttpResponseError) as refused:
        call()
    error = refused.value.error
    assert error is not None
    return int(refused.value.status_code or 0), str(error.code), str(error.message)
