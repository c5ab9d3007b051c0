"""The functions that tell of the deployment: its group, its subscription, ids, and what providers offer.

Source: Azure Resource Manager, "Deployment functions", "Resource functions" and "Scope functions for ARM templates".
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.resource_manager.deployments.language.dates import format_date
from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError
from verified_images.emulator.resource_manager.deployments.language.registry import refuse
from verified_images.emulator.resource_manager.deployments.language.scope import NotYetKnownError

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.resource_manager.deployments.language.scope import EnvironmentFunction
    from verified_images.emulator.wire import Request

GROUPS = "microsoft.resources/resourcegroups"
_ANY_VERSION = "2022-09-01"


def default_functions() -> dict[str, EnvironmentFunction]:
    """Give the functions that only default values of parameters may call."""
    return {"newguid": lambda _: str(uuid.uuid4()), "utcnow": _now}


def _now(arguments: list[Any]) -> str:
    return format_date(datetime.now(UTC), str(arguments[0]) if arguments else "")


class Environment:
    """What the functions know of one deployment."""

    def __init__(self, cloud: Cloud, request: Request, deployment: ResourceId, properties: dict[str, Any]) -> None:
        self._cloud = cloud
        self._request = request
        self._deployment = deployment
        self._properties = properties

    def functions(self) -> dict[str, EnvironmentFunction]:
        """Give the functions, by lower-case name; those that need the resources refuse for now."""
        return {
            "deployment": self._describe_deployment,
            "environment": self._describe_environment,
            "extensionresourceid": _extension_resource_id,
            "managementgroup": _no_management_group,
            "managementgroupresourceid": _no_management_group,
            "pickzones": self._pick_zones,
            "providers": self._providers,
            "resourcegroup": self._resource_group,
            "resourceid": self.resource_id,
            "subscription": self._subscription,
            "subscriptionresourceid": self._subscription_resource_id,
            "tenant": self._tenant,
            "tenantresourceid": _tenant_resource_id,
            **dict.fromkeys(("reference", "references", "list*"), not_yet),
            **dict.fromkeys(("newguid", "utcnow"), not_here),
        }

    def _describe_deployment(self, _: list[Any]) -> dict[str, Any]:
        template = self._properties.get("template") or {}
        parts = {key: value for key, value in template.items() if key not in {"resources", "outputs"}}
        return {
            "name": self._deployment.name,
            "properties": {
                "template": {**parts, "resources": []},
                "templateHash": "",
                "parameters": {},
                "mode": self._properties.get("mode"),
                "provisioningState": "Accepted",
            },
        }

    def _describe_environment(self, _: list[Any]) -> Any:  # noqa: ANN401 - any JSON value
        return self._request.call("GET", f"/metadata/endpoints?api-version={_ANY_VERSION}").body

    def _resource_group(self, _: list[Any]) -> dict[str, Any]:
        if not self._deployment.group:
            raise refuse("resourceGroup", "the deployment is not one of a resource group")
        group = self._cloud.store.find(self._deployment.group_id)
        return dict(group.body) if group else {}

    def _subscription(self, _: list[Any]) -> dict[str, Any]:
        subscription = self._deployment.subscription
        return {
            "id": f"/subscriptions/{subscription}",
            "subscriptionId": subscription,
            "tenantId": self._cloud.account.tenant_id,
            "displayName": self._get(f"/subscriptions/{subscription}")["displayName"],
        }

    def _tenant(self, _: list[Any]) -> dict[str, Any]:
        tenant = self._cloud.account.tenant_id
        return {"tenantId": tenant, "id": f"/tenants/{tenant}"}

    def _get(self, path: str) -> dict[str, Any]:
        body: dict[str, Any] = self._request.call("GET", f"{path}?api-version={_ANY_VERSION}").body
        return body

    def _providers(self, arguments: list[Any]) -> Any:  # noqa: ANN401 - any JSON value
        namespace, *kind = (str(argument) for argument in arguments)
        try:
            provider = self._get(f"/subscriptions/{self._deployment.subscription}/providers/{namespace}")
        except ArmError as error:
            raise refuse("providers", error.message) from error
        if not kind:
            return provider
        for found in provider["resourceTypes"]:
            if found["resourceType"].lower() == kind[0].lower():
                return {key: found[key] for key in ("resourceType", "locations", "apiVersions")}
        raise refuse("providers", f"the resource type '{kind[0]}' is not found in the namespace '{namespace}'")

    def _pick_zones(self, arguments: list[Any]) -> list[str]:
        count, offset = (int(number) for number in [*arguments[3:], *(1, 0)[len(arguments[3:]) :]])
        return ["1", "2", "3"][offset:][:count]

    def resource_id(self, arguments: list[Any]) -> str:
        """Carry out ``resourceId([subscription], [group], type, name, ...)``."""
        before, kind, names = _split_at_type("resourceId", arguments)
        if len(before) > 2:  # noqa: PLR2004 - subscription and group
            raise refuse("resourceId", "a fully qualified resource type is expected")
        group = before[-1] if before else self._deployment.group
        subscription = before[0] if len(before) > 1 else self._deployment.subscription
        base = f"/subscriptions/{subscription}"
        if kind.strip("/").lower() == GROUPS and len(names) == 1:
            return f"{base}/resourceGroups/{names[0]}"
        if group:
            base += f"/resourceGroups/{group}"
        return base + _provider_path("resourceId", kind, names)

    def _subscription_resource_id(self, arguments: list[Any]) -> str:
        before, kind, names = _split_at_type("subscriptionResourceId", arguments)
        subscription = before[0] if before else self._deployment.subscription
        if kind.strip("/").lower() == GROUPS and len(names) == 1:
            return f"/subscriptions/{subscription}/resourceGroups/{names[0]}"
        return f"/subscriptions/{subscription}" + _provider_path("subscriptionResourceId", kind, names)


def not_yet(_: list[Any]) -> Any:  # noqa: ANN401 - it gives nothing
    """Refuse a function whose value is known only while the deployment runs."""
    raise NotYetKnownError(
        "The template function 'reference' is not expected at this location. Please see https://aka.ms/arm-functions "
        "for usage details."
    )


def not_here(_: list[Any]) -> Any:  # noqa: ANN401 - it gives nothing
    """Refuse a function that only default values may call."""
    raise TemplateError(
        "The template functions 'newGuid' and 'utcNow' are not expected at this location: they can only be used in the "
        "default value of a parameter. Please see https://aka.ms/arm-functions for usage details."
    )


def _no_management_group(_: list[Any]) -> Any:  # noqa: ANN401 - it gives nothing
    raise TemplateError("The template function 'managementGroup' is not expected at this location.")


def _split_at_type(name: str, arguments: list[Any]) -> tuple[list[str], str, list[str]]:
    texts = [str(argument) for argument in arguments]
    for index, text in enumerate(texts):
        if "/" in text and not text.startswith("/"):
            return texts[:index], text, texts[index + 1 :]
    raise refuse(name, "the type of the resource is not given: 'namespace/type' is expected")


def _provider_path(name: str, kind: str, names: list[str]) -> str:
    provider, *types = kind.split("/")
    if len(types) != len(names):
        raise refuse(name, f"the type '{kind}' requires '{len(types)}' resource name argument(s)")
    return f"/providers/{provider}" + "".join(f"/{one}/{other}" for one, other in zip(types, names, strict=True))


def _extension_resource_id(arguments: list[Any]) -> str:
    base, kind, *names = (str(argument) for argument in arguments)
    return base.rstrip("/") + _provider_path("extensionResourceId", kind, names)


def _tenant_resource_id(arguments: list[Any]) -> str:
    kind, *names = (str(argument) for argument in arguments)
    return _provider_path("tenantResourceId", kind, names)
