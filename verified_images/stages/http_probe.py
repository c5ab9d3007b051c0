"""HTTP over a connection that is open already: a tunnel into a machine, or the way to a load balancer."""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.errors import UnreachableError

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

_LARGEST_BODY = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An HTTP answer. ``headers`` have lower-case names; ``body`` is at most 16 MiB."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8, whatever it claims to be."""
        return self.body.decode(errors="replace")


def get_over(connection: socket.socket, host: str, path: str) -> HttpResponse:
    """GET ``path`` of ``host`` ("address:port") over the connection, then close it; redirects are not followed.

    Raises:
        UnreachableError: what answered was not HTTP, or the connection broke.
    """
    client = http.client.HTTPConnection(host)
    client.sock = connection
    try:
        client.request("GET", path, headers={"Connection": "close", "User-Agent": "verified-images"})
        with client.getresponse() as answer:
            body = answer.read(_LARGEST_BODY)
            if answer.length and len(body) < _LARGEST_BODY:
                raise http.client.IncompleteRead(body, answer.length)
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return HttpResponse(answer.status, answer.reason, headers, body)
    except (OSError, EOFError, http.client.HTTPException) as error:
        raise UnreachableError(
            f"GET http://{host}{path} failed: {str(error) or type(error).__name__}", machine=host
        ) from error
    finally:
        client.close()
        connection.close()
