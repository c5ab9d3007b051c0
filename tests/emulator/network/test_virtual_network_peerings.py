from __future__ import annotations

from functools import partial

from tests.emulator.network.place import LOCATION, FirstAnswer, Json, Place, refusal


def make_networks(place: Place, *spaces: str) -> None:
    for number, space in enumerate(spaces or ("10.0.0.0/16", "10.1.0.0/16")):
        body: Json = {"location": LOCATION, "properties": {"addressSpace": {"addressPrefixes": [space]}}}
        place.azure.network.virtual_networks.begin_create_or_update("g", f"v{number}", body).result()


def peer(place: Place, own: str, other: str, **options: Json) -> Json:
    body: Json = {"properties": {"remoteVirtualNetwork": {"id": place.id("virtualNetworks", other)}}}
    peerings = place.azure.network.virtual_network_peerings
    return peerings.begin_create_or_update("g", own, f"to-{other}", body, **options).result()


def state_of(place: Place, own: str, other: str) -> tuple[str, str]:
    shown = place.azure.network.virtual_network_peerings.get("g", own, f"to-{other}")["properties"]
    return shown["peeringState"], shown["peeringSyncLevel"]


def test_a_peering_is_connected_once_both_sides_have_one(place: Place) -> None:
    make_networks(place)
    first = FirstAnswer()
    one = peer(place, "v0", "v1", raw_response_hook=first)
    assert (first.status, first.body["properties"]["provisioningState"]) == (201, "Updating")
    assert one["properties"]["remoteAddressSpace"]["addressPrefixes"] == ["10.1.0.0/16"]
    assert one["properties"]["allowVirtualNetworkAccess"] is True
    assert state_of(place, "v0", "v1") == ("Initiated", "RemoteNotInSync")
    other = peer(place, "v1", "v0")
    assert state_of(place, "v0", "v1") == state_of(place, "v1", "v0") == ("Connected", "FullyInSync")
    assert one["properties"]["resourceGuid"] == other["properties"]["resourceGuid"]


def test_a_side_that_is_left_alone_is_disconnected_until_it_is_written_again(place: Place) -> None:
    make_networks(place)
    peer(place, "v0", "v1")
    peer(place, "v1", "v0")
    place.azure.network.virtual_network_peerings.begin_delete("g", "v1", "to-v0").result()
    assert state_of(place, "v0", "v1")[0] == "Disconnected"
    peer(place, "v1", "v0")
    assert state_of(place, "v0", "v1")[0] == "Disconnected"
    peer(place, "v0", "v1")
    assert state_of(place, "v0", "v1")[0] == "Connected"


def test_a_network_shows_its_peerings_and_keeps_them_when_a_put_does_not_speak_of_them(place: Place) -> None:
    make_networks(place)
    peer(place, "v0", "v1")
    make_networks(place)
    shown = place.azure.network.virtual_networks.get("g", "v0")["properties"]["virtualNetworkPeerings"]
    assert [found["name"] for found in shown] == ["to-v1"]


def test_networks_that_share_addresses_cannot_be_peered(place: Place) -> None:
    make_networks(place, "10.0.0.0/16", "10.0.128.0/17")
    status, code, message = refusal(partial(peer, place, "v0", "v1"))
    assert (status, code) == (400, "VnetAddressSpacesOverlap")
    assert message.endswith("Overlapping address prefixes: 10.0.0.0/16, 10.0.128.0/17")


def test_a_network_that_does_not_exist_cannot_be_peered(place: Place) -> None:
    make_networks(place)
    assert refusal(partial(peer, place, "v0", "v7"))[:2] == (400, "InvalidResourceReference")
