"""How gallery image versions are written before api-version 2019-07-01: the source belongs to the publishing profile.

Packer 1.6 writes them so. Source: Azure OpenAPI, GalleryRP, 2019-03-01 and 2019-07-01.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import missing_parameter

if TYPE_CHECKING:
    from verified_images.emulator.wire import Request

_SINCE = "2019-07-01"


def as_written_today(request: Request) -> Request:
    """Give the PUT of a version as later api-versions have it.

    Raises:
        ArmError: 400: an early version has no source, or the body is no JSON object.
    """
    if not _is_early(request.api_version):
        return request
    body = request.json()
    properties = _object(body.get("properties"))
    profile = _object(properties.get("publishingProfile"))
    image = _object(_object(profile.get("source")).get("managedImage"))
    if not image.get("id"):
        raise missing_parameter("galleryImageVersion.properties.publishingProfile.source")
    written = {
        **properties,
        "publishingProfile": {name: value for name, value in profile.items() if name != "source"},
        "storageProfile": {"source": {"id": image["id"]}},
    }
    return replace(request, content=json.dumps({**body, "properties": written}).encode())


def as_shown_then(body: dict[str, Any], api_version: str) -> dict[str, Any]:
    """Give a version as ``api_version`` shows it; the body itself is left as it is."""
    if not _is_early(api_version):
        return body
    storage = dict(body["properties"]["storageProfile"])
    source = storage.pop("source", None)
    disks = {
        "osDiskImage": _without_source(storage.get("osDiskImage")),
        "dataDiskImages": [_without_source(disk) for disk in storage.get("dataDiskImages") or []],
    }
    profile = body["properties"]["publishingProfile"]
    if source:
        profile = {**profile, "source": {"managedImage": {"id": source["id"]}}}
    shown = {"publishingProfile": profile, "storageProfile": {key: disks[key] for key in storage if key in disks}}
    return {**body, "properties": {**body["properties"], **shown}}


def _is_early(api_version: str) -> bool:
    return "" < api_version < _SINCE


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, dict) else {}


def _without_source(disk: dict[str, Any] | None) -> dict[str, Any]:
    return {key: value for key, value in (disk or {}).items() if key != "source"}
