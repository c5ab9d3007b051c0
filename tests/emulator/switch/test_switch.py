"""The switch with guests that are sockets: frames in, frames out."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field
from functools import partial
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest

from tests.emulator.switch.packets import (
    ACK,
    UDP,
    arp_request,
    complaint,
    echo,
    packet,
    see,
    tcp,
    udp,
)
from verified_images.emulator.hypervisor import Delivery, Flow, GuestNetwork, Way
from verified_images.emulator.switch.cards import Wires
from verified_images.emulator.switch.switch import Switch
from verified_images.emulator.switch.wires import FramedStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.hypervisor import Route

ONE, TWO = "10.0.0.4", "10.0.1.5"
SECONDS = 20.0


@dataclass
class Plugged:
    """The guest's side of a card: what it sends, what it gets, and what of it would leave the local Azure."""

    inlet: socket.socket
    outlet: socket.socket
    outside: socket.socket

    def send(self, *sent: bytes) -> None:
        self.inlet.sendall(b"".join(len(frame).to_bytes(4, "big") + frame for frame in sent))

    def gets(self) -> bytes:
        return _read(self.outlet)

    def leaves(self) -> bytes:
        return _read(self.outside)

    def close(self) -> None:
        for end in (self.inlet, self.outlet, self.outside):
            end.close()


def _read(stream: socket.socket) -> bytes:
    return _read_exactly(stream, int.from_bytes(_read_exactly(stream, 4), "big"))


def _read_exactly(stream: socket.socket, length: int) -> bytes:
    received = b""
    while len(received) < length:
        chunk = stream.recv(length - len(received))
        assert chunk, "the switch has hung up"
        received += chunk
    return received


@dataclass
class Place:
    """A switch between guests ``one`` and ``two``, and where it is told to lead flows."""

    switch: Switch
    routes: dict[str, Route] = field(default_factory=lambda: {ONE: to("one", ONE), TWO: to("two", TWO)})
    asked: list[Flow] = field(default_factory=list)
    guests: list[Plugged] = field(default_factory=list)

    def route(self, flow: Flow) -> Route:
        self.asked.append(flow)
        found = self.routes.get(flow.destination, Way.OUTSIDE)
        if isinstance(found, Delivery) and not found.port:
            return Delivery(found.guest, found.address, flow.port)
        return found

    def plug(self, name: str, address: str, mac: str) -> Plugged:
        pairs = [socket.socketpair() for _ in range(3)]
        for _, end in pairs:
            end.settimeout(SECONDS)
        subnet = f"{address.rpartition('.')[0]}.0/24"
        wires = Wires(*(FramedStream(own) for own, _ in pairs))
        self.switch.plug(name, GuestNetwork(mac, address, subnet, f"nic-of-{name}"), wires)
        guest = Plugged(*(end for _, end in pairs))
        self.guests.append(guest)
        return guest

    def wait_until_asked(self, times: int) -> None:
        deadline = time.monotonic() + SECONDS
        while len(self.asked) < times and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(self.asked) == times


def to(guest: str, address: str, port: int = 0) -> Delivery:
    return Delivery(guest, address, port)


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place(Switch())
    made.switch.route_by(made.route)
    yield made
    made.switch.close()
    for guest in made.guests:
        guest.close()


@pytest.fixture
def one(place: Place) -> Plugged:
    return place.plug("one", ONE, "00:0d:3a:00:00:01")


@pytest.fixture
def two(place: Place) -> Plugged:
    return place.plug("two", TWO, "00-0D-3A-00-00-02")


def test_a_packet_gets_to_the_guest_of_another_subnet_and_the_answer_back(
    place: Place, one: Plugged, two: Plugged
) -> None:
    one.send(tcp(ONE, 1000, TWO, 22))
    there = see(two.gets())
    assert (there.to.hex(), there.source, there.destination, there.port) == ("000d3a000002", ONE, TWO, 22)
    two.send(tcp(TWO, 22, ONE, 1000, flags=ACK))
    back = see(one.gets())
    assert (back.to.hex(), back.source, back.source_port) == ("000d3a000001", TWO, 22)
    assert place.asked == [Flow("nic-of-one", "Tcp", ONE, 1000, TWO, 22)]


