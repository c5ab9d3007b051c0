from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.network.place import LOCATION, FirstAnswer, Json, Place, refusal

if TYPE_CHECKING:
    from tests.emulator.clients import Clients


def parts(place: Place, **more: object) -> dict[str, Any]:
    """Make a load balancer's properties: a frontend, a pool, a probe and a rule from port 80 to 8080."""
    front = place.balancer_part("frontendIPConfigurations", "front")
    rule = {
        "name": "web",
        "properties": {
            "protocol": "Tcp",
            "frontendPort": 80,
            "backendPort": 8080,
            "frontendIPConfiguration": front,
            "backendAddressPool": place.balancer_part("backendAddressPools", "pool"),
            "probe": place.balancer_part("probes", "alive"),
        },
    }
    return {
        "frontendIPConfigurations": [
            {"name": "front", "properties": {"publicIPAddress": {"id": place.make_address()}}}
        ],
        "backendAddressPools": [{"name": "pool"}],
        "probes": [{"name": "alive", "properties": {"protocol": "Http", "port": 8080, "requestPath": "/"}}],
        "loadBalancingRules": [rule],
        **more,
    }


def nat(place: Place, name: str = "ssh", **properties: object) -> dict[str, Any]:
    front = place.balancer_part("frontendIPConfigurations", "front")
    given = {"protocol": "Tcp", "backendPort": 22, "frontendIPConfiguration": front, **properties}
    return {"name": name, "properties": given}


def test_a_new_load_balancer_has_succeeded_in_the_first_answer(azure: Clients, place: Place) -> None:
    first = FirstAnswer()
    body: Json = {"location": LOCATION, "sku": {"name": "Standard"}, "properties": parts(place)}
    azure.network.load_balancers.begin_create_or_update("g", "lb", body, raw_response_hook=first).result()
    shown = first.body["properties"]
    assert (first.status, shown["provisioningState"]) == (201, "Succeeded")
    assert "azure-asyncoperation" in first.headers
    assert first.body["sku"] == {"name": "Standard", "tier": "Regional"}
    assert shown["inboundNatPools"] == shown["inboundNatRules"] == shown["outboundRules"] == []


def test_parts_know_what_refers_to_them(azure: Clients, place: Place) -> None:
    balancer = place.make_balancer(**parts(place))
    rules = [place.balancer_part("loadBalancingRules", "web")]
    shown = balancer["properties"]
    assert shown["frontendIPConfigurations"][0]["properties"]["loadBalancingRules"] == rules
    assert shown["backendAddressPools"][0]["properties"]["loadBalancingRules"] == rules
    assert shown["probes"][0]["properties"]["loadBalancingRules"] == rules
    assert {item["etag"] for item in (shown["probes"][0], shown["loadBalancingRules"][0])} == {balancer["etag"]}
    front = azure.network.load_balancer_frontend_ip_configurations.get("g", "lb", "front")
    address = azure.network.public_ip_addresses.get("g", "ip")
    assert address["properties"]["ipConfiguration"]["id"] == front["id"]


def test_rules_and_probes_get_azures_defaults(azure: Clients, place: Place) -> None:
    place.make_balancer(**parts(place))
    rule = azure.network.load_balancer_load_balancing_rules.get("g", "lb", "web")["properties"]
    pool = place.balancer_part("backendAddressPools", "pool")
    expected = {
        "enableFloatingIP": False,
        "idleTimeoutInMinutes": 4,
        "enableTcpReset": False,
        "loadDistribution": "Default",
        "disableOutboundSnat": False,
        "backendAddressPools": [pool],
    }
    assert {key: rule[key] for key in expected} == expected
    probe = azure.network.load_balancer_probes.get("g", "lb", "alive")["properties"]
    assert (probe["intervalInSeconds"], probe["probeThreshold"]) == (15, 1)


