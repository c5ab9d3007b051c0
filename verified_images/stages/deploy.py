"""Deploy: boot a scale set from the candidate image, behind a load balancer, and wait until it serves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.stages.http_probe import get_over
from verified_images.stages.machine import Machine

if TYPE_CHECKING:
    from verified_images.ssh.reach import Reach
    from verified_images.stages.http_probe import HttpResponse

RESPONSE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Instance(Machine):
    """One machine of the scale set; ``index`` counts from 0, whatever Azure calls the instance."""

    index: int
    port: int | None = None

    def get(self, path: str = "/", port: int | None = None) -> HttpResponse:
        """GET ``path`` from this very instance, at its private address, by a tunnel through its SSH session.

        ``port`` is the template's ``smoke.port`` unless given.

        Raises:
            UnreachableError: nothing answered HTTP there within 30 seconds.
        """
        port = port or self.port or 80
        tunnel = self.session.open_tunnel(self.private_address, port, RESPONSE_SECONDS)
        return get_over(tunnel, f"{self.private_address}:{port}", path)


@dataclass(frozen=True, slots=True)
class Frontend:
    """The load balancer's public address and the port that it serves."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class ScaleSet:
    """The deployed scale set; every instance is provisioned, reachable and done with cloud-init."""

    id: str
    name: str
    image_id: str
    instances: tuple[Instance, ...]
    frontend: Frontend | None
    reach: Reach

    def get(self, path: str = "/") -> HttpResponse:
        """GET ``path`` through the load balancer.

        Raises:
            UnreachableError: the template has no ``smoke.port``, or nothing answered within 30 seconds.
        """
        raise NotImplementedError