def test_a_flow_is_asked_about_once_and_a_connection_each_time_that_it_is_opened(
    place: Place, one: Plugged, two: Plugged
) -> None:
    one.send(tcp(ONE, 1000, TWO, 22))
    two.gets()
    one.send(tcp(ONE, 1000, TWO, 22, flags=ACK), tcp(ONE, 1000, TWO, 22, flags=ACK))
    two.gets()
    two.gets()
    assert len(place.asked) == 1
    place.routes[TWO] = Way.NOWHERE
    one.send(tcp(ONE, 1000, TWO, 22))
    place.wait_until_asked(2)
    place.routes[TWO] = to("two", TWO)
    one.send(tcp(ONE, 1001, TWO, 22))
    assert see(two.gets()).source_port == 1001


def test_what_is_let_through_stays_so_whatever_becomes_of_the_rules(place: Place, one: Plugged, two: Plugged) -> None:
    one.send(tcp(ONE, 1000, TWO, 22))
    two.gets()
    place.routes = {ONE: Way.NOWHERE, TWO: Way.NOWHERE}
    one.send(tcp(ONE, 1000, TWO, 22, flags=ACK))
    two.gets()
    two.send(tcp(TWO, 22, ONE, 1000, flags=ACK))
    assert see(one.gets()).port == 1000


def test_frames_wait_in_order_while_their_flow_is_asked_about(place: Place, one: Plugged, two: Plugged) -> None:
    may_answer = threading.Event()

    def route(flow: Flow) -> Route:
        if flow.protocol == "Udp":
            return Way.OUTSIDE
        assert may_answer.wait(SECONDS)
        return to("two", TWO, flow.port)

    place.switch.route_by(route)
    one.send(*(tcp(ONE, 1000, TWO, 22, flags=ACK, data=bytes([number])) for number in range(5)))
    # Others do not wait for it.
    one.send(udp(ONE, 1, "192.0.2.1", 2))
    one.leaves()
    may_answer.set()
    assert [two.gets()[-1] for _ in range(5)] == [0, 1, 2, 3, 4]


def test_what_goes_nowhere_is_lost(place: Place, one: Plugged, two: Plugged) -> None:
    place.routes[TWO] = Way.NOWHERE
    one.send(tcp(ONE, 1000, TWO, 22))
    place.wait_until_asked(1)
    place.routes[TWO] = to("two", TWO)
    one.send(tcp(ONE, 1000, TWO, 80))
    assert see(two.gets()).port == 80


def test_a_router_that_fails_loses_the_flow_alone(
    place: Place, one: Plugged, two: Plugged, caplog: pytest.LogCaptureFixture
) -> None:
    def route(flow: Flow) -> Route:
        if flow.port == 22:
            raise ValueError("on purpose")
        return to("two", TWO, flow.port)

    place.switch.route_by(route)
    one.send(tcp(ONE, 1000, TWO, 22))
    one.send(tcp(ONE, 1000, TWO, 80))
    assert see(two.gets()).port == 80
    one.send(tcp(ONE, 1001, TWO, 80))
    two.gets()
    assert "a flow of the guest one is lost: on purpose" in caplog.text


def test_another_end_than_was_meant_is_hidden_from_both_guests(place: Place, one: Plugged, two: Plugged) -> None:
    place.routes["10.0.0.9"] = to("two", TWO, 8080)
    for make, answer in ((tcp, partial(tcp, flags=ACK)), (udp, udp)):
        one.send(make(ONE, 1000, "10.0.0.9", 80))
        there = see(two.gets())
        assert (there.destination, there.port, there.valid) == (TWO, 8080, True)
        two.send(answer(TWO, 8080, ONE, 1000))
        back = see(one.gets())
        assert (back.source, back.source_port, back.valid) == ("10.0.0.9", 80, True)


def test_pings_and_complaints_find_their_way(place: Place, one: Plugged, two: Plugged) -> None:
    one.send(echo(ONE, TWO, 7))
    two.gets()
    place.routes = {ONE: Way.NOWHERE, TWO: to("two", TWO)}
    two.send(echo(TWO, ONE, 7, reply=True))
    assert one.gets()[34] == 0
    about = udp(ONE, 1000, TWO, 53)
    one.send(about)
    two.gets()
    two.send(complaint(TWO, ONE, about))
    assert one.gets()[34] == 3


