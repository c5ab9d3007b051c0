"""OpenID discovery in both versions, the keys that tokens are signed with, and the discovery of clouds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.identity.refusals import tenant_not_found
from verified_images.emulator.identity.tokens import published_keys
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

ANY_TENANT = frozenset({"common", "organizations"})


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", _discover, anonymous=True)
    yield Route("GET", "/{tenant}/.well-known/openid-configuration", _discover_first_version, anonymous=True)
    yield Route("GET", "/common/discovery/instance", _discover_instance, anonymous=True)
    for path in ("/{tenant}/discovery/v2.0/keys", "/{tenant}/discovery/keys"):
        yield Route("GET", path, _list_keys, anonymous=True)


def knows_tenant(cloud: Cloud, tenant: str) -> bool:
    """Tell whether a tenant, as URLs name it, is the installation's."""
    return tenant.lower() in ANY_TENANT | {cloud.account.tenant_id.lower()}


def _discover(cloud: Cloud, request: Request) -> Answer:
    base = f"{request.base_url}/{request.parameters['tenant']}"
    return _describe(
        cloud,
        request,
        {
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{request.base_url}/{cloud.account.tenant_id}/v2.0",
            "request_uri_parameter_supported": False,
            "userinfo_endpoint": f"{request.base_url}/oidc/userinfo",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        },
    )


def _discover_first_version(cloud: Cloud, request: Request) -> Answer:
    base = f"{request.base_url}/{request.parameters['tenant']}"
    return _describe(
        cloud,
        request,
        {
            "token_endpoint": f"{base}/oauth2/token",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            "jwks_uri": f"{base}/discovery/keys",
            "scopes_supported": ["openid"],
            "issuer": f"https://sts.windows.net/{cloud.account.tenant_id}/",
            "microsoft_multi_refresh_token": True,
            "authorization_endpoint": f"{base}/oauth2/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/devicecode",
            "end_session_endpoint": f"{base}/oauth2/logout",
            "check_session_iframe": f"{base}/oauth2/checksession",
            "userinfo_endpoint": f"{base}/openid/userinfo",
        },
    )


def _describe(cloud: Cloud, request: Request, particulars: dict[str, Any]) -> Answer:
    """Give what both versions say, with the particulars of one."""
    tenant = request.parameters["tenant"]
    if not knows_tenant(cloud, tenant):
        return tenant_not_found(tenant, "invalid_tenant").answer(request)
    host = request.base_url.partition("://")[2]
    return Answer(
        200,
        particulars
        | {
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "http_logout_supported": True,
            "frontchannel_logout_supported": True,
            "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "name", "tid", "ver"],
            "kerberos_endpoint": f"{request.base_url}/{tenant}/kerberos",
            "tenant_region_scope": "WW",
            "cloud_instance_name": host,
            "cloud_graph_host_name": host,
            "msgraph_host": host,
            "rbac_url": request.base_url,
        },
    )


def _discover_instance(cloud: Cloud, request: Request) -> Answer:
    host = request.base_url.partition("://")[2]
    return Answer(
        200,
        {
            "tenant_discovery_endpoint": f"{request.base_url}/{cloud.account.tenant_id}/v2.0/.well-known/"
            "openid-configuration",
            "api-version": "1.1",
            "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
        },
    )


def _list_keys(cloud: Cloud, request: Request) -> Answer:
    tenant = request.parameters["tenant"]
    if not knows_tenant(cloud, tenant):
        return tenant_not_found(tenant, "invalid_tenant").answer(request)
    return Answer(200, {"keys": published_keys(cloud.account)})
