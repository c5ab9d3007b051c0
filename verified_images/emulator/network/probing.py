"""Health probes of load balancers: a machine that does not answer its probe gets no new connections.

A probe is sent when a connection needs its outcome and the last one is older than the probe's interval, so that
nothing runs while nobody connects.
"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.network.machines import find_endpoint, lets_in
from verified_images.emulator.network.rules import LOAD_BALANCER_PROBE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.references import IpConfiguration

_ANSWER_SECONDS = 3.0
_QUIET_SECONDS = 0.25
_SICK_SECONDS = 1.0
"""How long a machine is taken for unwell without asking again, however long the probe's interval is."""
_OK = 200


@dataclass(frozen=True, slots=True)
class _Outcome:
    healthy: bool
    when: float


class Probing:
    """Knows which machines answer which probe."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._outcomes: dict[tuple[str, str], _Outcome] = {}
        self._lock = threading.Lock()
        self._workers = ThreadPoolExecutor(thread_name_prefix="probe")

    def healthy(self, probe: dict[str, Any], members: Sequence[IpConfiguration]) -> list[IpConfiguration]:
        """Give those of the members that answer the probe."""
        results = list(self._workers.map(lambda member: self._is_healthy(probe, member), members))
        return [member for member, healthy in zip(members, results, strict=True) if healthy]

    def _is_healthy(self, probe: dict[str, Any], member: IpConfiguration) -> bool:
        key = (probe["id"].lower(), member.id.lower())
        interval = float(probe["properties"].get("intervalInSeconds", 15))
        with self._lock:
            known = self._outcomes.get(key)
        lasts = interval if known and known.healthy else min(interval, _SICK_SECONDS)
        if known and time.monotonic() - known.when < lasts:
            return known.healthy
        healthy = answers_probe(self._cloud, probe["properties"], member)
        with self._lock:
            self._outcomes[key] = _Outcome(healthy, time.monotonic())
        return healthy

    def close(self) -> None:
        """Stop probing."""
        self._workers.shutdown(wait=False, cancel_futures=True)


def answers_probe(cloud: Cloud, probe: dict[str, Any], member: IpConfiguration) -> bool:
    """Send a probe, given by its properties, to an IP configuration, and tell whether it is answered."""
    port = int(probe["port"])
    endpoint = find_endpoint(cloud, member, port)
    # A probe that no rule speaks of passes: the default rules admit the load balancer.
    if endpoint is None or not lets_in(cloud, member, source=LOAD_BALANCER_PROBE, port=port, standard=False):
        return False
    return answers_at(cloud, endpoint.guest, probe)


def answers_at(cloud: Cloud, guest: str, probe: dict[str, Any]) -> bool:
    """Tell whether a guest itself answers a probe on its port, whatever rules are before it."""
    try:
        address = cloud.hypervisor.forward(guest, int(probe["port"]))
        return _answers_http(address, probe) if probe["protocol"].lower() == "http" else _answers_tcp(address)
    except (OSError, HypervisorError, http.client.HTTPException):
        return False


def _answers_http(address: tuple[str, int], probe: dict[str, Any]) -> bool:
    connection = http.client.HTTPConnection(*address, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", "/" + str(probe.get("requestPath", "/")).lstrip("/"))
        return connection.getresponse().status == _OK
    finally:
        connection.close()


def _answers_tcp(address: tuple[str, int]) -> bool:
    """Tell whether a connection stays open: what forwards to a guest may accept first and hang up when it refuses."""
    with socket.create_connection(address, timeout=_ANSWER_SECONDS) as connection:
        connection.settimeout(_QUIET_SECONDS)
        try:
            return bool(connection.recv(1, socket.MSG_PEEK))
        except TimeoutError:
            return True
