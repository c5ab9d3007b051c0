from __future__ import annotations

import io
import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.emulator.network.place import LOCATION, FirstAnswer, Json, Place, refusal
from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.network.addresses import guest_network
from verified_images.emulator.network.interfaces import attach, detach

if TYPE_CHECKING:
    from tests.emulator.clients import Clients


def test_a_new_interface_has_succeeded_in_the_first_answer(azure: Clients, place: Place) -> None:
    place.make_network()
    first = FirstAnswer()
    configuration = {"name": "primary", "properties": {"subnet": {"id": place.subnet}}}
    body: Json = {"location": LOCATION, "properties": {"ipConfigurations": [configuration]}}
    azure.network.network_interfaces.begin_create_or_update("g", "nic", body, raw_response_hook=first).result()
    shown = first.body["properties"]
    assert (first.status, shown["provisioningState"]) == (201, "Succeeded")
    assert "azure-asyncoperation" not in first.headers
    made = shown["ipConfigurations"][0]
    assert made["etag"] == first.body["etag"]
    assert made["properties"]["privateIPAddress"] == "10.0.0.4"
    assert made["properties"]["primary"]
    assert shown["dnsSettings"]["internalDomainNameSuffix"].endswith(".internal.cloudapp.net")
    assert (shown["enableIPForwarding"], shown["nicType"], first.body["kind"]) == (False, "Standard", "Regular")


def test_a_change_of_addresses_takes_its_time_and_another_does_not(azure: Clients, place: Place) -> None:
    place.make_network()
    place.make_interface()
    slow, quick = FirstAnswer(), FirstAnswer()
    configuration = {
        "name": "primary",
        "properties": {
            "subnet": {"id": place.subnet},
            "privateIPAllocationMethod": "Static",
            "privateIPAddress": "10.0.0.15",
        },
    }
    for answer, forwarding in ((slow, False), (quick, True)):
        body: Json = {
            "location": LOCATION,
            "properties": {"ipConfigurations": [configuration], "enableIPForwarding": forwarding},
        }
        azure.network.network_interfaces.begin_create_or_update("g", "nic", body, raw_response_hook=answer).result()
    assert (slow.status, slow.body["properties"]["provisioningState"]) == (200, "Updating")
    assert (quick.status, quick.body["properties"]["provisioningState"]) == (200, "Succeeded")
    assert "azure-asyncoperation" not in quick.headers


def test_addresses_are_given_in_turn_and_kept_over_updates(place: Place) -> None:
    place.make_network()
    made = [place.make_interface(name) for name in ("one", "two", "one")]
    addresses = [nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] for nic in made]
    assert addresses == ["10.0.0.4", "10.0.0.5", "10.0.0.4"]


def test_two_configurations_of_one_interface_get_two_addresses(azure: Clients, place: Place) -> None:
    place.make_network()
    configurations = [
        {"name": name, "properties": {"subnet": {"id": place.subnet}, "primary": name == "two"}}
        for name in ("one", "two")
    ]
    body: Json = {"location": LOCATION, "properties": {"ipConfigurations": configurations}}
    nic = azure.network.network_interfaces.begin_create_or_update("g", "nic", body).result()
    made = [(item["properties"]["privateIPAddress"], item["properties"]["primary"]) for item in nic.ip_configurations]
    assert made == [("10.0.0.4", False), ("10.0.0.5", True)]
    assert [item["name"] for item in azure.network.network_interface_ip_configurations.list("g", "nic")] == [
        "one",
        "two",
    ]


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("10.0.0.4", "PrivateIPAddressIsAllocated"),
        ("10.0.0.3", "PrivateIPAddressInReservedRange"),
        ("10.0.0.255", "PrivateIPAddressInReservedRange"),
        ("10.0.1.4", "PrivateIPAddressNotInSubnet"),
        ("ten", "InvalidIPAddressFormat"),
        (None, "StaticIPAddressIsRequired"),
    ],
)
def test_a_wrong_static_address_is_refused(place: Place, address: str | None, code: str) -> None:
    place.make_network()
    place.make_interface("first")
    make = partial(place.make_interface, privateIPAllocationMethod="Static", privateIPAddress=address)
    assert refusal(make)[:2] == (400, code)


def test_a_full_subnet_refuses_an_interface(place: Place) -> None:
    place.make_network("10.0.0.0/29")
    for name in ("one", "two", "three"):
        place.make_interface(name)
    assert refusal(partial(place.make_interface, "four"))[:2] == (400, "SubnetIsFull")


