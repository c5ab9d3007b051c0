"""Public IP addresses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.locations import normalize_location
from verified_images.emulator.network.addresses import allocate_public_address, public_addresses
from verified_images.emulator.network.kind import NetworkKind, require
from verified_images.emulator.network.lookup import id_of
from verified_images.emulator.network.part import as_object, canonical
from verified_images.emulator.network.references import (
    LOAD_BALANCER,
    NAT_GATEWAY,
    PUBLIC_ADDRESS,
    configurations_naming,
    referrers_of_type,
    refers_to,
)
from verified_images.emulator.operations import NETWORK
from verified_images.emulator.wire import Answer

if TYPE_CHECKING:
    from verified_images.emulator.arm_errors import ArmError
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request

_LABEL = re.compile(r"[a-z][a-z0-9-]{1,61}[a-z0-9]")
_IDLE_MINUTES = range(4, 31)
_READ_ONLY = {"ipAddress", "ipConfiguration", "natGateway", "linkedPublicIPAddress", "servicePublicIPAddress"}


class PublicIPAddresses(NetworkKind):
    """Microsoft.Network/publicIPAddresses.

    A static address is given at creation and kept; a dynamic one is shown only while a running machine or a load
    balancer has it.
    """

    type: ClassVar[str] = PUBLIC_ADDRESS
    style: ClassVar[Style] = Style(NETWORK, created=(201, "Updating"), etag="network", retry_write=1, retry_delete=10)

    def fill_in(
        self, cloud: Cloud, resource: Resource, given: dict[str, Any], existing: Resource | None
    ) -> dict[str, Any]:
        """Check the SKU and what it allows."""
        sku = _sku(resource, existing)
        method = canonical(given.get("publicIPAllocationMethod", "Dynamic"), ("Static", "Dynamic"))
        if sku["name"] == "Standard" and method != "Static":
            raise network_error(
                400,
                "StandardSkuPublicIPAddressesMustBeStatic",
                f"Standard sku publicIp {resource.id} must have AllocationMethod set to Static.",
            )
        version = canonical(given.get("publicIPAddressVersion", "IPv4"), ("IPv4", "IPv6"))
        idle = given.get("idleTimeoutInMinutes", 4)
        if idle not in _IDLE_MINUTES:
            raise network_error(
                400,
                "PublicIPAddressIdleTimeoutIsOutOfRange",
                f"Idle timeout of {idle} minutes for public IP address {resource.id} is out of range 4-30.",
            )
        if "dnsSettings" in given:
            given["dnsSettings"] = _name(cloud, resource, as_object(given["dnsSettings"], "properties.dnsSettings"))
        prefix = _prefix(cloud, resource, given, method) if "publicIPPrefix" in given else None
        if "address" not in resource.hidden:
            resource.hidden["address"] = allocate_public_address(cloud, prefix, version=version)
        return {
            **({"ipAddress": resource.hidden["address"]} if existing and method == "Static" else {}),
            "publicIPAddressVersion": version,
            "publicIPAllocationMethod": method,
            "idleTimeoutInMinutes": idle,
            "ipTags": [],
            "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
            **{
                key: value
                for key, value in given.items()
                if key not in {*_READ_ONLY, "publicIPAddressVersion", "publicIPAllocationMethod"}
            },
        }

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Let a static address be seen."""
        with cloud.store.changing(resource.id) as found:
            if found and found.properties["publicIPAllocationMethod"] == "Static":
                found.properties["ipAddress"] = found.hidden["address"]

    def back_references(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give what has the address, and a dynamic address while that is in use."""
        user = holder(cloud, resource)
        shown: dict[str, Any] = {}
        if address := current_address(cloud, resource):
            shown["ipAddress"] = address
        if user:
            shown["ipConfiguration"] = {"id": user}
        for gateway in referrers_of_type(cloud, resource.id, NAT_GATEWAY):
            shown["natGateway"] = {"id": str(gateway.id)}
        return shown

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while something has the address."""
        if user := user_of(cloud, resource):
            raise network_error(
                400,
                "PublicIPAddressCannotBeDeleted",
                f"Public IP address {resource.id} can not be deleted since it is still allocated to resource {user}. "
                "In order to delete the public IP, disassociate/detach the Public IP address from the resource.  To "
                "learn how to do this, see aka.ms/deletepublicip.",
            )


def holder(cloud: Cloud, address: Resource) -> str | None:
    """Give the id of the IP configuration or frontend that a public address belongs to, or None."""
    for configuration in configurations_naming(cloud, address.id, "publicIPAddress"):
        return configuration.id
    for balancer in referrers_of_type(cloud, address.id, LOAD_BALANCER):
        for frontend in balancer.properties["frontendIPConfigurations"]:
            if refers_to(frontend["properties"].get("publicIPAddress"), str(address.id)):
                return str(frontend["id"])
    return None


def user_of(cloud: Cloud, address: Resource) -> str | None:
    """Give the id of what has a public address: a configuration, a frontend or a NAT gateway; or None."""
    gateways = referrers_of_type(cloud, address.id, NAT_GATEWAY)
    return holder(cloud, address) or (str(gateways[0].id) if gateways else None)


def check_free(cloud: Cloud, address_id: str, user: str) -> None:
    """Refuse with ArmError a public address that belongs to another than ``user`` (the id of a configuration)."""
    address = cloud.store.find(address_id)
    other = user_of(cloud, address) if address else None
    if other and other.lower() != user.lower():
        raise network_error(
            400,
            "PublicIPAddressInUse",
            f"Resource {user} is referencing public IP address {address_id} that is already allocated to resource "
            f"{other}.",
        )


def current_address(cloud: Cloud, address: Resource) -> str | None:
    """Give the address if it leads anywhere now: a dynamic one only while it is in use."""
    if address.properties.get("publicIPAllocationMethod") != "Dynamic":
        shown = address.properties.get("ipAddress")
        return str(shown) if shown else None
    for configuration in configurations_naming(cloud, address.id, "publicIPAddress"):
        machine = cloud.store.find(id_of(configuration.interface.properties.get("virtualMachine")))
        if machine and cloud.hypervisor.is_running(machine.hidden.get("guest", "")):
            return str(address.hidden["address"])
        return None
    return str(address.hidden["address"]) if holder(cloud, address) else None


def _sku(resource: Resource, existing: Resource | None) -> dict[str, str]:
    given = resource.body.get("sku") or {}
    sku = {
        "name": canonical(given.get("name", "Basic"), ("Basic", "Standard")),
        "tier": canonical(given.get("tier", "Regional"), ("Regional", "Global")),
    }
    if sku == {"name": "Basic", "tier": "Global"}:
        raise network_error(
            400,
            "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress",
            "Global publicIP addresses are only supported for standard SKU public IP addresses. Public IP address "
            f"{resource.id} is not standard SKU.",
        )
    if existing and existing.body["sku"]["name"] == "Standard" and sku["name"] == "Basic":
        raise network_error(
            400,
            "PublicIPAddressSkuCannotBeDowngraded",
            f"The sku of public IP address {resource.id} cannot be changed from Standard to Basic.",
        )
    resource.body["sku"] = sku
    return sku


def _prefix(cloud: Cloud, resource: Resource, given: dict[str, Any], method: str) -> Resource | None:
    target = require(
        cloud, resource, given["publicIPPrefix"], path="properties.publicIPPrefix", kind="publicIPPrefixes"
    )
    given["publicIPPrefix"] = {"id": target}
    if method != "Static" or resource.body["sku"]["name"] == "Basic":
        raise network_error(
            400,
            "PublicIPAddressFromPrefixMustBeStandardAndStatic",
            f"Public IP address {resource.id} must be of Standard sku and have AllocationMethod set to Static to be "
            f"allocated from public IP prefix {target}.",
        )
    return cloud.store.find(target)


def _name(cloud: Cloud, resource: Resource, settings: dict[str, Any]) -> dict[str, Any]:
    label = settings.get("domainNameLabel")
    if not label:
        return {key: value for key, value in settings.items() if key != "fqdn"}
    if not isinstance(label, str) or not _LABEL.fullmatch(label):
        raise _wrong_label(label)
    name = _full_name(label, resource.location)
    if _is_taken(cloud, name, besides=resource.id.key):
        raise network_error(400, "DnsRecordInUse", f"DNS record {name} is already used by another public IP.")
    return {**settings, "fqdn": name}


def _full_name(label: str, location: str) -> str:
    return f"{label}.{location}.cloudapp.azure.com"


def _is_taken(cloud: Cloud, name: str, *, besides: str = "") -> bool:
    return any(
        other.id.key != besides and (other.properties.get("dnsSettings") or {}).get("fqdn") == name
        for other in public_addresses(cloud)
    )


def check_label(cloud: Cloud, request: Request) -> Answer:
    """Tell whether a DNS label is free in a location.

    Raises:
        ArmError: 400: it is no label.
    """
    label = request.query.get("domainnamelabel", "")
    if not _LABEL.fullmatch(label):
        raise _wrong_label(label)
    name = _full_name(label, normalize_location(request.parameters["location"]))
    return Answer(200, {"available": not _is_taken(cloud, name)})


def _wrong_label(label: object) -> ArmError:
    return network_error(
        400,
        "InvalidDomainNameLabel",
        f"The domain name label {label} is invalid. It must conform to the following regular expression: "
        "^[a-z][a-z0-9-]{1,61}[a-z0-9]$.",
    )
