"""The extensions of a scale set's model, and how they get onto its instances. Source: Azure OpenAPI, ComputeRP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, invalid_parameter, missing_parameter
from verified_images.emulator.compute.guest_agent.extension_handlers import find_handler
from verified_images.emulator.compute.guest_agent.extensions import extensions_of as extensions_on
from verified_images.emulator.compute.scale_sets.policies import extensions_of

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.lifecycle import Kind
    from verified_images.emulator.store import Resource

_REQUIRED = ("publisher", "type", "typeHandlerVersion")


def fill_extensions(profile: dict[str, Any]) -> None:
    """Complete the extensions of a model in place, having checked that each can be had, and once only.

    Raises:
        ArmError: 400 or 404: one lacks something, is unknown, or is there twice.
    """
    handlers: dict[str, str] = {}
    for extension in extensions_of(profile):
        name, properties = str(extension.get("name") or ""), dict(extension.get("properties") or {})
        if not name:
            raise missing_parameter("extensionProfile.extensions.name")
        for key in _REQUIRED:
            if not properties.get(key):
                raise missing_parameter(f"extensionProfile.extensions.{key}")
        handler = find_handler(*(str(properties[key]) for key in _REQUIRED))
        newer = bool(properties.get("autoUpgradeMinorVersion"))
        handler.resolve(str(properties["typeHandlerVersion"]), newer_minor=newer)
        if handler.name in handlers:
            raise ArmError(
                400,
                "BadRequest",
                f"Multiple VMExtensions per handler not supported for OS type 'Linux'. VMExtension '{name}' with "
                f"handler '{handler.name}' already added or specified in input.",
            )
        handlers[handler.name] = name
        extension["properties"] = {"autoUpgradeMinorVersion": False, **properties}
    _in_order(list(extensions_of(profile)))


def _in_order(extensions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give extensions in the order that ``provisionAfterExtensions`` asks for."""
    waiting = list(extensions)
    ordered: list[dict[str, Any]] = []
    while waiting:
        done = {extension["name"] for extension in ordered}
        ready = [each for each in waiting if done >= set(each["properties"].get("provisionAfterExtensions") or [])]
        if not ready:
            raise invalid_parameter(
                "provisionAfterExtensions",
                f"The extensions {', '.join(each['name'] for each in waiting)} wait for each other, or for extensions "
                "that do not exist.",
            )
        ordered.append(ready[0])
        waiting.remove(ready[0])
    return ordered


def run_extensions(cloud: Cloud, scale_set: Resource, instance: Resource, *, again: bool = False) -> None:
    """Bring an instance's extensions to its scale set's model: run what is new or changed, or all ``again``.

    Raises:
        ArmError: 409 VMExtensionProvisioningError: one failed.
    """
    model = list(extensions_of(scale_set.properties.get("virtualMachineProfile") or {}))
    kind = cloud.kinds[f"{instance.id.type}/extensions".lower()]
    wanted = {extension["name"].lower() for extension in model}
    made = set(instance.hidden.get("model_extensions", []))
    for present in extensions_on(cloud, instance):
        if present.id.name.lower() in made and present.id.name.lower() not in wanted:
            cloud.store.remove(present.id)
    with cloud.store.changing(instance.id) as found:
        if found:
            found.hidden["model_extensions"] = sorted(wanted)
    protected = scale_set.hidden.get("protected", {})
    for extension in _in_order(model):
        _run(cloud, kind, instance, extension, protected.get(extension["name"]), again=again)


def _run(  # noqa: PLR0913 - an extension and where it goes
    cloud: Cloud,
    kind: Kind,
    instance: Resource,
    extension: dict[str, Any],
    protected: dict[str, Any] | None,
    *,
    again: bool,
) -> None:
    identifier = instance.id.child("extensions", extension["name"])
    told = {key: extension["properties"].get(key) for key in ("settings", "forceUpdateTag", *_REQUIRED)}
    facts = {"of_model": told | {"protected": protected}}
    present = cloud.store.find(identifier)
    if present is not None:
        same = present.hidden.get("of_model") == facts["of_model"] and present.state == "Succeeded"
        if same and not again:
            return
        cloud.store.remove(identifier)
    properties = {key: value for key, value in extension["properties"].items() if key != "provisionAfterExtensions"}
    if protected is not None:
        properties["protectedSettings"] = protected
    kind.make(cloud, identifier, {"location": instance.location, "properties": properties}, **facts)


def forget_extensions(cloud: Cloud, instance: Resource) -> None:
    """Forget what ran on an instance's disk, which is being replaced."""
    for present in extensions_on(cloud, instance):
        cloud.store.remove(present.id)


def shown_on_instance(cloud: Cloud, instance: Resource) -> list[dict[str, Any]]:
    """Give an instance's extensions as its body has them, under the name of a virtual machine (recorded so)."""
    place = f"/subscriptions/{instance.id.subscription}/resourceGroups/{instance.id.group}"
    machine = f"{place}/providers/Microsoft.Compute/virtualMachines/{instance.body['name']}"
    return [
        {
            "name": extension.id.name,
            "id": f"{machine}/extensions/{extension.id.name}",
            "type": "Microsoft.Compute/virtualMachines/extensions",
            "location": instance.location,
            "properties": extension.properties,
        }
        for extension in extensions_on(cloud, instance)
    ]
