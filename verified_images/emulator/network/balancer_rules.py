"""What the rules of a load balancer have in common: ports, protocol, and what they refer to in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.network.kind import require
from verified_images.emulator.network.part import canonical, invalid_format

if TYPE_CHECKING:
    from collections.abc import Iterable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

PROTOCOLS = ("Tcp", "Udp", "All")
_HIGHEST_PORT = 65535
_IDLE_MINUTES = range(4, 101)


def is_standard(balancer: Resource) -> bool:
    """Tell whether a load balancer is more than a Basic one, which has no outbound rules nor pools of addresses."""
    return bool(balancer.body["sku"]["name"] != "Basic")


def need(properties: dict[str, Any], name: str, owner: str) -> Any:  # noqa: ANN401 - any JSON value
    """Give a property that must be there.

    Raises:
        ArmError: 400: it is missing.
    """
    if properties.get(name) is None:
        raise invalid_format("InvalidJson", f"Required property '{name}' not found in JSON. Path '{owner}'.")
    return properties[name]


def check_port(properties: dict[str, Any], name: str, owner: str, *, lowest: int = 1) -> int:
    """Give a port that must be there and be one."""
    port = need(properties, name, owner)
    if not isinstance(port, int) or not lowest <= port <= _HIGHEST_PORT:
        raise network_error(
            400,
            "LoadBalancerPortIsOutOfRange",
            f"Port {port} given as {name} of {owner} is out of range {lowest}-{_HIGHEST_PORT}.",
        )
    return port


def complete_rule(cloud: Cloud, balancer: Resource, owner: str, given: dict[str, Any]) -> dict[str, Any]:
    """Check what all rules have and add Azure's defaults."""
    protocol = canonical(need(given, "protocol", owner), PROTOCOLS)
    if protocol not in PROTOCOLS:
        raise invalid_format("InvalidJson", f"Error converting value {protocol!r} to a protocol. Path '{owner}'.")
    idle = given.get("idleTimeoutInMinutes", 4)
    if idle not in _IDLE_MINUTES:
        raise network_error(
            400,
            "LoadBalancerIdleTimeoutIsOutOfRange",
            f"Idle timeout of {idle} minutes for {owner} is out of range 4-100.",
        )
    frontend = need(given, "frontendIPConfiguration", owner)
    return {
        "enableFloatingIP": False,
        "idleTimeoutInMinutes": 4,
        "enableDestinationServiceEndpoint": False,
        "enableTcpReset": False,
        "allowBackendPortConflict": False,
        **given,
        "frontendIPConfiguration": {
            "id": require(
                cloud, balancer, frontend, path="properties.frontendIPConfiguration", kind="frontendIPConfigurations"
            )
        },
        "protocol": protocol,
    }


def ids(items: Iterable[dict[str, Any]]) -> list[dict[str, str]]:
    """Give references to sub-resources."""
    return [{"id": item["id"]} for item in items]
