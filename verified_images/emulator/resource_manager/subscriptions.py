"""Subscriptions, tenants and locations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.authorization.permissions import has_any_role
from verified_images.emulator.locations import LOCATIONS
from verified_images.emulator.resource_manager.regions import describe_location
from verified_images.emulator.routing import Route
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", "/subscriptions", _list)
    yield Route("GET", "/subscriptions/{subscription}", _get)
    yield Route("GET", "/subscriptions/{subscription}/locations", _list_locations)
    yield Route("GET", "/tenants", _list_tenants)


def _describe(cloud: Cloud) -> dict[str, Any]:
    account = cloud.account
    return {
        "id": f"/subscriptions/{account.subscription_id}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": account.subscription_id,
        "tenantId": account.tenant_id,
        "displayName": "verified-images local",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _list(cloud: Cloud, request: Request) -> Answer:
    seen = [_describe(cloud)] if has_any_role(cloud, request.caller) else []
    return Answer(200, {"value": seen, "count": {"type": "Total", "value": len(seen)}})


def _get(cloud: Cloud, request: Request) -> Answer:
    del request
    return Answer(200, _describe(cloud))


def _list_locations(cloud: Cloud, request: Request) -> Answer:
    prefix = f"/subscriptions/{cloud.account.subscription_id}/locations"
    value = [describe_location(prefix, name, request.api_version) for name in LOCATIONS]
    return Answer(200, {"value": value})


def _list_tenants(cloud: Cloud, request: Request) -> Answer:
    del request
    tenant = cloud.account.tenant_id
    return Answer(200, {"value": [{"id": f"/tenants/{tenant}", "tenantId": tenant, "tenantCategory": "Home"}]})