def test_a_pool_shows_the_interfaces_in_it(azure: Clients, place: Place) -> None:
    place.make_network()
    place.make_balancer(**parts(place))
    place.make_interface(loadBalancerBackendAddressPools=[place.balancer_part("backendAddressPools", "pool")])
    member = {"id": place.id("networkInterfaces", "nic") + "/ipConfigurations/primary"}
    pool = azure.network.load_balancer_backend_address_pools.get("g", "lb", "pool")["properties"]
    assert pool["backendIPConfigurations"] == [member]
    assert pool["loadBalancerBackendAddresses"][0]["properties"]["networkInterfaceIPConfiguration"] == member
    behind = azure.network.load_balancer_network_interfaces.list("g", "lb")
    assert [nic["name"] for nic in behind] == ["nic"]


def test_what_was_read_can_be_written_back(azure: Clients, place: Place) -> None:
    place.make_network()
    before = place.make_balancer(**parts(place, inboundNatRules=[nat(place, frontendPort=2222)]))
    place.make_interface(
        loadBalancerBackendAddressPools=[place.balancer_part("backendAddressPools", "pool")],
        loadBalancerInboundNatRules=[place.balancer_part("inboundNatRules", "ssh")],
    )
    read = azure.network.load_balancers.get("g", "lb")
    after = azure.network.load_balancers.begin_create_or_update("g", "lb", read).result()
    assert after["etag"] != before["etag"]
    again = azure.network.load_balancers.get("g", "lb")
    for properties in (read["properties"], again["properties"]):
        for items in properties.values():
            for item in items if isinstance(items, list) else ():
                item.pop("etag")
                for entry in item["properties"].get("loadBalancerBackendAddresses", ()):
                    entry.pop("etag")
    assert again["properties"] == read["properties"]


def test_an_inbound_nat_rule_has_a_life_of_its_own(azure: Clients, place: Place) -> None:
    place.make_network()
    place.make_balancer(**parts(place))
    first = FirstAnswer()
    rules = azure.network.inbound_nat_rules
    body: Json = {"properties": nat(place, frontendPort=2222)["properties"]}
    rules.begin_create_or_update("g", "lb", "ssh", body, raw_response_hook=first).result()
    assert (first.status, first.body["properties"]["provisioningState"]) == (201, "Succeeded")
    place.make_interface(loadBalancerInboundNatRules=[place.balancer_part("inboundNatRules", "ssh")])
    target = place.id("networkInterfaces", "nic") + "/ipConfigurations/primary"
    assert rules.get("g", "lb", "ssh")["properties"]["backendIPConfiguration"]["id"] == target
    rules.begin_delete("g", "lb", "ssh").result()
    assert list(rules.list("g", "lb")) == []
    nic = azure.network.network_interfaces.get("g", "nic")
    assert "loadBalancerInboundNatRules" not in nic["properties"]["ipConfigurations"][0]["properties"]


def test_a_pool_can_be_added_by_itself(azure: Clients, place: Place) -> None:
    place.make_balancer(**parts(place))
    first = FirstAnswer()
    body: Json = {"name": "more"}
    pools = azure.network.load_balancer_backend_address_pools
    pools.begin_create_or_update("g", "lb", "more", body, raw_response_hook=first).result()
    assert (first.status, first.body["properties"]["provisioningState"]) == (201, "Updating")
    names = [pool["name"] for pool in azure.network.load_balancer_backend_address_pools.list("g", "lb")]
    assert names == ["pool", "more"]


def test_an_internal_frontend_takes_an_address_of_its_subnet(azure: Clients, place: Place) -> None:
    place.make_network()
    front = {"name": "front", "properties": {"subnet": {"id": place.subnet}}}
    balancer = place.make_balancer(frontendIPConfigurations=[front])
    made = balancer["properties"]["frontendIPConfigurations"][0]
    assert made["properties"]["privateIPAddress"] == "10.0.0.4"
    nic = place.make_interface()
    assert nic["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"] == "10.0.0.5"
    users = azure.network.subnets.get("g", "vnet", "default")["properties"]["ipConfigurations"]
    assert made["id"] in [user["id"] for user in users]


