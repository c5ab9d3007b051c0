"""Load balancing rules, and outbound rules, which are kept but lead nothing: guests have their own way out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.network.balancer_rules import PROTOCOLS, check_port, complete_rule, is_standard, need
from verified_images.emulator.network.kind import require
from verified_images.emulator.network.lookup import id_of
from verified_images.emulator.network.part import Part, canonical
from verified_images.emulator.network.references import SCALE_SET, referrers_of_type

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_DISTRIBUTIONS = ("Default", "SourceIP", "SourceIPProtocol")
_PATH = "properties.{}[].properties.{}"
_REMEDY = "To remove this rule, please update VM scale set to remove the reference to the probe."


class LoadBalancingRules(Part):
    """The rules that spread connections over a pool."""

    collection: ClassVar[str] = "loadBalancingRules"

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check a rule and add Azure's defaults."""
        del existing
        owner = f"{parent.id}/loadBalancingRules/{name}"
        rule = complete_rule(cloud, parent, owner, given)
        for port in ("frontendPort", "backendPort"):
            check_port(given, port, owner, lowest=0 if rule["protocol"] == "All" else 1)
        rule["loadDistribution"] = canonical(given.get("loadDistribution", "Default"), _DISTRIBUTIONS)
        if is_standard(parent):
            rule.setdefault("disableOutboundSnat", False)
        pools = given.get("backendAddressPools") or [given.get("backendAddressPool")]
        pools = [pool for pool in pools if id_of(pool)]
        for pool in pools:
            require(
                cloud,
                parent,
                pool,
                path=_PATH.format(self.collection, "backendAddressPool"),
                kind="backendAddressPools",
            )
        rule.pop("backendAddressPool", None)
        if len(pools) == 1:
            rule["backendAddressPool"] = pools[0]
        if pools and is_standard(parent):
            rule["backendAddressPools"] = pools
        elif pools[1:]:
            raise network_error(
                400,
                "LoadBalancingRuleWithMultipleBackendPoolsNotSupported",
                f"Load balancing rule {owner} of a Basic sku load balancer cannot reference more than one backend "
                "address pool.",
            )
        else:
            rule.pop("backendAddressPools", None)
        if "probe" in given:
            require(cloud, parent, given["probe"], path=_PATH.format(self.collection, "probe"), kind="probes")
        return rule

    def check_delete(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> None:
        """Refuse while a scale set takes the rule's probe as its health probe."""
        del parent
        probe = id_of(item["properties"].get("probe"))
        for scale_set in referrers_of_type(cloud, probe, SCALE_SET) if probe else ():
            raise network_error(
                400,
                "CannotRemoveRuleUsedByProbeUsedByVMSS",
                f"Load balancer rule {item['id']} cannot be removed because the rule references the load balancer "
                f"probe {probe} that is used as health probe by VM scale set {scale_set.id}. {_REMEDY}",
            )


class OutboundRules(Part):
    """The rules by which a pool's machines reach the internet."""

    collection: ClassVar[str] = "outboundRules"

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check a rule and add Azure's defaults."""
        del existing
        owner = f"{parent.id}/outboundRules/{name}"
        if not is_standard(parent):
            raise network_error(
                400,
                "OutboundRulesNotSupportedForBasicSkuLoadBalancer",
                f"Outbound rule {owner} is not supported by a Basic sku load balancer.",
            )
        protocol = canonical(need(given, "protocol", owner), PROTOCOLS)
        for frontend in need(given, "frontendIPConfigurations", owner):
            require(
                cloud,
                parent,
                frontend,
                path=_PATH.format(self.collection, "frontendIPConfigurations"),
                kind="frontendIPConfigurations",
            )
        pool = need(given, "backendAddressPool", owner)
        require(
            cloud, parent, pool, path=_PATH.format(self.collection, "backendAddressPool"), kind="backendAddressPools"
        )
        return {
            "allocatedOutboundPorts": 1024,
            "allocationPolicy": {"onDemandAllocation": False, "portReuse": "FirstAvailable"},
            "enableTcpReset": False,
            "idleTimeoutInMinutes": 4,
            **given,
            "protocol": protocol,
        }
