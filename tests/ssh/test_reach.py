from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from tests.ssh.openssh import free_port, open_session
from verified_images.ssh.reach import SocksReach, reach_directly

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ssh.openssh import OpenSSHServer


class SocksServer:
    """A SOCKS5 proxy (RFC 1928) that leads every name to the loopback, or refuses with ``reply``."""

    def __init__(self, reply: int = 0) -> None:
        self.asked: list[str] = []
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.url = f"socks5://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for end in self._open:
            end.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                self._answer(client)

    def _answer(self, client: socket.socket) -> None:
        client.recv(2 + 255)
        client.sendall(b"\x05\x00")
        request = client.recv(512)
        assert request[3] == 3, "a name, not an address, was to be sent"
        size = request[4]
        self.asked.append(request[5 : 5 + size].decode())
        port = int.from_bytes(request[5 + size : 7 + size], "big")
        client.sendall(bytes([5, self._reply, 0, 1]) + b"\0" * 6)
        if self._reply:
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", port))
        self._open.append(server)
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=carry, args=(source, sink), daemon=True).start()


def carry(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxy() -> Iterator[SocksServer]:
    proxy = SocksServer()
    yield proxy
    proxy.close()


def test_connections_send_small_packets_at_once(server: OpenSSHServer) -> None:
    with reach_directly("127.0.0.1", server.port, 5.0) as connection:
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_session_goes_through_the_proxy_which_resolves_the_name(server: OpenSSHServer, proxy: SocksServer) -> None:
    def reach(address: str, port: int, timeout: float) -> socket.socket:
        assert address == "127.0.0.1"
        return SocksReach(proxy.url)("vm.nowhere.example", port, timeout)

    with open_session(server, reach) as session:
        assert session.run("echo through").stdout == b"through\n"
    assert "vm.nowhere.example" in proxy.asked


def test_a_refusal_of_the_proxy_is_an_os_error_that_names_both() -> None:
    proxy = SocksServer(reply=5)
    with pytest.raises(ConnectionRefusedError, match=r"socks5://127.*vm\.example:22"):
        SocksReach(proxy.url)("vm.example", 22, 5.0)
    proxy.close()


def test_a_proxy_that_is_not_there_is_an_os_error() -> None:
    with pytest.raises(OSError, match="127"):
        SocksReach(f"socks5://127.0.0.1:{free_port()}")("vm.example", 22, 2.0)


def test_a_proxy_that_stays_silent_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reach = SocksReach(f"socks5://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(OSError, match=r"(?i)time"):
            reach("vm.example", 22, 0.3)
