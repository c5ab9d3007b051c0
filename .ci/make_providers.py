"""Writes what is known of resource providers into verified_images/emulator/schemas/providers.json, in compact form.

usage: make_providers.py RECORDINGS    (a folder of recorded exchanges with Azure, in the azure CLI's YAML form)

Lists that many resource types share (locations, api-versions, zones) are kept once and named by their number.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

_PROVIDER = re.compile(r"/subscriptions/[^/]+/providers/(Microsoft\.(?:Compute|Network))\?")
_SHARED = ("locations", "apiVersions", "zoneMappings", "locationMappings", "apiProfiles")
_TARGET = Path(__file__).parent.parent / "verified_images" / "emulator" / "schemas" / "providers.json"


def find_descriptions(folder: Path) -> dict[str, Any]:
    """Give the fullest recorded description of each provider."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*.yaml")):
        for exchange in YAML(typ="safe", pure=False).load(path.read_text(encoding="utf-8"))["interactions"]:
            match = _PROVIDER.search(exchange["request"]["uri"])
            if match is None or exchange["response"]["status"]["code"] != 200:  # noqa: PLR2004 - HTTP's OK
                continue
            description = json.loads(exchange["response"]["body"]["string"])
            if len(description["resourceTypes"]) >= len(found.get(match[1], {}).get("resourceTypes", ())):
                found[match[1]] = description
    return found


def compress(descriptions: dict[str, Any]) -> dict[str, Any]:
    """Give the descriptions with each shared list written once."""
    lists: list[Any] = []
    numbers: dict[str, int] = {}

    def number(value: Any) -> int:  # noqa: ANN401 - any JSON value
        key = json.dumps(value)
        if key not in numbers:
            numbers[key] = len(lists)
            lists.append(value)
        return numbers[key]

    providers = {
        name: {
            "authorizations": description["authorizations"],
            "resourceTypes": [
                {key: number(value) if key in _SHARED else value for key, value in kind.items()}
                for kind in description["resourceTypes"]
            ],
        }
        for name, description in descriptions.items()
    }
    return {"lists": lists, "providers": providers}


if __name__ == "__main__":
    _TARGET.write_text(json.dumps(compress(find_descriptions(Path(sys.argv[1]))), separators=(",", ":")) + "\n")
