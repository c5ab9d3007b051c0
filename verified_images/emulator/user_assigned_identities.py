"""User-assigned managed identities. Source: Azure OpenAPI, ManagedIdentity."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"


class UserAssignedIdentities(Kind):
    """Microsoft.ManagedIdentity/userAssignedIdentities: an identity that machines can share."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(None, created=(201, "Succeeded"), updated=(200, "Succeeded"))
    noun: ClassVar[str] = "user assigned identity"

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Give a new identity its ids in the directory; one that exists keeps them."""
        known = existing.properties if existing else {}
        facts = {
            "tenantId": cloud.account.tenant_id,
            "principalId": known.get("principalId") or str(uuid.uuid4()),
            "clientId": known.get("clientId") or str(uuid.uuid4()),
        }
        return Resource(request.id, {**body, "properties": facts})

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the identity, which has no provisioning state."""
        del cloud, request
        facts = {key: value for key, value in resource.properties.items() if key != "provisioningState"}
        return {**resource.body, "properties": facts}
