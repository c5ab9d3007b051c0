from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.network.addresses import allocate_address, allocate_public_address, is_reserved, new_mac
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from tests.emulator.network.place import Place

from verified_images.emulator.ids import ResourceId


def put_network(place: Place, prefix: str) -> str:
    text = place.id("virtualNetworks", "vnet")
    subnet = {"name": "default", "id": place.subnet, "properties": {"addressPrefix": prefix}}
    place.cloud.store.put(Resource(ResourceId.parse(text), {"id": text, "properties": {"subnets": [subnet]}}))
    return place.subnet


def take(place: Place, name: str, address: str) -> None:
    text = place.id("networkInterfaces", name)
    configuration = {"name": "primary", "properties": {"privateIPAddress": address, "subnet": {"id": place.subnet}}}
    place.cloud.store.put(
        Resource(ResourceId.parse(text), {"id": text, "properties": {"ipConfigurations": [configuration]}})
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None)
@given(length=st.integers(26, 29), data=st.data())
def test_the_lowest_free_address_is_given_until_none_is_left(place: Place, length: int, data: st.DataObject) -> None:
    for resource in place.cloud.store.select("Microsoft.Network/networkInterfaces"):
        place.cloud.store.remove(resource.id)
    network = IPv4Network(f"10.0.0.0/{length}")
    subnet = put_network(place, str(network))
    usable = [str(address) for address in network if not is_reserved(network, address)]
    taken = set(data.draw(st.lists(st.sampled_from(usable), unique=True)))
    for number, address in enumerate(taken):
        take(place, f"taken{number}", address)
    given_out = []
    for number in range(len(usable) - len(taken)):
        given_out.append(allocate_address(place.cloud, subnet))
        take(place, f"given{number}", given_out[-1])
    assert given_out == [address for address in usable if address not in taken]
    with pytest.raises(ArmError, match="SubnetIsFull"):
        allocate_address(place.cloud, subnet)


@given(st.integers(8, 29), st.integers(0, 2**32 - 1))
def test_five_addresses_of_each_subnet_are_azures(length: int, base: int) -> None:
    network = IPv4Network((base, length), strict=False)
    first, last = int(network.network_address), int(network.broadcast_address)
    near = [IPv4Address(number) for number in {*range(first, min(first + 8, last)), *range(last - 2, last + 1)}]
    reserved = sorted(int(address) for address in near if is_reserved(network, address))
    assert reserved == [first, first + 1, first + 2, first + 3, last]


def test_an_owner_may_ask_for_what_it_has(place: Place) -> None:
    subnet = put_network(place, "10.0.0.0/24")
    take(place, "nic", "10.0.0.4")
    owner = place.id("networkInterfaces", "NIC") + "/ipConfigurations/primary"
    assert allocate_address(place.cloud, subnet, "10.0.0.4", owner=owner) == "10.0.0.4"
    with pytest.raises(ArmError, match=r"is already allocated to resource .*/networkInterfaces/nic"):
        allocate_address(place.cloud, subnet, "10.0.0.4")


def test_promised_addresses_are_not_given_twice(place: Place) -> None:
    subnet = put_network(place, "10.0.0.0/24")
    assert allocate_address(place.cloud, subnet, besides={"10.0.0.4", "10.0.0.5"}) == "10.0.0.6"


def test_a_missing_subnet_is_a_wrong_reference(place: Place) -> None:
    with pytest.raises(ArmError, match="InvalidResourceReference"):
        allocate_address(place.cloud, place.subnet)


def test_public_addresses_go_on_in_the_next_range_when_the_first_is_used_up(place: Place) -> None:
    for number in range(1, 255):
        text = place.id("publicIPAddresses", f"ip{number}")
        body = {"id": text, "properties": {"ipAddress": f"198.51.100.{number}"}}
        place.cloud.store.put(Resource(ResourceId.parse(text), body))
    assert allocate_public_address(place.cloud) == "198.18.0.1"


def test_hardware_addresses_are_of_azures_vendor_and_differ() -> None:
    made = {new_mac() for _ in range(50)}
    assert len(made) == 50
    assert all(mac.startswith("00-0D-3A-") and len(mac) == 17 for mac in made)
