"""The token endpoints: an application proves who it is and is given a token, in the first or the second version.

Source: Microsoft identity platform, "client credentials flow", and recorded exchanges.
"""

from __future__ import annotations

import base64
import binascii
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote_plus

from verified_images.emulator.identity.applications import find_application, has_secret
from verified_images.emulator.identity.assertions import check_assertion
from verified_images.emulator.identity.discovery import knows_tenant
from verified_images.emulator.identity.refusals import (
    EntraError,
    application_not_found,
    missing_parameter,
    tenant_not_found,
)
from verified_images.emulator.identity.tokens import has_principal, issue_token
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.identity.applications import Application

_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DEFAULT = "/.default"
_LONG = 7200


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("POST", "/{tenant}/oauth2/v2.0/token", partial(_answer, second=True), anonymous=True)
    yield Route("POST", "/{tenant}/oauth2/token", partial(_answer, second=False), anonymous=True)


def _answer(cloud: Cloud, request: Request, *, second: bool) -> Answer:
    try:
        return Answer(200, _grant(cloud, request, second=second), {"Cache-Control": "no-store, no-cache"})
    except EntraError as error:
        return error.answer(request)


def _grant(cloud: Cloud, request: Request, *, second: bool) -> dict[str, Any]:
    form = _read_form(request)
    tenant = request.parameters["tenant"]
    if not knows_tenant(cloud, tenant):
        raise tenant_not_found(tenant)
    grant = form.get("grant_type")
    if not grant:
        raise missing_parameter("grant_type")
    if grant != "client_credentials":
        raise EntraError("unsupported_grant_type", 70003, f"The app requested an unsupported grant type '{grant}'.")
    if not form.get("client_id"):
        raise missing_parameter("client_id")
    application = find_application(cloud, form["client_id"])
    if application is None:
        raise application_not_found(form["client_id"], cloud.account.tenant_id)
    credential = _prove(cloud, request, application, form)
    resource = _resource_of_scope(form) if second else _resource(form)
    if not has_principal(resource, request.base_url):
        raise EntraError(
            "invalid_resource",
            500011,
            f"The resource principal named {resource} was not found in the tenant named {cloud.account.tenant_id}. "
            "This "
            "can happen if the application has not been installed by the administrator of the tenant or consented to "
            "by "
            "any user in the tenant. You might have sent your authentication request to the wrong tenant.",
        )
    token = issue_token(
        cloud.account,
        request.client,
        lifetime=cloud.token_lifetime,
        application=(application.client_id, application.object_id),
        audience=resource,
        credential=credential,
    )
    return _show(token, cloud.token_lifetime, resource, second=second)


def _show(token: str, lifetime: int, resource: str, *, second: bool) -> dict[str, Any]:
    if second:
        refresh = {"refresh_in": lifetime // 2} if lifetime >= _LONG else {}
        return {
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            **refresh,
            "access_token": token,
        }
    now = int(time.time())
    return {
        "token_type": "Bearer",
        "expires_in": str(lifetime),
        "ext_expires_in": str(lifetime),
        "expires_on": str(now + lifetime),
        "not_before": str(now - 5),
        "resource": resource,
        "access_token": token,
    }


def _read_form(request: Request) -> dict[str, str]:
    """Give the fields of the body, with what a Basic header says of the client."""
    fields = parse_qs(request.content.decode("utf-8", "replace"), keep_blank_values=True)
    form = {key: values[0] for key, values in fields.items()}
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise EntraError("invalid_request", 90013, "Invalid input received from the user.") from error
        form |= {"client_id": unquote_plus(client), "client_secret": unquote_plus(secret)}
    return form


def _prove(cloud: Cloud, request: Request, application: Application, form: dict[str, str]) -> str:
    """Check the client's secret or assertion, and give the token's word for which it was."""
    if form.get("client_assertion"):
        if form.get("client_assertion_type") != _BEARER:
            raise missing_parameter("client_assertion_type")
        base = f"{request.base_url}/{request.parameters['tenant']}"
        issuer = f"{request.base_url}/{cloud.account.tenant_id}/v2.0"
        check_assertion(
            application, form["client_assertion"], {base, f"{base}/oauth2/token", f"{base}/oauth2/v2.0/token", issuer}
        )
        return "2"
    secret = form.get("client_secret")
    if not secret:
        raise EntraError(
            "invalid_client",
            7000216,
            "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
        )
    if has_secret(application, secret):
        return "1"
    if has_secret(application, secret, expired=True):
        raise EntraError(
            "invalid_client",
            7000222,
            f"The provided client secret keys for app '{application.client_id}' are expired. Visit the Azure portal to "
            "create new keys for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials "
            "for "
            "added security: https://aka.ms/certCreds.",
        )
    raise EntraError(
        "invalid_client",
        7000215,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not "
        "the "
        f"client secret ID, for a secret added to app '{application.client_id}'.",
    )


def _resource_of_scope(form: dict[str, str]) -> str:
    scope = form.get("scope", "")
    if not scope:
        raise missing_parameter("scope")
    if not scope.endswith(_DEFAULT):
        raise EntraError(
            "invalid_scope",
            1002012,
            f"The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
            "/.default suffixed to the resource identifier (application ID URI).",
        )
    return scope.removesuffix(_DEFAULT) or scope


def _resource(form: dict[str, str]) -> str:
    if not form.get("resource"):
        raise missing_parameter("resource")
    return form["resource"]
