"""The reading of frames: whatever comes from a guest is understood or left alone, and nothing of it is an error."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.emulator.switch import packets
from verified_images.emulator.switch import frames
from verified_images.emulator.switch.wires import split_frames

if TYPE_CHECKING:
    from collections.abc import Callable

addresses = st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number)))
ports = st.integers(0, 65535)
makers = st.sampled_from([packets.tcp, packets.udp])


@given(st.binary(max_size=120))
def test_noise_is_no_error(noise: bytes) -> None:
    for frame in (noise, packets.GATEWAY_MAC + packets.GUEST_MAC + frames.IPV4 + b"\x45" + noise):
        key = frames.flow_key(frame)
        assert key is None or len(key) == 13
        if key is not None:
            assert len(frames.read_key(key)) == 5
            assert frames.opens_connection(frame) in (True, False)
        answers = frames.answer_arp(frame, b"\x0a\x00\x00\x04"), frames.unreachable(frame, "10.0.0.1")
        assert all(answer is None or len(answer) >= 42 for answer in answers)


@given(makers, addresses, ports, addresses, ports)
def test_a_flow_is_told_by_its_ends(
    make: Callable[..., bytes], source: str, source_port: int, destination: str, port: int
) -> None:
    key = frames.flow_key(make(source, source_port, destination, port))
    back = frames.flow_key(make(destination, port, source, source_port))
    assert key is not None
    assert frames.read_key(key)[1:] == (source, source_port, destination, port)
    assert frames.reverse_key(key) == back


@given(makers, st.tuples(addresses, ports), st.tuples(addresses, ports), st.sampled_from([True, False]), st.binary())
def test_an_end_is_replaced_with_right_checksums(
    make: Callable[..., bytes],
    old: tuple[str, int],
    new: tuple[str, int],
    at_end: bool,  # noqa: FBT001 - drawn
    data: bytes,
) -> None:
    frame = make(*old, "10.0.0.5", 80, data=data)
    address, port = IPv4Address(new[0]).packed, new[1].to_bytes(2, "big")
    changed = packets.see(frames.replace_end(frame, destination=at_end, address=address, port=port))
    assert changed.valid
    ends = (old, new) if at_end else (new, ("10.0.0.5", 80))
    assert ((changed.source, changed.source_port), (changed.destination, changed.port)) == ends


@given(st.lists(st.binary(max_size=60)), st.integers(0, 400))
def test_frames_come_whole_out_of_a_stream_cut_anywhere(sent: list[bytes], cut: int) -> None:
    stream = b"".join(len(frame).to_bytes(4, "big") + frame for frame in sent)
    first, rest = split_frames(stream[:cut])
    second, left = split_frames(rest + stream[cut:])
    assert (first + second, left) == (sent, b"")


def test_a_length_that_cannot_be_ends_the_stream() -> None:
    with pytest.raises(EOFError):
        split_frames(b"\xff\xff\xff\xff")


def test_an_answer_to_a_ping_belongs_to_it_and_another_ping_does_not() -> None:
    request = frames.flow_key(packets.echo("10.0.0.4", "10.0.0.5", 7))
    assert request is not None
    assert frames.flow_key(packets.echo("10.0.0.5", "10.0.0.4", 7, reply=True)) == frames.reverse_key(request)
    assert frames.flow_key(packets.echo("10.0.0.4", "10.0.0.5", 8)) != request
    assert frames.read_key(request) == ("Icmp", "10.0.0.4", 0, "10.0.0.5", 0)


def test_a_complaint_belongs_to_what_it_is_about() -> None:
    about = packets.udp("10.0.0.4", 1000, "10.0.0.5", 53)
    key = frames.flow_key(about)
    assert key is not None
    assert frames.flow_key(packets.complaint("10.0.0.5", "10.0.0.4", about)) == frames.reverse_key(key)
    complaint = packets.complaint("10.0.0.5", "10.0.0.4", packets.complaint("10.0.0.4", "10.0.0.5", about))
    assert frames.flow_key(complaint) is None


def test_options_are_stepped_over() -> None:
    body = packets.tcp("10.0.0.4", 1000, "10.0.0.5", 22)[34:]
    frame = packets.packet("10.0.0.4", "10.0.0.5", packets.TCP, body, options=bytes(8))
    assert frames.read_key(frames.flow_key(frame) or b"") == ("Tcp", "10.0.0.4", 1000, "10.0.0.5", 22)
    assert frames.opens_connection(frame)


def test_only_a_first_packet_opens_a_connection() -> None:
    flags = (packets.SYN, packets.SYN | packets.ACK, packets.ACK)
    found = [frames.opens_connection(packets.tcp("10.0.0.4", 1, "10.0.0.5", 2, flags=flag)) for flag in flags]
    assert found == [True, False, False]
    assert not frames.opens_connection(packets.udp("10.0.0.4", 1, "10.0.0.5", 2))


def test_every_address_but_the_guests_own_has_the_hardware_address_of_the_fabric() -> None:
    own = IPv4Address("10.0.0.4").packed
    answer = frames.answer_arp(packets.arp_request("10.0.0.4", "10.0.0.9"), own)
    assert answer is not None
    assert answer[:14] == packets.GUEST_MAC + bytes.fromhex("123456789abc") + b"\x08\x06"
    assert answer[20:32] == b"\x00\x02" + bytes.fromhex("123456789abc") + IPv4Address("10.0.0.9").packed
    # Who asks whether its address is free must not be told that it is taken.
    assert frames.answer_arp(packets.arp_request(str(IPv4Address(0)), "10.0.0.4"), own) is None
    assert frames.answer_arp(packets.arp_request("10.0.0.4", "10.0.0.4"), own) is None


def test_who_cannot_be_reached_is_told_by_the_router() -> None:
    about = packets.tcp("10.0.0.4", 1000, "192.0.2.1", 443)
    answer = frames.unreachable(about, "10.0.0.1")
    assert answer is not None
    assert answer[26:34] == IPv4Address("10.0.0.1").packed + IPv4Address("10.0.0.4").packed
    assert answer[34:36] == b"\x03\x00"
    assert answer[42:] == about[14:42]
    assert packets.checksum(answer[14:34]) == packets.checksum(answer[34:]) == 0
    assert frames.unreachable(answer, "10.0.0.1") is None
