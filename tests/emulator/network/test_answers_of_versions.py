"""What is answered at an api-version, where Azure's answers changed from one to the next."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import requests

from verified_images.emulator.identity import issue_token

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.network.place import Json, Place
    from verified_images.emulator import LocalCloud

FRONTEND = "frontendIPConfigurations"
POOL = "backendAddressPools"


@dataclass(frozen=True)
class Wire:
    """Calls of the network provider in the group ``g``, at an api-version of the caller's choice."""

    cloud: LocalCloud

    @property
    def base(self) -> str:
        """The id of the provider in the group."""
        return f"/subscriptions/{self.cloud.account.subscription_id}/resourceGroups/g/providers/Microsoft.Network"

    def send(self, method: str, path: str, version: str, body: Json | None = None) -> requests.Response:
        """Make a call and wait until its operation has ended."""
        headers = {"Authorization": f"Bearer {issue_token(self.cloud.account, '127.0.0.1')}"}
        verify = str(self.cloud.ca_bundle)
        path = path if path.startswith("/") else f"{self.base}/{path}"
        url, _, query = path.partition("?")
        answer = requests.request(
            method,
            f"{self.cloud.endpoint}{url}?api-version={version}&{query}",
            data=None if body is None else json.dumps({"location": "westeurope", **body}),
            headers=headers,
            verify=verify,
            timeout=20,
        )
        for _ in range(200):
            poll = answer.headers.get("azure-asyncoperation")
            if (
                not poll
                or requests.get(poll, headers=headers, verify=verify, timeout=20).json()["status"] != "InProgress"
            ):
                break
        return answer

    def put(self, path: str, version: str, properties: Json, **more: Any) -> requests.Response:  # noqa: ANN401 - JSON
        """Make or update a resource, which is accepted."""
        answer = self.send("PUT", path, version, {"properties": properties, **more})
        assert answer.ok, answer.text
        return answer

    def shown(self, path: str, version: str) -> dict[str, Any]:
        """Give the properties of a resource."""
        properties: dict[str, Any] = self.send("GET", path, version).json()["properties"]
        return properties


@pytest.fixture
def wire(local_cloud: LocalCloud, place: Place) -> Wire:
    place.make_network()
    return Wire(local_cloud)


def state(answer: requests.Response) -> tuple[str, bool]:
    """Give the state in an answer and whether it tells of an operation."""
    return answer.json()["properties"]["provisioningState"], "azure-asyncoperation" in answer.headers


def configuration(place: Place, name: str = "one", **properties: object) -> Json:
    return {"name": name, "properties": {"subnet": {"id": place.subnet}, "primary": name == "one", **properties}}


@pytest.mark.parametrize(("version", "operation"), [("2022-07-01", True), ("2022-11-01", False)])
def test_a_new_interface_is_there_at_once_for_newer_versions(
    wire: Wire, place: Place, version: str, *, operation: bool
) -> None:
    answer = wire.put("networkInterfaces/nic", version, {"ipConfigurations": [configuration(place)]})
    assert (answer.status_code, *state(answer)) == (201, "Succeeded", operation)


def test_only_a_configuration_that_stays_and_gets_another_address_takes_time(wire: Wire, place: Place) -> None:
    nic, version = "networkInterfaces/nic", "2022-11-01"
    wire.put(nic, version, {"ipConfigurations": [configuration(place)]})
    added = wire.put(nic, version, {"ipConfigurations": [configuration(place), configuration(place, "two")]})
    assert state(added) == ("Succeeded", False)
    gone = wire.put(nic, version, {"ipConfigurations": [configuration(place)]})
    assert state(gone) == ("Succeeded", False)
    fixed = configuration(place, privateIPAllocationMethod="Static", privateIPAddress="10.0.0.40")
    assert state(wire.put(nic, version, {"ipConfigurations": [fixed]})) == ("Updating", True)


def test_older_versions_update_an_interface_without_a_machine_by_an_operation_that_has_succeeded(
    wire: Wire, place: Place
) -> None:
    nic, version = "networkInterfaces/nic", "2019-11-01"
    wire.put(nic, version, {"ipConfigurations": [configuration(place)]})
    fixed = configuration(place, privateIPAllocationMethod="Static", privateIPAddress="10.0.0.40")
    assert state(wire.put(nic, version, {"ipConfigurations": [fixed]})) == ("Succeeded", True)


@pytest.mark.parametrize(("version", "notified"), [("2019-06-01", False), ("2019-11-01", True)])
def test_notifications_are_offered_by_newer_versions(wire: Wire, version: str, *, notified: bool) -> None:
    answer = wire.put("routeTables/table", version, {})
    assert ("azure-asyncnotification" in answer.headers) is notified


