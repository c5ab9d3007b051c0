"""The way from the host to the local Azure's public addresses: a SOCKS5 and HTTP CONNECT proxy on 127.0.0.1."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.emulator.azure_hosts import is_azures
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.network import http_connect, socks
from verified_images.emulator.network.balancing import Balancing
from verified_images.emulator.network.destinations import Nowhere, find_destination
from verified_images.emulator.network.probing import Probing
from verified_images.emulator.network.proxy_request import ProxyRequestError, Reply, Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.cloud import Cloud

logger = logging.getLogger(__name__)

_CHUNK = 1 << 16
_HANDSHAKE_SECONDS = 10.0
_STOP_SECONDS = 10.0
_FIRST_RETRANSMISSION = 1.0
"""Seconds until TCP sends an unanswered SYN again; each pause is twice the last. Source: RFC 6298."""

_REFUSALS = {Nowhere.UNKNOWN: Reply.NETWORK_UNREACHABLE, Nowhere.PRIVATE: Reply.NOT_ALLOWED}

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True, slots=True)
class _Client:
    """Who asks, and how it is answered in the protocol that it speaks."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    reply: Callable[[asyncio.StreamWriter, Reply], None]

    @property
    def streams(self) -> Streams:
        return self.reader, self.writer

    def answer(self, reply: Reply) -> None:
        self.reply(self.writer, reply)


class Gateway:
    """Listens on ``port`` (0 takes a free one) until it is closed.

    A client's first byte tells whether it speaks SOCKS 5 or HTTP. Azure's own hosts lead to ``resource_manager``, the
    port on 127.0.0.1 on which the local Azure is served, once that is set: for clients that know no other endpoint.

    A connection that Azure would drop is held and tried again, as TCP does, until the client gives up, but for at
    most ``patience`` seconds; then the host is said to be unreachable. What leads to a guest may accept a connection
    before the guest does: one that is hung up within ``grace`` seconds counts as refused. ``balancing`` is what
    load balancers go by.
    """

    def __init__(self, cloud: Cloud, port: int, *, patience: float = 10.0, grace: float = 0.03) -> None:
        self._cloud = cloud
        self._patience = patience
        self._grace = grace
        self.resource_manager: int | None = None
        self._probing = Probing(cloud)
        self.balancing = Balancing(cloud, self._probing)
        # asyncio switches Nagle's algorithm off only where the protocol is told.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self._socket.listen()
        self.port: int = self._socket.getsockname()[1]
        self._loop = asyncio.new_event_loop()
        self._connections: set[asyncio.Task[None]] = set()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and hang up what is connected."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_SECONDS)
        self._probing.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._listen())

    async def _listen(self) -> None:
        server = await asyncio.start_server(self._accept, sock=self._socket)
        async with server:
            await self._stop.wait()
            server.close()
            for connection in self._connections:
                connection.cancel()
            await asyncio.gather(*self._connections, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            await self._serve(reader, writer)
        except (OSError, EOFError, TimeoutError):
            writer.transport.abort()
        except asyncio.CancelledError:
            # The stream's own callback would report a task that ends as cancelled.
            writer.transport.abort()
        finally:
            await _hang_up(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await asyncio.wait_for(reader.readexactly(1), _HANDSHAKE_SECONDS)
        speaks_socks = first[0] == socks.VERSION
        client = _Client(reader, writer, socks.answer if speaks_socks else http_connect.answer)
        reading = socks.read_request(reader, writer) if speaks_socks else http_connect.read_request(reader, first)
        try:
            target = await asyncio.wait_for(reading, _HANDSHAKE_SECONDS)
        except ProxyRequestError as error:
            logger.info("a client of the gateway is refused: %s", error)
            if error.reply is not None:
                client.answer(error.reply)
            return
        if self.resource_manager is not None and is_azures(target.host, target.port):
            await self._lead_to_azure(client, self.resource_manager)
            return
        found = await self._reach(reader, target, str(writer.get_extra_info("peername")[0]))
        if isinstance(found, Reply):
            client.answer(found)
        elif found is not None:
            await self._carry_over(client, found)

    async def _lead_to_azure(self, client: _Client, port: int) -> None:
        azure = await asyncio.open_connection("127.0.0.1", port)
        try:
            client.answer(Reply.SUCCEEDED)
            await _relay(client.streams, azure)
        finally:
            await _hang_up(azure[1])

    async def _reach(self, reader: asyncio.StreamReader, target: Target, client: str) -> Streams | Reply | None:
        """Connect to where a target leads, trying again while packets are dropped as TCP does.

        The result is None when the client gave up waiting.
        """
        deadline = self._loop.time() + self._patience
        pause = _FIRST_RETRANSMISSION
        while True:
            found = await self._try(target, client)
            if not isinstance(found, Nowhere):
                return found
            logger.info("no way to %s port %d: %s", target.host, target.port, found.value)
            if found is not Nowhere.DROPPED:
                return _REFUSALS[found]
            if await _hangs_up(reader, min(pause, deadline - self._loop.time())):
                return None
            if self._loop.time() >= deadline:
                return Reply.HOST_UNREACHABLE
            pause *= 2

    async def _try(self, target: Target, client: str) -> Streams | Reply | Nowhere:
        endpoint = await asyncio.to_thread(find_destination, self._cloud, self.balancing, target, client)
        if isinstance(endpoint, Nowhere):
            return endpoint
        try:
            address = await asyncio.to_thread(self._cloud.hypervisor.forward, endpoint.guest, endpoint.port)
            return await asyncio.open_connection(*address)
        except ConnectionRefusedError:
            return Reply.REFUSED
        except (HypervisorError, OSError):
            return Nowhere.DROPPED

    async def _carry_over(self, client: _Client, guest: Streams) -> None:
        try:
            first = await _listen_for(guest[0], self._grace)
            if first == b"":
                client.answer(Reply.REFUSED)
                return
            client.answer(Reply.SUCCEEDED)
            client.writer.write(first or b"")
            await _relay(client.streams, guest)
        finally:
            await _hang_up(guest[1])


async def _hangs_up(client: asyncio.StreamReader, seconds: float) -> bool:
    """Tell whether the client hangs up within some seconds."""
    try:
        await asyncio.wait_for(client.read(), seconds)
    except TimeoutError:
        return False
    return True


async def _listen_for(guest: asyncio.StreamReader, seconds: float) -> bytes | None:
    """Give what a guest says first, nothing when it hung up, or None when it is waiting to be spoken to."""
    try:
        return await asyncio.wait_for(guest.read(_CHUNK), seconds)
    except TimeoutError:
        return None
    except ConnectionError:
        return b""


async def _relay(client: Streams, guest: Streams) -> None:
    """Carry both directions, each until its end; an error in one ends the other."""
    directions = {
        asyncio.create_task(_carry(client[0], guest[1])),
        asyncio.create_task(_carry(guest[0], client[1])),
    }
    try:
        done, _ = await asyncio.wait(directions, return_when=asyncio.FIRST_EXCEPTION)
        for direction in done:
            direction.result()
    finally:
        for direction in directions:
            direction.cancel()
        await asyncio.gather(*directions, return_exceptions=True)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK):
        writer.write(chunk)
        await writer.drain()
    writer.write_eof()


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
