from __future__ import annotations

import socket
import struct
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from python_socks import ProxyTimeoutError
from python_socks.sync import Proxy

from tests.emulator.network.connections import SSH, connect, hear, read_all, reply_code
from tests.emulator.network.machines import Machines, Service, counting, hanging_up, saying
from tests.emulator.network.place import LOCATION, Json, Place, rule
from verified_images.emulator.network.gateway import Gateway

if TYPE_CHECKING:
    from contextlib import ExitStack


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
    assert time.monotonic() - began >= 0.3


def test_a_connection_gets_through_once_it_is_admitted(place: Place, machines: Machines, undo: ExitStack) -> None:
    address = make_machine(place)
    machines.listen("vm", SSH, undo.enter_context(saying("hello")))
    patient = Gateway(place.cloud, 0, patience=20)
    undo.callback(patient.close)
    admit = threading.Timer(0.2, place.make_group, [rule(100)])
    admit.start()
    assert hear(patient, address) == "hello"
    admit.join()


def test_a_client_that_gives_up_is_let_go(place: Place, undo: ExitStack) -> None:
    address = make_machine(place)
    patient = Gateway(place.cloud, 0, patience=60)
    undo.callback(patient.close)
    with pytest.raises(ProxyTimeoutError):
        Proxy.from_url(f"socks5://127.0.0.1:{patient.port}").connect(address, SSH, timeout=0.3)
    deadline = time.monotonic() + 10
    while patient._connections and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not patient._connections


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


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"CONNECT 198.51.100.77:22 HTTP/1.1\r\nHost: x\r\n\r\n", 502),
        (b"CONNECT management.azure.com:80 HTTP/1.1\r\n\r\n", 502),
        (b"CONNECT 127.0.0.1:22 HTTP/1.0\r\n\r\n", 403),
        (b"CONNECT [::1]:22 HTTP/1.1\r\n\r\n", 400),
        (b"GET http://example.com/ HTTP/1.1\r\n\r\n", 405),
        (b"NONSENSE\r\n\r\n", 400),
        (b"C" * 100_000, 400),
    ],
    ids=["unknown", "port of azure", "private", "IPv6", "get", "nonsense", "endless"],
)
def test_what_http_cannot_connect_to_is_refused_with_a_status(
    place: Place, gateway: Gateway, request_bytes: bytes, status: int
) -> None:
    del place
    connection = socket.create_connection(("127.0.0.1", gateway.port), timeout=10)
    connection.sendall(request_bytes)
    assert read_all(connection).startswith(f"HTTP/1.1 {status} ".encode())


def test_http_connects_to_machines_too(place: Place, machines: Machines, gateway: Gateway, undo: ExitStack) -> None:
    address = make_machine(place, rule(100))
    machines.listen("vm", SSH, undo.enter_context(counting()))
    connection = Proxy.from_url(f"http://127.0.0.1:{gateway.port}").connect(address, SSH, timeout=10)
    connection.sendall(b"x" * 1000)
    connection.shutdown(socket.SHUT_WR)
    assert read_all(connection) == b"1000"


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
