"""Galleries and image definitions. Source: Azure OpenAPI, GalleryRP, and recorded exchanges."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.shown_since import DEFINITIONS, as_of
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.operations import GALLERIES
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/galleries"
DEFINITION_TYPE = "Microsoft.Compute/galleries/images"
_GALLERY_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._]{0,78}[A-Za-z0-9]|[A-Za-z0-9]")
_DEFINITION_NAME = re.compile(r"[A-Za-z0-9][-A-Za-z0-9._]{0,78}[A-Za-z0-9]|[A-Za-z0-9]")
_IMMUTABLE = ("osType", "osState", "hyperVGeneration", "architecture", "identifier", "purchasePlan", "features")
_PERMISSIONS = ("Private", "Groups", "Community")
_VALUES = {
    "osType": ("Linux", "Windows"),
    "osState": ("Generalized", "Specialized"),
    "hyperVGeneration": ("V1", "V2"),
    "architecture": ("x64", "Arm64"),
}
_SECURITY_TYPES = (
    "Standard",
    "TrustedLaunch",
    "TrustedLaunchSupported",
    "ConfidentialVM",
    "ConfidentialVMSupported",
    "ConfidentialVmSupported",
    "TrustedLaunchAndConfidentialVmSupported",
)


class Galleries(Kind):
    """Microsoft.Compute/galleries."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(GALLERIES)
    api_versions: ClassVar[tuple[str, ...]] = api_versions.GALLERIES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the name and the sharing, and give the gallery its unique name."""
        del existing
        _check_name("gallery", request.id.name, _GALLERY_NAME)
        unique = f"{cloud.account.subscription_id}-{request.id.name.upper()}"
        properties = {**(body.get("properties") or {}), "identifier": {"uniqueName": unique}}
        _check_sharing(properties.get("sharingProfile") or {})
        if (properties.get("softDeletePolicy") or {}).get("isSoftDeleteEnabled"):
            raise invalid_parameter(
                "gallery.properties.softDeletePolicy",
                "The local Azure keeps no deleted image versions: soft delete cannot be enabled for a gallery.",
            )
        return Resource(request.id, {**body, "properties": properties})

    def first_answer(self, resource: Resource, existing: Resource | None) -> tuple[int, str]:
        """Give status and provisioning state of the first answer to a write; an update shows as done at once."""
        return (200, "Succeeded") if existing else super().first_answer(resource, existing)

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the gallery; with ``$select=Permissions`` how it is shared, too."""
        del cloud
        if request.query.get("$select", "").lower() != "permissions":
            return resource.body
        shared = {"permissions": "Private", **(resource.properties.get("sharingProfile") or {})}
        return {**resource.body, "properties": {**resource.properties, "sharingProfile": shared}}

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while there are definitions."""
        refuse_nested(cloud, resource)


class GalleryImages(Kind):
    """Microsoft.Compute/galleries/images: image definitions."""

    type: ClassVar[str] = DEFINITION_TYPE
    style: ClassVar[Style] = Style(GALLERIES)
    api_versions: ClassVar[tuple[str, ...]] = api_versions.GALLERIES
    tracked: ClassVar[bool] = True

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check what a definition must have, and that nothing immutable changes."""
        _check_name("galleryImage", request.id.name, _DEFINITION_NAME)
        given = {key: value for key, value in (body.get("properties") or {}).items() if value not in (None, {})}
        properties = {"hyperVGeneration": "V1", "architecture": "x64", **given}
        for key in ("osType", "osState", "identifier"):
            if not properties.get(key):
                raise missing_parameter(f"galleryImage.properties.{key}")
        for key in ("publisher", "offer", "sku"):
            if not properties["identifier"].get(key):
                raise missing_parameter(f"galleryImage.properties.identifier.{key}")
        properties |= _spelt_values(properties)
        _check_features(properties)
        if existing:
            _check_unchanged(existing, properties)
        else:
            self._check_identifier(cloud, request, properties["identifier"])
        return Resource(request.id, {**body, "properties": properties}, existing.hidden if existing else {})

    def _check_identifier(self, cloud: Cloud, request: Request, identifier: dict[str, str]) -> None:
        gallery = request.id.parent
        for other in cloud.store.select(self.type, under=gallery):
            if all(other.properties["identifier"][key] == identifier[key] for key in ("publisher", "offer", "sku")):
                raise ArmError(
                    409,
                    "Conflict",
                    f"The gallery image '{other.id.name}' already has the identifier "
                    f"'{identifier['publisher']}:{identifier['offer']}:{identifier['sku']}'. The combination of "
                    "publisher, offer and sku must be unique in a gallery.",
                    target="galleryImage.properties.identifier",
                )

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the definition as the request's api-version shows it."""
        del cloud
        return as_of(resource.body, request.api_version, DEFINITIONS)

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while there are versions."""
        refuse_nested(cloud, resource)


def _check_sharing(profile: dict[str, Any]) -> None:
    path = "gallery.properties.sharingProfile"
    permissions = profile.get("permissions", "Private")
    if permissions not in _PERMISSIONS:
        raise invalid_parameter(
            f"{path}.permissions", f"The value '{permissions}' of parameter 'permissions' is not valid."
        )
    if permissions == "Community":
        for key in ("publisherUri", "publisherContact", "eula", "publicNamePrefix"):
            if not (profile.get("communityGalleryInfo") or {}).get(key):
                raise missing_parameter(f"{path}.communityGalleryInfo.{key}")


def _spelt_values(properties: dict[str, Any]) -> dict[str, str]:
    """Give the values that are names, which a client may write in any case, as Azure spells them."""
    spelt = {}
    for key, allowed in _VALUES.items():
        known = {value.lower(): value for value in allowed}
        if properties[key].lower() not in known:
            raise invalid_parameter(
                f"galleryImage.properties.{key}",
                f"The value '{properties[key]}' of parameter 'galleryImage.properties.{key}' is not one of: "
                f"{', '.join(allowed)}.",
            )
        spelt[key] = known[properties[key].lower()]
    return spelt


def _check_features(properties: dict[str, Any]) -> None:
    features = {feature.get("name"): str(feature.get("value")) for feature in properties.get("features") or []}
    if len(features) != len(properties.get("features") or []):
        raise invalid_parameter("galleryImage.properties.features", "A feature of a gallery image is given once.")
    security = features.get("SecurityType", "Standard")
    if security not in _SECURITY_TYPES:
        raise invalid_parameter(
            "galleryImage.properties.features", f"The value '{security}' of feature 'SecurityType' is not valid."
        )
    if properties["hyperVGeneration"] == "V1" and (security != "Standard" or properties["architecture"] == "Arm64"):
        raise invalid_parameter(
            "galleryImage.properties.hyperVGeneration",
            "A gallery image with this security type or architecture must be of Hypervisor generation 'V2'.",
        )


def refuse_nested(cloud: Cloud, resource: Resource) -> None:
    """Refuse to delete a resource that has children."""
    if nested := [child.id for child in cloud.store.select(under=resource.id)]:
        names = ", ".join(str(child).partition("/providers/")[2] for child in nested[:5])
        raise ArmError(
            409,
            "CannotDeleteResource",
            f"Cannot delete resource while nested resources exist. Some existing nested resource IDs include: "
            f"'{names}'. Please delete all nested resources before deleting this resource.",
        )


def _check_unchanged(existing: Resource, properties: dict[str, Any]) -> None:
    for key in _IMMUTABLE:
        if properties.get(key) != existing.properties.get(key):
            raise ArmError(
                409,
                "PropertyChangeNotAllowed",
                f"Changing property 'galleryImage.properties.{key}' is not allowed.",
                target=f"galleryImage.properties.{key}",
            )


def _check_name(what: str, name: str, pattern: re.Pattern[str]) -> None:
    if not pattern.fullmatch(name):
        raise ArmError(
            400,
            "InvalidParameter",
            f"The entity name '{name}' is invalid according to its validation rule: ^{pattern.pattern}$.",
            target=f"{what}Name",
        )
