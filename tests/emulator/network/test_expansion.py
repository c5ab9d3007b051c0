from __future__ import annotations

from tests.emulator.network.place import Json, Place, rule


def test_references_are_replaced_by_what_they_refer_to(place: Place) -> None:
    place.make_network()
    place.make_address()
    place.make_interface(group=place.make_group(rule(100)), publicIPAddress={"id": place.id("publicIPAddresses", "ip")})
    shown: Json = place.azure.network.network_interfaces.get(
        "g", "nic", expand="networkSecurityGroup,ipConfigurations/publicIPAddress"
    )["properties"]
    assert shown["networkSecurityGroup"]["properties"]["securityRules"][0]["name"] == "rule100"
    address = shown["ipConfigurations"][0]["properties"]["publicIPAddress"]
    assert address["properties"]["ipAddress"] == place.read_address()
    assert set(shown["ipConfigurations"][0]["properties"]["subnet"]) == {"id"}


def test_parts_of_other_resources_are_found_too(place: Place) -> None:
    place.make_network()
    place.make_interface()
    network: Json = place.azure.network.virtual_networks.get("g", "vnet", expand="subnets/ipConfigurations")
    found = network["properties"]["subnets"][0]["properties"]["ipConfigurations"][0]
    assert found["properties"]["privateIPAddress"] == "10.0.0.4"
    subnet: Json = place.azure.network.subnets.get("g", "vnet", "default", expand="ipConfigurations")
    assert subnet["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] == "10.0.0.4"


def test_without_expand_references_stay_references(place: Place) -> None:
    place.make_network()
    place.make_interface()
    network: Json = place.azure.network.virtual_networks.get("g", "vnet")
    assert set(network["properties"]["subnets"][0]["properties"]["ipConfigurations"][0]) == {"id"}
