"""Microsoft.Resources: subscriptions, resource groups, and lists of resources of every type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.resource_manager import groups, metadata, providers, resources, subscriptions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.routing import Route


def routes() -> Iterator[Route]:
    """Give the URL table of the namespace."""
    for module in (metadata, subscriptions, groups, resources, providers):
        yield from module.routes()
