"""Microsoft.Resources: subscriptions, resource groups, and lists of resources of every type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.resource_manager import (
    exports,
    groups,
    jobs,
    links,
    metadata,
    moves,
    names,
    providers,
    resources,
    subscriptions,
    tags,
)
from verified_images.emulator.resource_manager.deployments.resource import Deployments

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.lifecycle import Kind
    from verified_images.emulator.routing import Route


def kinds() -> Iterator[Kind]:
    """Give the resource types of the namespace that are kept as resources."""
    yield Deployments()


def routes() -> Iterator[Route]:
    """Give the URL table of the namespace."""
    for module in (metadata, subscriptions, groups, resources, providers, tags, names, links, jobs, moves, exports):
        yield from module.routes()
