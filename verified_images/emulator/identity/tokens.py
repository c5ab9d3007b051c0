"""Access tokens for Azure Resource Manager: signed with the installation's key, so that a restart does not end them."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import jwt
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.azure_hosts import login_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from verified_images.emulator.account import Account

LIFETIME = 3599
"""Seconds that a token lives unless the installation says otherwise."""
_ALGORITHM = "RS256"
_RESOURCE_MANAGER = (
    "https://management.azure.com",
    "https://management.core.windows.net",
)
STORAGE = "https://storage.azure.com"
"""What tokens for blobs are for."""
_OF_EVERY_TENANT = (
    "https://graph.microsoft.com",
    "https://graph.windows.net",
    STORAGE,
    "https://vault.azure.net",
)
"""Other services of Azure that every tenant has tokens for. Packer asks for one for Key Vault, which it may not use."""


@cache
def signing_key(pem: str) -> RSAPrivateKey:
    """Give the key that a PEM text holds."""
    return cast("RSAPrivateKey", load_pem_private_key(pem.encode(), None))


@cache
def key_id(pem: str) -> str:
    """Give the name under which a key is published."""
    numbers = signing_key(pem).public_key().public_numbers()
    digest = hashlib.sha256(f"{numbers.n}.{numbers.e}".encode()).digest()
    return base64.urlsafe_b64encode(digest[:20]).decode().rstrip("=")


def published_keys(account: Account) -> list[dict[str, Any]]:
    """Give the public half of the installation's key as a JSON Web Key Set has it."""
    pem = account.signing_key
    public: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(signing_key(pem).public_key(), as_dict=True)
    name = key_id(pem)
    return [
        {"kty": "RSA", "use": "sig", "kid": name, "x5t": name, "n": public["n"], "e": public["e"], "alg": _ALGORITHM}
    ]


def is_resource_manager(resource: str, base_url: str) -> bool:
    """Tell whether a resource, as tokens are asked for, is Azure Resource Manager."""
    return resource.rstrip("/") in {*_RESOURCE_MANAGER, base_url.rstrip("/")}


def has_principal(resource: str, base_url: str) -> bool:
    """Tell whether tokens are given for a resource: Azure Resource Manager, or a service that every tenant has."""
    return is_resource_manager(resource, base_url) or resource.rstrip("/") in _OF_EVERY_TENANT


def issue_token(  # noqa: PLR0913 - what a token tells
    account: Account,
    client: str,
    *,
    lifetime: int = LIFETIME,
    application: tuple[str, str] | None = None,
    audience: str = "https://management.azure.com/",
    credential: str = "1",
) -> str:
    """Make an access token for Azure Resource Manager.

    ``client`` is the caller's address (claim ``ipaddr``), ``lifetime`` is in seconds, ``application`` the client id and
    object id of who logs in (default: the installation's own), ``credential`` 1 for a secret and 2 for an assertion.
    """
    now = int(time.time())
    client_id, object_id = application or (account.client_id, account.object_id)
    issuer = f"https://sts.windows.net/{account.tenant_id}/"
    claims = {
        "aud": audience,
        "iss": issuer,
        "iat": now,
        "nbf": now - 5,
        "exp": now + lifetime,
        "appid": client_id,
        "appidacr": credential,
        "idp": issuer,
        "idtyp": "app",
        "ipaddr": client,
        "oid": object_id,
        "sub": object_id,
        "tid": account.tenant_id,
        "uti": uuid.uuid4().hex[:22],
        "ver": "1.0",
    }
    pem = account.signing_key
    name = key_id(pem)
    return jwt.encode(claims, signing_key(pem), _ALGORITHM, headers={"kid": name, "x5t": name})


def check_token(account: Account, headers: Mapping[str, str], base_url: str) -> Mapping[str, Any]:
    """Give the claims of the call's token, which is for Azure Resource Manager.

    Raises:
        ArmError: 401: there is no token, it has expired, it is for something else, or it is not one of ours.
    """
    claims = read_token(account, headers, base_url)
    if not is_resource_manager(str(claims.get("aud", "")), base_url):
        message = (
            f"The access token has been obtained for wrong audience or resource '{claims.get('aud', '')}'. It should "
            f"exactly match with one of the allowed audiences '{','.join(f'{each}/' for each in _RESOURCE_MANAGER)}'."
        )
        raise _unauthorized(account, base_url, "InvalidAuthenticationTokenAudience", message)
    return claims


def read_token(account: Account, headers: Mapping[str, str], base_url: str) -> Mapping[str, Any]:
    """Give the claims of the call's token, whatever it is for (claim ``aud``).

    Raises:
        ArmError: 401: there is no token, it has expired, or it is not one of ours.
    """
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _unauthorized(
            account,
            base_url,
            "AuthenticationFailed",
            "Authentication failed. The 'Authorization' header is missing.",
        )
    try:
        key = signing_key(account.signing_key).public_key()
        claims: dict[str, Any] = jwt.decode(token, key, [_ALGORITHM], options={"verify_aud": False})
    except jwt.ExpiredSignatureError as error:
        message = "The access token expiry UTC time is earlier than current UTC time."
        raise _unauthorized(account, base_url, "ExpiredAuthenticationToken", message) from error
    except jwt.InvalidTokenError as error:
        raise _unauthorized(account, base_url, "InvalidAuthenticationToken", "The access token is invalid.") from error
    return claims


def _unauthorized(account: Account, base_url: str, code: str, message: str) -> ArmError:
    challenge = (
        f'Bearer authorization_uri="{login_url(base_url)}/{account.tenant_id}", error="invalid_token", '
        f'error_description="{message}"'
    )
    return ArmError(401, code, message, headers={"WWW-Authenticate": challenge, "x-ms-failure-cause": "gateway"})
