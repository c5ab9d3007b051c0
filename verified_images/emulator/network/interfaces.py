"""Network interfaces, and what ties one to a virtual machine."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.ids import same_id
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.network.addresses import missing_reference, new_mac
from verified_images.emulator.network.effective import answer_later, effective_groups, effective_routes
from verified_images.emulator.network.interface_configurations import (
    InterfaceConfigurations,
    addressing,
    check_configurations,
    readdressed,
)
from verified_images.emulator.network.kind import NetworkKind, require
from verified_images.emulator.network.lookup import id_of
from verified_images.emulator.network.part import as_object
from verified_images.emulator.network.references import INTERFACE, LOAD_BALANCER, ip_configurations
from verified_images.emulator.operations import NETWORK
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.network.part import Part
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Answer, Request

_MACHINE_OWNED = ("macAddress", "primary", "virtualMachine")
_READ_ONLY = {*_MACHINE_OWNED, "hostedWorkloads", "tapConfigurations", "vnetEncryptionSupported", "allowPort25Out"}
_ACCELERATED_SINCE = "2016-09-01"
_ASKED = "asked"
"""Where the api-version of the last write is noted, which decides how long that takes."""
_QUICK_UPDATES_SINCE = "2022-01-01"
_QUICK_CREATION_SINCE = "2022-11-01"
"""The api-versions since which a write that moves no traffic is done at once. Source: recorded answers."""
_ACCELERATION_UNSAID = {"eastus2euap", "westus"}
"""Where newer api-versions leave acceleration unsaid that was not asked for. Source: recorded answers."""
_DEFAULTS: dict[str, Any] = {
    "enableAcceleratedNetworking": False,
    "vnetEncryptionSupported": False,
    "enableIPForwarding": False,
    "disableTcpStateTracking": False,
    "hostedWorkloads": [],
    "tapConfigurations": [],
    "nicType": "Standard",
    "allowPort25Out": True,
    "auxiliaryMode": "None",
    "auxiliarySku": "None",
}


class NetworkInterfaces(NetworkKind):
    """Microsoft.Network/networkInterfaces."""

    type: ClassVar[str] = INTERFACE
    style: ClassVar[Style] = Style(NETWORK, created=(201, "Succeeded"), etag="network", retry_delete=10)
    parts: ClassVar[tuple[Part, ...]] = (InterfaceConfigurations(),)
    notified_updates_since: ClassVar[str] = "2021-08-01"

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Check what is referred to; what a virtual machine gave the interface stays."""
        resource.body["kind"] = "Regular"
        if "networkSecurityGroup" in given:
            group = require(
                cloud,
                resource,
                given["networkSecurityGroup"],
                path="properties.networkSecurityGroup",
                kind="networkSecurityGroups",
            )
            given["networkSecurityGroup"] = {"id": group}
        kept = (
            {name: existing.properties[name] for name in _MACHINE_OWNED if name in existing.properties}
            if (existing)
            else {}
        )
        return {
            **_DEFAULTS,
            **{key: value for key, value in given.items() if key not in _READ_ONLY},
            "dnsSettings": _dns(resource, as_object(given.get("dnsSettings"), "properties.dnsSettings")),
            **kept,
        }

    def check(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse configurations that contradict each other."""
        check_configurations(cloud, resource)

    def first_answer(self, resource: Resource, existing: Resource | None) -> tuple[int, str]:
        """Give status and state: only a change of what leads to machines takes its time."""
        status = self.style.updated[0] if existing else self.style.created[0]
        return status, "Updating" if existing and _moves_traffic(resource, existing) else "Succeeded"

    def is_synchronous(self, resource: Resource, existing: Resource | None) -> bool:
        """Tell whether a write is answered without an operation, as the newer api-versions do where none is needed."""
        asked = str(resource.hidden.get(_ASKED, ""))
        if existing is None:
            return asked >= _QUICK_CREATION_SINCE
        return asked >= _QUICK_UPDATES_SINCE and resource.state != "Updating"

    def dispose(self, cloud: Cloud, resource: Resource) -> None:
        """Delete the public addresses that were made for the interface, as those of a scale set's machine are."""
        super().dispose(cloud, resource)
        for identifier in resource.hidden.get("deleted_along") or []:
            if address := cloud.store.find(identifier):
                cloud.kinds[address.id.type.lower()].remove(cloud, address)

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of the configurations, the load balancers behind, and what holds in the end."""
        yield from super().more_routes()
        item = f"{self.collection_pattern()}/{{name}}"
        yield Route("GET", f"{item}/loadBalancers", self._list_balancers)
        yield Route("GET", f"{item}/tapConfigurations", self._list_taps)
        yield Route("POST", f"{item}/effectiveNetworkSecurityGroups", self._find_rules)
        yield Route("POST", f"{item}/effectiveRouteTable", self._find_routes)

    def _list_balancers(self, cloud: Cloud, request: Request) -> Answer:
        interface = self.find(cloud, request.id)
        targets = (
            id_of(target).partition(f"/{collection}/")[0]
            for found in ip_configurations(interface)
            for collection, name in (
                ("backendAddressPools", "loadBalancerBackendAddressPools"),
                ("inboundNatRules", "loadBalancerInboundNatRules"),
            )
            for target in found.properties.get(name) or ()
        )
        balancers = [found for target in dict.fromkeys(targets) if (found := cloud.store.find(target))]
        kind = cloud.kind_of(LOAD_BALANCER)
        return page(cloud, request, [kind.render(cloud, found, request) for found in balancers] if kind else [])

    def _list_taps(self, cloud: Cloud, request: Request) -> Answer:
        self.find(cloud, request.id)
        return page(cloud, request, [])

    def _find_rules(self, cloud: Cloud, request: Request) -> Answer:
        interface = self.find(cloud, request.id)
        return answer_later(
            cloud,
            request,
            interface,
            "effectiveNetworkSecurityGroups",
            lambda: effective_groups(cloud, interface),
        )

    def _find_routes(self, cloud: Cloud, request: Request) -> Answer:
        interface = self.find(cloud, request.id)
        return answer_later(
            cloud, request, interface, "effectiveRouteTable", lambda: effective_routes(cloud, interface)
        )

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Give the interface that a PUT leaves; acceleration that was not asked for is not said everywhere."""
        resource = super().complete(cloud, request, body, existing)
        resource.hidden[_ASKED] = request.api_version
        given = as_object(body.get("properties"), "properties").get("enableAcceleratedNetworking")
        unsaid = request.api_version >= _QUICK_UPDATES_SINCE and resource.location in _ACCELERATION_UNSAID
        if given is None and (unsaid or request.api_version < _ACCELERATED_SINCE):
            resource.properties.pop("enableAcceleratedNetworking")
        return resource

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while a virtual machine has the interface."""
        machine = id_of(resource.properties.get("virtualMachine"))
        if machine and cloud.store.find(machine):
            raise network_error(
                400,
                "NicInUse",
                f"Network Interface {resource.id} is used by existing resource {machine}. In order to delete the "
                "network interface, it must be dissociated from the resource. To learn more, see aka.ms/deletenic.",
            )


def _moves_traffic(resource: Resource, existing: Resource) -> bool:
    """Tell whether an update changes what leads to a machine.

    The older api-versions count every change of a machine's interface, and none of one without a machine.
    """
    if str(resource.hidden.get(_ASKED, "")) >= _QUICK_UPDATES_SINCE:
        return readdressed(resource, existing)
    return "virtualMachine" in existing.properties and addressing(resource) != addressing(existing)


def attach(cloud: Cloud, nic_id: str, vm_id: str, *, primary: bool = True) -> None:
    """Tie an interface to a virtual machine, which gives it a hardware address; doing so again changes nothing.

    Raises:
        ArmError: 400: there is no such interface, or another virtual machine has it.
    """
    with cloud.store.lock:
        nic = cloud.store.find(nic_id)
        if nic is None:
            raise network_error(400, "InvalidResourceReference", missing_reference(nic_id, vm_id))
        user = id_of(nic.properties.get("virtualMachine"))
        if user and not same_id(user, vm_id) and cloud.store.find(user):
            raise network_error(400, "NicInUse", f"Network Interface {nic.id} is used by existing resource {user}.")
        nic.properties["macAddress"] = nic.properties.get("macAddress") or new_mac()
        nic.properties["primary"] = primary
        nic.properties["virtualMachine"] = {"id": vm_id}
        nic.properties["dnsSettings"] = _dns(nic, nic.properties["dnsSettings"])
        NetworkInterfaces().stamp(nic)
        cloud.store.put(nic)


def detach(cloud: Cloud, nic_id: str) -> None:
    """Free an interface of its virtual machine; one that is free or does not exist is no error.

    It keeps its hardware address and has no domain of its own any more. Source: recorded answers.
    """
    with cloud.store.lock:
        nic = cloud.store.find(nic_id)
        if nic is not None and "virtualMachine" in nic.properties:
            for name in ("primary", "virtualMachine"):
                nic.properties.pop(name, None)
            nic.properties["dnsSettings"].pop("internalDomainNameSuffix", None)
            NetworkInterfaces().stamp(nic)
            cloud.store.put(nic)


def internal_suffix(group: ResourceId) -> str:
    """Give the domain of the internal host names of a group's interfaces."""
    digest = hashlib.sha256(str(group).lower().encode()).digest()
    return f"{base64.b32encode(digest).decode().lower()[:26]}.bx.internal.cloudapp.net"


def _dns(resource: Resource, given: dict[str, Any]) -> dict[str, Any]:
    suffix = internal_suffix(resource.id.group_id)
    settings: dict[str, Any] = {"dnsServers": given.get("dnsServers") or [], "appliedDnsServers": []}
    if label := given.get("internalDnsNameLabel"):
        settings |= {"internalDnsNameLabel": label, "internalFqdn": f"{label}.{suffix}"}
    return {**settings, "internalDomainNameSuffix": suffix}
