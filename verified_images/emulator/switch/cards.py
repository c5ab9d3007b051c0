"""A guest's network card as the switch knows it: how to reach the guest, and the flows that it takes part in."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Network
from socket import inet_aton
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from verified_images.emulator.hypervisor import GuestNetwork
    from verified_images.emulator.switch.wires import Wire

_RESERVED = 4
_MULTICAST = 224
_MOST_FRAGMENTED = 1024


@dataclass(frozen=True, slots=True)
class Wires:
    """The ways of a card: from the guest, to the guest, and to what leads outside of the local Azure, if anything."""

    inlet: Wire
    outlet: Wire
    outside: Wire | None = None

    def close(self) -> None:
        """Hang up; the inlet and the outlet may be the same."""
        for wire in {id(wire): wire for wire in (self.inlet, self.outlet, self.outside) if wire}.values():
            wire.close()


@dataclass(slots=True)
class Clock:
    """When a flow was last used, from either of its ends."""

    used: float


@dataclass(frozen=True, slots=True)
class Passage:
    """One direction of a flow that was let through: to the guest ``to``, or outside when that is None.

    ``replaced`` is the end whose address and port are others on the far side: whether it is the destination, and both.
    """

    to: str | None
    clock: Clock
    replaced: tuple[bool, bytes, bytes] | None = None


@dataclass(eq=False, slots=True)
class Card:
    """One guest's card; a guest that is started anew has another.

    ``passages`` are by flow key, ``held`` the frames of flows that are being asked about, ``fragments`` the keys of
    packets in pieces.
    """

    guest: str
    network: GuestNetwork
    wires: Wires
    passages: dict[bytes, Passage] = field(default_factory=dict)
    held: dict[bytes, list[bytes]] = field(default_factory=dict)
    fragments: dict[bytes, bytes] = field(default_factory=dict)
    mac: bytes = field(init=False)
    address: bytes = field(init=False)
    router: str = field(init=False)
    _reserved: frozenset[bytes] = field(init=False)

    def __post_init__(self) -> None:
        subnet = IPv4Network(self.network.subnet)
        self.mac = bytes.fromhex(self.network.mac.replace("-", "").replace(":", ""))
        self.address = inet_aton(self.network.address)
        self.router = str(subnet.network_address + 1)
        own = {(subnet.network_address + number).packed for number in range(min(_RESERVED, subnet.num_addresses))}
        self._reserved = frozenset({*own, subnet.broadcast_address.packed})

    def is_reserved(self, address: bytes) -> bool:
        """Tell whether an address is no guest's: one that Azure keeps of the subnet, or many at once."""
        return address in self._reserved or address[0] >= _MULTICAST

    def note_fragment(self, identity: bytes, key: bytes) -> None:
        """Remember which flow the fragments of a packet belong to."""
        if len(self.fragments) >= _MOST_FRAGMENTED:
            self.fragments.clear()
        self.fragments[identity] = key

    def forget(self, guest: str) -> None:
        """Forget the flows with a guest that is gone."""
        self.passages = {key: passage for key, passage in self.passages.items() if passage.to != guest}

    def forget_unused(self, since: float) -> None:
        """Forget the flows that were not used since a moment."""
        self.passages = {key: passage for key, passage in self.passages.items() if passage.clock.used >= since}
        self.fragments.clear()
