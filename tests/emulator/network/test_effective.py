from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.network.place import LOCATION, Json, Place, refusal, rule

if TYPE_CHECKING:
    from tests.emulator.network.machines import Machines


@pytest.fixture
def interface(place: Place, machines: Machines) -> str:
    """Make an interface of a running machine, with a security group and a subnet with another."""
    subnet_group = place.make_group(rule(200, "80-90", sourceAddressPrefix="Internet"), name="of-subnet")
    body: Json = {
        "location": LOCATION,
        "properties": {
            "routes": [{"name": "out", "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "None"}}]
        },
    }
    table = place.azure.network.route_tables.begin_create_or_update("g", "table", body).result()
    place.make_network(networkSecurityGroup={"id": subnet_group}, routeTable={"id": table["id"]})
    place.make_interface(group=place.make_group(rule(100)))
    place.make_machine("vm")
    machines.running.add("vm")
    return "nic"


def test_the_rules_of_the_interface_and_of_its_subnet_are_spelt_out(place: Place, interface: str) -> None:
    interfaces = place.azure.network.network_interfaces
    found: Json = interfaces.begin_list_effective_network_security_groups("g", interface).result()
    own, of_subnet = found["value"]
    assert own["association"]["networkInterface"]["id"] == place.id("networkInterfaces", "nic")
    assert of_subnet["association"]["subnet"]["id"] == place.subnet
    assert dict(own["effectiveSecurityRules"][0]) == {
        "name": "securityRules/rule100",
        "protocol": "Tcp",
        "sourcePortRange": "0-65535",
        "sourcePortRanges": ["0-65535"],
        "destinationPortRange": "22-22",
        "destinationPortRanges": ["22-22"],
        "sourceAddressPrefix": "0.0.0.0/0",
        "sourceAddressPrefixes": ["0.0.0.0/0"],
        "destinationAddressPrefix": "0.0.0.0/0",
        "destinationAddressPrefixes": ["0.0.0.0/0"],
        "access": "Allow",
        "priority": 100,
        "direction": "Inbound",
    }
    first = of_subnet["effectiveSecurityRules"][0]
    assert (first["sourceAddressPrefix"], first["destinationPortRange"]) == ("Internet", "80-90")
    assert own["effectiveSecurityRules"][-1]["name"] == "defaultSecurityRules/DenyAllOutBound"


def test_a_route_of_the_table_takes_the_place_of_azures_own(place: Place, interface: str) -> None:
    found: Json = place.azure.network.network_interfaces.begin_get_effective_route_table("g", interface).result()
    routes = {(route["source"], route["addressPrefix"][0]): route for route in found["value"]}
    assert routes["Default", "10.0.0.0/16"]["nextHopType"] == "VnetLocal"
    assert routes["Default", "0.0.0.0/0"]["state"] == "Invalid"
    assert (routes["User", "0.0.0.0/0"]["state"], routes["User", "0.0.0.0/0"]["nextHopType"]) == ("Active", "None")


def test_only_the_interface_of_a_running_machine_has_an_answer(
    place: Place, machines: Machines, interface: str
) -> None:
    machines.running.clear()
    interfaces = place.azure.network.network_interfaces
    assert refusal(lambda: interfaces.begin_get_effective_route_table("g", interface))[0] == 400
    assert refusal(lambda: interfaces.begin_list_effective_network_security_groups("g", interface))[0] == 400
