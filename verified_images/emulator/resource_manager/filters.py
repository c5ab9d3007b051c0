"""The part of OData's ``$filter`` that Resource Manager takes on lists of groups and resources."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from verified_images.emulator.store import Resource

_CLAUSE = re.compile(r"\s*(\w+)\s+eq\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+(?=(?:[^']*'[^']*')*[^']*$)", re.IGNORECASE)


def parse_filter(text: str | None) -> dict[str, str]:
    """Read a filter's clauses, keys in lower case.

    Raises:
        ArmError: 400 InvalidFilterInQueryString.
    """
    clauses = {}
    for part in _AND.split(text) if text else ():
        match = _CLAUSE.fullmatch(part)
        if not match:
            raise ArmError(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string."
            )
        clauses[match[1].lower()] = match[2].replace("''", "'")
    return clauses


def matches_filter(resource: Resource, text: str | None) -> bool:
    """Tell whether a resource passes a filter over tagName, tagValue, resourceType, resourceGroup, name, location."""
    clauses = parse_filter(text)
    tags = {key.lower(): value for key, value in resource.tags.items()}
    for key, value in clauses.items():
        if key == "tagname":
            tag = value.lower()
            if tag not in tags or ("tagvalue" in clauses and tags[tag] != clauses["tagvalue"]):
                return False
        elif key != "tagvalue" and _field(resource, key) != value.lower():
            return False
    return True


def _field(resource: Resource, key: str) -> str:
    fields = {
        "resourcetype": resource.id.type,
        "resourcegroup": resource.id.group,
        "name": resource.id.name,
        "location": resource.location,
    }
    if key not in fields:
        raise ArmError(400, "InvalidFilterInQueryString", f"Invalid $filter: the property '{key}' is not supported.")
    return fields[key].lower()
