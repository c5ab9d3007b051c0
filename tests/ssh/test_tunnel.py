from __future__ import annotations

import http.client
import http.server
import threading
from typing import TYPE_CHECKING

import pytest

from tests.ssh.openssh import free_port
from verified_images.errors import UnreachableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.ssh.session import Session

PAGE = b"page" * 500_000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    def do_PUT(self) -> None:
        size = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200, str(size))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_a_tunnel_carries_http_both_ways(session: Session, web: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web)
    connection.sock = session.open_tunnel("127.0.0.1", web, 10.0)
    connection.request("GET", "/")
    assert connection.getresponse().read() == PAGE
    connection.request("PUT", "/", PAGE)
    response = connection.getresponse()
    assert response.reason == str(len(PAGE))
    response.read()
    connection.close()


def test_a_tunnel_tells_the_end_of_the_stream(session: Session, web: int) -> None:
    with session.open_tunnel("127.0.0.1", web) as tunnel:
        tunnel.sendall(b"GET / HTTP/1.0\r\n\r\n")
        received = b""
        while data := tunnel.recv(1 << 16):
            received += data
    assert received.endswith(PAGE)


def test_a_port_that_is_closed_there_is_unreachable(session: Session) -> None:
    with pytest.raises(UnreachableError, match=r"could not be reached from 'test-vm'"):
        session.open_tunnel("127.0.0.1", free_port(), 5.0)
