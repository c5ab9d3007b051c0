"""IP configurations of network interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.network.addresses import allocate_address
from verified_images.emulator.network.kind import require
from verified_images.emulator.network.lookup import find_part, id_of
from verified_images.emulator.network.part import Part, canonical
from verified_images.emulator.network.public_ip_addresses import check_free
from verified_images.emulator.network.references import ip_configurations, refers_to
from verified_images.emulator.network.subnets import balanced_by, nat_gateway_needs_standard

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_GROUPS = "applicationSecurityGroups"
_BALANCING = ("loadBalancerBackendAddressPools", "loadBalancerInboundNatRules")
_ADDRESSING = ("privateIPAddress", "privateIPAllocationMethod", "subnet", *_BALANCING)
_PATH = "properties.ipConfigurations[].properties"


class InterfaceConfigurations(Part):
    """The IP configurations of an interface: addresses, and what leads to them."""

    collection: ClassVar[str] = "ipConfigurations"

    def make_all(self, cloud: Cloud, parent: Resource, given: Any, existing: Resource | None) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON value
        """Give the configurations; the first is the primary one when none says so."""
        if not given:
            raise network_error(
                400,
                "NetworkInterfaceMustHaveAtLeastOneIpConfiguration",
                f"Network interface {parent.id} must have at least one IP configuration.",
            )
        made = super().make_all(cloud, parent, given, existing)
        primary = [item for item in made if item["properties"].get("primary")] or made[:1]
        if len(primary) > 1:
            raise network_error(
                400,
                "NetworkInterfaceMustHaveOnePrimaryIpConfiguration",
                f"Network interface {parent.id} must have exactly one primary IP configuration.",
            )
        for item in made:
            item["properties"]["primary"] = item is primary[0]
            self._give_address(cloud, parent, item, made)
        return made

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check what is referred to, and keep a dynamic address that there is."""
        if "subnet" not in given:
            raise network_error(
                400,
                "SubnetIsRequired",
                f"Subnet for IP configuration {parent.id}/ipConfigurations/{name} must be specified.",
            )
        properties = dict(given)
        properties["subnet"] = {"id": require(cloud, parent, given["subnet"], path=f"{_PATH}.subnet", kind="subnets")}
        method = canonical(given.get("privateIPAllocationMethod", "Dynamic"), ("Static", "Dynamic"))
        properties["privateIPAllocationMethod"] = method
        if properties.setdefault("privateIPAddressVersion", "IPv4") != "IPv4":
            raise network_error(400, "IPv6NotSupported", "IPv6 addresses are not supported by the local Azure.")
        if method == "Dynamic":
            properties.pop("privateIPAddress", None)
            if existing and refers_to(existing["properties"]["subnet"], properties["subnet"]["id"]):
                properties["privateIPAddress"] = existing["properties"]["privateIPAddress"]
        elif not given.get("privateIPAddress"):
            raise network_error(
                400,
                "StaticIPAddressIsRequired",
                "Private IP address must be specified for the static allocation of "
                f"{parent.id}/ipConfigurations/{name}.",
            )
        if "publicIPAddress" in given:
            address = require(
                cloud, parent, given["publicIPAddress"], path=f"{_PATH}.publicIPAddress", kind="publicIPAddresses"
            )
            check_free(cloud, address, f"{parent.id}/ipConfigurations/{name}")
            properties["publicIPAddress"] = {"id": address}
        for key in _BALANCING:
            if key in given:
                targets = [
                    require(cloud, parent, target, path=f"{_PATH}.{key}[]", kind=key.removeprefix("loadBalancer"))
                    for target in given[key]
                ]
                properties[key] = [{"id": target} for target in targets]
        if _GROUPS in given:
            properties[_GROUPS] = [
                {"id": require(cloud, parent, target, path=f"{_PATH}.{_GROUPS}[]", kind=_GROUPS)}
                for target in given[_GROUPS]
            ]
        return {key: value for key, value in properties.items() if value != []}

    def _give_address(self, cloud: Cloud, parent: Resource, item: dict[str, Any], made: list[dict[str, Any]]) -> None:
        properties, subnet = item["properties"], id_of(item["properties"]["subnet"])
        if properties["privateIPAllocationMethod"] == "Dynamic" and "privateIPAddress" in properties:
            return
        promised = {
            other["properties"].get("privateIPAddress", "")
            for other in made
            if other is not item and refers_to(other["properties"]["subnet"], subnet)
        }
        properties["privateIPAddress"] = allocate_address(
            cloud,
            subnet,
            properties.get("privateIPAddress"),
            owner=f"{parent.id}/ipConfigurations/{item['name']}",
            besides=promised,
        )


def addressing(interface: Resource) -> list[dict[str, Any]]:
    """Give what of a machine's interface takes time to change: addresses, load balancing, acceleration."""
    keys = (*_ADDRESSING, "publicIPAddress")
    shown = [{key: found.properties.get(key) for key in keys} for found in ip_configurations(interface)]
    return [*shown, {"accelerated": interface.properties.get("enableAcceleratedNetworking")}]


def readdressed(interface: Resource, before: Resource) -> bool:
    """Tell whether a configuration that stays gets other addresses, load balancing or groups.

    Those that come or go do not count. Source: recorded answers.
    """
    old = {found.body["name"].lower(): found.properties for found in ip_configurations(before)}
    return any(
        found.properties.get(key) != old[found.body["name"].lower()].get(key)
        for found in ip_configurations(interface)
        if found.body["name"].lower() in old
        for key in (*_ADDRESSING, _GROUPS)
    )


def check_configurations(cloud: Cloud, interface: Resource) -> None:
    """Refuse with ArmError an interface that joins a Basic load balancer and a Standard public address, or reverse."""
    by_sku: dict[str, str] = {}
    for configuration in ip_configurations(interface):
        subnet = find_part(cloud, id_of(configuration.properties.get("subnet"))) or {"properties": {}}
        for found in balanced_by(cloud, configuration):
            sku = str((found.body.get("sku") or {}).get("name"))
            if sku == "Basic" and "natGateway" in subnet["properties"]:
                raise nat_gateway_needs_standard()
            by_sku.setdefault(sku, str(found.id))
    if len(by_sku) > 1:
        raise network_error(
            400,
            "DifferentSkuLoadBalancersAndPublicIPAddressNotAllowed",
            "Different basic sku and standard sku load balancer or public Ip resources in availability set is not "
            f"allowed {' and '.join(by_sku.values())}.",
        )
