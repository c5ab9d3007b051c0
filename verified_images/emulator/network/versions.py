"""Properties that only newer api-versions show: a caller of an older one does not get them.

Source: recorded answers; a property's version is the oldest one that was seen to have it.
"""

from __future__ import annotations

from typing import Any

_SINCE = {
    "allocationPolicy": "2022-05-01",
    "allowPort25Out": "2022-01-01",
    "allowBackendPortConflict": "2018-07-01",
    "auxiliaryMode": "2022-01-01",
    "auxiliarySku": "2022-11-01",
    "ddosSettings": "2022-05-01",
    "delegations": "2019-11-01",
    "destinationAddressPrefixes": "2017-06-01",
    "destinationPortRanges": "2017-06-01",
    "disableTcpStateTracking": "2022-05-01",
    "doNotVerifyRemoteGateways": "2019-11-01",
    "disableOutboundSnat": "2018-07-01",
    "enableDdosProtection": "2017-09-01",
    "enableDestinationServiceEndpoint": "2018-07-01",
    "enableTcpReset": "2018-07-01",
    "enableVmProtection": "2017-09-01",
    "hostedWorkloads": "2019-11-01",
    "ipamPoolPrefixAllocations": "2023-11-01",
    "ipTags": "2018-01-01",
    "kind": "2022-01-01",
    "loadBalancerBackendAddresses": "2020-05-01",
    "localAddressSpace": "2023-11-01",
    "localVirtualNetworkAddressSpace": "2023-11-01",
    "nicType": "2019-12-01",
    "outboundRules": "2018-07-01",
    "peerCompleteVnets": "2022-01-01",
    "peeringSyncLevel": "2022-01-01",
    "privateEndpointNetworkPolicies": "2019-04-01",
    "privateEndpointVNetPolicies": "2023-11-01",
    "privateLinkServiceNetworkPolicies": "2019-04-01",
    "probeThreshold": "2022-01-01",
    "remoteVirtualNetworkAddressSpace": "2022-01-01",
    "sku": "2017-08-01",
    "sourceAddressPrefixes": "2017-06-01",
    "sourcePortRanges": "2017-06-01",
    "tapConfigurations": "2018-08-01",
    "tier": "2020-07-01",
    "vnetEncryptionSupported": "2022-01-01",
}
_UNTIL = {"enableVmProtection": "2020-11-01", "outboundNatRules": "2018-07-01"}
"""Properties that older api-versions alone show."""


_PARTS_TYPED_SINCE = "2017-09-01"
_GUID_OF_PEERINGS_SINCE = "2019-11-01"
_POOLS_OF_RULES_SINCE = "2021-02-01"
_VERSION_OF_PUBLIC_FRONTENDS_UNTIL = "2020-11-01"


def as_of(version: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Give a body as an api-version shows it, leaving out what came later; tags are the user's own."""
    if isinstance(value, dict):
        hidden = _hidden(version, value)
        return {
            key: item if key == "tags" else as_of(version, _untyped(version, item))
            for key, item in value.items()
            if version >= _SINCE.get(key, "") and (key not in _UNTIL or version < _UNTIL[key]) and key != hidden
        }
    if isinstance(value, list):
        return [as_of(version, item) for item in value]
    return value


def _hidden(version: str, value: dict[str, Any]) -> str:
    """Give the property that an object does not show at an api-version because of what it is."""
    if "loadDistribution" in value and version < _POOLS_OF_RULES_SINCE:
        return "backendAddressPools"
    if "remoteVirtualNetwork" in value and version < _GUID_OF_PEERINGS_SINCE:
        return "resourceGuid"
    public = "publicIPAddress" in value and "subnet" not in value
    return "privateIPAddressVersion" if public and version >= _VERSION_OF_PUBLIC_FRONTENDS_UNTIL else ""


def _untyped(version: str, value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if version >= _PARTS_TYPED_SINCE or not isinstance(value, list):
        return value
    return [
        {name: item for name, item in part.items() if name != "type"} if isinstance(part, dict) else part
        for part in value
    ]
