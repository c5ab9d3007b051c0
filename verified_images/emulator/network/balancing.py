"""What a load balancer does with a connection: find the rule of its port and a machine that is well."""

from __future__ import annotations

import hashlib
import itertools
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from verified_images.emulator.network.lookup import find_part, id_of
from verified_images.emulator.network.machines import Endpoint, find_endpoint, lets_in
from verified_images.emulator.network.nat import nat_target
from verified_images.emulator.network.pools import pool_members
from verified_images.emulator.network.references import LOAD_BALANCER, IpConfiguration, referrers_of_type, refers_to

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.network.probing import Probing
    from verified_images.emulator.store import Resource


class Balancing:
    """Chooses machines for the connections to load balancers, in turn among those whose probe is answered."""

    def __init__(self, cloud: Cloud, probing: Probing) -> None:
        self._cloud = cloud
        self._probing = probing
        self._turns: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)
        self._lock = threading.Lock()

    def find_endpoint(self, address_id: str, port: int, client: str) -> Endpoint | None:
        """Give where a connection to a port of a public address ends, or None when it is lost."""
        for balancer in referrers_of_type(self._cloud, address_id, LOAD_BALANCER):
            for frontend in balancer.properties["frontendIPConfigurations"]:
                if refers_to(frontend["properties"].get("publicIPAddress"), address_id):
                    return self._behind(balancer, frontend["id"], port, client)
        return None

    def _behind(self, balancer: Resource, frontend: str, port: int, client: str) -> Endpoint | None:
        standard = balancer.body["sku"]["name"] != "Basic"
        member, backend_port = self.find_member(balancer, frontend, port, client) or (None, 0)
        if member is None or not lets_in(self._cloud, member, source=client, port=backend_port, standard=standard):
            return None
        return find_endpoint(self._cloud, member, backend_port)

    def find_member(
        self, balancer: Resource, frontend: str, port: int, client: str
    ) -> tuple[IpConfiguration, int] | None:
        """Give the IP configuration, and its port, that a connection to a port of a frontend (its id) is led to."""
        rule = _rule_of(balancer, frontend, port)
        if rule is None:
            return nat_target(self._cloud, balancer, frontend, port)
        found = self._choose(rule, client)
        # The port of a rule for all ports is the one that was asked for.
        return (found, int(rule["properties"]["backendPort"]) or port) if found else None

    def _choose(self, rule: dict[str, Any], client: str) -> IpConfiguration | None:
        properties = rule["properties"]
        members = [
            member
            for reference in properties.get("backendAddressPools") or [properties.get("backendAddressPool")]
            for member in pool_members(self._cloud, id_of(reference))
        ]
        running = [member for member in members if find_endpoint(self._cloud, member, properties["backendPort"])]
        if probe := find_part(self._cloud, id_of(properties.get("probe"))):
            running = self._probing.healthy(probe, running)
        return self._in_turn(rule, client, running) if running else None

    def _in_turn(self, rule: dict[str, Any], client: str, members: Sequence[IpConfiguration]) -> IpConfiguration:
        """Give the next member, or always the same one of a client where the rule says so."""
        if rule["properties"].get("loadDistribution", "Default") != "Default":
            digest = hashlib.sha256(client.encode()).digest()
            return members[int.from_bytes(digest[:4], "big") % len(members)]
        with self._lock:
            return members[next(self._turns[rule["id"].lower()]) % len(members)]


def _rule_of(balancer: Resource, frontend: str, port: int) -> dict[str, Any] | None:
    for rule in balancer.properties["loadBalancingRules"]:
        properties = rule["properties"]
        if (
            refers_to(properties["frontendIPConfiguration"], frontend)
            and properties["protocol"] in {"Tcp", "All"}
            and int(properties["frontendPort"]) in {port, 0}
        ):
            return rule  # type: ignore[no-any-return]
    return None
