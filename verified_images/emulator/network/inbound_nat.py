"""Inbound NAT rules and pools of load balancers, as ARM keeps them; ``nat`` tells whom they lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.network.balancer_rules import check_port, complete_rule
from verified_images.emulator.network.kind import require
from verified_images.emulator.network.lookup import named, pick
from verified_images.emulator.network.nat import RULES, is_range, shown_rules
from verified_images.emulator.network.part import Part
from verified_images.emulator.network.pools import forget_in_interfaces
from verified_images.emulator.network.references import SCALE_SET, configurations_naming, referrers_of_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource


class InboundNatRules(Part):
    """The inbound NAT rules of a load balancer; those that a pool makes for its instances are shown, not stored."""

    collection: ClassVar[str] = "inboundNatRules"
    writable: ClassVar[bool] = True
    created: ClassVar[tuple[int, str]] = (201, "Succeeded")
    updated: ClassVar[tuple[int, str]] = (200, "Succeeded")

    def make_all(self, cloud: Cloud, parent: Resource, given: Any, existing: Resource | None) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON value
        """Give the rules that a client sets: those that a pool made come back unchanged or not at all."""
        made = [item["name"].lower() for item in _from_pools(cloud, existing)] if existing else []
        rest = [item for item in given or () if str(item.get("name")).lower() not in made]
        before = self.items(existing) if existing else []
        if made and any(not pick(before, str(item.get("name"))) for item in rest):
            raise network_error(
                400,
                "AddingOrUpdatingNatRulesWhenNatPoolIsPresentOnLoadbalancerIsNotSupported",
                f"Adding or updating NAT Rules when NAT pool is present on loadbalancer {parent.id} is not supported. "
                "To modify the load balancer, pass in all NAT rules unchanged or remove the "
                "LoadBalancerInboundNatRules property from your PUT request",
            )
        return super().make_all(cloud, parent, rest, existing)

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check a rule of either version: a port for one machine, or a range for a pool's."""
        del existing
        owner = f"{parent.id}/inboundNatRules/{name}"
        rule = complete_rule(cloud, parent, owner, given)
        rule.pop("backendIPConfiguration", None)
        check_port(given, "backendPort", owner)
        if "backendAddressPool" in given or is_range({"properties": given}):
            if "backendAddressPool" in given:
                path = "properties.inboundNatRules[].properties.backendAddressPool"
                require(cloud, parent, given["backendAddressPool"], path=path, kind="backendAddressPools")
            _check_range(rule, owner, lowest=0)
            rule["frontendPort"] = 0
        else:
            check_port(given, "frontendPort", owner)
        return rule

    def shown(self, cloud: Cloud, parent: Resource) -> list[dict[str, Any]]:
        """Give the rules stored and those made by pools."""
        return shown_rules(cloud, parent)

    def back_references(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Give the machine that a rule for one leads to."""
        del parent
        for configuration in configurations_naming(cloud, item["id"], RULES):
            return {"backendIPConfiguration": {"id": configuration.id}}
        return {}

    def release(self, cloud: Cloud, item: dict[str, Any]) -> None:
        """Take the rule out of the interfaces that name it."""
        forget_in_interfaces(cloud, item["id"])


class InboundNatPools(Part):
    """The inbound NAT pools of a load balancer, which scale sets name."""

    collection: ClassVar[str] = "inboundNatPools"

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check a pool."""
        del existing
        owner = f"{parent.id}/inboundNatPools/{name}"
        pool = complete_rule(cloud, parent, owner, given)
        check_port(given, "backendPort", owner)
        _check_range(pool, owner)
        return pool

    def check_delete(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> None:
        """Refuse while a scale set's model names the pool."""
        del parent
        for scale_set in referrers_of_type(cloud, item["id"], SCALE_SET):
            raise network_error(
                400,
                "LoadBalancerInUseByVirtualMachineScaleSet",
                f"Cannot remove inbound nat pool {item['name']} from load balancer since it is in use by virtual "
                f"machine scale set {scale_set.id}.",
            )


def _from_pools(cloud: Cloud, balancer: Resource) -> Iterator[dict[str, Any]]:
    stored = named(balancer.properties, "inboundNatRules")
    yield from (item for item in shown_rules(cloud, balancer) if not pick(stored, item["name"]))


def _check_range(rule: dict[str, Any], owner: str, *, lowest: int = 1) -> None:
    first = check_port(rule, "frontendPortRangeStart", owner, lowest=lowest)
    last = check_port(rule, "frontendPortRangeEnd", owner, lowest=lowest)
    if first > last:
        raise network_error(
            400,
            "LoadBalancerPortRangeIsInvalid",
            f"The frontend port range {first}-{last} of {owner} ends before it starts.",
        )