def test_a_nat_pool_makes_a_rule_for_each_instance(azure: Clients, place: Place) -> None:
    place.make_network()
    pool = nat(place, frontendPortRangeStart=50000, frontendPortRangeEnd=50119)
    place.make_balancer(**parts(place, inboundNatPools=[pool]))
    make_instances(place, "0", "3")
    rules = {
        rule["name"]: (rule["properties"]["frontendPort"], rule["properties"]["backendIPConfiguration"]["id"])
        for rule in azure.network.inbound_nat_rules.list("g", "lb")
    }
    assert {name: port for name, (port, _) in rules.items()} == {"ssh.0": 50000, "ssh.3": 50003}
    assert rules["ssh.3"][1].endswith(
        "/virtualMachineScaleSets/ss/virtualMachines/3/networkInterfaces/nic/ipConfigurations/primary"
    )
    read = azure.network.load_balancers.get("g", "lb")
    again = azure.network.load_balancers.begin_create_or_update("g", "lb", read).result()
    assert [rule["name"] for rule in again["properties"]["inboundNatRules"]] == ["ssh.0", "ssh.3"]
    read["properties"]["inboundNatRules"].append(nat(place, "mine", frontendPort=2222))
    write = partial(azure.network.load_balancers.begin_create_or_update, "g", "lb", read)
    assert refusal(write)[1] == "AddingOrUpdatingNatRulesWhenNatPoolIsPresentOnLoadbalancerIsNotSupported"


def test_a_rule_with_a_range_gives_each_member_of_its_pool_a_port(azure: Clients, place: Place) -> None:
    place.make_network()
    ranged = nat(
        place,
        frontendPortRangeStart=50000,
        frontendPortRangeEnd=50001,
        backendAddressPool=place.balancer_part("backendAddressPools", "pool"),
    )
    place.make_balancer(**parts(place, inboundNatRules=[ranged]))
    member = [place.balancer_part("backendAddressPools", "pool")]
    two = place.id("networkInterfaces", "two")

    def ports() -> dict[str, int]:
        pool = azure.network.load_balancer_backend_address_pools.get("g", "lb", "pool")["properties"]
        return {
            entry["properties"]["networkInterfaceIPConfiguration"]["id"].split("/")[8]: mapping["frontendPort"]
            for entry in pool["loadBalancerBackendAddresses"]
            for mapping in entry["properties"].get("inboundNatRulesPortMapping", ())
        }

    for name in ("one", "two"):
        place.make_interface(name, loadBalancerBackendAddressPools=member)
    assert ports() == {"one": 50000, "two": 50001}
    azure.network.network_interfaces.begin_delete("g", "one").result()
    place.make_interface("three", loadBalancerBackendAddressPools=member)
    assert ports() == {"two": 50001, "three": 50000}
    questions: list[Json] = [{"ipAddress": "10.0.0.5"}, {"ipConfiguration": {"id": f"{two}/ipConfigurations/primary"}}]
    for question in questions:
        answer: Json = azure.network.load_balancers.begin_list_inbound_nat_rule_port_mappings(
            "g", "lb", "pool", question
        ).result()
        (mapping,) = answer["inboundNatRulePortMappings"]
        assert (mapping["inboundNatRuleName"], mapping["frontendPort"], mapping["protocol"]) == ("ssh", 50001, "Tcp")


def test_an_interface_tells_the_load_balancers_in_front_of_it(azure: Clients, place: Place) -> None:
    place.make_network()
    place.make_balancer(**parts(place))
    place.make_interface(loadBalancerBackendAddressPools=[place.balancer_part("backendAddressPools", "pool")])
    place.make_interface("alone")
    found = azure.network.network_interface_load_balancers
    assert [balancer.name for balancer in found.list("g", "nic")] == ["lb"]
    assert list(found.list("g", "alone")) == []


