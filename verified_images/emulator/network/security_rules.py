"""Security rules of a network security group, those given and those that every group has."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.network.kind import require
from verified_images.emulator.network.part import Part, canonical

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_PRIORITIES = range(100, 4097)
_HIGHEST_PORT = 65535
_PORTS = re.compile(r"\d{1,5}(-\d{1,5})?")
_SERVICE_TAG = re.compile(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)*")
_PROTOCOLS = ("*", "Tcp", "Udp", "Icmp", "Esp", "Ah")
_LISTS = ("sourcePortRanges", "destinationPortRanges", "sourceAddressPrefixes", "destinationAddressPrefixes")
_GROUPS = {
    "sourceAddressPrefix": "sourceApplicationSecurityGroups",
    "destinationAddressPrefix": "destinationApplicationSecurityGroups",
}
_EXCLUSIVE = ("sourcePortRange", "destinationPortRange", "sourceAddressPrefix", "destinationAddressPrefix")


class SecurityRules(Part):
    """The rules that a group was given."""

    collection: ClassVar[str] = "securityRules"
    writable: ClassVar[bool] = True

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check a rule."""
        del existing
        rule = dict(given)
        for key, allowed in (
            ("protocol", _PROTOCOLS),
            ("access", ("Allow", "Deny")),
            ("direction", ("Inbound", "Outbound")),
        ):
            rule[key] = canonical(rule.get(key), allowed)
            if rule[key] not in allowed:
                raise _unsupported(key, f"{parent.id}/securityRules/{name}", rule[key])
        if not isinstance(rule.get("priority"), int) or rule["priority"] not in _PRIORITIES:
            raise network_error(
                400,
                "SecurityRuleInvalidPriority",
                f"Security rule has invalid Priority. Value provided: {rule.get('priority', 0)} Allowed range "
                "100-4096.",
            )
        for key in _GROUPS.values():
            if rule.get(key):
                path = f"properties.securityRules[].properties.{key}"
                rule[key] = [
                    {"id": require(cloud, parent, target, path=path, kind="applicationSecurityGroups")}
                    for target in rule[key]
                ]
        _check_values(rule, f"{parent.id}/securityRules/{name}")
        return rule | {key: rule.get(key) or [] for key in _LISTS}


class DefaultSecurityRules(Part):
    """The rules that every group has; they cannot be changed."""

    collection: ClassVar[str] = "defaultSecurityRules"

    def make_all(self, cloud: Cloud, parent: Resource, given: Any, existing: Resource | None) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON value
        """Give the rules, whatever the client sent back."""
        del given, existing
        return [
            self.make(cloud, parent, {"name": name, "properties": properties}, None) for name, properties in _DEFAULTS
        ]


def check_conflicts(group: Resource) -> None:
    """Refuse with ArmError two rules of one direction and priority."""
    seen: dict[tuple[str, int], str] = {}
    for rule in group.properties["securityRules"]:
        key = (rule["properties"]["direction"], rule["properties"]["priority"])
        if key in seen:
            raise network_error(
                400,
                "SecurityRuleConflict",
                f"Security rule {seen[key]} conflicts with rule {rule['name']}. Rules cannot have the same Priority "
                "and Direction. To learn more, see aka.ms/nsgrules.",
            )
        seen[key] = rule["name"]


def _check_values(rule: dict[str, Any], identifier: str) -> None:
    for singular in _EXCLUSIVE:
        plural = singular + ("es" if singular.endswith("Prefix") else "s")
        values = [rule[singular]] if rule.get(singular) else rule.get(plural) or []
        if rule.get(singular) and rule.get(plural):
            raise network_error(
                400,
                "SecurityRuleParameterContainsBothSingularAndPlural",
                f"Security rule {identifier} cannot have both {singular} and {plural} specified.",
            )
        if values and rule.get(_GROUPS.get(singular, "")):
            raise network_error(
                400,
                "SecurityRuleParameterContainsBothAddressPrefixAndApplicationSecurityGroups",
                f"Security rule {identifier} cannot have both {singular} and {_GROUPS[singular]} specified.",
            )
        if not values and not rule.get(_GROUPS.get(singular, "")):
            raise network_error(
                400,
                "SecurityRuleParameterNotSpecified",
                f"Security rule parameter {singular} for rule with Id {identifier} must be specified.",
            )
        for value in values:
            (_check_ports if "Port" in singular else _check_prefix)(str(value))


def _check_ports(text: str) -> None:
    bounds = [int(bound) for bound in text.split("-")] if _PORTS.fullmatch(text) else []
    if text != "*" and (not bounds or bounds != sorted(bounds) or bounds[-1] > _HIGHEST_PORT):
        raise network_error(
            400,
            "SecurityRuleInvalidPortRange",
            f"Security rule has invalid Port range. Value provided: {text}. Value should be an integer OR integer "
            "range with '-' delimiter. Valid range 0-65535.",
        )


def _check_prefix(text: str) -> None:
    # A bare number is taken as well. Source: recorded answers.
    if text == "*" or text.isdigit() or _SERVICE_TAG.fullmatch(text):
        return
    try:
        ip_network(text, strict=False)
    except ValueError as error:
        raise network_error(
            400,
            "SecurityRuleInvalidAddressPrefix",
            f"Security rule has invalid Address prefix. Value provided: {text}",
        ) from error


def _unsupported(key: str, identifier: str, value: object) -> Exception:
    return network_error(
        400,
        "SecurityRuleParameterContainsUnsupportedValue",
        f"Security rule parameter {key[0].upper() + key[1:]} for rule with Id {identifier} cannot be specified with "
        f"value {value}.",
    )


def _default(
    name: str, description: str, between: tuple[str, str], access: str, priority: int
) -> tuple[str, dict[str, Any]]:
    source, destination = between
    return name, {
        "description": description,
        "protocol": "*",
        "sourcePortRange": "*",
        "destinationPortRange": "*",
        "sourceAddressPrefix": source,
        "destinationAddressPrefix": destination,
        "access": access,
        "priority": priority,
        "direction": "Outbound" if name.endswith("OutBound") else "Inbound",
        **{key: [] for key in _LISTS},
    }


_VNET = ("VirtualNetwork", "VirtualNetwork")
_BALANCER = "Allow inbound traffic from azure load balancer"
_DEFAULTS = (
    _default("AllowVnetInBound", "Allow inbound traffic from all VMs in VNET", _VNET, "Allow", 65000),
    _default("AllowAzureLoadBalancerInBound", _BALANCER, ("AzureLoadBalancer", "*"), "Allow", 65001),
    _default("DenyAllInBound", "Deny all inbound traffic", ("*", "*"), "Deny", 65500),
    _default("AllowVnetOutBound", "Allow outbound traffic from all VMs to all VMs in VNET", _VNET, "Allow", 65000),
    _default(
        "AllowInternetOutBound", "Allow outbound traffic from all VMs to Internet", ("*", "Internet"), "Allow", 65001
    ),
    _default("DenyAllOutBound", "Deny all outbound traffic", ("*", "*"), "Deny", 65500),
)
