"""The description of the cloud that clients of custom clouds read. Source: Azure CLI, ``az cloud register``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/metadata/endpoints", _describe, anonymous=True)


def _describe(cloud: Cloud, request: Request) -> Answer:
    base = request.base_url
    return Answer(
        200,
        {
            "name": "verified-images-local",
            "portal": base,
            "resourceManager": base,
            "gallery": base,
            "graph": base,
            "graphAudience": base,
            "microsoftGraphResourceId": base,
            "media": base,
            "authentication": {
                "loginEndpoint": base,
                "audiences": ["https://management.azure.com/", "https://management.core.windows.net/"],
                "tenant": cloud.account.tenant_id,
                "identityProvider": "AAD",
            },
            "suffixes": {"storage": "storage.invalid", "keyVaultDns": "vault.invalid"},
        },
    )
