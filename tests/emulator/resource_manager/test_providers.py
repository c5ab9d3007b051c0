"""Resource providers: what they say of their types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.emulator.clients import Clients


def describe(azure: Clients, namespace: str) -> dict[str, Any]:
    provider = azure.resources.providers.get(namespace)
    assert provider["registrationState"] == "Registered"
    return {each["resourceType"]: each for each in provider["resourceTypes"]}


def test_a_type_tells_its_api_versions_the_newest_first(azure: Clients) -> None:
    found = describe(azure, "Microsoft.Compute")["virtualMachines"]
    assert found["apiVersions"] == sorted(found["apiVersions"], reverse=True)
    assert "2024-07-01" in found["apiVersions"]
    assert not found["defaultApiVersion"].endswith("preview")


def test_a_zonal_type_tells_the_zones_of_each_location(azure: Clients) -> None:
    types = describe(azure, "Microsoft.Network")
    zones = {each["location"]: sorted(each["zones"]) for each in types["publicIPAddresses"]["zoneMappings"]}
    assert zones["West Europe"] == ["1", "2", "3"]
    assert "zoneMappings" not in types["networkInterfaces"]
