"""What is sent agrees with the SDK's own schema: no unknown property, none that only ARM may set."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.golden_files import FOLDER

SCHEMAS = Path(__file__).parents[3] / "shared" / "azure" / "openapi" / "sdk-schema"
COMPUTE, NETWORK, RESOURCES = "compute-*.schema.json", "network-*.schema.json", "resources-*.schema.json"
BODIES = [
    ("group", RESOURCES, "ResourceGroup"),
    ("security-group", NETWORK, "NetworkSecurityGroup"),
    ("virtual-network", NETWORK, "VirtualNetwork"),
    ("public-address", NETWORK, "PublicIPAddress"),
    ("interface-public", NETWORK, "NetworkInterface"),
    ("interface-private", NETWORK, "NetworkInterface"),
    ("load-balancer-serving", NETWORK, "LoadBalancer"),
    ("load-balancer-private", NETWORK, "LoadBalancer"),
    ("load-balancer-ssh", NETWORK, "LoadBalancer"),
    ("machine", COMPUTE, "VirtualMachine"),
    ("machine-with-everything", COMPUTE, "VirtualMachine"),
    ("image-from-machine", COMPUTE, "Image"),
    ("image-from-blob", COMPUTE, "Image"),
    ("snapshot", COMPUTE, "Snapshot"),
    ("layer-snapshot", COMPUTE, "Snapshot"),
    ("layer-disk", COMPUTE, "Disk"),
    ("layer-machine", COMPUTE, "VirtualMachine"),
    ("candidate-version", COMPUTE, "GalleryImageVersion"),
    ("promotion", COMPUTE, "GalleryImageVersionUpdate"),
    ("scale-set", COMPUTE, "VirtualMachineScaleSet"),
    ("scale-set-flexible", COMPUTE, "VirtualMachineScaleSet"),
]

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SCHEMAS.exists(), reason="the SDK's schema is not beside the repository"),
]


@cache
def schema(pattern: str) -> Any:  # noqa: ANN401 - a JSON Schema
    return json.loads(next(SCHEMAS.glob(pattern)).read_text())


@pytest.mark.parametrize(("name", "pattern", "model"), BODIES, ids=[name for name, _, _ in BODIES])
def test_a_body_agrees_with_the_schema(name: str, pattern: str, model: str) -> None:
    body, document = json.loads((FOLDER / f"{name}.json").read_text()), schema(pattern)
    whole = {"$schema": document["$schema"], "$defs": document["$defs"], "$ref": f"#/$defs/{model}"}
    jsonschema.Draft202012Validator(whole).validate(body)
    assert strangers(document, body, whole, "$") == []


def test_every_golden_body_is_compared() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} - {"pipeline", "blob-copy"} == {name for name, _, _ in BODIES}


def resolve(document: Any, node: Any) -> Any:  # noqa: ANN401 - JSON Schema
    while "$ref" in node:
        node = document["$defs"][node["$ref"].rpartition("/")[2]]
    return node


def properties(document: Any, node: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON Schema
    node = resolve(document, node)
    found: dict[str, Any] = {}
    for part in node.get("allOf", []):
        found |= properties(document, part)
    found |= node.get("properties", {})
    return found


def strangers(document: Any, value: Any, node: Any, path: str) -> list[str]:  # noqa: ANN401 - JSON
    """Return the paths of properties that the schema does not know, or that are read-only."""
    node = resolve(document, node)
    if isinstance(value, list):
        parts = [node, *(resolve(document, part) for part in node.get("allOf", []))]
        items: Any = next((part["items"] for part in parts if "items" in part), {})
        return [
            each for index, item in enumerate(value) for each in strangers(document, item, items, f"{path}[{index}]")
        ]
    known = properties(document, node)
    if not isinstance(value, dict) or not known:
        return []
    wrong = [f"{path}.{key}" for key in value if key not in known or known[key].get("readOnly")]
    inner = [
        each for key in value if key in known for each in strangers(document, value[key], known[key], f"{path}.{key}")
    ]
    return wrong + inner