def test_what_is_referred_to_must_exist_in_the_same_location(azure: Clients, place: Place) -> None:
    place.make_network()
    missing = place.id("networkSecurityGroups", "none")
    status, code, message = refusal(partial(place.make_interface, group=missing))
    assert (status, code) == (400, "InvalidResourceReference")
    assert message == (
        f"Resource {missing} referenced by resource {place.id('networkInterfaces', 'nic')} was not found. Please make "
        "sure that the referenced resource exists, and that both resources are in the same region."
    )
    elsewhere: Json = {"location": "eastus"}
    azure.network.network_security_groups.begin_create_or_update("g", "far", elsewhere).result()
    far = place.id("networkSecurityGroups", "far")
    assert refusal(partial(place.make_interface, group=far))[1] == "InvalidResourceReference"
    assert refusal(partial(place.make_interface, group="nsg"))[1] == "LinkedInvalidPropertyId"
    wrong_type = {"id": place.id("virtualNetworks", "vnet")}
    assert refusal(partial(place.make_interface, subnet=wrong_type))[1] == "InvalidRequestFormat"
    assert refusal(partial(place.make_interface, subnet={"id": place.subnet + "x"}))[1] == "InvalidResourceReference"


@pytest.mark.parametrize(
    "properties", ["x", {"ipConfigurations": "x"}, {"ipConfigurations": ["x"]}, {"ipConfigurations": [{"name": "a"}]}]
)
def test_a_body_of_the_wrong_shape_is_refused(azure: Clients, place: Place, properties: Json) -> None:
    place.make_network()
    body: Json = json.dumps({"location": LOCATION, "properties": properties}).encode()
    put = partial(azure.network.network_interfaces.begin_create_or_update, "g", "nic", io.BytesIO(body))
    assert refusal(put)[0] == 400


def test_an_interface_is_tied_to_one_machine_until_it_is_freed(azure: Clients, place: Place) -> None:
    place.make_network()
    place.make_interface()
    machine = place.make_machine("vm")
    nic = azure.network.network_interfaces.get("g", "nic")["properties"]
    assert (nic["virtualMachine"]["id"], nic["primary"]) == (machine, True)
    assert nic["macAddress"].startswith("00-0D-3A-")
    with pytest.raises(ArmError, match="NicInUse"):
        attach(place.cloud, place.id("networkInterfaces", "nic"), machine + "2")
    status, code, message = refusal(partial(azure.network.network_interfaces.begin_delete, "g", "nic"))
    assert (status, code) == (400, "NicInUse")
    assert f"is used by existing resource {machine}. In order to delete" in message
    detach(place.cloud, place.id("networkInterfaces", "nic"))
    freed = azure.network.network_interfaces.get("g", "nic")["properties"]
    assert "virtualMachine" not in freed
    assert freed["macAddress"] == nic["macAddress"]
    assert "internalDomainNameSuffix" not in freed["dnsSettings"]
    azure.network.network_interfaces.begin_delete("g", "nic").result()
    assert list(azure.network.network_interfaces.list("g")) == []


def test_an_update_leaves_an_interface_with_its_machine(place: Place) -> None:
    place.make_network()
    place.make_interface()
    machine = place.make_machine("vm")
    assert place.make_interface(group=place.make_group())["properties"]["virtualMachine"]["id"] == machine


def test_a_guest_gets_the_card_of_its_interface(place: Place) -> None:
    place.make_network("10.0.0.0/24", "10.0.1.0/24")
    place.make_interface()
    place.make_machine("vm")
    nic = place.cloud.store.find(place.id("networkInterfaces", "nic"))
    assert nic is not None
    card = guest_network(place.cloud, nic)
    assert (card.address, card.subnet) == ("10.0.0.4", "10.0.0.0/24")
    assert card.mac == nic.properties["macAddress"].replace("-", ":").lower()


def test_a_basic_address_and_a_standard_load_balancer_do_not_go_together(place: Place) -> None:
    place.make_network()
    frontend = {"name": "front", "properties": {"subnet": {"id": place.subnet}}}
    place.make_balancer(frontendIPConfigurations=[frontend], backendAddressPools=[{"name": "pool"}])
    make = partial(
        place.make_interface,
        publicIPAddress={"id": place.make_address(sku="Basic")},
        loadBalancerBackendAddressPools=[place.balancer_part("backendAddressPools", "pool")],
    )
    assert refusal(make)[:2] == (400, "DifferentSkuLoadBalancersAndPublicIPAddressNotAllowed")


def test_a_group_is_deleted_with_all_that_is_in_it(azure: Clients, place: Place) -> None:
    place.make_network(networkSecurityGroup={"id": place.make_group()})
    place.make_interface(publicIPAddress={"id": place.make_address()}, group=place.make_group())
    azure.resources.resource_groups.begin_delete("g").result()
    assert place.cloud.store.select() == []
