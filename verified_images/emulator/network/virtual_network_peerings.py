"""Peerings of virtual networks: connected once both sides have one."""

from __future__ import annotations

import uuid
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.ids import ResourceId
from verified_images.emulator.network.addresses import missing_reference
from verified_images.emulator.network.lookup import id_of
from verified_images.emulator.network.part import Part, invalid_format
from verified_images.emulator.network.references import refers_to

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_DERIVED = {
    "peeringState",
    "peeringSyncLevel",
    "remoteAddressSpace",
    "remoteVirtualNetworkAddressSpace",
    "localAddressSpace",
    "localVirtualNetworkAddressSpace",
}


class VirtualNetworkPeerings(Part):
    """The peerings of a virtual network. A PUT of the network that does not speak of them leaves them alone."""

    collection: ClassVar[str] = "virtualNetworkPeerings"
    writable: ClassVar[bool] = True
    kept_when_absent: ClassVar[bool] = True
    retry_write: ClassVar[int | None] = 10

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check the other side: a virtual network that shares no addresses with this one."""
        owner = f"{parent.id}/{self.collection}/{name}"
        remote = _remote(cloud, given.get("remoteVirtualNetwork"), owner)
        _check_overlap(parent, remote, owner)
        if existing and not refers_to(existing["properties"]["remoteVirtualNetwork"], str(remote.id)):
            raise network_error(
                400,
                "ChangingRemoteVirtualNetworkNotAllowed",
                f"Remote virtual network of peering {owner} cannot be changed.",
            )
        guids = sorted((parent.properties["resourceGuid"], remote.properties["resourceGuid"]))
        return {
            "resourceGuid": str(uuid.uuid5(uuid.NAMESPACE_OID, " ".join(guids))),
            "peeringState": "Initiated",
            "peeringSyncLevel": "RemoteNotInSync",
            "allowVirtualNetworkAccess": True,
            "allowForwardedTraffic": False,
            "allowGatewayTransit": False,
            "useRemoteGateways": False,
            "doNotVerifyRemoteGateways": False,
            "peerCompleteVnets": True,
            **{key: value for key, value in given.items() if key not in _DERIVED},
            "remoteVirtualNetwork": {"id": str(remote.id)},
            "routeServiceVips": {},
        }

    def back_references(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Give the addresses of the other side, and whether it has a peering with this one."""
        remote = cloud.store.find(id_of(item["properties"]["remoteVirtualNetwork"]))
        if remote is None:
            return {"peeringState": "Disconnected", "peeringSyncLevel": "RemoteNotInSync"}
        space = _space(remote)
        shown: dict[str, Any] = {"remoteAddressSpace": space, "remoteVirtualNetworkAddressSpace": space}
        if not item["properties"]["peerCompleteVnets"]:
            shown |= {"localAddressSpace": _space(parent), "localVirtualNetworkAddressSpace": _space(parent)}
        if item["properties"]["peeringState"] == "Initiated" and _back(remote, parent):
            shown |= {"peeringState": "Connected", "peeringSyncLevel": "FullyInSync"}
        return shown

    def release(self, cloud: Cloud, item: dict[str, Any]) -> None:
        """Let the other side of a peering that goes away know that it is alone."""
        parent = ResourceId.parse(item["id"]).parent
        with cloud.store.changing(id_of(item["properties"]["remoteVirtualNetwork"])) as remote:
            for other in _peerings(remote) if remote else ():
                if refers_to(other["properties"]["remoteVirtualNetwork"], str(parent)):
                    other["properties"]["peeringState"] = "Disconnected"


def peered_networks(cloud: Cloud, network: Resource) -> list[Resource]:
    """Give the virtual networks that one is connected with, and both sides of which allow access."""
    found = []
    for peering in _peerings(network):
        properties = peering["properties"]
        remote = cloud.store.find(id_of(properties["remoteVirtualNetwork"]))
        if remote and properties["peeringState"] == "Initiated" and _back(remote, network):
            sides = (peering, *(other for other in _peerings(remote) if _leads_to(other, network)))
            if all(side["properties"]["allowVirtualNetworkAccess"] for side in sides):
                found.append(remote)
    return found


def _remote(cloud: Cloud, reference: Any, owner: str) -> Resource:  # noqa: ANN401 - any JSON value
    target = id_of(reference)
    if not target:
        raise invalid_format(
            "MissingJsonReferenceId", "Value for reference id is missing. Path properties.remoteVirtualNetwork."
        )
    remote = cloud.store.find(target)
    if remote is None or remote.id.type.lower() != "microsoft.network/virtualnetworks":
        raise network_error(400, "InvalidResourceReference", missing_reference(target, owner))
    return remote


def _check_overlap(parent: Resource, remote: Resource, owner: str) -> None:
    for own in parent.properties["addressSpace"]["addressPrefixes"]:
        for other in remote.properties["addressSpace"]["addressPrefixes"]:
            if ip_network(own).overlaps(ip_network(other)):
                raise network_error(
                    400,
                    "VnetAddressSpacesOverlap",
                    f"Cannot create or update peering {owner}. Virtual networks {parent.id} and {remote.id} cannot be "
                    f"peered because their address spaces overlap. Overlapping address prefixes: {own}, {other}",
                )


def _space(network: Resource) -> dict[str, Any]:
    space = network.properties["addressSpace"]
    return {name: space[name] for name in ("addressPrefixes", "ipamPoolPrefixAllocations")}


def _peerings(network: Resource) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = network.properties.get("virtualNetworkPeerings") or []
    return found


def _back(remote: Resource, parent: Resource) -> bool:
    return any(
        _leads_to(other, parent) and other["properties"]["peeringState"] == "Initiated" for other in _peerings(remote)
    )


def _leads_to(peering: dict[str, Any], network: Resource) -> bool:
    return refers_to(peering["properties"]["remoteVirtualNetwork"], str(network.id))
