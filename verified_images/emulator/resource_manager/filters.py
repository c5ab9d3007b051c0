"""The part of OData's ``$filter`` that Resource Manager takes on lists of groups and resources."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError

if TYPE_CHECKING:
    from verified_images.emulator.store import Resource

_CLAUSE = re.compile(r"\s*(\w+)\s+(eq|ne)\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)
_SUBSTRING = re.compile(r"\s*substringof\(\s*'((?:[^']|'')*)'\s*,\s*(\w+)\s*\)\s*", re.IGNORECASE)
_AND = re.compile(r"\s+and\s+(?=(?:[^']*'[^']*')*[^']*$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition of a filter; ``key`` is in lower case, ``relation`` one of ``eq``, ``ne``, ``substringof``."""

    key: str
    relation: str
    value: str


def parse_filter(text: str | None) -> list[Clause]:
    """Read a filter's clauses.

    Raises:
        ArmError: 400 InvalidFilterInQueryString.
    """
    clauses = []
    for part in _AND.split(text) if text else ():
        if match := _CLAUSE.fullmatch(part):
            clauses.append(Clause(match[1].lower(), match[2].lower(), match[3].replace("''", "'")))
        elif match := _SUBSTRING.fullmatch(part):
            clauses.append(Clause(match[2].lower(), "substringof", match[1].replace("''", "'")))
        else:
            raise ArmError(
                400, "InvalidFilterInQueryString", f"Invalid $filter '{text}' specified in the query string."
            )
    return clauses


def wanted_value(text: str | None, key: str) -> str:
    """Give the value that a filter wants a property to equal, or an empty string; ``key`` is in lower case."""
    return next((clause.value for clause in parse_filter(text) if clause.key == key and clause.relation == "eq"), "")


def filters_by_tag(text: str | None) -> bool:
    """Tell whether a filter asks for a tag, as the lists that leave the tags themselves out do."""
    return any(clause.key == "tagname" for clause in parse_filter(text))


def matches_filter(resource: Resource, text: str | None) -> bool:
    """Tell whether a resource passes a filter over tagName, tagValue, resourceType, resourceGroup, name, location."""
    clauses = parse_filter(text)
    wanted = next((clause.value for clause in clauses if clause.key == "tagvalue"), None)  # may be empty
    return all(_passes(resource, clause, wanted) for clause in clauses)


def _passes(resource: Resource, clause: Clause, tag_value: str | None) -> bool:
    if clause.key == "tagvalue":
        return True
    if clause.key == "tagname":
        tags = {key.lower(): value for key, value in resource.tags.items()}
        tag = clause.value.lower()
        return tag in tags and (tag_value is None or tags[tag] == tag_value)
    found, value = _field(resource, clause.key), clause.value.lower()
    if clause.key == "location":
        value = value.replace(" ", "")
    if clause.relation == "substringof":
        return value in found
    return (found == value) is (clause.relation == "eq")


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
