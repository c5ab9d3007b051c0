from __future__ import annotations

from functools import partial
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from tests.emulator.network.place import LOCATION, FirstAnswer, Json, Place, refusal

if TYPE_CHECKING:
    from tests.emulator.clients import Clients
    from tests.emulator.network.machines import Machines


def test_a_standard_address_is_there_once_its_creation_has_ended(azure: Clients, place: Place) -> None:
    first = FirstAnswer()
    body: Json = {
        "location": LOCATION,
        "sku": {"name": "Standard"},
        "properties": {"publicIPAllocationMethod": "Static"},
    }
    azure.network.public_ip_addresses.begin_create_or_update("g", "ip", body, raw_response_hook=first).result()
    assert (first.status, first.body["properties"]["provisioningState"]) == (201, "Updating")
    assert "ipAddress" not in first.body["properties"]
    assert first.body["sku"] == {"name": "Standard", "tier": "Regional"}
    assert first.body["properties"]["idleTimeoutInMinutes"] == 4
    assert first.body["properties"]["ddosSettings"] == {"protectionMode": "VirtualNetworkInherited"}
    assert ip_address(place.read_address()) in ip_network("198.51.100.0/24")


def test_addresses_differ_and_stay(place: Place) -> None:
    for name in ("one", "two"):
        place.make_address(name)
    before = place.read_address("one")
    place.make_address("one", idleTimeoutInMinutes=10)
    assert place.read_address("one") == before != place.read_address("two")


def test_an_address_that_was_given_back_is_given_again(azure: Clients, place: Place) -> None:
    place.make_address("one")
    before = place.read_address("one")
    azure.network.public_ip_addresses.begin_delete("g", "one").result()
    place.make_address("two")
    assert place.read_address("two") == before


def test_a_dynamic_address_shows_only_while_a_running_machine_has_it(place: Place, machines: Machines) -> None:
    place.make_network()
    address = place.make_address(sku="Basic")
    place.make_interface(publicIPAddress={"id": address})
    place.make_machine("vm")
    assert place.read_address() == "None"
    machines.running.add("vm")
    shown = place.read_address()
    assert ip_address(shown) in ip_network("198.51.100.0/24")
    machines.running.clear()
    assert place.read_address() == "None"
    machines.running.add("vm")
    assert place.read_address() == shown


def test_a_standard_address_must_be_static(place: Place) -> None:
    status, code, message = refusal(partial(place.make_address, publicIPAllocationMethod="Dynamic"))
    assert (status, code) == (400, "StandardSkuPublicIPAddressesMustBeStatic")
    assert message == (
        f"Standard sku publicIp {place.id('publicIPAddresses', 'ip')} must have AllocationMethod set to Static."
    )


def test_an_address_in_use_shows_by_whom_and_cannot_be_deleted(azure: Clients, place: Place) -> None:
    place.make_network()
    address = place.make_address()
    place.make_interface(publicIPAddress={"id": address})
    user = place.id("networkInterfaces", "nic") + "/ipConfigurations/primary"
    shown = azure.network.public_ip_addresses.get("g", "ip")
    assert shown["properties"]["ipConfiguration"]["id"] == user
    status, code, message = refusal(partial(azure.network.public_ip_addresses.begin_delete, "g", "ip"))
    assert (status, code) == (400, "PublicIPAddressCannotBeDeleted")
    assert f"{address} can not be deleted since it is still allocated to resource {user}." in message


def test_a_second_interface_cannot_take_an_address(place: Place) -> None:
    place.make_network()
    address = {"id": place.make_address()}
    place.make_interface("one", publicIPAddress=address)
    place.make_interface("one", publicIPAddress=address)
    status, code, message = refusal(partial(place.make_interface, "two", publicIPAddress=address))
    assert (status, code) == (400, "PublicIPAddressInUse")
    assert message.endswith("/networkInterfaces/one/ipConfigurations/primary.")


def test_a_label_makes_a_name_that_only_one_address_can_have(azure: Clients, place: Place) -> None:
    place.make_address("one", dnsSettings={"domainNameLabel": "web"})
    name = f"web.{LOCATION}.cloudapp.azure.com"
    assert azure.network.public_ip_addresses.get("g", "one")["properties"]["dnsSettings"]["fqdn"] == name
    _, code, message = refusal(partial(place.make_address, "two", dnsSettings={"domainNameLabel": "web"}))
    assert (code, message) == ("DnsRecordInUse", f"DNS record {name} is already used by another public IP.")


@pytest.mark.parametrize("label", ["Web", "w", "9web", "web-"])
def test_a_wrong_label_is_refused(place: Place, label: str) -> None:
    _, code, _ = refusal(partial(place.make_address, dnsSettings={"domainNameLabel": label}))
    assert code == "InvalidDomainNameLabel"


def test_usages_count_what_is_there(azure: Clients, place: Place) -> None:
    place.make_address("one")
    place.make_address("two", sku="Basic")
    used = {item["name"]["value"]: item["currentValue"] for item in azure.network.usages.list(LOCATION)}
    assert (used["PublicIPAddresses"], used["StaticPublicIPAddresses"], used["StandardSkuPublicIpAddresses"]) == (
        2,
        1,
        1,
    )


def test_a_label_is_free_until_an_address_has_it(place: Place) -> None:
    def is_free(label: str) -> bool:
        answer = place.azure.network.check_dns_name_availability(LOCATION, domain_name_label=label)
        return bool(answer["available"])

    assert is_free("web")
    place.make_address(dnsSettings={"domainNameLabel": "web"})
    assert not is_free("web")
    assert refusal(lambda: is_free("Not A Label"))[:2] == (400, "InvalidDomainNameLabel")


def test_an_address_is_in_zones_that_there_are(place: Place) -> None:
    def make(*zones: str) -> Json:
        body: Json = {
            "location": LOCATION,
            "sku": {"name": "Standard"},
            "zones": list(zones),
            "properties": {"publicIPAllocationMethod": "Static"},
        }
        return place.azure.network.public_ip_addresses.begin_create_or_update("g", "ip", body).result()

    assert list(make("1", "2", "3")["zones"]) == ["1", "2", "3"]
    assert refusal(lambda: make("1", "9"))[:2] == (400, "InvalidAvailabilityZone")
