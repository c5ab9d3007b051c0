"""Where flows between machines go: private addresses, subnets, peerings, and the rules on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.network.machines import Machines, hanging_up, saying
from tests.emulator.network.place import LOCATION, Json, Place, rule
from tests.emulator.network.test_application_security_groups import make_group as make_application_group
from tests.emulator.network.test_virtual_network_peerings import make_networks, peer
from verified_images.emulator.hypervisor import Delivery, Flow, Way

if TYPE_CHECKING:
    from contextlib import ExitStack

    from verified_images.emulator.hypervisor import Route


def put_machine(place: Place, machines: Machines, name: str, subnet: str = "", **options: Any) -> str:  # noqa: ANN401 - any JSON value
    """Make a running machine with an interface of its own; give its private address."""
    configuration: Json = {"subnet": {"id": subnet or place.subnet}, **options}
    made = place.make_interface(name, **configuration)
    place.make_machine(name, name)
    machines.running.add(name)
    return str(made["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"])


def change_interface(place: Place, name: str, **properties: Json) -> None:
    body: Json = dict(place.azure.network.network_interfaces.get("g", name))
    body["properties"] = {**body["properties"], **properties}
    place.azure.network.network_interfaces.begin_create_or_update("g", name, body).result()


def send(place: Place, sender: str, to: str, port: int = 22, **changes: Any) -> Route:  # noqa: ANN401 - parts of a flow
    """Ask where a flow goes that a machine begins."""
    interface = place.azure.network.network_interfaces.get("g", sender)
    source = interface["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
    flow = {"protocol": "Tcp", "source": source, "source_port": 40000, "destination": to, "port": port, **changes}
    return place.machines.router(Flow(str(interface["id"]), **flow))


def put_two(place: Place, machines: Machines, *rules: dict[str, Any]) -> str:
    """Make machines ``one`` and ``two``, two of them behind rules of its own; give the address of two."""
    place.make_network()
    put_machine(place, machines, "one")
    return put_machine(place, machines, "two", group=place.make_group(*rules))


def test_machines_of_a_network_reach_each_other_in_every_subnet(place: Place, machines: Machines) -> None:
    place.make_network("10.0.0.0/24", "10.0.1.0/24")
    put_machine(place, machines, "one")
    near = put_machine(place, machines, "near")
    far = put_machine(place, machines, "far", place.subnet.replace("default", "subnet1"))
    assert (near, far) == ("10.0.0.5", "10.0.1.4")
    assert send(place, "one", near) == Delivery("near", near, 22)
    assert send(place, "one", far, 53, protocol="Udp") == Delivery("far", far, 53)
    assert send(place, "far", near, 0, protocol="Icmp") == Delivery("near", near, 0)


def test_an_address_that_nobody_has_or_whose_machine_is_off_leads_nowhere(place: Place, machines: Machines) -> None:
    two = put_two(place, machines)
    assert send(place, "one", "10.0.0.77") is Way.NOWHERE
    assert send(place, "one", "10.0.200.1") is Way.NOWHERE
    machines.running.discard("two")
    assert send(place, "one", two) is Way.NOWHERE


def test_everything_else_is_outside(place: Place, machines: Machines) -> None:
    put_two(place, machines)
    for address in ("192.0.2.1", "10.1.0.4", "168.63.129.16", "169.254.169.254"):
        assert send(place, "one", address) is Way.OUTSIDE


def test_a_source_that_is_not_the_interfaces_own_is_lost_unless_it_forwards(place: Place, machines: Machines) -> None:
    two = put_two(place, machines)
    assert send(place, "one", two, source="10.0.0.99") is Way.NOWHERE
    change_interface(place, "one", enableIPForwarding=True)
    assert send(place, "one", two, source="10.0.0.99") == Delivery("two", two, 22)


def test_an_interface_that_is_gone_sends_nothing(place: Place) -> None:
    flow = Flow(place.id("networkInterfaces", "gone"), "Tcp", "10.0.0.4", 1, "192.0.2.1", 2)
    assert place.machines.router(flow) is Way.NOWHERE


@pytest.mark.parametrize("of_subnet", [False, True], ids=["interface", "subnet"])
def test_rules_of_the_receiver_are_enforced(place: Place, machines: Machines, of_subnet: bool) -> None:  # noqa: FBT001 - a parameter of the test
    closed = place.make_group(rule(100, access="Deny", sourceAddressPrefix="VirtualNetwork"))
    place.make_network("10.0.0.0/24", "10.0.1.0/24")
    put_machine(place, machines, "one")
    own: Json = {} if of_subnet else {"group": closed}
    two = put_machine(place, machines, "two", place.subnet.replace("default", "subnet1"), **own)
    if of_subnet:
        subnet: Json = {"properties": {"addressPrefix": "10.0.1.0/24", "networkSecurityGroup": {"id": closed}}}
        place.azure.network.subnets.begin_create_or_update("g", "vnet", "subnet1", subnet).result()
    assert send(place, "one", two) is Way.NOWHERE
    # The default rule admits the network to the ports that no rule speaks of.
    assert send(place, "one", two, 80) == Delivery("two", two, 80)
    assert send(place, "two", "10.0.0.4") == Delivery("one", "10.0.0.4", 22)


def test_rules_of_the_sender_are_enforced(place: Place, machines: Machines) -> None:
    place.make_network()
    deny = rule(100, "22", access="Deny", direction="Outbound")
    no_internet = rule(110, "*", access="Deny", direction="Outbound", destinationAddressPrefix="Internet")
    put_machine(place, machines, "one", group=place.make_group(deny, no_internet))
    two = put_machine(place, machines, "two")
    assert send(place, "one", two) is Way.NOWHERE
    assert send(place, "one", two, 80) == Delivery("two", two, 80)
    assert send(place, "one", "192.0.2.1", 443) is Way.NOWHERE
    assert send(place, "one", "168.63.129.16", 80) is Way.OUTSIDE
    assert send(place, "two", "192.0.2.1", 443) is Way.OUTSIDE


def test_a_rule_is_of_one_protocol_and_source_port(place: Place, machines: Machines) -> None:
    deny = rule(4096, "*", access="Deny", protocol="*")
    two = put_two(place, machines, rule(100, "53", protocol="Udp"), rule(110, sourcePortRange="1000-2000"), deny)
    found = [
        send(place, "one", two, 53, protocol="Udp"),
        send(place, "one", two, 53),
        send(place, "one", two, 0, protocol="Icmp"),
        send(place, "one", two, source_port=1500),
        send(place, "one", two, source_port=2500),
    ]
    assert [isinstance(route, Delivery) for route in found] == [True, False, False, True, False]


def test_a_rule_admits_the_members_of_its_source_group_alone(place: Place, machines: Machines) -> None:
    web, database = make_application_group(place), make_application_group(place, "database")
    place.make_network()
    admitted = rule(
        100, sourceApplicationSecurityGroups=[{"id": web}], destinationApplicationSecurityGroups=[{"id": database}]
    )
    for side in ("source", "destination"):
        del admitted["properties"][f"{side}AddressPrefix"]
    rules = place.make_group(admitted, rule(4096, "*", access="Deny", protocol="*"))
    put_machine(place, machines, "one", applicationSecurityGroups=[{"id": web}])
    put_machine(place, machines, "stranger")
    two = put_machine(place, machines, "two", group=rules, applicationSecurityGroups=[{"id": database}])
    other = put_machine(place, machines, "other", group=rules)
    assert send(place, "one", two) == Delivery("two", two, 22)
    assert send(place, "stranger", two) is Way.NOWHERE
    assert send(place, "one", other) is Way.NOWHERE


def test_machines_of_peered_networks_reach_each_other_once_both_sides_are_peered(
    place: Place, machines: Machines
) -> None:
    make_networks(place)
    for number in range(2):
        subnet: Json = {"properties": {"addressPrefix": f"10.{number}.0.0/24"}}
        place.azure.network.subnets.begin_create_or_update("g", f"v{number}", "s", subnet).result()
        put_machine(place, machines, f"m{number}", f"{place.id('virtualNetworks', f'v{number}')}/subnets/s")
    assert send(place, "m0", "10.1.0.4") is Way.OUTSIDE
    peer(place, "v0", "v1")
    assert send(place, "m0", "10.1.0.4") is Way.OUTSIDE
    peer(place, "v1", "v0")
    assert send(place, "m0", "10.1.0.4") == Delivery("m1", "10.1.0.4", 22)
    # The tag VirtualNetwork speaks of peered networks too.
    group = place.make_group(rule(4096, "*", access="Deny", sourceAddressPrefix="Internet"))
    change_interface(place, "m1", networkSecurityGroup={"id": group})
    assert send(place, "m0", "10.1.0.4") == Delivery("m1", "10.1.0.4", 22)
    remote = {"remoteVirtualNetwork": {"id": place.id("virtualNetworks", "v0")}, "allowVirtualNetworkAccess": False}
    closed: Json = {"properties": remote}
    place.azure.network.virtual_network_peerings.begin_create_or_update("g", "v1", "to-v0", closed).result()
    assert send(place, "m0", "10.1.0.4") is Way.OUTSIDE


def test_networks_with_the_same_addresses_are_kept_apart(place: Place, machines: Machines) -> None:
    two = put_two(place, machines)
    body: Json = {
        "location": LOCATION,
        "properties": {
            "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
            "subnets": [{"name": "default", "properties": {"addressPrefix": "10.0.0.0/24"}}],
        },
    }
    place.azure.network.virtual_networks.begin_create_or_update("g", "twin", body).result()
    subnet = f"{place.id('virtualNetworks', 'twin')}/subnets/default"
    put_machine(place, machines, "twin-one", subnet)
    twin_two = put_machine(place, machines, "twin-two", subnet)
    assert twin_two == two
    assert send(place, "one", two) == Delivery("two", two, 22)
    assert send(place, "twin-one", two) == Delivery("twin-two", two, 22)


def test_instances_of_a_scale_set_are_reached_like_others(place: Place, machines: Machines) -> None:
    put_two(place, machines)
    closed = place.make_group(rule(100, access="Deny"), name="closed")
    configuration = {"model": [], "instance": {}, "interface": {"networkSecurityGroup": {"id": closed}}}
    place.make_instances("0", configuration=configuration)
    machines.running.add("ss-0")
    assert send(place, "one", "10.0.0.20") is Way.NOWHERE
    assert send(place, "one", "10.0.0.20", 80) == Delivery("ss-0", "10.0.0.20", 80)


def test_an_internal_load_balancer_leads_to_its_members_that_are_well(
    place: Place, machines: Machines, undo: ExitStack
) -> None:
    place.make_network()
    put_machine(place, machines, "one")
    part = place.balancer_part
    frontend = {"subnet": {"id": place.subnet}, "privateIPAddress": "10.0.0.100", "privateIPAllocationMethod": "Static"}
    shared = {"protocol": "Tcp", "frontendIPConfiguration": part("frontendIPConfigurations", "f")}
    pool, probe = part("backendAddressPools", "pool"), part("probes", "probe")
    rules = {"frontendPort": 80, "backendPort": 8080, "backendAddressPool": pool, "probe": probe, **shared}
    place.make_balancer(
        frontendIPConfigurations=[{"name": "f", "properties": frontend}],
        backendAddressPools=[{"name": "pool"}],
        probes=[{"name": "probe", "properties": {"protocol": "Tcp", "port": 9000, "intervalInSeconds": 5}}],
        loadBalancingRules=[{"name": "r", "properties": rules}],
    )
    member: Json = {"loadBalancerBackendAddressPools": [pool]}
    addresses = {name: put_machine(place, machines, name, **member) for name in ("well", "sick")}
    machines.listen("well", 9000, undo.enter_context(saying("well")))
    machines.listen("sick", 9000, undo.enter_context(hanging_up()))
    for _ in range(3):
        assert send(place, "one", "10.0.0.100", 80) == Delivery("well", addresses["well"], 8080)
    assert send(place, "one", "10.0.0.100", 81) is Way.NOWHERE
    assert send(place, "one", "10.0.0.100", 80, protocol="Udp") is Way.NOWHERE
