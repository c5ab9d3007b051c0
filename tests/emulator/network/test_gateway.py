from __future__ import annotations

import socket
import struct
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from python_socks import ProxyError
from python_socks.sync import Proxy

from tests.emulator.network.machines import Machines, Service, answering_http, counting, hanging_up, saying
from tests.emulator.network.place import LOCATION, Json, Place, rule
from verified_images.emulator.network.gateway import Gateway

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SSH = 22
PATIENCE = 0.3


@pytest.fixture
def gateway(place: Place) -> Iterator[Gateway]:
    gateway = Gateway(place.cloud, 0, patience=PATIENCE)
    yield gateway
    gateway.close()


@pytest.fixture
def undo() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(gateway: Gateway, host: str, port: int = SSH) -> socket.socket:
    return Proxy.from_url(f"socks5://127.0.0.1:{gateway.port}").connect(host, port, timeout=10)


def read_all(connection: socket.socket) -> bytes:
    with connection:
        connection.settimeout(10)
        return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def hear(gateway: Gateway, host: str, port: int = SSH) -> str:
    return read_all(connect(gateway, host, port)).decode()


def reply_code(gateway: Gateway, host: str, port: int = SSH) -> int:
    """Give the code of the reply that refuses a connection."""
    with pytest.raises(ProxyError) as refused:
        connect(gateway, host, port)
    return int(refused.value.error_code or 0)


def make_machine(place: Place, *rules: dict[str, Any], **address: Json) -> str:
    """Make a machine with a public address of its own, behind a security group; give the address."""
    place.make_network()
    public = {"id": place.make_address(**address)}
    place.make_interface(group=place.make_group(*rules), publicIPAddress=public)
    place.make_machine("vm")
    return place.read_address()


