"""The networkProfile of a scale set's model: what Azure checks in it and fills in. Source: recorded answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

_NETWORK_API_VERSIONS = ("2020-11-01", "2022-11-01")
_TCP_STATE_TRACKING = "2022-08-01"
_REGIONAL_ACCELERATION = "2023-07-01"
"""The first compute api-versions that show ``disableTcpStateTracking``, and that leave acceleration to the size."""


def fill_network(cloud: Cloud, network: dict[str, Any], *, flexible: bool, version: str) -> dict[str, Any]:
    """Give a networkProfile with the defaults that Azure fills in; ``version`` is the request's api-version.

    Raises:
        ArmError: 400: something is missing, does not exist, or is not for the orchestration mode.
    """
    cards = network.get("networkInterfaceConfigurations")
    if not cards:
        raise missing_parameter("virtualMachineProfile.networkProfile.networkInterfaceConfigurations")
    if probe := (network.get("healthProbe") or {}).get("id"):
        _check_probe(cloud, probe, flexible=flexible)
    filled = {**network, "networkInterfaceConfigurations": []}
    if flexible:
        filled["networkApiVersion"] = network.get("networkApiVersion") or "2020-11-01"
        if filled["networkApiVersion"] not in _NETWORK_API_VERSIONS:
            raise invalid_parameter(
                "networkProfile.networkApiVersion",
                f"The value '{filled['networkApiVersion']}' of parameter 'networkProfile.networkApiVersion' is "
                f"invalid. Supported values are: {','.join(_NETWORK_API_VERSIONS)}.",
            )
    primary = [card for card in cards if (card.get("properties") or {}).get("primary")]
    if len(cards) > 1 and len(primary) != 1:
        raise ArmError(
            400,
            "VirtualMachineMustHaveOneNetworkInterfaceAsPrimary",
            "Exactly one of the networkInterfaceConfigurations of a scale set must be primary.",
            details=[],
        )
    for card in cards:
        given = _fill_flexible(card) if flexible else _fill_uniform(card, len(cards), version)
        for configuration in given["ipConfigurations"]:
            _check_references(cloud, configuration["properties"], flexible=flexible)
        _check_exists(cloud, str((given.get("networkSecurityGroup") or {}).get("id") or ""))
        filled["networkInterfaceConfigurations"].append({**card, "properties": given})
    return filled


def _configurations(card: dict[str, Any]) -> list[dict[str, Any]]:
    configurations = (card.get("properties") or {}).get("ipConfigurations")
    if not configurations:
        raise missing_parameter("networkInterfaceConfiguration.ipConfigurations")
    return list(configurations)


def _fill_uniform(card: dict[str, Any], count: int, version: str) -> dict[str, Any]:
    given = dict(card.get("properties") or {})
    if count == 1:
        given.setdefault("primary", True)
    defaults: dict[str, Any] = {"dnsSettings": {"dnsServers": []}, "enableIPForwarding": False}
    if version < _REGIONAL_ACCELERATION:
        defaults["enableAcceleratedNetworking"] = False
    if version >= _TCP_STATE_TRACKING:
        defaults["disableTcpStateTracking"] = False
    return {
        **defaults,
        **given,
        "ipConfigurations": [
            {
                **configuration,
                "properties": {
                    "privateIPAddressVersion": "IPv4",
                    **_with_address(configuration.get("properties") or {}),
                },
            }
            for configuration in _configurations(card)
        ],
    }


def _with_address(properties: dict[str, Any]) -> dict[str, Any]:
    wanted = properties.get("publicIPAddressConfiguration")
    if not wanted:
        return properties
    filled = {"ipTags": [], "publicIPAddressVersion": "IPv4", **(wanted.get("properties") or {})}
    return {**properties, "publicIPAddressConfiguration": {**wanted, "properties": filled}}


def _fill_flexible(card: dict[str, Any]) -> dict[str, Any]:
    defaults = {
        "primary": True,
        "disableTcpStateTracking": False,
        "enableIPForwarding": False,
        "auxiliaryMode": "None",
        "auxiliarySku": "None",
        "deleteOption": "Delete",
        "dnsSettings": {"dnsServers": []},
    }
    lists: dict[str, Any] = {"applicationSecurityGroups": [], "applicationGatewayBackendAddressPools": []}
    return {
        **defaults,
        **(card.get("properties") or {}),
        "ipConfigurations": [
            {
                **configuration,
                "properties": {
                    "privateIPAddressVersion": "IPv4",
                    **lists,
                    **(configuration.get("properties") or {}),
                },
            }
            for configuration in _configurations(card)
        ],
    }


def _check_references(cloud: Cloud, properties: dict[str, Any], *, flexible: bool) -> None:
    if properties.get("applicationGatewayBackendAddressPools"):
        raise ArmError(
            400,
            "InvalidResourceReference",
            f"Resource {properties['applicationGatewayBackendAddressPools'][0].get('id')} referenced by the scale set "
            "was not found. The local Azure has no application gateways.",
            details=[],
        )
    if flexible and properties.get("loadBalancerInboundNatPools"):
        raise invalid_parameter(
            "loadBalancerInboundNatPools",
            "Parameter 'loadBalancerInboundNatPools' is not allowed for a Virtual Machine Scale Set with orchestration "
            "mode 'Flexible'.",
        )
    for reference in _references(properties):
        _check_exists(cloud, reference)


def _references(properties: dict[str, Any]) -> Iterator[str]:
    if subnet := (properties.get("subnet") or {}).get("id"):
        yield subnet
    for key in ("loadBalancerBackendAddressPools", "loadBalancerInboundNatPools", "applicationSecurityGroups"):
        for reference in properties.get(key) or []:
            yield str(reference.get("id") or "")


def _check_exists(cloud: Cloud, reference: str) -> None:
    if reference and cloud.store.find(reference) is None and cloud.store.find(reference.rsplit("/", 2)[0]) is None:
        raise ArmError(
            400,
            "InvalidResourceReference",
            f"Resource {reference} referenced by the scale set was not found. Please make sure that the referenced "
            "resource exists, and that both resources are in the same region.",
            details=[],
        )


def _check_probe(cloud: Cloud, probe: str, *, flexible: bool) -> None:
    if flexible:
        raise invalid_parameter(
            "networkProfile.healthProbe",
            "Parameter 'networkProfile.healthProbe' is not allowed for a Virtual Machine Scale Set with orchestration "
            "mode 'Flexible'.",
        )
    _check_exists(cloud, probe)
