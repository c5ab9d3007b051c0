"""The names of Azure's own hosts, which the gateway leads to the local Azure for clients that know no other.

Source: Microsoft Learn, "Azure Resource Manager endpoints"; Azure's answer to ``/metadata/endpoints``.
"""

from __future__ import annotations

from urllib.parse import urlsplit

RESOURCE_MANAGER = "management.azure.com"
LOGIN = "login.microsoftonline.com"
AZURE_HOSTS = frozenset({RESOURCE_MANAGER, LOGIN, "login.windows.net", "login.microsoft.com", "sts.windows.net"})
BLOB_SUFFIX = ".blob.core.windows.net"
"""What follows the name of a storage account in the host of its blobs."""
HTTPS = 443


def is_azures(host: str, port: int) -> bool:
    """Tell whether a client that connects to a host's port means Azure's Resource Manager, login or blobs."""
    return port == HTTPS and _is_azure(host.lower().rstrip("."))


def stands_for_azure(base_url: str) -> bool:
    """Tell whether a client that has called ``base_url`` takes the local Azure for Azure itself."""
    return _is_azure(urlsplit(base_url).hostname or "")


def _is_azure(host: str) -> bool:
    return host in AZURE_HOSTS or host.endswith(BLOB_SUFFIX)


def login_url(base_url: str) -> str:
    """Give where a client logs in that has called ``base_url``: beside Azure's names Azure's, else where it called."""
    return f"https://{LOGIN}" if stands_for_azure(base_url) else base_url


def resource_manager_url(base_url: str) -> str:
    """Give where Resource Manager is for a client that has called ``base_url``."""
    return f"https://{RESOURCE_MANAGER}" if stands_for_azure(base_url) else base_url