def make_instances(place: Place, *names: str) -> None:
    pool = place.balancer_part("backendAddressPools", "pool")
    configuration = {
        "model": [pool, place.balancer_part("inboundNatPools", "ssh")],
        "instance": {
            "loadBalancerBackendAddressPools": lambda _: [pool],
            "loadBalancerInboundNatRules": lambda name: [place.balancer_part("inboundNatRules", f"ssh.{name}")],
        },
    }
    place.make_instances(*names, configuration=configuration)


def test_what_a_scale_set_names_cannot_be_removed(azure: Clients, place: Place) -> None:
    place.make_network()
    pool = nat(place, frontendPortRangeStart=50000, frontendPortRangeEnd=50119)
    properties = parts(place, inboundNatPools=[pool])
    place.make_balancer(**properties)
    make_instances(place, "0")
    delete = partial(azure.network.load_balancers.begin_delete, "g", "lb")
    status, code, message = refusal(delete)
    assert (status, code) == (400, "LoadBalancerInUseByVirtualMachineScaleSet")
    assert "since its child resources pool are in use by virtual machine scale set" in message
    without = {**properties, "backendAddressPools": [], "loadBalancingRules": []}
    assert "Cannot remove backend address pool pool" in refusal(partial(place.make_balancer, **without))[2]
    without = {**properties, "inboundNatPools": []}
    assert "Cannot remove inbound nat pool ssh" in refusal(partial(place.make_balancer, **without))[2]


def test_a_load_balancer_that_goes_leaves_its_interfaces_free(azure: Clients, place: Place) -> None:
    place.make_network()
    place.make_balancer(**parts(place))
    place.make_interface(loadBalancerBackendAddressPools=[place.balancer_part("backendAddressPools", "pool")])
    azure.network.load_balancers.begin_delete("g", "lb").result()
    nic = azure.network.network_interfaces.get("g", "nic")
    assert "loadBalancerBackendAddressPools" not in nic["properties"]["ipConfigurations"][0]["properties"]


def test_a_basic_load_balancer_cannot_have_a_standard_address(place: Place) -> None:
    status, code, message = refusal(partial(place.make_balancer, sku="Basic", **parts(place)))
    assert (status, code) == (400, "PublicIPAndLBSkuDoNotMatch")
    assert message.startswith("Basic sku load balancer ")
    assert " cannot reference Standard sku publicIP " in message


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"frontendPort": 80, "backendPort": 81}, "RulesUseSameFrontendPortProtocolAndFrontendIPConfig"),
        ({"frontendPort": 81, "backendPort": 8080}, "RulesUseSameBackendPortProtocolAndPool"),
        ({"frontendPort": 0, "backendPort": 1}, "LoadBalancerPortIsOutOfRange"),
        ({"frontendPort": 81, "backendPort": 1, "protocol": "Icmp"}, "InvalidRequestFormat"),
        ({"frontendPort": 81, "backendPort": 1, "idleTimeoutInMinutes": 3}, "LoadBalancerIdleTimeoutIsOutOfRange"),
        ({"frontendPort": 81, "backendPort": 1, "frontendIPConfiguration": None}, "InvalidRequestFormat"),
    ],
)
def test_a_wrong_rule_is_refused(place: Place, changes: dict[str, Any], code: str) -> None:
    properties = parts(place)
    right = properties["loadBalancingRules"][0]
    wrong = {"name": "wrong", "properties": {**right["properties"], **changes}}
    make = partial(place.make_balancer, **{**properties, "loadBalancingRules": [right, wrong]})
    assert refusal(make)[:2] == (400, code)


def test_a_rule_must_refer_to_parts_that_are_there(place: Place) -> None:
    status, code, message = refusal(partial(place.make_balancer, **{**parts(place), "probes": []}))
    assert (status, code) == (400, "InvalidResourceReference")
    assert "/probes/alive referenced by resource" in message
