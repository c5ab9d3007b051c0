"""The deployed scale set, as the tests meet it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.cloud.instances import instances_behind
from verified_images.errors import UnreachableError
from verified_images.stages.http_probe import get_over
from verified_images.stages.machine import Machine

if TYPE_CHECKING:
    from verified_images.cloud.instances import Instances
    from verified_images.ssh.reach import Reach
    from verified_images.stages.context import BuildContext
    from verified_images.stages.http_probe import HttpResponse
    from verified_images.stages.ladder import Fallen, Rung

ANSWER_SECONDS = 30.0
"""How long a machine may take to answer an HTTP request."""


def instances_of(context: BuildContext) -> Instances:
    """Return the instances of a build's scale set, as ARM knows them."""
    names = context.run.names
    orchestration = context.template.smoke.orchestration
    return instances_behind(
        context.arm,
        context.place,
        names.scale_set,
        names.load_balancer,
        orchestration,
        ssh_port=context.template.builder.ssh_port,
    )


@dataclass(frozen=True, slots=True)
class Instance(Machine):
    """One machine of the scale set; ``index`` counts from 0, whatever Azure calls the instance.

    ``port`` is the template's ``smoke.port``.
    """

    index: int
    port: int | None = None

    def get(self, path: str = "/", port: int | None = None) -> HttpResponse:
        """GET ``path`` from this very instance, at its private address, by a tunnel through its SSH session.

        ``port`` is the template's ``smoke.port`` unless given, and 80 where there is none.

        Raises:
            UnreachableError: nothing answered HTTP there within 30 seconds.
        """
        wanted = port or self.port or 80
        tunnel = self.session.open_tunnel(self.private_address, wanted, ANSWER_SECONDS)
        tunnel.settimeout(ANSWER_SECONDS)
        return get_over(tunnel, f"{self.private_address}:{wanted}", path)


@dataclass(frozen=True, slots=True)
class Frontend:
    """The load balancer's public address and the port that it serves."""

    address: str
    port: int

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class ScaleSet:
    """The deployed scale set; every instance is provisioned, logged into and done with cloud-init.

    ``image_id`` is the candidate that it was deployed from; ``frontend`` is None without a ``smoke.port``; ``rung`` is
    where it was made, ``fallen`` are the rungs that could not be had before.
    """

    id: str
    name: str
    image_id: str
    instances: tuple[Instance, ...]
    frontend: Frontend | None
    reach: Reach
    rung: Rung | None = None
    fallen: Fallen = ()

    def get(self, path: str = "/") -> HttpResponse:
        """GET ``path`` through the load balancer, from whichever instance it chooses.

        Raises:
            UnreachableError: the template has no ``smoke.port``, or nothing answered within 30 seconds.
        """
        if self.frontend is None:
            raise UnreachableError(
                f"scale set '{self.name}' serves nothing: its template has no smoke.port", machine=self.name
            )
        try:
            connection = self.reach(self.frontend.address, self.frontend.port, ANSWER_SECONDS)
        except OSError as error:
            raise UnreachableError(
                f"the load balancer of '{self.name}' does not answer at {self.frontend}: {error}",
                machine=self.name,
            ) from error
        connection.settimeout(ANSWER_SECONDS)
        return get_over(connection, str(self.frontend), path)
