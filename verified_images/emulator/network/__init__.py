"""Microsoft.Network: what machines are connected by, and the gateway that leads connections to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.lifecycle import Kind
    from verified_images.emulator.routing import Route


def kinds() -> Iterator[Kind]:
    """Give the resource types of the namespace."""
    yield from ()


def routes() -> Iterator[Route]:
    """Give the URL table beyond that of the resource types."""
    yield from ()
