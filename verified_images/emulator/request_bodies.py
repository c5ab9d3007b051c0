"""The bodies of writes, checked against the models of their resource types.

A provider reads names in any case, takes null for what is not there, a number for a string and the text of a number or
boolean for one; it refuses a name that it does not know and a value that it cannot read. What is read-only is accepted
and ignored. The models are those of the newest api-version, which has all that the older ones have. Each provider words
its refusals in its own way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from verified_images.emulator.wire import Request

_RESOURCE = {
    "etag",
    "extendedlocation",
    "id",
    "identity",
    "kind",
    "location",
    "managedby",
    "name",
    "plan",
    "properties",
    "resources",
    "sku",
    "systemdata",
    "tags",
    "type",
    "zones",
}
_NOUNS = {
    "virtualmachines": "vm",
    "virtualmachinescalesets": "vmss",
    "versions": "galleryImageVersion",
    "galleries": "gallery",
    "disks": "disk",
    "snapshots": "snapshot",
}
_PROVIDERS = {"microsoft.compute": "compute", "microsoft.network": "network"}
_CONTRACT = "Microsoft.WindowsAzure.Networking.Nrp.Frontend.Contract.Csm.Public."
_ONLY_IN_ANSWERS = "-"
_ANSWERED = frozenset(
    {
        "allowbackendportconflict",
        "allowport25out",
        "enabledestinationserviceendpoint",
        "etag",
        "id",
        "outboundnatrules",
        "provisioningstate",
        "purpose",
        "resourceguid",
        "routeservicevips",
        "subnetid",
        "tier",
        "type",
    }
)
"""What network answers have beyond the models, and clients send back."""


@cache
def _schemas(provider: str) -> dict[str, Any]:
    if provider not in _PROVIDERS:
        return {"bodies": {}, "models": {}}
    text = (files("verified_images.emulator") / "schemas" / f"{_PROVIDERS[provider]}.json").read_text(encoding="utf-8")
    schemas: dict[str, Any] = json.loads(text)
    schemas["bodies"] = {kind.lower(): models for kind, models in schemas["bodies"].items()}
    return schemas


def is_checked(kind: str) -> bool:
    """Tell whether the bodies of a resource type are checked against a model."""
    return kind.lower() in _schemas(kind.lower().partition("/")[0])["bodies"]


def read_body(kind: str, request: Request) -> dict[str, Any]:
    """Give the body of a PUT or PATCH of a resource type, its names spelt as in the type's model.

    Raises:
        ArmError: 400: it is no JSON object, has a name that the type does not know, or a value of another type.
    """
    body = request.json()
    schemas = _schemas(kind.lower().partition("/")[0])
    models = schemas["bodies"].get(kind.lower())
    if models is None:
        return body
    model = models[request.method]
    known = {name.lower() for name in schemas["models"][model]}
    for name in body:
        if name.lower() not in known | _RESOURCE:
            place = f"Path '{name}', {_position(request, name)}."
            raise ArmError(
                400,
                "InvalidRequestContent",
                "The request content was invalid and could not be deserialized: 'Could not find member "
                f"'{name}' on object of type 'ResourceDefinition'. {place}'.",
            )
    reader = _NetworkReader if kind.lower().startswith("microsoft.network/") else _Reader
    checked: dict[str, Any] = reader(request, kind).read_model(body, model, "")
    return without_nulls(checked) if request.method == "PUT" else checked


def without_nulls(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Give a value without the properties that are null: a PUT takes them for what is not there."""
    if isinstance(value, dict):
        return {key: without_nulls(item) for key, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class _Reader:
    """Reads one body, and refuses it as the compute provider does."""

    request: Request
    kind: str
    ignored: ClassVar[frozenset[str]] = frozenset({"isarmresource", "faultdomain"})
    """What answers have beyond the models, and clients send back."""

    @cached_property
    def models(self) -> dict[str, dict[str, Any]]:
        """The models of the type's provider, by name."""
        models: dict[str, dict[str, Any]] = _schemas(self.kind.lower().partition("/")[0])["models"]
        return models

    def read(self, value: Any, schema: Any, path: str) -> Any:  # noqa: ANN401 - any JSON value and any schema
        if value is None or schema == "any":
            return value
        if isinstance(schema, list):
            if not isinstance(value, list):
                raise self._unreadable(value, "List", path)
            return [self.read(item, schema[0], f"{path}[{index}]") for index, item in enumerate(value)]
        if isinstance(schema, dict):
            if "=" in schema:
                return self._read_choice(value, schema["="], path)
            if not isinstance(value, dict):
                raise self._unreadable(value, "Dictionary", path)
            return {key: self.read(item, schema["*"], f"{path}.{key}") for key, item in value.items()}
        if schema.startswith("@"):
            if not isinstance(value, dict):
                raise self._unreadable(value, schema[1:], path)
            return self.read_model(value, schema[1:], path)
        return self._read_scalar(value, schema, path)

    def read_model(self, value: dict[str, Any], model: str, path: str) -> dict[str, Any]:
        """Read an object, whose names are the model's in any case; at the top it may have those of any resource."""
        properties = self.models[model]
        spelt = {name.lower(): name for name in properties}
        found = {}
        for name, item in value.items():
            known = spelt.get(name.lower())
            place = f"{path}.{known or name}" if path else known or name
            if known is not None:
                if properties[known] != _ONLY_IN_ANSWERS:
                    found[known] = self.read(item, properties[known], place)
            elif name.lower() in self.ignored:
                continue
            elif not path or not properties:
                found[name] = item
            else:
                owner = self.type_name(model)
                raise self._refuse(f"Could not find member '{name}' on object of type '{owner}'.", place)
        return found

    def type_name(self, model: str) -> str:
        """Give the name by which the provider calls a model."""
        return model

    def _read_choice(self, value: Any, choices: list[str], path: str) -> str:  # noqa: ANN401 - any JSON value
        for choice in choices:
            if str(value).lower() == choice.lower():
                return choice
        name = path.rpartition(".")[2].partition("[")[0]
        raise self._unreadable(value, f"{_CONTRACT}{name[:1].upper()}{name[1:]}", path)

    def _read_scalar(self, value: Any, schema: str, path: str) -> Any:  # noqa: ANN401 - any JSON value
        if isinstance(value, (dict, list)):
            raise self._unreadable(value, schema, path)
        text = str(value).strip()
        if schema == "boolean" and not isinstance(value, bool):
            if text.lower() not in {"true", "false"}:
                raise self._unreadable(value, "System.Boolean", path)
            return text.lower() == "true"
        if schema == "integer" and (isinstance(value, bool) or not isinstance(value, int)):
            if not text.removeprefix("-").isdecimal():
                raise self._unreadable(value, "System.Int32", path)
            return int(text)
        if schema == "string" and not isinstance(value, str):
            return json.dumps(value)
        return value

    def _unreadable(self, value: Any, expected: str, path: str) -> ArmError:  # noqa: ANN401 - any JSON value
        shown = json.dumps(value) if not isinstance(value, (dict, list)) else type(value).__name__
        return self._refuse(f"Error converting value {shown} to type '{expected}'.", path)

    def _refuse(self, message: str, path: str) -> ArmError:
        *_, parent, last = ("", *self.kind.lower().split("/"))
        noun = "galleryImage" if (parent, last) == ("galleries", "images") else _NOUNS.get(last, "image")
        place = _position(self.request, path.rpartition(".")[2].partition("[")[0])
        return ArmError(400, "BadRequest", f"{message} Path '{path}', {place}.", target=f"{noun}.{path}")


class _NetworkReader(_Reader):
    """Reads one body, and refuses it as the network provider does. Source: answers quoted in public issues."""

    ignored: ClassVar[frozenset[str]] = _ANSWERED

    def type_name(self, model: str) -> str:
        return model.removesuffix("Format")

    def _refuse(self, message: str, path: str) -> ArmError:
        place = _position(self.request, path.rpartition(".")[2].partition("[")[0])
        details = [{"code": "InvalidJson", "message": f"{message} Path '{path}', {place}."}]
        return ArmError(400, "InvalidRequestFormat", "Cannot parse the request.", details=details)


def _position(request: Request, name: str) -> str:
    before = request.content.decode(errors="replace").lower().partition(f'"{name.lower()}"')[0] + f'"{name}":'
    lines = before.split("\n")
    return f"line {len(lines)}, position {len(lines[-1])}"
