"""The body of a storage account: what Azure fills in, and what each api-version shows. Source: recorded answers."""

from __future__ import annotations

from typing import Any

_SUFFIX = "core.windows.net"
_SERVICES = {
    "Storage": ("blob", "queue", "table", "file"),
    "StorageV2": ("dfs", "web", "blob", "queue", "table", "file"),
    "BlobStorage": ("dfs", "blob", "table"),
    "FileStorage": ("file",),
    "BlockBlobStorage": ("dfs", "web", "blob"),
}
_PREMIUM_SERVICES = ("web", "blob")
_PAIRED = {
    "eastus": "westus",
    "westus": "eastus",
    "eastus2": "centralus",
    "centralus": "eastus2",
    "southcentralus": "northcentralus",
    "northcentralus": "southcentralus",
    "westus2": "westcentralus",
    "westcentralus": "westus2",
    "northeurope": "westeurope",
    "westeurope": "northeurope",
    "southeastasia": "eastasia",
    "eastasia": "southeastasia",
}
_SINCE = (
    ("2016-01-01", "encryption"),
    ("2016-01-01", "supportsHttpsTrafficOnly"),
    ("2017-06-01", "networkAcls"),
    ("2019-06-01", "privateEndpointConnections"),
    ("2021-02-01", "keyCreationTime"),
)
_FIRST_WITH_SKU = "2016-01-01"


def account_properties(
    name: str, location: str, what: tuple[str, str], given: dict[str, Any], now: str
) -> dict[str, Any]:
    """Give the properties of a new account; ``what`` is the name of its SKU, and its kind."""
    sku, kind = what
    used = {"keyType": "Account", "enabled": True, "lastEnabledTime": now}
    properties = {
        "keyCreationTime": {"key1": now, "key2": now},
        "privateEndpointConnections": [],
        "networkAcls": {
            "bypass": "AzureServices",
            "virtualNetworkRules": [],
            "ipRules": [],
            "defaultAction": "Allow",
        },
        "supportsHttpsTrafficOnly": True,
        "encryption": {"services": {"file": used, "blob": used}, "keySource": "Microsoft.Storage"},
        **({"accessTier": "Hot"} if kind in {"StorageV2", "BlobStorage"} and sku.startswith("Standard") else {}),
        **given,
        "creationTime": now,
        "primaryEndpoints": _endpoints(name, sku, kind),
        "primaryLocation": location,
        "statusOfPrimary": "available",
    }
    if sku.endswith(("GRS", "GZRS")):
        properties |= {"secondaryLocation": _PAIRED.get(location, location), "statusOfSecondary": "available"}
    if "_RAG" in sku:
        others = _endpoints(f"{name}-secondary", sku, kind)
        properties["secondaryEndpoints"] = {key: url for key, url in others.items() if key != "file"}
    return properties


def _endpoints(name: str, sku: str, kind: str) -> dict[str, str]:
    services = _SERVICES[kind]
    if sku.startswith("Premium") and kind in {"Storage", "StorageV2"}:
        services = _PREMIUM_SERVICES if kind == "StorageV2" else ("blob",)
    zone = {"web": "z13.web"}
    return {service: f"https://{name}.{zone.get(service, service)}.{_SUFFIX}/" for service in services}


def as_of(body: dict[str, Any], api_version: str) -> dict[str, Any]:
    """Give an account as an api-version shows it; the body itself is left as it is."""
    hidden = {name for since, name in _SINCE if api_version[:10] < since}
    shown = {**body, "properties": {key: value for key, value in body["properties"].items() if key not in hidden}}
    if api_version[:10] < _FIRST_WITH_SKU:
        shown["properties"]["accountType"] = shown.pop("sku")["name"]
        del shown["kind"]
    return shown
