"""How well a scale set's instances are: as a load balancer's probe, or the Application Health extension, finds them.

Source: Azure, "Using Application Health extension with Virtual Machine Scale Sets".
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.machines.guests import power_of
from verified_images.emulator.compute.scale_sets.policies import health_extension, health_probe
from verified_images.emulator.network.lookup import find_part
from verified_images.emulator.network.probing import answers_at, answers_probe
from verified_images.emulator.network.references import ip_configurations

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

HEALTHY, UNHEALTHY = "healthy", "unhealthy"
_TEXTS = {
    HEALTHY: "The VM is reporting itself as healthy",
    UNHEALTHY: "The VM is reporting itself as unhealthy",
}


def watches_health(scale_set: Resource) -> bool:
    """Tell whether a scale set has a probe or an extension that tells of health."""
    profile = scale_set.properties.get("virtualMachineProfile") or {}
    return bool(health_probe(profile) or health_extension(profile))


def healths_of(cloud: Cloud, scale_set: Resource, instances: Sequence[Resource]) -> list[str]:
    """Ask instances, at once, how they are: ``healthy`` or ``unhealthy`` each, as a probe sent now finds them."""
    if not instances:
        return []
    with ThreadPoolExecutor(max_workers=min(16, len(instances)), thread_name_prefix="health") as workers:
        return list(workers.map(lambda instance: health_of(cloud, scale_set, instance), instances))


def health_of(cloud: Cloud, scale_set: Resource, instance: Resource) -> str:
    """Ask one instance how it is."""
    profile = scale_set.properties.get("virtualMachineProfile") or {}
    if power_of(cloud, instance) != "running":
        return UNHEALTHY
    if extension := health_extension(profile):
        settings = (extension.get("properties") or {}).get("settings") or {}
        answered = answers_at(cloud, instance.hidden["guest"], _probe_of(settings))
    else:
        answered = _answers_balancer(cloud, health_probe(profile), instance)
    return HEALTHY if answered else UNHEALTHY


def _probe_of(settings: dict[str, Any]) -> dict[str, Any]:
    protocol = str(settings.get("protocol") or "http").lower()
    port = settings.get("port") or {"http": 80, "https": 443}.get(protocol, 0)
    # No certificate is checked by the extension; that the port answers is what is asked of https here.
    return {"protocol": protocol, "port": port, "requestPath": settings.get("requestPath") or "/"}


def _answers_balancer(cloud: Cloud, probe_id: str, instance: Resource) -> bool:
    probe = find_part(cloud, probe_id)
    cards = instance.properties["networkProfile"]["networkInterfaces"]
    card = cloud.store.find(cards[0]["id"]) if cards else None
    if probe is None or card is None:
        return False
    return any(answers_probe(cloud, probe["properties"], configuration) for configuration in ip_configurations(card))


def health_status(health: str) -> dict[str, Any]:
    """Give a health as the ``vmHealth`` of an instance view."""
    return {
        "status": {
            "code": f"HealthState/{health}",
            "level": "Info" if health == HEALTHY else "Error",
            "displayStatus": _TEXTS[health],
            "time": datetime.now(UTC).isoformat(),
        }
    }
