"""Microsoft Entra's part: OpenID discovery, tokens, and the check of a call's token.

Source: Microsoft identity platform, "OpenID Connect on the Microsoft identity platform" and "client
credentials flow".
"""

from __future__ import annotations

import hmac
import secrets
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import jwt

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from verified_images.emulator.cloud import Account, Cloud

_LIFETIME = 3599
_SIGNING_KEY = secrets.token_bytes(64)
_ALGORITHM = "HS512"


def routes() -> Iterator[Route]:
    """Give the URL table of the token service."""
    for version in ("/v2.0", ""):
        yield Route("GET", f"/{{tenant}}{version}/.well-known/openid-configuration", _discover, anonymous=True)
    yield Route("GET", "/common/discovery/instance", _discover_instance, anonymous=True)
    for path in ("/{tenant}/oauth2/v2.0/token", "/{tenant}/oauth2/token"):
        yield Route("POST", path, _grant, anonymous=True)


def issue_token(account: Account, client: str, *, lifetime: int = _LIFETIME) -> str:
    """Make an access token for Azure Resource Manager; its ``ipaddr`` claim is the caller's address."""
    now = int(time.time())
    claims = {
        "aud": "https://management.azure.com/",
        "iss": f"https://sts.windows.net/{account.tenant_id}/",
        "iat": now,
        "nbf": now - 5,
        "exp": now + lifetime,
        "appid": account.client_id,
        "idtyp": "app",
        "ipaddr": client,
        "oid": account.object_id,
        "tid": account.tenant_id,
        "ver": "1.0",
    }
    return jwt.encode(claims, _SIGNING_KEY, _ALGORITHM)


def check_token(account: Account, headers: Mapping[str, str], base_url: str) -> Mapping[str, Any]:
    """Give the claims of the call's token.

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
        return jwt.decode(token, _SIGNING_KEY, [_ALGORITHM], audience="https://management.azure.com/")
    except jwt.ExpiredSignatureError as error:
        raise _unauthorized(
            account,
            base_url,
            "ExpiredAuthenticationToken",
            "The access token expiry UTC time is earlier than current UTC time.",
        ) from error
    except jwt.InvalidTokenError as error:
        raise _unauthorized(account, base_url, "InvalidAuthenticationToken", "The access token is invalid.") from error


def _unauthorized(account: Account, base_url: str, code: str, message: str) -> ArmError:
    challenge = (
        f'Bearer authorization_uri="{base_url}/{account.tenant_id}", error="invalid_token", '
        f'error_description="{message}"'
    )
    return ArmError(401, code, message, headers={"WWW-Authenticate": challenge})


def _discover(cloud: Cloud, request: Request) -> Answer:
    tenant = request.parameters["tenant"]
    if tenant not in {cloud.account.tenant_id, "common", "organizations"}:
        return _refusal(400, "invalid_tenant", f"AADSTS90002: Tenant '{tenant}' not found.", 90002)
    base = f"{request.base_url}/{tenant}"
    return Answer(
        200,
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "issuer": f"{request.base_url}/{cloud.account.tenant_id}/v2.0",
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
        },
    )


def _discover_instance(cloud: Cloud, request: Request) -> Answer:
    return Answer(
        200,
        {
            "tenant_discovery_endpoint": f"{request.base_url}/{cloud.account.tenant_id}/v2.0/.well-known/"
            "openid-configuration",
            "api-version": "1.1",
            "metadata": [],
        },
    )


def _grant(cloud: Cloud, request: Request) -> Answer:
    form = {key: values[0] for key, values in parse_qs(request.content.decode("utf-8", "replace")).items()}
    if form.get("grant_type") != "client_credentials":
        return _refusal(
            400,
            "unsupported_grant_type",
            f"AADSTS70003: The app requested an unsupported grant type '{form.get('grant_type', '')}'.",
            70003,
        )
    if form.get("client_id") != cloud.account.client_id:
        return _refusal(
            400,
            "unauthorized_client",
            f"AADSTS700016: Application with identifier '{form.get('client_id', '')}' was not found in the directory.",
            700016,
        )
    if not hmac.compare_digest(form.get("client_secret", "").encode(), cloud.account.client_secret.encode()):
        return _refusal(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.", 7000215)
    return Answer(
        200,
        {
            "token_type": "Bearer",
            "expires_in": _LIFETIME,
            "ext_expires_in": _LIFETIME,
            "access_token": issue_token(cloud.account, request.client),
        },
    )


def _refusal(status: int, error: str, description: str, number: int) -> Answer:
    return Answer(
        status,
        {
            "error": error,
            "error_description": description,
            "error_codes": [number],
            "timestamp": time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime()),
            "trace_id": str(uuid.uuid4()),
            "correlation_id": str(uuid.uuid4()),
        },
    )
