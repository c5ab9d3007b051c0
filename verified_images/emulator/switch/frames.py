"""Ethernet frames as bytes: what flow one belongs to, and the frames that the switch makes itself.

A *flow key* is 13 bytes: the IP protocol, both IPv4 addresses and both ports (RFC 791, 768, 9293). An ICMP query has
its identifier in place of both ports, so that the answer's key is the reverse; an ICMP error has the key of an answer
to what it is about (RFC 792). Other protocols have no ports.
"""

from __future__ import annotations

import struct
from socket import inet_aton, inet_ntoa

IPV4, ARP = b"\x08\x00", b"\x08\x06"
FABRIC_MAC = bytes.fromhex("123456789abc")
"""The hardware address that all others have in the eyes of a guest.
Source: Azure, "Troubleshoot Azure Virtual Network peering issues" and the ARP tables shown in its support pages."""

ICMP, TCP, UDP = 1, 6, 17
_NAMES = {ICMP: "Icmp", TCP: "Tcp", UDP: "Udp", 50: "Esp", 51: "Ah"}
_ICMP_ERRORS = {3, 11, 12}
_ETHERNET, _SHORTEST_IP, _IP_VERSION, _PORTS = 14, 20, 4, 4
_PROTOCOL, _SOURCE, _DESTINATION = 23, 26, 30
_CHECKSUM_OF = {TCP: 16, UDP: 6}
_MULTICAST = 224
_SYN, _SYN_OR_ACK = 0x02, 0x12
_ARP_REQUEST = bytes.fromhex("0001080006040001")
_ARP_REPLY = bytes.fromhex("0001080006040002")
_ARP_LENGTH = 42


def flow_key(frame: bytes) -> bytes | None:
    """Give the key of the flow that an IPv4 frame belongs to; None for one that is cut short or wrong.

    Of a fragment that is not the first one there is no key; see `fragment_id`.
    """
    start = _ip_end(frame)
    if start is None or is_later_fragment(frame):
        return None
    if _is_complaint(frame, start):
        return _key_of_complaint(frame[start + 8 :])
    protocol = frame[_PROTOCOL]
    ports = bytes(4)
    if protocol in (TCP, UDP):
        ports = frame[start : start + 4]
    elif protocol == ICMP:
        ports = frame[start + 4 : start + 6] * 2
    if len(ports) < _PORTS:
        return None
    return frame[_PROTOCOL : _PROTOCOL + 1] + frame[_SOURCE : _SOURCE + 8] + ports


def holds_header(frame: bytes) -> bool:
    """Tell whether an IPv4 frame is long enough for what every packet has."""
    return len(frame) >= _ETHERNET + _SHORTEST_IP


def _ip_end(frame: bytes) -> int | None:
    """Give where the IP header of a frame ends."""
    if not holds_header(frame) or frame[_ETHERNET] >> 4 != _IP_VERSION:
        return None
    length = (frame[_ETHERNET] & 15) * 4
    return _ETHERNET + length if length >= _SHORTEST_IP and len(frame) >= _ETHERNET + length else None


def _key_of_complaint(packet: bytes) -> bytes | None:
    """Give the key of an answer to a packet that an ICMP error holds the beginning of."""
    frame = bytes(_ETHERNET) + packet
    start = _ip_end(frame)
    if start is None or _is_complaint(frame, start):
        return None
    key = flow_key(frame)
    return reverse_key(key) if key else None


def _is_complaint(frame: bytes, start: int) -> bool:
    return frame[_PROTOCOL] == ICMP and len(frame) > start and frame[start] in _ICMP_ERRORS


def reverse_key(key: bytes) -> bytes:
    """Give the key of what comes back."""
    return key[:1] + key[5:9] + key[1:5] + key[11:13] + key[9:11]


def has_ports(key: bytes) -> bool:
    """Tell whether a flow's protocol has ports."""
    return key[0] in (TCP, UDP)


def read_key(key: bytes) -> tuple[str, str, int, str, int]:
    """Give protocol (as security rules name it, or by its number), source and port, destination and port."""
    protocol, source, destination, source_port, port = struct.unpack("!B4s4sHH", key)
    if not has_ports(key):
        source_port = port = 0
    return _NAMES.get(protocol, str(protocol)), inet_ntoa(source), source_port, inet_ntoa(destination), port


