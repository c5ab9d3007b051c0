from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.emulator.network.place import LOCATION, FirstAnswer, Json, Place, refusal

if TYPE_CHECKING:
    from tests.emulator.clients import Clients

SPACE = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}


def test_a_new_network_is_201_and_updating_and_its_subnets_share_its_etag(azure: Clients, place: Place) -> None:
    first = FirstAnswer()
    subnet = {"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"}}
    body: Json = {"location": LOCATION, "properties": {**SPACE, "subnets": [subnet]}}
    azure.network.virtual_networks.begin_create_or_update("g", "vnet", body, raw_response_hook=first).result()
    shown = first.body["properties"]
    assert (first.status, shown["provisioningState"]) == (201, "Updating")
    assert "/operations/" in first.headers["azure-asyncoperation"]
    assert shown["subnets"][0]["etag"] == first.body["etag"]
    assert shown["subnets"][0]["id"] == place.subnet
    assert shown["subnets"][0]["properties"]["privateEndpointNetworkPolicies"] == "Disabled"
    assert azure.network.virtual_networks.get("g", "vnet")["properties"]["provisioningState"] == "Succeeded"


def test_a_write_that_changes_nothing_is_done_at_once(azure: Clients, place: Place) -> None:
    before = place.make_network()
    first = FirstAnswer()
    body: Json = {"location": LOCATION, "tags": {"a": "b"}, "properties": dict(before["properties"])}
    azure.network.virtual_networks.begin_create_or_update("g", "vnet", body, raw_response_hook=first).result()
    assert (first.status, first.body["properties"]["provisioningState"]) == (200, "Succeeded")
    assert first.body["properties"]["resourceGuid"] == before["properties"]["resourceGuid"]
    assert first.body["etag"] != before["etag"]


def test_subnets_stay_when_a_put_does_not_speak_of_them_and_go_when_it_lists_others(
    azure: Clients, place: Place
) -> None:
    place.make_network("10.0.0.0/24", "10.0.1.0/24")
    networks = azure.network.virtual_networks

    def put(**properties: object) -> list[str]:
        body: Json = {"location": LOCATION, "properties": {**SPACE, **properties}}
        result = networks.begin_create_or_update("g", "vnet", body).result()
        return [subnet["name"] for subnet in result["properties"]["subnets"]]

    assert put() == ["default", "subnet1"]
    assert put(subnets=[{"name": "other", "properties": {"addressPrefix": "10.0.2.0/24"}}]) == ["other"]


def test_a_subnet_has_a_life_of_its_own(azure: Clients, place: Place) -> None:
    place.make_network()
    first, again = FirstAnswer(), FirstAnswer()
    body: Json = {"properties": {"addressPrefix": "10.0.1.0/24"}}
    for answer in (first, again):
        azure.network.subnets.begin_create_or_update("g", "vnet", "more", body, raw_response_hook=answer).result()
    assert (first.status, first.body["properties"]["provisioningState"]) == (201, "Updating")
    assert (again.status, again.body["properties"]["provisioningState"]) == (200, "Succeeded")
    assert [subnet["name"] for subnet in azure.network.subnets.list("g", "vnet")] == ["default", "more"]
    azure.network.subnets.begin_delete("g", "vnet", "more").result()
    azure.network.subnets.begin_delete("g", "vnet", "more").result()
    status, code, message = refusal(partial(azure.network.subnets.get, "g", "vnet", "more"))
    assert (status, code) == (404, "NotFound")
    assert message.endswith("/subnets/more not found.")


def test_a_subnet_of_a_missing_network_names_the_network(azure: Clients, place: Place) -> None:
    del place
    status, code, message = refusal(partial(azure.network.subnets.get, "g", "vnet", "default"))
    assert (status, code) == (404, "ResourceNotFound")
    assert "'Microsoft.Network/virtualNetworks/vnet'" in message


@pytest.mark.parametrize(
    ("prefix", "code"),
    [
        ("10.0.0.128/25", "NetcfgSubnetRangesOverlap"),
        ("10.1.0.0/24", "NetcfgSubnetRangeOutsideVnet"),
        ("10.0.1.0/30", "NetcfgInvalidSubnet"),
        ("10.0.1.1/24", "InvalidCIDRNotation"),
    ],
)
def test_a_wrong_range_is_refused_and_nothing_changes(azure: Clients, place: Place, prefix: str, code: str) -> None:
    place.make_network()
    body: Json = {"properties": {"addressPrefix": prefix}}
    put = partial(azure.network.subnets.begin_create_or_update, "g", "vnet", "more", body)
    assert refusal(put)[:2] == (400, code)
    assert [subnet["name"] for subnet in azure.network.subnets.list("g", "vnet")] == ["default"]


