"""Resource groups, and the search for whatever carries a tag."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.cloud.operations import Arm, Body


def create_group(arm: Arm, name: str, location: str, tags: Mapping[str, str]) -> None:
    """Create a resource group."""
    body: Body = {"location": location, "tags": dict(tags)}
    arm.call(
        "create resource group",
        name,
        lambda: arm.connection.resources.resource_groups.create_or_update(name, body),
    )


def find_location(arm: Arm, name: str) -> str | None:
    """Return the location of a resource group, such as westeurope, or None if there is no such group."""
    groups = arm.connection.resources.resource_groups
    group = arm.find("get resource group", name, lambda: groups.get(name))
    return None if group is None else str(group["location"]).replace(" ", "").lower()


def group_exists(arm: Arm, name: str) -> bool:
    """Tell whether a resource group exists."""
    groups = arm.connection.resources.resource_groups
    # Not by HEAD: where that is refused, its answer does not say why.
    return arm.find("look for resource group", name, lambda: groups.get(name)) is not None


def delete_group(arm: Arm, name: str) -> None:
    """Delete a resource group with all that is in it, and return once it is gone."""
    arm.run(
        "delete resource group",
        name,
        lambda: arm.connection.resources.resource_groups.begin_delete(name),
    )


def find_tagged(arm: Arm, tag: str, value: str) -> tuple[str, ...]:
    """Return the ids of all groups and resources of the subscription that carry the tag, groups first."""
    resources = arm.connection.resources
    # ARM answers a query by tag without the tags themselves, so nothing else can be asked in the same call.
    query = f"tagName eq '{tag}' and tagValue eq '{value}'"
    groups = arm.call("list groups by tag", tag, lambda: list(resources.resource_groups.list(filter=query)))
    found = arm.call("list resources by tag", tag, lambda: list(resources.resources.list(filter=query)))
    return tuple(str(item["id"]) for item in (*groups, *found))
