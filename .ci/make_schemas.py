"""Write the compact schemas of request bodies that the local Azure checks.

    python .ci/make_schemas.py SCHEMA.json > verified_images/emulator/schemas/compute.json

SCHEMA.json is the JSON Schema of a provider's models in the newest api-version (``$defs`` of objects, as reflected from
an Azure management SDK). What comes out says, for each resource type, which model a PUT and a PATCH carry, and for each
model the type of each property: ``string``, ``integer``, ``number``, ``boolean``, ``any``, ``@Model``, ``[type]`` for a
list and ``{"*": type}`` for a map.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BODIES = {
    "Microsoft.Compute/virtualMachines": ("VirtualMachine", "VirtualMachineUpdate"),
    "Microsoft.Compute/virtualMachineScaleSets": ("VirtualMachineScaleSet", "VirtualMachineScaleSetUpdate"),
    "Microsoft.Compute/images": ("Image", "ImageUpdate"),
    "Microsoft.Compute/disks": ("Disk", "DiskUpdate"),
    "Microsoft.Compute/snapshots": ("Snapshot", "SnapshotUpdate"),
    "Microsoft.Compute/galleries": ("Gallery", "GalleryUpdate"),
    "Microsoft.Compute/galleries/images": ("GalleryImage", "GalleryImageUpdate"),
    "Microsoft.Compute/galleries/images/versions": ("GalleryImageVersion", "GalleryImageVersionUpdate"),
}


def shorten(schema: dict[str, Any], wanted: list[str]) -> Any:  # noqa: ANN401 - the compact form of any schema
    """Give the compact form of a property's schema, noting the models that it names in ``wanted``."""
    reference = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", []) if "$ref" in part), "")
    if reference:
        name = reference.rsplit("/", 1)[1]
        wanted.append(name)
        return f"@{name}"
    if schema.get("type") == "array":
        return [shorten(schema.get("items", {}), wanted)]
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return {"*": shorten(values, wanted)} if isinstance(values, dict) else "any"
    return schema.get("type") or "any"


def main() -> None:
    """Write the schemas of all types in ``BODIES``."""
    definitions = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["$defs"]
    bodies = {kind: {"PUT": put, "PATCH": patch} for kind, (put, patch) in BODIES.items()}
    models = collect_models(definitions, [name for pair in BODIES.values() for name in pair])
    json.dump({"bodies": bodies, "models": models}, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


def collect_models(definitions: dict[str, Any], wanted: list[str]) -> dict[str, dict[str, Any]]:
    """Give the compact form of the wanted models and of all that these name, by name."""
    models: dict[str, dict[str, Any]] = {}
    while wanted:
        name = wanted.pop()
        if name not in models:
            models[name] = shorten_properties(definitions[name], wanted)
    return dict(sorted(models.items()))


def shorten_properties(model: dict[str, Any], wanted: list[str]) -> dict[str, Any]:
    """Give the compact form of each property of a model."""
    properties = model.get("properties", {})
    return {name: shorten(schema, wanted) for name, schema in sorted(properties.items())}


if __name__ == "__main__":
    main()
