"""Applications of a gallery: their definitions alone, since no version of one is installed here.

Source: Azure OpenAPI, GalleryRP, and recorded exchanges.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.lifecycle import Kind, Style
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.wire import Answer, Request

TYPE = "Microsoft.Compute/galleries/applications"


class GalleryApplications(Kind):
    """Microsoft.Compute/galleries/applications."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(None)
    noun: ClassVar[str] = "gallery application"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.GALLERIES

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check what a definition must have, and that its operating system stays."""
        del cloud
        properties = dict(body.get("properties") or {})
        system = properties.get("supportedOSType")
        if not system:
            raise missing_parameter("galleryApplication.properties.supportedOSType")
        if existing and system != existing.properties["supportedOSType"]:
            raise ArmError(
                409,
                "PropertyChangeNotAllowed",
                "Changing property 'galleryApplication.properties.supportedOSType' is not allowed.",
                target="galleryApplication.properties.supportedOSType",
            )
        return Resource(request.id, {**body, "properties": properties})

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the application, which shows no provisioning state."""
        del cloud, request
        shown = {key: value for key, value in resource.properties.items() if key != "provisioningState"}
        return {**resource.body, "properties": shown}

    def more_routes(self) -> Iterator[Route]:
        """Give the routes of versions, which are refused."""
        versions = self.collection_pattern() + "/{name}/versions/{version}"
        for method in ("PUT", "PATCH", "GET", "DELETE"):
            yield Route(method, versions, _refuse_version)


def _refuse_version(cloud: Cloud, request: Request) -> Answer:
    del cloud
    raise ArmError(
        400,
        "NotSupported",
        f"The local Azure installs no gallery applications on machines, and keeps no version of one: {request.path}.",
    )
