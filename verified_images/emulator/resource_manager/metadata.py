"""The description of the cloud that clients ask for first: the azure CLI, Ansible, Terraform, Packer, the SDKs.

Azure's own answers in each api-version are among the tests of hashicorp/go-azure-sdk (``sdk/internal/metadata``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.azure_hosts import login_url, resource_manager_url, stands_for_azure
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

_AUDIENCES = ["https://management.core.windows.net/", "https://management.azure.com/"]
_OLD_VERSIONS = frozenset({"1.0", "2015-01-01", "2018-01-01"})
_LIST_VERSIONS = frozenset({"2019-05-01", "2019-10-01"})
_SUFFIXES = {
    "acrLoginServer": "azurecr.io",
    "sqlServerHostname": "database.windows.net",
    "keyVaultDns": "vault.azure.net",
    "storage": "core.windows.net",
    "azureFrontDoorEndpointSuffix": "azurefd.net",
    "storageSyncEndpointSuffix": "afs.azure.net",
    "mhsmDns": "managedhsm.azure.net",
    "mysqlServerEndpoint": "mysql.database.azure.com",
    "postgresqlServerEndpoint": "postgres.database.azure.com",
    "mariadbServerEndpoint": "mariadb.database.azure.com",
    "synapseAnalytics": "dev.azuresynapse.net",
    "attestationEndpoint": "attest.azure.net",
}


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/metadata/endpoints", _describe, anonymous=True)


def _describe(cloud: Cloud, request: Request) -> Answer:
    version = request.query.get("api-version", "")
    if version in _OLD_VERSIONS:
        return Answer(200, _as_of_2015(request.base_url))
    described = _as_of_2022(cloud, request.base_url)
    return Answer(200, [described] if version in _LIST_VERSIONS else described)


def _as_of_2015(base_url: str) -> dict[str, Any]:
    other = f"{resource_manager_url(base_url)}/"
    return {
        "galleryEndpoint": other,
        "graphEndpoint": other,
        "portalEndpoint": other,
        "authentication": {"loginEndpoint": f"{login_url(base_url)}/", "audiences": _AUDIENCES},
    }


def _as_of_2022(cloud: Cloud, base_url: str) -> dict[str, Any]:
    """Give what clients read today. Services that are not emulated are at the same place, or have no names at all."""
    base = resource_manager_url(base_url)
    for_azure = stands_for_azure(base_url)
    return {
        "portal": base,
        "authentication": {
            "loginEndpoint": login_url(base_url),
            "audiences": _AUDIENCES,
            "tenant": cloud.account.tenant_id,
            "identityProvider": "AAD",
        },
        "media": base,
        "graphAudience": base,
        "graph": base,
        "name": "AzureCloud" if for_azure else "verified-images-local",
        "suffixes": _SUFFIXES if for_azure else {name: f"{name.lower()}.invalid" for name in _SUFFIXES},
        "batch": base,
        "resourceManager": f"{base}/",
        "gallery": base,
        "sqlManagement": base,
        "microsoftGraphResourceId": "https://graph.microsoft.com/" if for_azure else base,
    }
