"""Disk encryption sets, which disks and image versions name; the local Azure encrypts nothing and asks no key vault.

Source: Azure OpenAPI, DiskRP, and recorded exchanges.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.shown_since import ENCRYPTION_SETS, as_of
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import DISKS
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

_TYPES = (
    "EncryptionAtRestWithCustomerKey",
    "EncryptionAtRestWithPlatformAndCustomerKeys",
    "ConfidentialVmEncryptedWithCustomerKey",
)


class DiskEncryptionSets(Kind):
    """Microsoft.Compute/diskEncryptionSets."""

    type: ClassVar[str] = "Microsoft.Compute/diskEncryptionSets"
    style: ClassVar[Style] = Style(
        DISKS, created=(202, "Updating"), updated=(202, "Updating"), location_on_put=True, retry_write=2
    )
    noun: ClassVar[str] = "DiskEncryptionSet"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.DISKS

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the key and give the set an identity."""
        properties = {"encryptionType": _TYPES[0], **(body.get("properties") or {})}
        if not (properties.get("activeKey") or {}).get("keyUrl"):
            raise missing_parameter("diskEncryptionSet.activeKey.keyUrl")
        if properties["encryptionType"] not in _TYPES:
            raise invalid_parameter(
                "diskEncryptionSet.encryptionType",
                f"The value '{properties['encryptionType']}' of parameter 'encryptionType' is not one of: "
                f"{', '.join(_TYPES)}.",
            )
        identity = dict(body.get("identity") or {})
        if identity.get("type") == "SystemAssigned":
            before = (existing.body.get("identity") or {}) if existing else {}
            principal = before.get("principalId") or str(uuid.uuid4())
            identity |= {"principalId": principal, "tenantId": cloud.account.tenant_id}
        return Resource(request.id, {**body, "identity": identity, "properties": properties})

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the set as the request's api-version shows it."""
        del cloud
        return as_of(resource.body, request.api_version, ENCRYPTION_SETS)

    def render_first(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give what the client sent: what Azure fills in shows only afterwards."""
        del cloud
        given = request.json()
        shown = {key: value for key, value in given.items() if key in resource.body}
        return {**shown, "properties": {**(given.get("properties") or {}), "provisioningState": resource.state}}

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while something is encrypted by the set."""
        if users := cloud.store.referrers(resource.id):
            raise ArmError(
                409,
                "OperationNotAllowed",
                f"DiskEncryptionSet {resource.id.name} cannot be deleted while it is in use by "
                f"{', '.join(str(user.id) for user in users[:5])}.",
            )
