from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.network.place import LOCATION, FirstAnswer, Json, Place, refusal, rule

if TYPE_CHECKING:
    from tests.emulator.clients import Clients


def test_a_group_has_azures_default_rules(azure: Clients, place: Place) -> None:
    first = FirstAnswer()
    body: Json = {"location": LOCATION}
    azure.network.network_security_groups.begin_create_or_update("g", "nsg", body, raw_response_hook=first).result()
    assert (first.status, first.body["properties"]["provisioningState"]) == (201, "Updating")
    group = azure.network.network_security_groups.get("g", "nsg")
    rules = {item["name"]: item["properties"]["priority"] for item in group["properties"]["defaultSecurityRules"]}
    assert rules == {
        "AllowVnetInBound": 65000,
        "AllowAzureLoadBalancerInBound": 65001,
        "DenyAllInBound": 65500,
        "AllowVnetOutBound": 65000,
        "AllowInternetOutBound": 65001,
        "DenyAllOutBound": 65500,
    }
    assert azure.network.default_security_rules.get("g", "nsg", "DenyAllInBound")["properties"]["access"] == "Deny"
    assert "networkInterfaces" not in group["properties"]
    assert place.cloud.store.find(place.id("networkSecurityGroups", "nsg")) is not None


def test_a_rule_has_a_life_of_its_own(azure: Clients, place: Place) -> None:
    place.make_group(rule(100))
    first = FirstAnswer()
    body: Json = {"properties": rule(200, "80")["properties"]}
    azure.network.security_rules.begin_create_or_update("g", "nsg", "web", body, raw_response_hook=first).result()
    assert (first.status, first.body["properties"]["provisioningState"]) == (201, "Updating")
    assert first.body["properties"]["destinationPortRanges"] == []
    assert [item["name"] for item in azure.network.security_rules.list("g", "nsg")] == ["rule100", "web"]
    azure.network.security_rules.begin_delete("g", "nsg", "rule100").result()
    assert [item["name"] for item in azure.network.security_rules.list("g", "nsg")] == ["web"]


def test_a_put_replaces_the_rules(azure: Clients, place: Place) -> None:
    place.make_group(rule(100), rule(200))
    place.make_group(rule(200))
    assert [item["name"] for item in azure.network.security_rules.list("g", "nsg")] == ["rule200"]


def test_enumerations_are_taken_in_any_case(place: Place) -> None:
    place.make_group(rule(100, access="allow", protocol="TCP", direction="inbound"))
    group = place.azure.network.network_security_groups.get("g", "nsg")
    shown = group["properties"]["securityRules"][0]["properties"]
    assert (shown["access"], shown["protocol"], shown["direction"]) == ("Allow", "Tcp", "Inbound")


def test_two_rules_of_a_direction_cannot_share_a_priority(place: Place) -> None:
    other = rule(100, "80") | {"name": "other"}
    outbound = rule(100, direction="Outbound")
    place.make_group(rule(100), outbound)
    status, code, message = refusal(partial(place.make_group, rule(100), other))
    assert (status, code) == (400, "SecurityRuleConflict")
    assert message.startswith("Security rule rule100 conflicts with rule other. Rules cannot have the same Priority")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"priority": 99}, "SecurityRuleInvalidPriority"),
        ({"destinationPortRange": "22,80"}, "SecurityRuleInvalidPortRange"),
        ({"destinationPortRange": "70000"}, "SecurityRuleInvalidPortRange"),
        ({"destinationPortRange": "80-22"}, "SecurityRuleInvalidPortRange"),
        ({"sourceAddressPrefix": "10.0.0.300"}, "SecurityRuleInvalidAddressPrefix"),
        ({"access": "Perhaps"}, "InvalidRequestFormat"),
        ({"access": None}, "SecurityRuleParameterContainsUnsupportedValue"),
        ({"sourceAddressPrefixes": ["10.0.0.0/8"]}, "SecurityRuleParameterContainsBothSingularAndPlural"),
        ({"sourceAddressPrefix": None}, "SecurityRuleParameterNotSpecified"),
    ],
)
def test_a_wrong_rule_is_refused(place: Place, changes: dict[str, Any], code: str) -> None:
    wrong = rule(100)
    wrong["properties"] |= changes
    assert refusal(partial(place.make_group, wrong))[:2] == (400, code)


def test_a_group_in_use_shows_by_whom_and_cannot_be_deleted(azure: Clients, place: Place) -> None:
    group = place.make_group()
    place.make_network(networkSecurityGroup={"id": group})
    place.make_interface(group=group)
    shown = azure.network.network_security_groups.get("g", "nsg")["properties"]
    interface = place.id("networkInterfaces", "nic")
    assert [user["id"] for user in shown["networkInterfaces"]] == [interface]
    assert [user["id"] for user in shown["subnets"]] == [place.subnet]
    status, code, message = refusal(partial(azure.network.network_security_groups.begin_delete, "g", "nsg"))
    assert (status, code) == (400, "InUseNetworkSecurityGroupCannotBeDeleted")
    assert f"in use by the following resources: {interface}, {place.subnet}." in message


def test_a_group_that_a_scale_set_names_cannot_be_deleted(azure: Clients, place: Place) -> None:
    place.make_network()
    group = place.make_group()
    place.make_instances(configuration={"model": [{"id": group}], "instance": {}})
    _, code, _ = refusal(partial(azure.network.network_security_groups.begin_delete, "g", "nsg"))
    assert code == "NetworkSecurityGroupInUseByVirtualMachineScaleSet"
