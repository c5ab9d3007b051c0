"""The switch: takes frames from guests' cards and passes them on where the router says that their flow goes.

The router is asked once for each flow, in a thread of its own while the flow's frames are held; what is let through
is so until it was not used for four minutes, as in Azure, whatever becomes of the rules meanwhile. Source: Azure,
"Network security groups", on connections that exist when a rule changes.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from socket import inet_aton
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import Delivery, Flow, Way
from verified_images.emulator.switch import frames
from verified_images.emulator.switch.cards import Card, Clock, Passage

if TYPE_CHECKING:
    from concurrent.futures import Future

    from verified_images.emulator.hypervisor import GuestNetwork, Route, Router
    from verified_images.emulator.switch.cards import Wires
    from verified_images.emulator.switch.wires import Wire

logger = logging.getLogger(__name__)

_IDLE_SECONDS = 240.0
_SECONDS_BETWEEN_SWEEPS = 30.0
_STOP_SECONDS = 10.0
_MOST_HELD = 16
_MOST_ASKED = 256


class Switch:
    """Carries frames between guests, in a thread of its own, until it is closed. Safe to use from any thread.

    Without a router everything goes outside.
    """

    def __init__(self) -> None:
        self._router: Router | None = None
        self._cards: dict[str, Card] = {}
        self._unsent: set[Wire] = set()
        self._now = 0.0
        self._asking = ThreadPoolExecutor(max_workers=4, thread_name_prefix="route")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="switch", daemon=True)
        self._thread.start()

    def route_by(self, router: Router) -> None:
        """Ask ``router`` from now on where new flows go."""
        self._router = router

    def plug(self, guest: str, network: GuestNetwork, wires: Wires) -> Card:
        """Connect a guest's card, in place of the one that it had; the switch closes ``wires`` in the end."""
        card = Card(guest, network, wires)
        self._loop.call_soon_threadsafe(self._add, card)
        return card

    def unplug(self, card: Card) -> None:
        """Disconnect a card; one that is not connected any more is no error."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._remove, card)

    def close(self) -> None:
        """Stop, and disconnect all cards."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STOP_SECONDS)
        self._asking.shutdown(wait=False, cancel_futures=True)

    def _run(self) -> None:
        self._sweep()
        self._loop.run_forever()
        for card in list(self._cards.values()):
            self._remove(card)
        self._loop.close()

    def _add(self, card: Card) -> None:
        if old := self._cards.get(card.guest):
            self._remove(old)
        self._cards[card.guest] = card
        self._loop.add_reader(card.wires.inlet.fileno(), self._read, card)

    def _remove(self, card: Card) -> None:
        if self._cards.get(card.guest) is not card:
            return
        del self._cards[card.guest]
        self._loop.remove_reader(card.wires.inlet.fileno())
        for wire in (card.wires.outlet, card.wires.outside):
            if wire:
                self._loop.remove_writer(wire.fileno())
                self._unsent.discard(wire)
        card.wires.close()
        for other in self._cards.values():
            other.forget(card.guest)

    def _sweep(self) -> None:
        for card in self._cards.values():
            card.forget_unused(self._loop.time() - _IDLE_SECONDS)
        self._loop.call_later(_SECONDS_BETWEEN_SWEEPS, self._sweep)

    def _read(self, card: Card) -> None:
        try:
            received = card.wires.inlet.read()
        except EOFError:
            self._remove(card)
            return
        self._now = self._loop.time()
        for frame in received:
            self._take(card, frame)
        self._flush()

    def _take(self, card: Card, frame: bytes) -> None:
        kind = frame[12:14]
        if kind == frames.IPV4:
            self._take_packet(card, frame)
        elif kind == frames.ARP and (card.wires.outside is None or not card.is_reserved(frames.arp_target(frame))):
            if answer := frames.answer_arp(frame, card.address):
                self._send(card.wires.outlet, answer)
        else:
            self._send_outside(card, frame)

    def _take_packet(self, card: Card, frame: bytes) -> None:
        key = frames.flow_key(frame)
        if key is None:
            known = card.fragments.get(frames.fragment_id(frame)) if frames.holds_header(frame) else None
            if known is None:
                return
            key = known
        elif frames.is_fragment(frame):
            card.note_fragment(frames.fragment_id(frame), key)
        if card.is_reserved(key[5:9]):
            self._send_outside(card, frame)
            return
        passage = card.passages.get(key)
        if passage is None or frames.opens_connection(frame):
            self._ask(card, key, frame)
        else:
            passage.clock.used = self._now
            self._pass(card, passage, frame)

    def _ask(self, card: Card, key: bytes, frame: bytes) -> None:
        """Hold a frame until it is known where its flow goes."""
        if held := card.held.get(key):
            if len(held) < _MOST_HELD:
                held.append(frame)
            return
        if len(card.held) >= _MOST_ASKED:
            return
        card.held[key] = [frame]
        asked = self._asking.submit(self._route, card, key)
        asked.add_done_callback(partial(self._answered, card, key))

    def _route(self, card: Card, key: bytes) -> Route:
        if self._router is None:
            return Way.OUTSIDE
        return self._router(Flow(card.network.interface, *frames.read_key(key)))

    def _answered(self, card: Card, key: bytes, asked: Future[Route]) -> None:
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, card, key, asked)

    def _settle(self, card: Card, key: bytes, asked: Future[Route]) -> None:
        held = card.held.pop(key, [])
        if self._cards.get(card.guest) is not card or asked.cancelled():
            return
        if error := asked.exception():
            logger.error("a flow of the guest %s is lost: %s", card.guest, error, exc_info=error)
            return
        self._now = self._loop.time()
        passage = self._open(card, key, asked.result())
        if passage is None:
            card.passages.pop(key, None)
            return
        for frame in held:
            self._pass(card, passage, frame)
        self._flush()

    def _open(self, card: Card, key: bytes, route: Route) -> Passage | None:
        """Note both directions of a flow; None where it does not lead anywhere."""
        clock = Clock(self._now)
        if route is Way.OUTSIDE:
            passage = card.passages[key] = Passage(None, clock)
            return passage
        if not isinstance(route, Delivery) or (other := self._cards.get(route.guest)) is None:
            return None
        near = key[5:9], key[11:13]
        far = inet_aton(route.address), route.port.to_bytes(2, "big") if frames.has_ports(key) else key[11:13]
        passage = card.passages[key] = Passage(other.guest, clock, (True, *far) if far != near else None)
        back = frames.reverse_key(key[:5] + far[0] + key[9:11] + far[1])
        other.passages[back] = Passage(card.guest, clock, (False, *near) if far != near else None)
        return passage

    def _pass(self, card: Card, passage: Passage, frame: bytes) -> None:
        if passage.to is None:
            self._send_outside(card, frame)
        elif other := self._cards.get(passage.to):
            if passage.replaced:
                destination, address, port = passage.replaced
                frame = frames.replace_end(frame, destination=destination, address=address, port=port)
            self._send(other.wires.outlet, frames.address_to(frame, other.mac))

    def _send_outside(self, card: Card, frame: bytes) -> None:
        if card.wires.outside:
            self._send(card.wires.outside, frame)
        elif frame[12:14] == frames.IPV4 and (answer := frames.unreachable(frame, card.router)):
            self._send(card.wires.outlet, answer)

    def _send(self, wire: Wire, frame: bytes) -> None:
        wire.write(frame)
        self._unsent.add(wire)

    def _flush(self) -> None:
        for wire in self._unsent:
            if not wire.flush():
                self._loop.add_writer(wire.fileno(), self._flush_on, wire)
        self._unsent.clear()

    def _flush_on(self, wire: Wire) -> None:
        if wire.flush():
            self._loop.remove_writer(wire.fileno())
