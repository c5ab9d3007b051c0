from __future__ import annotations

import pytest

from tests.emulator.network.place import LOCATION, Json, Place, refusal


def make_table(place: Place, *routes: Json) -> Json:
    body: Json = {"location": LOCATION, "properties": {"routes": list(routes)}}
    return place.azure.network.route_tables.begin_create_or_update("g", "table", body).result()


def route(name: str = "out", **properties: str) -> Json:
    return {"name": name, "properties": {"addressPrefix": "0.0.0.0/0", "nextHopType": "Internet", **properties}}


def test_a_table_and_its_routes_have_their_defaults(place: Place) -> None:
    table = make_table(place, route())
    assert table["properties"]["disableBgpRoutePropagation"] is False
    shown = table["properties"]["routes"][0]
    assert shown["type"] == "Microsoft.Network/routeTables/routes"
    assert dict(shown["properties"]) == {
        "provisioningState": "Succeeded",
        "addressPrefix": "0.0.0.0/0",
        "nextHopType": "Internet",
        "hasBgpOverride": False,
    }


def test_a_route_is_written_and_deleted_by_itself(place: Place) -> None:
    make_table(place)
    body: Json = {"properties": {"addressPrefix": "10.9.0.0/16", "nextHopType": "none"}}
    made = place.azure.network.routes.begin_create_or_update("g", "table", "hole", body).result()
    assert made["properties"]["nextHopType"] == "None"
    place.azure.network.routes.begin_delete("g", "table", "hole").result()
    assert list(place.azure.network.routes.list("g", "table")) == []


def test_a_table_cannot_be_deleted_while_a_subnet_has_it(place: Place) -> None:
    table = make_table(place)
    place.make_network(routeTable={"id": table["id"]})
    shown = place.azure.network.route_tables.get("g", "table")
    assert [subnet["id"] for subnet in shown["properties"]["subnets"]] == [place.subnet]
    assert refusal(lambda: place.azure.network.route_tables.begin_delete("g", "table")) == (
        400,
        "InUseRouteTableCannotBeDeleted",
        "Route table table is in use and cannot be deleted.",
    )


@pytest.mark.parametrize(
    ("routes", "code"),
    [
        ([route(addressPrefix="10.0.0.0/99")], "InvalidRouteAddressPrefix"),
        ([route(nextHopType="Nowhere")], "InvalidRequestFormat"),
        ([route(nextHopType="VirtualAppliance")], "InvalidRouteNextHopIpAddress"),
        ([route(nextHopIpAddress="10.0.0.9")], "InvalidRouteNextHopIpAddress"),
        ([route(), route("again")], "RouteConflict"),
    ],
)
def test_a_wrong_route_is_refused(place: Place, routes: list[Json], code: str) -> None:
    assert refusal(lambda: make_table(place, *routes))[:2] == (400, code)
