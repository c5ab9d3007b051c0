"""Microsoft Entra's part: discovery, applications, tokens, and the check of a call's token.

Source: Microsoft identity platform, "OpenID Connect", "client credentials flow" and "authentication error codes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.identity import discovery, grants
from verified_images.emulator.identity.tokens import check_token, issue_token

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.routing import Route

__all__ = ["check_token", "issue_token", "routes"]


def routes() -> Iterator[Route]:
    """Give the URL table of the token service."""
    yield from discovery.routes()
    yield from grants.routes()
