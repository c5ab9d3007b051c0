"""Galleries and image definitions. Source: Azure OpenAPI, GalleryRP, and recorded exchanges."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute import api_versions
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
_IMMUTABLE = ("osType", "osState", "hyperVGeneration", "architecture", "identifier")


class Galleries(Kind):
    """Microsoft.Compute/galleries."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(GALLERIES)
    api_versions: ClassVar[tuple[str, ...]] = api_versions.GALLERIES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the name and give the gallery its unique name."""
        del existing
        _check_name("gallery", request.id.name, _GALLERY_NAME)
        unique = f"{cloud.account.subscription_id}-{request.id.name.upper()}"
        properties = {**(body.get("properties") or {}), "identifier": {"uniqueName": unique}}
        return Resource(request.id, {**body, "properties": properties})

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
        properties = {"hyperVGeneration": "V1", "architecture": "x64", **(body.get("properties") or {})}
        for key in ("osType", "osState", "identifier"):
            if not properties.get(key):
                raise missing_parameter(f"galleryImage.properties.{key}")
        for key in ("publisher", "offer", "sku"):
            if not properties["identifier"].get(key):
                raise missing_parameter(f"galleryImage.properties.identifier.{key}")
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

    def check_delete(self, cloud: Cloud, resource: Resource) -> None:
        """Refuse while there are versions."""
        refuse_nested(cloud, resource)


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
