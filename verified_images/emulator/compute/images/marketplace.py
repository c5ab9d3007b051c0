"""Marketplace images: publishers, offers, SKUs and versions. Source: recorded answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.compute.images.offers import OFFERS, Offer
from verified_images.emulator.compute.images.source_images import SourceImage
from verified_images.emulator.compute.shown_since import as_of
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from verified_images.emulator.cloud import Cloud

_BASE = "/subscriptions/{subscription}/providers/Microsoft.Compute/locations/{location}/publishers"
_REPLICAS = 10
_WITH_ARCHITECTURE, _WITH_ONE_SIZE = "2021-07-01", "2023-03-01"
_SHOWN_SINCE = (
    (_WITH_ARCHITECTURE, "architecture"),
    (_WITH_ARCHITECTURE, "imageDeprecationStatus"),
    (_WITH_ARCHITECTURE, "features"),
    ("2019-03-01", "hyperVGeneration"),
    ("2019-03-01", "disallowed"),
    ("2018-06-01", "replicaType"),
    ("2018-06-01", "automaticOSUpgradeProperties"),
    ("2018-06-01", "osDiskImage.sizeInGb"),
    ("2018-06-01", "osDiskImage.sizeInBytes"),
)
_SKUS = _BASE + "/{publisher}/artifacttypes/vmimage/offers/{offer}/skus"


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", _BASE, _list_publishers)
    yield Route("GET", _BASE + "/{publisher}/artifacttypes/vmimage/offers", _list_offers)
    yield Route("GET", _SKUS, _list_skus)
    yield Route("GET", _SKUS + "/{sku}/versions", _list_versions)
    yield Route("GET", _SKUS + "/{sku}/versions/{version}", _get_version)


def find_platform_image(cloud: Cloud, reference: dict[str, Any]) -> SourceImage:
    """Give the image that a reference by publisher, offer, sku and version names.

    Raises:
        ArmError: 404 PlatformImageNotFound.
    """
    publisher, offer, sku = (str(reference.get(key, "")) for key in ("publisher", "offer", "sku"))
    wanted = str(reference.get("version", "latest"))
    for found in _matching(publisher=publisher, offer=offer, sku=sku):
        version = found.versions[-1] if wanted.lower() == "latest" else wanted
        if version in found.versions:
            return _source(cloud, found, version)
    raise ArmError(
        404,
        "PlatformImageNotFound",
        f"The platform image '{publisher}:{offer}:{sku}:{wanted}' is not available. Verify that all fields in the "
        "storage profile are correct. For more details about storage profile information, please refer to "
        "https://aka.ms/storageprofile",
        target="imageReference",
    )


def find_platform_image_by_id(cloud: Cloud, identifier: str) -> SourceImage:
    """Give the image that an id as in the catalogue names, ``/Subscriptions/S/Providers/.../Versions/V``.

    Raises:
        ArmError: 404 PlatformImageNotFound.
    """
    parts = identifier.strip("/").split("/")
    named = {key.lower(): value for key, value in zip(parts[::2], parts[1::2], strict=False)}
    keys = {"publisher": "publishers", "offer": "offers", "sku": "skus", "version": "versions"}
    return find_platform_image(cloud, {key: named.get(name, "") for key, name in keys.items()})


def _source(cloud: Cloud, offer: Offer, version: str) -> SourceImage:
    return SourceImage(
        open_disk=lambda: cloud.hypervisor.marketplace_disk(offer.boots, offer.generation),
        generation=offer.generation,
        size_gb=offer.size_gb,
        os_type=offer.os_type,
        exact_version=version,
    )


def _matching(**wanted: str) -> list[Offer]:
    return [
        offer
        for offer in OFFERS
        if all(str(getattr(offer, key)).lower() == value.lower() for key, value in wanted.items())
    ]


def _entries(request: Request, names: Iterable[str], suffix: str) -> Answer:
    parameters = request.parameters
    base = f"/Subscriptions/{parameters['subscription']}/Providers/Microsoft.Compute/Locations/{parameters['location']}"
    return Answer(
        200,
        [
            {"location": parameters["location"], "name": name, "id": f"{base}/Publishers{suffix}/{name}"}
            for name in names
        ],
    )


def _not_found(what: str, name: str) -> ArmError:
    return ArmError(404, "NotFound", f"Artifact: {what} was not found: {name}.")


def _list_publishers(cloud: Cloud, request: Request) -> Answer:
    del cloud
    return _entries(request, sorted({offer.publisher for offer in OFFERS}), "")


def _list_offers(cloud: Cloud, request: Request) -> Answer:
    del cloud
    publisher = request.parameters["publisher"]
    found = _matching(publisher=publisher)
    return _entries(request, sorted({offer.offer for offer in found}), f"/{publisher}/ArtifactTypes/VMImage/Offers")


def _list_skus(cloud: Cloud, request: Request) -> Answer:
    del cloud
    publisher, offer = request.parameters["publisher"], request.parameters["offer"]
    found = _matching(publisher=publisher, offer=offer)
    return _entries(
        request, sorted(each.sku for each in found), f"/{publisher}/ArtifactTypes/VMImage/Offers/{offer}/Skus"
    )


def _list_versions(cloud: Cloud, request: Request) -> Answer:
    del cloud
    found = _find(request)
    versions = sorted(found.versions)
    if request.query.get("$orderby", "").lower() == "name desc":
        versions.reverse()
    if top := request.query.get("$top"):
        versions = versions[: int(top)]
    suffix = f"/{found.publisher}/ArtifactTypes/VMImage/Offers/{found.offer}/Skus/{found.sku}/Versions"
    return _entries(request, versions, suffix)


def _find(request: Request) -> Offer:
    wanted = {key: request.parameters[key] for key in ("publisher", "offer", "sku")}
    found = _matching(**wanted)
    if not found:
        raise _not_found("VMImage", f"{wanted['publisher']}:{wanted['offer']}:{wanted['sku']}")
    return found[0]


def _get_version(cloud: Cloud, request: Request) -> Answer:
    del cloud
    found, version = _find(request), request.parameters["version"]
    if version not in found.versions:
        raise _not_found("VMImage", f"{found.urn}:{version}")
    parameters = request.parameters
    base = f"/Subscriptions/{parameters['subscription']}/Providers/Microsoft.Compute/Locations/{parameters['location']}"
    path = f"{found.publisher}/ArtifactTypes/VMImage/Offers/{found.offer}/Skus/{found.sku}/Versions/{version}"
    return Answer(
        200,
        {
            "properties": _facts(found, request.api_version),
            "location": parameters["location"],
            "name": version,
            "id": f"{base}/Publishers/{path}",
        },
    )


def _facts(offer: Offer, api_version: str) -> dict[str, Any]:
    features = [{"name": name, "value": value} for name, value in offer.features.items()]
    size = offer.size_gb * 1024**3 + 512
    if offer.managed:
        disk = {"sizeInGb": offer.size_gb} if api_version >= _WITH_ARCHITECTURE else {}
    else:
        disk = {"sizeInBytes": size} | ({"sizeInGb": offer.size_gb} if api_version < _WITH_ONE_SIZE else {})
    facts = {
        "hyperVGeneration": offer.generation,
        "architecture": "x64",
        "replicaType": "Managed" if offer.managed else "Unmanaged",
        **({"replicaCount": _REPLICAS} if offer.managed else {}),
        "disallowed": {"vmDiskType": "Unmanaged" if offer.managed else "None"},
        "automaticOSUpgradeProperties": {"automaticOSUpgradeSupported": offer.upgrades},
        "imageDeprecationStatus": {"imageState": "Active"},
        **({"features": features} if features else {}),
        **({"plan": _plan(offer)} if offer.planned else {}),
        "osDiskImage": {"operatingSystem": offer.os_type, **disk},
        "dataDiskImages": [],
    }
    return as_of(facts, api_version, _SHOWN_SINCE)


def _plan(offer: Offer) -> dict[str, str]:
    return {"publisher": offer.publisher, "name": offer.sku, "product": offer.offer}
