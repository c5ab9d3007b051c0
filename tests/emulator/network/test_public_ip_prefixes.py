from __future__ import annotations

from functools import partial
from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network

import pytest

from tests.emulator.network.place import LOCATION, FirstAnswer, Json, Place, refusal


def make_prefix(place: Place, length: int = 30, name: str = "prefix", **properties: object) -> Json:
    body: Json = {
        "location": LOCATION,
        "sku": {"name": "Standard"},
        "properties": {"prefixLength": length, **properties},
    }
    return place.azure.network.public_ip_prefixes.begin_create_or_update("g", name, body).result()


def test_a_range_is_shown_once_it_is_given(place: Place) -> None:
    first = FirstAnswer()
    body: Json = {"location": LOCATION, "sku": {"name": "Standard"}, "properties": {"prefixLength": 30}}
    made = place.azure.network.public_ip_prefixes.begin_create_or_update("g", "p", body, raw_response_hook=first)
    prefix = made.result()
    assert first.status == 201
    assert "ipPrefix" not in first.body["properties"]
    assert IPv4Network(prefix["properties"]["ipPrefix"]).prefixlen == 30
    assert dict(prefix["sku"]) == {"name": "Standard", "tier": "Regional"}


def test_ranges_share_no_address_with_another_or_with_single_addresses(place: Place) -> None:
    ranges = [IPv4Network(make_prefix(place, 28, f"p{n}")["properties"]["ipPrefix"]) for n in range(3)]
    place.make_address()
    single = IPv4Address(place.read_address())
    assert not any(one.overlaps(other) for one in ranges for other in ranges if one != other)
    assert len(set(ranges)) == 3
    assert not any(single in found for found in ranges)


def test_addresses_are_taken_from_a_range_until_it_is_used_up(place: Place) -> None:
    prefix = make_prefix(place, 31)
    reference: Json = {"id": prefix["id"]}
    for name in ("one", "two"):
        place.make_address(name, publicIPPrefix=reference)
    taken = {IPv4Address(place.read_address(name)) for name in ("one", "two")}
    assert taken == set(IPv4Network(prefix["properties"]["ipPrefix"]))
    shown = place.azure.network.public_ip_prefixes.get("g", "prefix")["properties"]["publicIPAddresses"]
    assert [address["id"].rsplit("/", 1)[1] for address in shown] == ["one", "two"]
    assert refusal(lambda: place.make_address("three", publicIPPrefix=reference))[0] == 400


def test_a_range_cannot_be_deleted_while_an_address_is_of_it(place: Place) -> None:
    prefix = make_prefix(place)
    place.make_address(publicIPPrefix={"id": prefix["id"]})
    prefixes = place.azure.network.public_ip_prefixes
    status, code, message = refusal(lambda: prefixes.begin_delete("g", "prefix"))
    assert (status, code) == (400, "PublicIPPrefixCannotBeDeleted")
    assert message.endswith("/publicIPAddresses/ip.")
    place.azure.network.public_ip_addresses.begin_delete("g", "ip").result()
    prefixes.begin_delete("g", "prefix").result()


@pytest.mark.parametrize("length", [23, 32, None])
def test_a_range_has_a_length(place: Place, length: int) -> None:
    assert refusal(lambda: make_prefix(place, length))[:2] == (400, "PublicIpPrefixLengthOutOfRange")


def test_the_length_stays(place: Place) -> None:
    before = make_prefix(place)["properties"]["ipPrefix"]
    assert refusal(lambda: make_prefix(place, 29))[1] == "PublicIpPrefixLengthCannotBeChanged"
    assert make_prefix(place)["properties"]["ipPrefix"] == before


def test_a_basic_address_cannot_be_of_a_range(place: Place) -> None:
    prefix = make_prefix(place)
    code = refusal(lambda: place.make_address(sku="Basic", publicIPPrefix={"id": prefix["id"]}))[1]
    assert code == "PublicIPAddressFromPrefixMustBeStandardAndStatic"


def test_a_prefix_of_version_6_gives_addresses_of_its_own(place: Place) -> None:
    client = place.azure.network
    prefixes = [make_prefix(place, 126, name, publicIPAddressVersion="IPv6") for name in ("one", "two")]
    assert len({prefix["properties"]["ipPrefix"] for prefix in prefixes}) == 2
    six = place.make_address("six", publicIPAddressVersion="IPv6", publicIPPrefix={"id": prefixes[0]["id"]})
    made = client.public_ip_addresses.get("g", six.rpartition("/")[2])["properties"]
    assert ip_address(made["ipAddress"]) in ip_network(prefixes[0]["properties"]["ipPrefix"])
    other = place.make_address("other", publicIPAddressVersion="IPv6")
    found = client.public_ip_addresses.get("g", other.rpartition("/")[2])
    assert ip_address(found["properties"]["ipAddress"]).version == 6


def test_a_prefix_of_version_6_has_few_addresses(place: Place) -> None:
    refused = refusal(partial(make_prefix, place, 64, publicIPAddressVersion="IPv6"))
    assert refused[1] == "PublicIpPrefixLengthOutOfRange"
