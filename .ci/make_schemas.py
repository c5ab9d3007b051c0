"""Write the compact schemas of request bodies that the local Azure checks.

    python .ci/make_schemas.py Microsoft.Compute SCHEMA.json > verified_images/emulator/schemas/compute.json
    python .ci/make_schemas.py Microsoft.Network SCHEMA.json > verified_images/emulator/schemas/network.json

SCHEMA.json is the JSON Schema of a provider's models in the newest api-version (``$defs`` of objects, as reflected from
an Azure management SDK). What comes out says, for each resource type, which model a PUT and a PATCH carry, and for each
model the type of each property: ``string``, ``integer``, ``number``, ``boolean``, ``any``, ``@Model``, ``[type]`` for a
list and ``{"*": type}`` for a map. The network provider refuses a value that an enumeration does not have, so there
``{"=": [value, ...]}`` is one, and ``-`` is what only answers have.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

BODIES = {
    "Microsoft.Compute/virtualMachines": ("VirtualMachine", "VirtualMachineUpdate"),
    "Microsoft.Compute/virtualMachines/extensions": ("VirtualMachineExtension", "VirtualMachineExtensionUpdate"),
    "Microsoft.Compute/virtualMachines/runCommands": ("VirtualMachineRunCommand", "VirtualMachineRunCommandUpdate"),
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/extensions": (
        "VirtualMachineScaleSetVMExtension",
        "VirtualMachineScaleSetVMExtensionUpdate",
    ),
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines/runCommands": (
        "VirtualMachineRunCommand",
        "VirtualMachineRunCommandUpdate",
    ),
    "Microsoft.Compute/availabilitySets": ("AvailabilitySet", "AvailabilitySetUpdate"),
    "Microsoft.Compute/proximityPlacementGroups": ("ProximityPlacementGroup", "ProximityPlacementGroupUpdate"),
    "Microsoft.Compute/sshPublicKeys": ("SshPublicKeyResource", "SshPublicKeyUpdateResource"),
    "Microsoft.Compute/virtualMachineScaleSets": ("VirtualMachineScaleSet", "VirtualMachineScaleSetUpdate"),
    "Microsoft.Compute/virtualMachineScaleSets/extensions": (
        "VirtualMachineScaleSetExtension",
        "VirtualMachineScaleSetExtensionUpdate",
    ),
    "Microsoft.Compute/virtualMachineScaleSets/virtualMachines": (
        "VirtualMachineScaleSetVM",
        "VirtualMachineScaleSetVM",
    ),
    "Microsoft.Compute/images": ("Image", "ImageUpdate"),
    "Microsoft.Compute/disks": ("Disk", "DiskUpdate"),
    "Microsoft.Compute/snapshots": ("Snapshot", "SnapshotUpdate"),
    "Microsoft.Compute/galleries": ("Gallery", "GalleryUpdate"),
    "Microsoft.Compute/galleries/images": ("GalleryImage", "GalleryImageUpdate"),
    "Microsoft.Compute/galleries/images/versions": ("GalleryImageVersion", "GalleryImageVersionUpdate"),
    "Microsoft.Network/virtualNetworks": ("VirtualNetwork", "TagsObject"),
    "Microsoft.Network/virtualNetworks/subnets": ("Subnet", "Subnet"),
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings": ("VirtualNetworkPeering", "VirtualNetworkPeering"),
    "Microsoft.Network/networkSecurityGroups": ("NetworkSecurityGroup", "TagsObject"),
    "Microsoft.Network/networkSecurityGroups/securityRules": ("SecurityRule", "SecurityRule"),
    "Microsoft.Network/applicationSecurityGroups": ("ApplicationSecurityGroup", "TagsObject"),
    "Microsoft.Network/publicIPAddresses": ("PublicIPAddress", "TagsObject"),
    "Microsoft.Network/publicIPPrefixes": ("PublicIPPrefix", "TagsObject"),
    "Microsoft.Network/natGateways": ("NatGateway", "TagsObject"),
    "Microsoft.Network/routeTables": ("RouteTable", "TagsObject"),
    "Microsoft.Network/routeTables/routes": ("Route", "Route"),
    "Microsoft.Network/networkInterfaces": ("NetworkInterface", "TagsObject"),
    "Microsoft.Network/loadBalancers": ("LoadBalancer", "TagsObject"),
    "Microsoft.Network/loadBalancers/backendAddressPools": ("BackendAddressPool", "BackendAddressPool"),
    "Microsoft.Network/loadBalancers/inboundNatRules": ("InboundNatRule", "InboundNatRule"),
}
ENUMERATED = "Microsoft.Network"


def shorten(schema: dict[str, Any], wanted: list[str], *, strict: bool) -> Any:  # noqa: ANN401 - the compact form of any schema
    """Give the compact form of a property's schema, noting the models that it names in ``wanted``.

    ``strict`` is whether what only answers have and the values of enumerations are told.
    """
    if strict and schema.get("readOnly"):
        return "-"
    if strict and "x-known-values" in schema:
        return {"=": schema["x-known-values"]}
    reference = schema.get("$ref") or next((part["$ref"] for part in schema.get("allOf", []) if "$ref" in part), "")
    if reference:
        name = reference.rsplit("/", 1)[1]
        wanted.append(name)
        return f"@{name}"
    if schema.get("type") == "array":
        return [shorten(schema.get("items", {}), wanted, strict=strict)]
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return {"*": shorten(values, wanted, strict=strict)} if isinstance(values, dict) else "any"
    return schema.get("type") or "any"


def main() -> None:
    """Write the schemas of a provider's types in ``BODIES``."""
    provider, path = sys.argv[1:]
    definitions = json.loads(Path(path).read_text(encoding="utf-8"))["$defs"]
    own = {kind: pair for kind, pair in BODIES.items() if kind.startswith(f"{provider}/")}
    bodies = {kind: {"PUT": put, "PATCH": patch} for kind, (put, patch) in own.items()}
    wanted = [name for pair in own.values() for name in pair]
    models = collect_models(definitions, wanted, strict=provider == ENUMERATED)
    json.dump({"bodies": bodies, "models": models}, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


def collect_models(definitions: dict[str, Any], wanted: list[str], *, strict: bool) -> dict[str, dict[str, Any]]:
    """Give the compact form of the wanted models and of all that these name, by name."""
    models: dict[str, dict[str, Any]] = {}
    while wanted:
        name = wanted.pop()
        if name not in models:
            properties = definitions[name].get("properties", {})
            models[name] = {key: shorten(schema, wanted, strict=strict) for key, schema in sorted(properties.items())}
    return dict(sorted(models.items()))


if __name__ == "__main__":
    main()