@pytest.mark.parametrize(("version", "notified"), [("2020-07-01", False), ("2021-08-01", True)])
def test_notifications_of_writes_below_a_resource_came_later(wire: Wire, version: str, *, notified: bool) -> None:
    wire.put("routeTables/table", version, {})
    route = {"addressPrefix": "10.9.0.0/16", "nextHopType": "None"}
    answer = wire.put("routeTables/table/routes/one", version, route)
    assert ("azure-asyncnotification" in answer.headers) is notified


@pytest.mark.parametrize(("version", "notified"), [("2019-11-01", False), ("2022-01-01", True)])
def test_notifications_of_updates_of_an_interface_came_later(
    wire: Wire, place: Place, version: str, *, notified: bool
) -> None:
    nic = "networkInterfaces/nic"
    made = wire.put(nic, version, {"ipConfigurations": [configuration(place)]})
    assert "azure-asyncnotification" in made.headers
    fixed = configuration(place, privateIPAllocationMethod="Static", privateIPAddress="10.0.0.40")
    changed = wire.put(nic, version, {"ipConfigurations": [fixed]})
    assert ("azure-asyncnotification" in changed.headers) is notified


def balancer(address: str, **more: list[Json]) -> Json:
    frontend = {"name": "front", "properties": {"publicIPAddress": {"id": address}}}
    return {FRONTEND: [frontend], POOL: [{"name": "pool"}], **more}


def rule(wire: Wire, port: int) -> Json:
    parent = f"{wire.base}/loadBalancers/lb"
    return {
        "name": f"rule{port}",
        "properties": {
            "protocol": "Tcp",
            "frontendPort": port,
            "backendPort": port,
            "frontendIPConfiguration": {"id": f"{parent}/{FRONTEND}/front"},
            POOL: [{"id": f"{parent}/{POOL}/pool"}],
        },
    }


STANDARD: Json = {"sku": {"name": "Standard"}}


def test_a_load_balancer_follows_changes_in_time_once_a_pool_was_written_by_itself(wire: Wire, place: Place) -> None:
    address, version = place.make_address(), "2023-04-01"
    wire.put("loadBalancers/lb", version, balancer(address), **STANDARD)
    first = balancer(address, loadBalancingRules=[rule(wire, 80)])
    assert state(wire.put("loadBalancers/lb", version, first, **STANDARD)) == ("Succeeded", True)
    wire.put(f"loadBalancers/lb/{POOL}/pool", version, {})
    second = balancer(address, loadBalancingRules=[rule(wire, 80), rule(wire, 81)])
    assert state(wire.put("loadBalancers/lb", version, second, **STANDARD)) == ("Updating", True)


def test_a_frontend_that_joins_a_subnet_takes_time(wire: Wire, place: Place) -> None:
    address, version = place.make_address(), "2023-04-01"
    body = balancer(address)
    wire.put("loadBalancers/lb", version, body, **STANDARD)
    body[FRONTEND].append({"name": "inside", "properties": {"subnet": {"id": place.subnet}}})
    assert state(wire.put("loadBalancers/lb", version, body, **STANDARD)) == ("Updating", True)


def test_the_version_of_an_address_is_shown_of_private_frontends_and_once_was_of_all(wire: Wire, place: Place) -> None:
    body = balancer(place.make_address())
    body[FRONTEND].append({"name": "inside", "properties": {"subnet": {"id": place.subnet}}})
    wire.put("loadBalancers/lb", "2023-04-01", body, **STANDARD)

    def who(version: str) -> list[str]:
        frontends = wire.shown("loadBalancers/lb", version)[FRONTEND]
        return [each["name"] for each in frontends if "privateIPAddressVersion" in each["properties"]]

    assert who("2018-12-01") == []
    assert who("2020-07-01") == ["front", "inside"]
    assert who("2023-04-01") == ["inside"]


def test_a_rule_shows_its_pools_in_newer_versions_and_one_alone_as_the_pool(wire: Wire, place: Place) -> None:
    body = balancer(place.make_address(), loadBalancingRules=[rule(wire, 80)])
    wire.put("loadBalancers/lb", "2023-04-01", body, **STANDARD)
    for version, shown in (("2020-07-01", False), ("2022-01-01", True)):
        for properties in (
            wire.shown("loadBalancers/lb", version)["loadBalancingRules"][0]["properties"],
            wire.shown("loadBalancers/lb/loadBalancingRules/rule80", version),
        ):
            assert "backendAddressPool" in properties
            assert (POOL in properties) is shown