def test_a_connection_to_a_public_address_ends_at_the_machine(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    address = make_machine(place, rule(100, sourceAddressPrefix="127.0.0.1"))
    machines.listen("vm", SSH, undo.enter_context(saying("SSH-2.0-vm")))
    assert hear(gateway, address) == "SSH-2.0-vm"


def test_the_cloud_tells_where_its_gateway_is(place: Place, machines: Machines, undo: ExitStack) -> None:
    address = make_machine(place, rule(100))
    machines.listen("vm", SSH, undo.enter_context(saying("hello")))
    connection = Proxy.from_url(place.azure.cloud.proxy).connect(address, SSH, timeout=10)
    assert read_all(connection) == b"hello"


def test_a_name_leads_where_its_address_does(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    make_machine(place, rule(100), dnsSettings={"domainNameLabel": "web"})
    machines.listen("vm", SSH, undo.enter_context(saying("hello")))
    assert hear(gateway, f"Web.{LOCATION}.cloudapp.azure.com") == "hello"


def test_each_direction_ends_by_itself(place: Place, machines: Machines, gateway: Gateway, undo: ExitStack) -> None:
    address = make_machine(place, rule(100))
    machines.listen("vm", SSH, undo.enter_context(counting()))
    connection = connect(gateway, address)
    connection.sendall(b"x" * 3_000_000)
    connection.shutdown(socket.SHUT_WR)
    assert read_all(connection) == b"3000000"


def test_a_machine_that_resets_the_connection_ends_it_for_the_client(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    def reset(connection: socket.socket) -> None:
        connection.sendall(b"x")
        connection.recv(1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    address = make_machine(place, rule(100))
    machines.listen("vm", SSH, undo.enter_context(Service(reset)))
    connection = connect(gateway, address)
    connection.settimeout(10)
    assert connection.recv(1) == b"x"
    connection.sendall(b"y")
    try:
        assert connection.recv(1) == b""
    except ConnectionResetError:
        pass
    finally:
        connection.close()


def test_a_port_that_no_rule_admits_is_held_and_then_unreachable(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    address = make_machine(place, rule(100, "80"))
    machines.listen("vm", SSH, undo.enter_context(saying("hello")))
    began = time.monotonic()
    assert reply_code(gateway, address) == 4
    assert time.monotonic() - began >= PATIENCE


def test_a_rule_takes_effect_at_once(place: Place, machines: Machines, gateway: Gateway, undo: ExitStack) -> None:
    address = make_machine(place)
    machines.listen("vm", SSH, undo.enter_context(saying("hello")))
    assert reply_code(gateway, address) == 4
    place.make_group(rule(100))
    assert hear(gateway, address) == "hello"


def test_a_standard_address_without_a_group_is_closed_and_a_basic_one_open(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    place.make_network()
    machines.listen("standard", SSH, undo.enter_context(saying("standard")))
    machines.listen("basic", SSH, undo.enter_context(saying("basic")))
    for name in ("standard", "basic"):
        public = {"id": place.make_address(name, sku=name.capitalize())}
        place.make_interface(name, publicIPAddress=public)
        place.make_machine(name, name)
    assert reply_code(gateway, place.read_address("standard")) == 4
    assert hear(gateway, place.read_address("basic")) == "basic"


def test_a_group_of_the_subnet_counts_too(place: Place, machines: Machines, gateway: Gateway, undo: ExitStack) -> None:
    address = make_machine(place, rule(100))
    machines.listen("vm", SSH, undo.enter_context(saying("hello")))
    closed = place.make_group(name="closed")
    body: Json = {"properties": {"addressPrefix": "10.0.0.0/24", "networkSecurityGroup": {"id": closed}}}
    place.azure.network.subnets.begin_create_or_update("g", "vnet", "default", body).result()
    assert reply_code(gateway, address) == 4


def test_a_machine_that_is_down_is_as_one_that_is_closed(place: Place, gateway: Gateway) -> None:
    assert reply_code(gateway, make_machine(place, rule(100))) == 4


def test_an_open_port_on_which_nothing_listens_is_refused(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    address = make_machine(place, rule(100, "1-100"))
    machines.listen("vm", SSH, undo.enter_context(hanging_up()))
    assert reply_code(gateway, address) == 5
    with socket.create_server(("127.0.0.1", 0)) as server:
        machines.ports["vm", 80] = ("127.0.0.1", server.getsockname()[1])
    assert reply_code(gateway, address, 80) == 5


def test_private_addresses_are_for_those_inside(place: Place, gateway: Gateway) -> None:
    make_machine(place, rule(100))
    assert reply_code(gateway, "10.0.0.4") == 2
    assert reply_code(gateway, "127.0.0.1") == 2


@pytest.mark.parametrize("host", ["198.51.100.77", "8.8.8.8", "example.com"])
def test_what_nobody_has_leads_nowhere(place: Place, gateway: Gateway, host: str) -> None:
    make_machine(place, rule(100))
    assert reply_code(gateway, host) == 3


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (b"\x04\x01", b""),
        (b"\x05\x01\x02", b"\x05\xff"),
        (b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x16", b"\x05\x00\x05\x07\x00\x01" + bytes(6)),
        (b"\x05\x01\x00\x05\x01\x00\x04" + bytes(18), b"\x05\x00\x05\x08\x00\x01" + bytes(6)),
    ],
    ids=["version 4", "authentication", "bind", "IPv6"],
)
def test_what_is_not_served_is_refused(gateway: Gateway, request_bytes: bytes, answer: bytes) -> None:
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    connection.sendall(request_bytes)
    assert read_all(connection) == answer


def test_many_connections_at_once_keep_apart(
    place: Place, machines: Machines, gateway: Gateway, undo: ExitStack
) -> None:
    address = make_machine(place, rule(100))
    machines.listen("vm", SSH, undo.enter_context(counting()))
    heard: dict[int, bytes] = {}

    def talk(size: int) -> None:
        connection = connect(gateway, address)
        connection.sendall(b"x" * size)
        connection.shutdown(socket.SHUT_WR)
        heard[size] = read_all(connection)

    threads = [threading.Thread(target=talk, args=(number * 1000,)) for number in range(1, 31)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {size: str(size).encode() for size in heard}
    assert len(heard) == 30


def test_closing_hangs_up_and_leaves_nothing_behind(place: Place, machines: Machines, undo: ExitStack) -> None:
    address = make_machine(place, rule(100))
    machines.listen("vm", SSH, undo.enter_context(counting()))
    gateway = Gateway(place.cloud, 0)
    connection = connect(gateway, address)
    gateway.close()
    assert read_all(connection) == b""
    assert not gateway._thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", gateway.port), timeout=10)


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
