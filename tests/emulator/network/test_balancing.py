from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.network.connections import SSH, connect, hear, read_all, reply_code
from tests.emulator.network.machines import Machines, Service, answering_http, hanging_up, saying
from tests.emulator.network.place import Place, rule

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import ExitStack

    from verified_images.emulator.network.gateway import Gateway


def balance(place: Place, count: int = 2, *, probe: dict[str, Any] | None = None, **rule_properties: object) -> str:
    """Make a load balancer from port 80 to port 8080 of machines vm0, vm1...; give its address."""
    front = place.balancer_part("frontendIPConfigurations", "front")
    properties: dict[str, Any] = {
        "protocol": "Tcp",
        "frontendPort": 80,
        "backendPort": 8080,
        "frontendIPConfiguration": front,
        "backendAddressPool": place.balancer_part("backendAddressPools", "pool"),
        **rule_properties,
    }
    if probe:
        properties["probe"] = place.balancer_part("probes", "alive")
    nat = {"protocol": "Tcp", "frontendPort": 2222, "backendPort": SSH, "frontendIPConfiguration": front}
    place.make_network()
    place.make_balancer(
        frontendIPConfigurations=[{"name": "front", "properties": {"publicIPAddress": {"id": place.make_address()}}}],
        backendAddressPools=[{"name": "pool"}],
        probes=[{"name": "alive", "properties": probe}] if probe else [],
        loadBalancingRules=[{"name": "web", "properties": properties}],
        inboundNatRules=[{"name": "ssh", "properties": nat}],
    )
    group = place.make_group(rule(100, "8080"), rule(101, "22"))
    for number in range(count):
        membership: dict[str, Any] = {
            "loadBalancerBackendAddressPools": [place.balancer_part("backendAddressPools", "pool")]
        }
        if number == 0:
            membership["loadBalancerInboundNatRules"] = [place.balancer_part("inboundNatRules", "ssh")]
        place.make_interface(f"nic{number}", group=group, **membership)
        place.make_machine(f"vm{number}", f"nic{number}")
    return place.read_address()


def test_a_rule_leads_to_the_machines_in_turn(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    address = balance(place)
    for number in range(2):
        machines.listen(f"vm{number}", 8080, undo.enter_context(saying(f"vm{number}")))
    assert sorted(hear(gateway, address, 80) for _ in range(4)) == ["vm0", "vm0", "vm1", "vm1"]


def test_a_rule_may_keep_a_client_with_its_machine(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    address = balance(place, loadDistribution="SourceIP")
    for number in range(2):
        machines.listen(f"vm{number}", 8080, undo.enter_context(saying(f"vm{number}")))
    assert len({hear(gateway, address, 80) for _ in range(4)}) == 1


def test_a_port_of_a_load_balancer_without_a_rule_is_closed(place: Place, machines: Machines, gateway: Gateway) -> None:
    address = balance(place)
    machines.running.update({"vm0", "vm1"})
    assert reply_code(gateway, address, 8080) == 4


def test_an_inbound_nat_rule_leads_to_its_machine(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    address = balance(place)
    for number in range(2):
        machines.listen(f"vm{number}", SSH, undo.enter_context(saying(f"vm{number}")))
    assert hear(gateway, address, 2222) == "vm0"


HTTP = {"protocol": "Http", "port": 8080, "requestPath": "/healthy", "intervalInSeconds": 5}
TCP = {"protocol": "Tcp", "port": 8080, "intervalInSeconds": 5}


@pytest.mark.parametrize(
    ("probe", "make_sick"),
    [
        (HTTP, lambda: answering_http(503)),
        (HTTP, lambda: saying("no HTTP")),
        (TCP, hanging_up),
    ],
    ids=["503", "no HTTP", "closed port"],
)
def test_a_machine_that_does_not_answer_its_probe_gets_no_connections(
    place: Place, gateway: Gateway, undo: ExitStack, probe: dict[str, Any], make_sick: Callable[[], Service]
) -> None:
    machines = place.machines
    address = balance(place, probe=probe)
    machines.listen("vm0", 8080, undo.enter_context(make_sick()))
    machines.listen("vm1", 8080, undo.enter_context(answering_http(200)))
    for _ in range(4):
        connection = connect(gateway, address, 80)
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert read_all(connection).startswith(b"HTTP/1.1 200")


def test_with_no_machine_well_connections_are_dropped(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    address = balance(place, probe=HTTP)
    for number in range(2):
        machines.listen(f"vm{number}", 8080, undo.enter_context(answering_http(500)))
    assert reply_code(gateway, address, 80) == 4


def test_a_probe_must_be_admitted_as_well(place: Place, machines: Machines, gateway: Gateway, undo: ExitStack) -> None:
    address = balance(place, probe=HTTP)
    place.make_group(rule(100, "8080", sourceAddressPrefix="Internet"), rule(200, "*", access="Deny"))
    for number in range(2):
        machines.listen(f"vm{number}", 8080, undo.enter_context(answering_http(200)))
    assert reply_code(gateway, address, 80) == 4


def test_an_inbound_nat_pool_leads_to_each_instance(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    front = place.balancer_part("frontendIPConfigurations", "front")
    pool = {
        "protocol": "Tcp",
        "frontendPortRangeStart": 50000,
        "frontendPortRangeEnd": 50119,
        "backendPort": SSH,
        "frontendIPConfiguration": front,
    }
    place.make_network()
    place.make_balancer(
        frontendIPConfigurations=[{"name": "front", "properties": {"publicIPAddress": {"id": place.make_address()}}}],
        inboundNatPools=[{"name": "ssh", "properties": pool}],
    )
    place.make_instances(
        "0",
        "3",
        configuration={
            "model": [place.balancer_part("inboundNatPools", "ssh")],
            "instance": {
                "loadBalancerInboundNatRules": lambda name: [place.balancer_part("inboundNatRules", f"ssh.{name}")]
            },
            "interface": {"networkSecurityGroup": {"id": place.make_group(rule(100))}},
        },
    )
    for name in ("0", "3"):
        machines.listen(f"ss-{name}", SSH, undo.enter_context(saying(name)))
    address = place.read_address()
    assert (hear(gateway, address, 50000), hear(gateway, address, 50003)) == ("0", "3")
    assert reply_code(gateway, address, 50001) == 4
