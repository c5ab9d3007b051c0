"""Health probes of load balancers, as ARM keeps them; ``probing`` sends them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.network.balancer_rules import check_port, ids, need
from verified_images.emulator.network.part import Part, canonical, invalid_format
from verified_images.emulator.network.references import SCALE_SET, referrers_of_type, refers_to

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_PROTOCOLS = ("Tcp", "Http", "Https")
_REMEDY = "To remove this probe, please update VM scale set to remove the reference to the probe."


class Probes(Part):
    """The probes of a load balancer."""

    collection: ClassVar[str] = "probes"

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check a probe and add Azure's defaults."""
        del cloud, existing
        owner = f"{parent.id}/probes/{name}"
        protocol = canonical(need(given, "protocol", owner), _PROTOCOLS)
        if protocol not in _PROTOCOLS:
            raise invalid_format("InvalidJson", f"Error converting value {protocol!r} to a protocol. Path '{owner}'.")
        check_port(given, "port", owner)
        if protocol != "Tcp":
            need(given, "requestPath", owner)
        return {
            "intervalInSeconds": 15,
            "numberOfProbes": 1,
            "probeThreshold": 1,
            **{key: value for key, value in given.items() if key != "loadBalancingRules"},
            "protocol": protocol,
        }

    def back_references(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Give the rules that the probe decides."""
        del cloud
        rules = ids(
            rule
            for rule in parent.properties["loadBalancingRules"]
            if refers_to(rule["properties"].get("probe"), item["id"])
        )
        return {"loadBalancingRules": rules} if rules else {}

    def check_delete(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> None:
        """Refuse while a scale set takes the probe as its health probe."""
        del parent
        for scale_set in referrers_of_type(cloud, item["id"], SCALE_SET):
            raise network_error(
                400,
                "CannotRemoveProbeUsedByVMSS",
                f"Load balancer probe {item['id']} cannot be removed because it is used as health probe by VM scale "
                f"set {scale_set.id}. {_REMEDY}",
            )
