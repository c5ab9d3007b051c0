"""Frontends of load balancers: the address, public or private, that clients connect to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.network.addresses import allocate_address
from verified_images.emulator.network.balancer_rules import ids
from verified_images.emulator.network.kind import require
from verified_images.emulator.network.nat import shown_rules
from verified_images.emulator.network.part import Part, canonical
from verified_images.emulator.network.public_ip_addresses import check_free
from verified_images.emulator.network.references import refers_to

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_READ_ONLY = {"loadBalancingRules", "inboundNatRules", "inboundNatPools", "outboundRules"}
_PATH = "properties.frontendIPConfigurations[].properties"


class FrontendIPConfigurations(Part):
    """The frontends of a load balancer."""

    collection: ClassVar[str] = "frontendIPConfigurations"

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check what is referred to and take a private address for an internal frontend."""
        properties = {key: value for key, value in given.items() if key not in _READ_ONLY}
        owner = f"{parent.id}/frontendIPConfigurations/{name}"
        properties["privateIPAllocationMethod"] = canonical(
            given.get("privateIPAllocationMethod", "Dynamic"), ("Static", "Dynamic")
        )
        if "publicIPAddress" in given:
            self._check_public(cloud, parent, owner, given["publicIPAddress"])
            properties["publicIPAddress"] = {"id": given["publicIPAddress"]["id"]}
        elif "publicIPPrefix" in given:
            path = f"{_PATH}.publicIPPrefix"
            target = require(cloud, parent, given["publicIPPrefix"], path=path, kind="publicIPPrefixes")
            properties["publicIPPrefix"] = {"id": target}
        elif "subnet" in given:
            self._take_private(cloud, parent, owner, properties, existing)
        else:
            raise network_error(
                400,
                "FrontendIPConfigurationMustReferenceSubnetOrPublicIP",
                f"Frontend IP configuration {owner} must reference either a subnet or a public IP address.",
            )
        if "subnet" not in properties:
            properties.pop("privateIPAddress", None)
        properties.setdefault("privateIPAddressVersion", "IPv4")
        return properties

    def _check_public(self, cloud: Cloud, parent: Resource, owner: str, reference: dict[str, Any]) -> None:
        address_id = require(cloud, parent, reference, path=f"{_PATH}.publicIPAddress", kind="publicIPAddresses")
        check_free(cloud, address_id, owner)
        address = cloud.store.find(address_id)
        own, other = parent.body["sku"]["name"], address.body["sku"]["name"] if address else ""
        if own != other:
            raise network_error(
                400,
                "PublicIPAndLBSkuDoNotMatch",
                f"{own} sku load balancer {parent.id} cannot reference {other} sku publicIP {address_id}.",
            )

    def _take_private(
        self, cloud: Cloud, parent: Resource, owner: str, properties: dict[str, Any], existing: dict[str, Any] | None
    ) -> None:
        subnet = require(cloud, parent, properties["subnet"], path=f"{_PATH}.subnet", kind="subnets")
        properties["subnet"] = {"id": subnet}
        wanted = properties.pop("privateIPAddress", None)
        if properties["privateIPAllocationMethod"] == "Dynamic":
            before = (existing or {}).get("properties", {})
            wanted = before.get("privateIPAddress") if refers_to(before.get("subnet"), subnet) else None
        properties["privateIPAddress"] = allocate_address(cloud, subnet, wanted, owner=owner)

    def back_references(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Give the rules of the frontend."""
        found = {
            "loadBalancingRules": parent.properties["loadBalancingRules"],
            "inboundNatRules": shown_rules(cloud, parent),
            "inboundNatPools": parent.properties["inboundNatPools"],
        }
        shown = {
            name: ids(rule for rule in rules if refers_to(rule["properties"]["frontendIPConfiguration"], item["id"]))
            for name, rules in found.items()
        }
        shown["outboundRules"] = ids(
            rule
            for rule in parent.properties["outboundRules"]
            if refers_to(rule["properties"]["frontendIPConfigurations"], item["id"])
        )
        return {name: rules for name, rules in shown.items() if rules}


def in_subnets(balancer: Resource) -> set[str]:
    """Give the names, in lower case, of the frontends with a private address."""
    frontends = balancer.properties["frontendIPConfigurations"]
    return {frontend["name"].lower() for frontend in frontends if "subnet" in frontend["properties"]}
