from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.emulator.network.place import LOCATION, FirstAnswer, Json, Place, refusal

if TYPE_CHECKING:
    from collections.abc import Callable


def make_gateway(place: Place, *addresses: str, **properties: object) -> Json:
    body: Json = {
        "location": LOCATION,
        "sku": {"name": "Standard"},
        "properties": {"publicIpAddresses": [{"id": address} for address in addresses], **properties},
    }
    return place.azure.network.nat_gateways.begin_create_or_update("g", "nat", body).result()


def test_a_gateway_has_its_defaults_and_its_addresses_name_it(place: Place) -> None:
    address = place.make_address()
    gateway = make_gateway(place, address)
    assert dict(gateway["sku"]) == {"name": "Standard", "tier": "Regional"}
    assert gateway["properties"]["idleTimeoutInMinutes"] == 4
    assert [found["id"] for found in gateway["properties"]["publicIpAddresses"]] == [address]
    shown = place.azure.network.public_ip_addresses.get("g", "ip")["properties"]
    assert shown["natGateway"]["id"] == gateway["id"]
    assert "ipConfiguration" not in shown


def test_the_first_answer_says_that_the_gateway_is_being_made(place: Place) -> None:
    first = FirstAnswer()
    body: Json = {"location": LOCATION, "sku": {"name": "Standard"}, "properties": {}}
    place.azure.network.nat_gateways.begin_create_or_update("g", "nat", body, raw_response_hook=first).result()
    assert (first.status, first.body["properties"]["provisioningState"]) == (201, "Updating")
    assert "azure-asyncoperation" in first.headers


def test_a_gateway_cannot_be_deleted_while_a_subnet_has_it(place: Place) -> None:
    gateway = make_gateway(place)
    place.make_network(natGateway={"id": gateway["id"]})
    shown = place.azure.network.nat_gateways.get("g", "nat")
    assert [subnet["id"] for subnet in shown["properties"]["subnets"]] == [place.subnet]
    status, code, message = refusal(partial(place.azure.network.nat_gateways.begin_delete, "g", "nat"))
    assert (status, code) == (400, "CannotDeleteNatGatewayAssociatedToSubnet")
    assert f"{gateway['id']} is still configured on 1 subnets" in message
    place.make_network()
    place.azure.network.nat_gateways.begin_delete("g", "nat").result()
    assert list(place.azure.network.nat_gateways.list("g")) == []


def test_an_address_has_one_user(place: Place) -> None:
    address = place.make_address()
    gateway = make_gateway(place, address)
    place.make_network()
    status, code, message = refusal(lambda: place.make_interface(publicIPAddress={"id": address}))
    assert (status, code) == (400, "PublicIPAddressInUse")
    assert gateway["id"] in message
    deletion = refusal(lambda: place.azure.network.public_ip_addresses.begin_delete("g", "ip"))
    assert deletion[:2] == (400, "PublicIPAddressCannotBeDeleted")


@pytest.mark.parametrize(
    "join",
    [
        lambda place, basic: place.make_interface(publicIPAddress={"id": basic}),
        lambda place, basic: (
            place.make_network(),
            place.make_interface(publicIPAddress={"id": basic}),
            place.make_network(natGateway={"id": place.id("natGateways", "nat")}),
        ),
    ],
)
def test_basic_addresses_do_not_go_together_with_a_gateway(place: Place, join: Callable[[Place, str], object]) -> None:
    gateway = make_gateway(place)
    place.make_network(natGateway={"id": gateway["id"]})
    basic = place.make_address(sku="Basic")
    assert refusal(lambda: join(place, basic))[:2] == (400, "SubnetWithNatGatewayAndBasicSkuResourceNotAllowed")


@pytest.mark.parametrize(
    ("properties", "code"),
    [
        ({"idleTimeoutInMinutes": 3}, "NatGatewayIdleTimeoutIsOutOfRange"),
        ({"idleTimeoutInMinutes": 121}, "NatGatewayIdleTimeoutIsOutOfRange"),
        ({"subnetz": []}, "InvalidRequestFormat"),
    ],
)
def test_a_wrong_gateway_is_refused(place: Place, properties: dict[str, object], code: str) -> None:
    assert refusal(lambda: make_gateway(place, **properties))[:2] == (400, code)


def test_a_basic_address_is_refused(place: Place) -> None:
    basic = place.make_address(sku="Basic")
    assert refusal(lambda: make_gateway(place, basic))[1] == "NatGatewayCannotReferenceBasicSkuPublicIPAddress"
