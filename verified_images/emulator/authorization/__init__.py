"""Microsoft.Authorization: roles, who has which of them where, and what that lets a caller do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.authorization import locks, permissions, role_assignments, role_definitions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.routing import Route


def routes() -> Iterator[Route]:
    """Give the URL table of the namespace."""
    for module in (role_definitions, role_assignments, permissions, locks):
        yield from module.routes()
