"""The functions that read resources while a deployment runs: reference and the list functions.

Source: Azure Resource Manager, "Resource functions for ARM templates".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.resource_manager.deployments.language.errors import TemplateError
from verified_images.emulator.resource_manager.deployments.language.registry import refuse

if TYPE_CHECKING:
    from verified_images.emulator.resource_manager.deployments.language.scope import EnvironmentFunction
    from verified_images.emulator.resource_manager.deployments.plan import Plan, Planned
    from verified_images.emulator.wire import Request


class Runtime:
    """Reads resources in the caller's name."""

    def __init__(self, request: Request, plan: Plan) -> None:
        self._request = request
        self._plan = plan

    def functions(self) -> dict[str, EnvironmentFunction]:
        """Give the functions, by lower-case name."""
        return {"reference": self._reference, "references": self._references, "list*": self._list}

    def _reference(self, arguments: list[Any]) -> Any:  # noqa: ANN401 - any JSON value
        if not 1 <= len(arguments) <= 3:  # noqa: PLR2004 - the resource, the api-version, 'Full'
            raise refuse("reference", f"function requires 1 to 3 argument(s) while {len(arguments)} were provided")
        identifier, version, planned = self._locate(str(arguments[0]), arguments[1] if arguments[1:] else None)
        body = self._read(identifier, version)
        if len(arguments) < 3 or str(arguments[2]).lower() != "full":  # noqa: PLR2004 - 'Full' is the third
            return body.get("properties", {})
        return self._full(body, identifier, version, planned)

    def _full(self, body: dict[str, Any], identifier: str, version: str, planned: Planned | None) -> dict[str, Any]:
        parts = identifier.strip("/").split("/")
        return {
            "apiVersion": version,
            **{key: value for key, value in body.items() if key not in {"id", "name", "type"}},
            "condition": True,
            "subscriptionId": parts[1],
            "resourceGroupName": parts[3],
            "scope": "",
            "resourceId": "/".join(parts[5:]),
            "referenceApiVersion": version,
            "isConditionTrue": True,
            "isTemplateResource": planned is not None and planned.deployed,
            "isAction": False,
            "provisioningOperation": "Create" if planned is not None and planned.deployed else "Read",
        }

    def _references(self, arguments: list[Any]) -> list[Any]:
        found = self._plan.find(str(arguments[0])) or self._plan.find(f"{arguments[0]}[0]")
        prefix = f"{arguments[0]}[".lower()
        turns = [one for one in self._plan.resources.values() if one.symbol.lower().startswith(prefix)] or found
        return [self._reference([planned.id, planned.api_version, *arguments[1:]]) for planned in turns]

    def _list(self, arguments: list[Any]) -> Any:  # noqa: ANN401 - any JSON value
        action, name, *rest = arguments
        identifier, version, _ = self._locate(str(name), rest[0] if rest else None)
        try:
            body = rest[1] if rest[1:] else None
            return self._request.call("POST", f"{identifier}/{action}?api-version={version}", body).body
        except ArmError as error:
            raise TemplateError(
                f"The template function '{action}' failed on '{identifier}': {error.message}"
            ) from error

    def _locate(self, name: str, version: str | None) -> tuple[str, str, Planned | None]:
        found = self._plan.find(name)
        planned = found[0] if found else None
        if planned is None and not name.startswith("/"):
            raise TemplateError(
                f"The template reference '{name}' is not valid: could not find template resource or resource copy with "
                "this name. Please see https://aka.ms/arm-function-reference for usage details."
            )
        if version is None and planned is None:
            raise TemplateError(
                f"The template reference '{name}' is not valid: an api-version is required for a resource that is not "
                "defined in the template. Please see https://aka.ms/arm-function-reference for usage details."
            )
        return planned.id if planned else name, str(version or (planned and planned.api_version)), planned

    def _read(self, identifier: str, version: str) -> dict[str, Any]:
        answer = self._request.call("GET", f"{identifier}?api-version={version}")
        body: dict[str, Any] = answer.body
        return body
