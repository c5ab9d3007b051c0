"""The Azure Marketplace: images at exact versions, and whether their terms are accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.cloud.versions import latest_version
from verified_images.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.operations import Arm

_TERMS_API_VERSION = "2021-01-01"


def resolve_version(arm: Arm, location: str, urn: tuple[str, str, str], version: str) -> str:
    """Return the exact version: the highest one for "latest".

    ``urn`` is publisher, offer and SKU.

    Raises:
        NotFoundError: there is no such image, or none of its versions, in the location.
    """
    if version != "latest":
        return version
    images = arm.connection.compute.virtual_machine_images
    name = ":".join(urn)
    found = arm.call("list versions of", name, lambda: images.list(location, *urn))
    latest = latest_version(str(item["name"]) for item in found)
    if latest is None:
        raise NotFoundError(f"the Marketplace has no version of '{name}' in '{location}'", resource=name)
    return latest


def read_image(arm: Arm, location: str, urn: tuple[str, str, str], version: str) -> Mapping[str, Any]:
    """Return the ``properties`` of one version of a Marketplace image in wire shape."""
    images = arm.connection.compute.virtual_machine_images
    answer = arm.call("get Marketplace image", ":".join((*urn, version)), lambda: images.get(location, *urn, version))
    properties: Mapping[str, Any] = answer.get("properties") or {}
    return properties


def are_terms_accepted(arm: Arm, publisher: str, product: str, plan: str) -> bool:
    """Tell whether the subscription has accepted the terms of a purchase plan."""
    terms = (
        f"subscriptions/{arm.connection.subscription_id}/providers/Microsoft.MarketplaceOrdering"
        f"/offerTypes/virtualmachine/publishers/{publisher}/offers/{product}/plans/{plan}/agreements/current"
    )
    resources = arm.connection.resources.resources
    answer = arm.find("get the terms of", plan, lambda: resources.get_by_id(terms, api_version=_TERMS_API_VERSION))
    return answer is not None and bool((answer.get("properties") or {}).get("accepted"))