def test_a_subnet_in_use_shows_by_whom_and_can_neither_go_nor_shrink(azure: Clients, place: Place) -> None:
    place.make_network()
    place.make_interface()
    user = place.id("networkInterfaces", "nic") + "/ipConfigurations/primary"
    subnet = azure.network.subnets.get("g", "vnet", "default")
    assert [user["id"] for user in subnet["properties"]["ipConfigurations"]] == [user]
    for delete in (
        partial(azure.network.subnets.begin_delete, "g", "vnet", "default"),
        partial(azure.network.virtual_networks.begin_delete, "g", "vnet"),
    ):
        status, code, message = refusal(delete)
        assert (status, code) == (400, "InUseSubnetCannotBeDeleted")
        assert message == (
            f"Subnet default is in use by {user} and cannot be deleted. In order to delete the subnet, delete all the "
            "resources within the subnet. See aka.ms/deletesubnet."
        )
    body: Json = {"properties": {"addressPrefix": "10.0.0.0/25"}}
    shrink = partial(azure.network.subnets.begin_create_or_update, "g", "vnet", "default", body)
    assert refusal(shrink)[:2] == (400, "InUsePrefixCannotBeDeleted")


def test_whether_an_address_is_free_can_be_asked(azure: Clients, place: Place) -> None:
    place.make_network()
    place.make_interface()
    ask = partial(azure.network.virtual_networks.check_ip_address_availability, "g", "vnet")
    assert ask(ip_address="10.0.0.5")["available"]
    taken = ask(ip_address="10.0.0.4")
    assert not taken["available"]
    assert taken["availableIPAddresses"] == [f"10.0.0.{number}" for number in range(5, 10)]
    assert ask(ip_address="10.0.0.1")["isPlatformReserved"]


def test_tags_are_patched_at_once(azure: Clients, place: Place) -> None:
    before = place.make_network()
    first = FirstAnswer()
    after = azure.network.virtual_networks.update_tags("g", "vnet", {"tags": {"a": "b"}}, raw_response_hook=first)
    assert (first.status, after["tags"]) == (200, {"a": "b"})
    assert after["etag"] != before["etag"]
    assert after["properties"]["subnets"][0]["etag"] == after["etag"]


def test_an_older_api_version_does_not_show_what_came_later(azure: Clients, place: Place) -> None:
    place.make_network()
    old = azure.network.virtual_networks.get("g", "vnet", api_version="2022-01-01")
    assert "privateEndpointVNetPolicies" not in old["properties"]
    assert "privateEndpointVNetPolicies" in azure.network.virtual_networks.get("g", "vnet")["properties"]


def test_usages_tell_how_full_each_subnet_is(place: Place) -> None:
    place.make_network("10.0.0.0/29")
    place.make_interface()
    (usage,) = place.azure.network.virtual_networks.list_usage("g", "vnet")
    assert (usage["currentValue"], usage["limit"], usage["id"]) == (1, 3, place.subnet)


def test_no_other_service_leaves_links_in_a_subnet(place: Place) -> None:
    place.make_network()
    assert place.azure.network.resource_navigation_links.list("g", "vnet", "default")["value"] == []
    assert place.azure.network.service_association_links.list("g", "vnet", "default")["value"] == []
    assert refusal(lambda: place.azure.network.service_association_links.list("g", "vnet", "none"))[0] == 404


def test_a_subnet_shows_its_service_endpoints_and_delegations_in_full(place: Place) -> None:
    place.make_network(
        serviceEndpoints=[{"service": "Microsoft.Storage"}],
        delegations=[{"name": "d", "properties": {"serviceName": "Microsoft.Web/serverFarms"}}],
    )
    subnet = place.azure.network.subnets.get("g", "vnet", "default")
    assert dict(subnet["properties"]["serviceEndpoints"][0]) == {
        "provisioningState": "Succeeded",
        "locations": ["*"],
        "service": "Microsoft.Storage",
    }
    delegation = subnet["properties"]["delegations"][0]
    assert delegation["etag"] == subnet["etag"]
    assert delegation["id"] == f"{place.subnet}/delegations/d"
    assert delegation["type"] == "Microsoft.Network/virtualNetworks/subnets/delegations"
    assert delegation["properties"]["serviceName"] == "Microsoft.Web/serverFarms"
    assert delegation["properties"]["provisioningState"] == "Succeeded"


def test_an_endpoint_or_a_delegation_names_a_service(place: Place) -> None:
    wrong: dict[str, list[Json]]
    for wrong in ({"serviceEndpoints": [{}]}, {"delegations": [{"name": "d"}]}):
        assert refusal(partial(place.make_network, **wrong))[0] == 400