def test_a_packet_in_pieces_gets_there_whole(one: Plugged, two: Plugged) -> None:
    datagram = udp(ONE, 1000, TWO, 53, bytes(16))[34:]
    first = packet(ONE, TWO, UDP, datagram, fragment=0x2000)
    later = packet(ONE, TWO, UDP, bytes(8), fragment=0x0003)
    stray = bytearray(later)
    stray[19] += 1
    one.send(bytes(stray), first, later)
    assert [two.gets()[34:], two.gets()[34:]] == [datagram, bytes(8)]


def test_what_leaves_and_what_azure_keeps_goes_outside_as_it_is(place: Place, one: Plugged) -> None:
    leaving = [
        udp(ONE, 68, "255.255.255.255", 67),
        tcp(ONE, 1000, "10.0.0.1", 22),
        udp(ONE, 1000, "10.0.0.3", 53),
        udp(ONE, 1000, "224.0.0.251", 5353),
        arp_request(ONE, "10.0.0.1"),
        bytes(6) + bytes(6) + b"\x86\xdd" + bytes(40),
    ]
    for frame in leaving:
        one.send(frame)
        assert one.leaves() == frame
    assert place.asked == []
    one.send(tcp(ONE, 1000, "192.0.2.1", 443))
    assert one.leaves() == tcp(ONE, 1000, "192.0.2.1", 443)


def test_an_address_of_the_subnet_is_answered_for(one: Plugged) -> None:
    one.send(arp_request(ONE, "10.0.0.77"))
    assert one.gets()[22:32] == bytes.fromhex("123456789abc") + IPv4Address("10.0.0.77").packed


def test_without_a_router_no_guest_reaches_another() -> None:
    place = Place(Switch())
    try:
        one = place.plug("one", ONE, "00:0d:3a:00:00:01")
        one.send(tcp(ONE, 1000, TWO, 22))
        assert one.leaves() == tcp(ONE, 1000, TWO, 22)
    finally:
        place.switch.close()
        for guest in place.guests:
            guest.close()


def test_a_guest_that_is_started_anew_takes_the_place_of_the_one_before(
    place: Place, one: Plugged, two: Plugged
) -> None:
    one.send(tcp(ONE, 1000, TWO, 22))
    two.gets()
    again = place.plug("two", TWO, "00:0d:3a:00:00:02")
    assert two.outlet.recv(1) == b""
    one.send(tcp(ONE, 1000, TWO, 22, flags=ACK))
    assert see(again.gets()).port == 22
    two.close()
    one.send(tcp(ONE, 1000, TWO, 23))
    assert see(again.gets()).port == 23


def test_a_guest_that_does_not_read_holds_nobody_up(place: Place, one: Plugged, two: Plugged) -> None:
    three = place.plug("three", "10.0.0.6", "00:0d:3a:00:00:03")
    place.routes["10.0.0.6"] = to("three", "10.0.0.6")
    one.send(udp(ONE, 1, TWO, 2))
    flood = [udp(ONE, 1, TWO, 2, bytes(1400))] * 100
    for _ in range(20):
        one.send(*flood)
    one.send(udp(ONE, 1, "10.0.0.6", 2))
    assert see(three.gets()).port == 2
    # What it did not lose it gets whole.
    for _ in range(300):
        assert see(two.gets()).valid


def test_a_guest_that_speaks_nonsense_is_cut_off(one: Plugged) -> None:
    one.inlet.sendall(b"\xff\xff\xff\xff")
    assert one.outlet.recv(1) == b""


def test_closing_leaves_no_thread_and_hangs_up() -> None:
    place = Place(Switch())
    one = place.plug("one", ONE, "00:0d:3a:00:00:01")
    one.send(udp(ONE, 1, "10.0.0.1", 2))
    one.leaves()
    place.switch.close()
    assert one.outlet.recv(1) == b""
    assert not place.switch._thread.is_alive()
    with contextlib.closing(one):
        place.switch.close()
