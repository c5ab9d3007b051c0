"""Ethernet frames as guests send them, and what is in one, read by a parser that shares nothing with the switch's."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address

GUEST_MAC = bytes.fromhex("000d3a000001")
GATEWAY_MAC = bytes.fromhex("525500000001")
ICMP, TCP, UDP = 1, 6, 17
SYN, ACK = 0x02, 0x10


def checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(  # noqa: PLR0913 - the parts of a packet
    source: str, destination: str, protocol: int, body: bytes, *, fragment: int = 0, options: bytes = b""
) -> bytes:
    """Make a frame with an IPv4 packet; ``fragment`` is the field of flags and offset."""
    words = 5 + len(options) // 4
    header = struct.pack("!BBHHHBB", 0x40 | words, 0, words * 4 + len(body), 7, fragment, 64, protocol)
    addresses = IPv4Address(source).packed + IPv4Address(destination).packed + options
    header += struct.pack("!H", checksum(header + bytes(2) + addresses)) + addresses
    return GATEWAY_MAC + GUEST_MAC + b"\x08\x00" + header + body


def tcp(  # noqa: PLR0913 - the parts of a packet
    source: str, source_port: int, destination: str, port: int, *, flags: int = SYN, data: bytes = b""
) -> bytes:
    segment = struct.pack("!HHIIBBHHH", source_port, port, 1, 2, 5 << 4, flags, 8192, 0, 0) + data
    total = checksum(_pseudo_header(source, destination, TCP, len(segment)) + segment)
    return packet(source, destination, TCP, segment[:16] + total.to_bytes(2, "big") + segment[18:])


def udp(source: str, source_port: int, destination: str, port: int, data: bytes = b"") -> bytes:
    datagram = struct.pack("!HHHH", source_port, port, 8 + len(data), 0) + data
    total = checksum(_pseudo_header(source, destination, UDP, len(datagram)) + datagram)
    return packet(source, destination, UDP, datagram[:6] + total.to_bytes(2, "big") + datagram[8:])


def echo(source: str, destination: str, identifier: int, *, reply: bool = False) -> bytes:
    return packet(source, destination, ICMP, struct.pack("!BBHHH", 0 if reply else 8, 0, 0, identifier, 1))


def complaint(source: str, destination: str, about: bytes) -> bytes:
    """Make an ICMP error: a port of the frame ``about`` cannot be reached."""
    return packet(source, destination, ICMP, b"\x03\x03" + bytes(6) + about[14 : 14 + 28])


def arp_request(sender: str, target: str) -> bytes:
    addresses = GUEST_MAC + IPv4Address(sender).packed + bytes(6) + IPv4Address(target).packed
    return b"\xff" * 6 + GUEST_MAC + b"\x08\x06" + bytes.fromhex("0001080006040001") + addresses


def _pseudo_header(source: str, destination: str, protocol: int, length: int) -> bytes:
    ends = IPv4Address(source).packed + IPv4Address(destination).packed
    return ends + struct.pack("!BBH", 0, protocol, length)


@dataclass(frozen=True)
class Seen:
    """What is in a frame with a whole IPv4 packet of TCP or UDP; ``valid`` is whether its checksums are right."""

    to: bytes
    source: str
    source_port: int
    destination: str
    port: int
    valid: bool


def see(frame: bytes) -> Seen:
    length = (frame[14] & 15) * 4
    header, body = frame[14 : 14 + length], frame[14 + length :]
    source, destination = (str(IPv4Address(header[at : at + 4])) for at in (12, 16))
    pseudo = _pseudo_header(source, destination, header[9], len(body))
    source_port, port = struct.unpack("!HH", body[:4])
    valid = checksum(header) == 0 and checksum(pseudo + body) == 0
    return Seen(frame[:6], source, source_port, destination, port, valid)