def opens_connection(frame: bytes) -> bool:
    """Tell whether an IPv4 frame that has a key begins a TCP connection."""
    if frame[_PROTOCOL] != TCP:
        return False
    flags = _ETHERNET + (frame[_ETHERNET] & 15) * 4 + 13
    return len(frame) > flags and frame[flags] & _SYN_OR_ACK == _SYN


def is_later_fragment(frame: bytes) -> bool:
    """Tell whether an IPv4 frame holds a fragment that is not the first."""
    return bool(frame[20] & 0x1F or frame[21])


def is_fragment(frame: bytes) -> bool:
    """Tell whether an IPv4 frame holds a fragment, the first one or another."""
    return bool(frame[20] & 0x3F or frame[21])


def fragment_id(frame: bytes) -> bytes:
    """Give what the fragments of one packet have in common."""
    return frame[_PROTOCOL : _PROTOCOL + 1] + frame[18:20] + frame[_SOURCE : _SOURCE + 8]


def address_to(frame: bytes, mac: bytes) -> bytes:
    """Give a frame as the switch passes it on to the card of that hardware address."""
    return mac + FABRIC_MAC + frame[12:]


def answer_arp(frame: bytes, own: bytes) -> bytes | None:
    """Answer a request for the hardware address of anyone but ``own`` (an address of four bytes); None for others."""
    if len(frame) < _ARP_LENGTH or frame[14:22] != _ARP_REQUEST:
        return None
    sender, target = frame[22:32], frame[38:42]
    if target in (own, sender[6:]):
        return None
    return sender[:6] + FABRIC_MAC + ARP + _ARP_REPLY + FABRIC_MAC + target + sender


def arp_target(frame: bytes) -> bytes:
    """Give whom an ARP frame asks for."""
    return frame[38:42]


def replace_end(frame: bytes, *, destination: bool, address: bytes, port: bytes) -> bytes:
    """Give an IPv4 frame with another address (4 bytes) and, in TCP and UDP, port (2 bytes) at one of its ends."""
    changed = bytearray(frame)
    at, protocol = (_DESTINATION if destination else _SOURCE), frame[_PROTOCOL]
    before = frame[at : at + 4]
    changed[at : at + 4] = address
    _adjust(changed, 24, before, address)
    if protocol in _CHECKSUM_OF and not is_later_fragment(frame):
        start = _ETHERNET + (frame[_ETHERNET] & 15) * 4
        port_at = start + (2 if destination else 0)
        before += frame[port_at : port_at + 2]
        changed[port_at : port_at + 2] = port
        _adjust(changed, start + _CHECKSUM_OF[protocol], before, address + port, optional=protocol == UDP)
    return bytes(changed)


def _adjust(frame: bytearray, at: int, before: bytes, after: bytes, *, optional: bool = False) -> None:
    """Put a checksum right after what it covers has changed. Source: RFC 1624."""
    if len(frame) < at + 2:
        return
    (checksum,) = struct.unpack_from("!H", frame, at)
    if optional and not checksum:
        return
    total = ~checksum & 0xFFFF
    for (word,) in struct.iter_unpack("!H", before):
        total += ~word & 0xFFFF
    total += sum(word for (word,) in struct.iter_unpack("!H", after))
    struct.pack_into("!H", frame, at, ~_fold(total) & 0xFFFF)


def _fold(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _checksum(data: bytes) -> int:
    """Give the checksum of the internet. Source: RFC 1071."""
    padded = data + bytes(len(data) % 2)
    return ~_fold(sum(word for (word,) in struct.iter_unpack("!H", padded))) & 0xFFFF


def unreachable(frame: bytes, router: str) -> bytes | None:
    """Make the ICMP message by which ``router`` tells an IPv4 frame's sender that there is no way.

    There is none (None) about ICMP and about what goes to many. Source: RFC 1122, 3.2.2.
    """
    end = _ip_end(frame)
    if end is None or frame[_PROTOCOL] == ICMP or frame[_DESTINATION] >= _MULTICAST:
        return None
    body = bytes(4) + frame[_ETHERNET : end + 8]
    message = b"\x03\x00" + struct.pack("!H", _checksum(b"\x03\x00\x00\x00" + body)) + body
    length = _SHORTEST_IP + len(message)
    parts = (0x45, 0, length, 0, 0, 64, ICMP, 0, inet_aton(router), frame[_SOURCE : _SOURCE + 4])
    header = bytearray(struct.pack("!BBHHHBBH4s4s", *parts))
    struct.pack_into("!H", header, 10, _checksum(bytes(header)))
    return frame[6:12] + FABRIC_MAC + IPV4 + bytes(header) + message
