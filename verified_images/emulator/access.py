"""What a client has to know of a local Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator.account import Account


class Access(TypedDict):
    """Where a local Azure is and who may log in there, in plain values that fit through a pipe.

    ``ca_bundle`` is a file, ``proxy`` the SOCKS5 URL under which public addresses are reached.
    """

    endpoint: str
    ca_bundle: str
    proxy: str
    tenant_id: str
    subscription_id: str
    client_id: str
    client_secret: str


def access_to(account: Account, *, endpoint: str, ca_bundle: Path, proxy: str) -> Access:
    """Give the access of an account."""
    return {
        "endpoint": endpoint,
        "ca_bundle": str(ca_bundle),
        "proxy": proxy,
        "tenant_id": account.tenant_id,
        "subscription_id": account.subscription_id,
        "client_id": account.client_id,
        "client_secret": account.client_secret,
    }
