"""The web server: HTTPS on 127.0.0.1, in a thread of its own."""

from __future__ import annotations

import socket
import struct
import threading
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from verified_images.emulator.certificates import Certificates

_START_SECONDS = 30
_STOP_SECONDS = 10
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Server:
    """Serves an application until it is closed. ``port`` 0 takes a free one."""

    def __init__(self, app: Starlette, certificates: Certificates, port: int) -> None:
        app.state.drop = self._drop
        # asyncio switches Nagle's algorithm off only where the protocol is told; with it each call takes 40 ms more.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ssl_certfile=str(certificates.server),
            ssl_keyfile=str(certificates.server_key),
            timeout_graceful_shutdown=2,
            timeout_keep_alive=75,
        )
        self._started = threading.Event()
        self._server = _Uvicorn(config, self._started)
        self._thread = threading.Thread(target=self._run, name="local Azure", daemon=True)

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])
        self._started.set()

    def start(self) -> None:
        """Start serving and return once calls are accepted.

        Raises:
            RuntimeError: the server did not start.
        """
        self._thread.start()
        if not self._started.wait(_START_SECONDS) or not self._thread.is_alive():
            raise RuntimeError(f"the local Azure did not start serving on 127.0.0.1:{self.port}")

    def _drop(self, client: tuple[str, int]) -> None:
        for connection in list(self._server.server_state.connections):
            if getattr(connection, "client", None) == tuple(client):
                held = connection.transport.get_extra_info("socket")
                held.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
                connection.transport.abort()

    def close(self) -> None:
        """Stop accepting calls and close the connections that are open."""
        self._server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        self._socket.close()


class _Uvicorn(uvicorn.Server):
    """A server that tells when it has started, and does not wait for idle clients when it stops."""

    def __init__(self, config: uvicorn.Config, started: threading.Event) -> None:
        super().__init__(config)
        self._started_event = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._started_event.set()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # An idle TLS client answers no farewell: closing politely would wait for its time-out.
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)