def test_a_range_of_nat_ports_may_start_at_zero_and_needs_no_pool(wire: Wire, place: Place) -> None:
    rule_ = {
        "name": "range",
        "properties": {
            "protocol": "Tcp",
            "backendPort": 22,
            "frontendPortRangeStart": 0,
            "frontendPortRangeEnd": 3,
            "frontendIPConfiguration": {"id": f"{wire.base}/loadBalancers/lb/{FRONTEND}/front"},
        },
    }
    body = balancer(place.make_address(), inboundNatRules=[rule_])
    made = wire.put("loadBalancers/lb", "2023-04-01", body, **STANDARD).json()["properties"]["inboundNatRules"][0]
    assert made["properties"]["frontendPort"] == 0


def test_a_security_rule_takes_a_bare_number_for_a_prefix(wire: Wire) -> None:
    rule_ = {
        "protocol": "*",
        "access": "Allow",
        "direction": "Inbound",
        "priority": 100,
        "sourceAddressPrefix": "789",
        "destinationAddressPrefix": "*",
        "sourcePortRange": "*",
        "destinationPortRange": "22",
    }
    wire.put("networkSecurityGroups/nsg", "2022-01-01", {})
    wire.put("networkSecurityGroups/nsg/securityRules/web", "2022-01-01", rule_)


def test_the_plural_properties_of_security_rules_are_those_of_newer_versions(wire: Wire) -> None:
    wire.put("networkSecurityGroups/nsg", "2022-01-01", {})
    for version, shown in (("2016-12-01", False), ("2019-11-01", True)):
        default = wire.shown("networkSecurityGroups/nsg", version)["defaultSecurityRules"][0]
        assert ("sourceAddressPrefixes" in default["properties"]) is shown


def test_an_application_security_group_shows_no_guid(wire: Wire) -> None:
    assert wire.put("applicationSecurityGroups/asg", "2021-08-01", {}).json()["properties"].keys() == {
        "provisioningState"
    }


@pytest.mark.parametrize(
    ("path", "properties", "more", "code"),
    [
        (
            "publicIPAddresses/ip",
            {"publicIPAllocationMethod": "Dynamic"},
            {"sku": {"name": "Basic", "tier": "Global"}},
            "GlobalPublicIPAddressNotSupportedForBasicPublicIpAddress",
        ),
        (
            "virtualNetworks/other",
            {"addressSpace": {"addressPrefixes": ["10.3.0.0/16"]}, "encryption": {"enabled": True}},
            {},
            "MustSpecifyBothEncryptionIntentAndEnforcementPolicy",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(wire: Wire, path: str, properties: Json, more: Json, code: str) -> None:
    answer = wire.send("PUT", path, "2024-05-01", {"properties": properties, **more})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)


def test_a_location_lists_what_subnets_can_be_delegated_to_and_have_endpoints_of(wire: Wire) -> None:
    subscription = wire.base.partition("/resourceGroups/")[0]
    places: list[Callable[[str], str]] = [
        lambda kind: f"{subscription}/providers/Microsoft.Network/locations/westeurope/{kind}",
        lambda kind: f"{wire.base}/locations/westeurope/{kind}",
    ]
    for place in places:
        value = wire.send("GET", place("availableDelegations"), "2022-01-01").json()["value"]
        named = next(each for each in value if each["serviceName"] == "Microsoft.Web/serverFarms")
        assert named["name"] == "Microsoft.Web.serverFarms"
    value = wire.send("GET", places[0]("virtualNetworkAvailableEndpointServices"), "2022-01-01").json()["value"]
    assert "Microsoft.Storage" in [each["name"] for each in value]


def test_a_peering_with_part_of_a_network_shows_both_address_spaces(wire: Wire) -> None:
    wire.put("virtualNetworks/other", "2023-11-01", {"addressSpace": {"addressPrefixes": ["10.3.0.0/16"]}})
    peering = {"remoteVirtualNetwork": {"id": f"{wire.base}/virtualNetworks/other"}, "peerCompleteVnets": False}
    path = "virtualNetworks/vnet/virtualNetworkPeerings/there"
    shown = wire.put(path, "2023-11-01", peering).json()["properties"]
    assert shown["localAddressSpace"]["addressPrefixes"] == ["10.0.0.0/16"]
    assert shown["remoteAddressSpace"] == {"addressPrefixes": ["10.3.0.0/16"], "ipamPoolPrefixAllocations": []}
    assert "routeServiceVips" in shown
    wire.put(path, "2023-11-01", shown)
    again = wire.put(f"{path}?syncRemoteAddressSpace=true", "2023-11-01", peering)
    assert state(again) == ("Updating", True)
