"""Machines for network tests: TCP servers in threads, and a hypervisor that knows where they listen."""

from __future__ import annotations

import socket
import socketserver
import threading
from typing import TYPE_CHECKING, Self, cast

from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from verified_images.emulator.hypervisor import Hypervisor, Router


class Machines:
    """As much of a hypervisor as the network needs: which guests run, where their ports are, and who routes."""

    router: Router

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.ports: dict[tuple[str, int], tuple[str, int]] = {}

    def is_running(self, name: str) -> bool:
        return name in self.running

    def forward(self, name: str, port: int) -> tuple[str, int]:
        try:
            return self.ports[name, port]
        except KeyError:
            raise HypervisorError(f"nothing leads to port {port} of {name}") from None

    def route_by(self, router: Router) -> None:
        """Know where guests' flows go; what they send is not carried."""
        self.router = router

    def listen(self, name: str, port: int, service: Service) -> None:
        """Let a guest run with a service on one of its ports."""
        self.running.add(name)
        self.ports[name, port] = service.address

    def as_hypervisor(self) -> Hypervisor:
        return cast("Hypervisor", self)

    def close(self) -> None:
        self.running.clear()


class Service:
    """A TCP server on 127.0.0.1 that handles each connection with ``serve``, until it is closed."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                serve(self.request)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 128
            block_on_close = False

        self._server = Server(("127.0.0.1", 0), Handler)
        self.address: tuple[str, int] = ("127.0.0.1", self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def saying(text: str) -> Service:
    """Make a service that says one line and hangs up."""
    return Service(lambda connection: connection.sendall(text.encode()))


def counting() -> Service:
    """Make a service that tells, once its client has said everything, how many bytes that was."""

    def serve(connection: socket.socket) -> None:
        total = 0
        while chunk := connection.recv(1 << 16):
            total += len(chunk)
        connection.sendall(str(total).encode())

    return Service(serve)


def answering_http(status: int) -> Service:
    """Make a service that answers each HTTP request with a status."""

    def serve(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi".encode())

    return Service(serve)


def hanging_up() -> Service:
    """Make what forwards to a closed port do: it accepts, and hangs up at once."""
    return Service(lambda connection: connection.shutdown(socket.SHUT_RDWR))
