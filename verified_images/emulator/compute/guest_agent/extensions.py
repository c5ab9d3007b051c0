"""VM extensions: programs that the guest's agent runs. Source: Azure OpenAPI, ComputeRP, and recorded exchanges."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, missing_parameter
from verified_images.emulator.compute.guest_agent.custom_script import HandlerError, reset_access, run_custom_script
from verified_images.emulator.compute.guest_agent.extension_handlers import find_handler
from verified_images.emulator.compute.guest_agent.kind import AgentKind, check_changeable, machine_of
from verified_images.emulator.lifecycle import check_wanted
from verified_images.emulator.store import Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.compute.guest_agent.extension_handlers import Handler
    from verified_images.emulator.wire import Request

TYPE = "Microsoft.Compute/virtualMachines/extensions"
_REQUIRED = ("publisher", "type", "typeHandlerVersion")
_ORDER = ("autoUpgradeMinorVersion", "forceUpdateTag", "provisioningState", "enableAutomaticUpgrade")
_TROUBLESHOOT = "https://aka.ms/VMExtensionCSELinuxTroubleshoot"


class Extensions(AgentKind):
    """Microsoft.Compute/virtualMachines/extensions."""

    type: ClassVar[str] = TYPE
    noun: ClassVar[str] = "VM extension"

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check that the extension can be had and the machine can take it; its protected settings are kept apart."""
        machine = machine_of(cloud, request.id)
        check_changeable(cloud, machine)
        before = existing.properties if existing else {}
        properties = {**(body.get("properties") or {})}
        for read_only in ("instanceView", "provisioningState"):
            properties.pop(read_only, None)
        for key in _REQUIRED:
            if not properties.get(key):
                if not before.get(key):
                    raise missing_parameter(key)
                properties[key] = before[key]
        handler = find_handler(*(str(properties[key]) for key in _REQUIRED))
        handler.resolve(
            str(properties["typeHandlerVersion"]), newer_minor=bool(properties.get("autoUpgradeMinorVersion"))
        )
        self._check_alone(cloud, request, handler)
        hidden = dict(existing.hidden) if existing else {"number": 0}
        if (protected := properties.pop("protectedSettings", None)) is not None:
            hidden["protected"] = protected
        filled = {"autoUpgradeMinorVersion": False, **properties}
        ordered = {key: filled[key] for key in _ORDER if key in filled}
        return Resource(request.id, {**body, "properties": {**ordered, **filled}}, hidden)

    def _check_alone(self, cloud: Cloud, request: Request, handler: Handler) -> None:
        for other in extensions_of(cloud, machine_of(cloud, request.id)):
            taken = f"{other.properties['publisher']}.{other.properties['type']}"
            if other.id.key != request.id.key and taken.lower() == handler.name.lower():
                raise ArmError(
                    400,
                    "BadRequest",
                    f"Multiple VMExtensions per handler not supported for OS type 'Linux'. VMExtension "
                    f"'{request.id.name}' with handler '{handler.name}' already added or specified in input.",
                )

    def realize(self, cloud: Cloud, resource: Resource) -> None:
        """Let the handler work, unless its settings are those with which it has worked already."""
        machine = machine_of(cloud, resource.id)
        handler, version = _handler_of(resource)
        wanted = _fingerprint(resource)
        if resource.hidden.get("applied") == wanted:
            return
        failure = None
        # The agent runs one handler at a time.
        with cloud.operations.turns.ask(machine.id.child("extensions", "*").key):
            try:
                message = _enable(cloud, machine, handler, resource)
            except HandlerError as error:
                failure, message = error, str(error)
        check_wanted(cloud, resource.id)
        with cloud.store.changing(resource.id) as found:
            if found:
                found.hidden |= {"applied": wanted if failure is None else None, "version": version}
                found.hidden |= {"message": message, "number": int(found.hidden["number"]) + 1}
        if failure is not None and not resource.properties.get("suppressFailures"):
            raise _failure(resource, handler, message)

    def instance_view(self, resource: Resource) -> dict[str, Any]:
        """Give what the extension's handler reported."""
        return instance_view_of(resource)


class InstanceExtensions(Extensions):
    """Microsoft.Compute/virtualMachineScaleSets/virtualMachines/extensions."""

    type: ClassVar[str] = "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/extensions"
    tracked: ClassVar[bool] = False


def extensions_of(cloud: Cloud, machine: Resource) -> list[Resource]:
    """Give the extensions of a machine or instance, oldest first."""
    return [each for each in cloud.store.select(under=machine.id) if each.id.types[-1].lower() == "extensions"]


def _handler_of(resource: Resource) -> tuple[Handler, str]:
    properties = resource.properties
    handler = find_handler(*(str(properties[key]) for key in _REQUIRED))
    newer = bool(properties.get("autoUpgradeMinorVersion"))
    return handler, handler.resolve(str(properties["typeHandlerVersion"]), newer_minor=newer)


def _fingerprint(resource: Resource) -> str:
    properties = resource.properties
    facts = [properties.get("settings"), resource.hidden.get("protected"), properties.get("forceUpdateTag")]
    return hashlib.sha256(json.dumps([*facts, *_handler_of(resource)[1:]], sort_keys=True).encode()).hexdigest()


def _enable(cloud: Cloud, machine: Resource, handler: Handler, resource: Resource) -> str:
    settings = resource.properties.get("settings") or {}
    protected = resource.hidden.get("protected") or {}
    os_type = (machine.properties.get("storageProfile") or {}).get("osDisk", {}).get("osType", "Linux")
    if os_type != handler.os_type:
        raise HandlerError(f"Install failed: the handler is for {handler.os_type}, the VM runs {os_type}")
    if handler.type.startswith("CustomScript"):
        return run_custom_script(cloud, machine, settings, protected, int(resource.hidden["number"]))
    if handler.type == "VMAccessForLinux":
        return reset_access(cloud, machine, protected)
    return f"Plugin enabled (handler name: {handler.name}, extension name: , version: {_handler_of(resource)[1]})."


def _failure(resource: Resource, handler: Handler, message: str) -> ArmError:
    return ArmError(
        409,
        "VMExtensionProvisioningError",
        f"VM has reported a failure when processing extension '{resource.id.name}' (publisher '{handler.publisher}' "
        f"and type '{handler.type}'). Error message: '{message}'. More information on troubleshooting is available at "
        f"{_TROUBLESHOOT}. ",
    )


def instance_view_of(resource: Resource) -> dict[str, Any]:
    """Give what the handler of an extension reported last."""
    handler, version = _handler_of(resource)
    state = "failed" if resource.state == "Failed" or resource.hidden.get("applied") is None else "succeeded"
    code = f"ProvisioningState/{state}"
    status = {"code": code, "level": "Info" if state == "succeeded" else "Error"}
    status |= {"displayStatus": f"Provisioning {state}", "message": resource.hidden.get("message", "")}
    return {
        "name": resource.id.name,
        "type": handler.name,
        "typeHandlerVersion": resource.hidden.get("version", version),
        "statuses": [status],
    }


def handler_views(extensions: list[Resource]) -> Iterator[dict[str, Any]]:
    """Give the states of the extensions' handlers, as the agent of their machine reports them."""
    for extension in extensions:
        handler, version = _handler_of(extension)
        running = extension.hidden.get("version", version)
        yield {
            "type": handler.name,
            "typeHandlerVersion": running,
            "status": {
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Ready",
                "message": f"Plugin enabled (handler name: {handler.name}, extension name: , version: {running}).",
            },
        }
