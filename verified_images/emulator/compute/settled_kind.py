"""Types of the compute provider that are written at once and show no provisioning state. Source: recorded answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.lifecycle import Kind

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource
    from verified_images.emulator.wire import Request


class SettledKind(Kind):
    """A type whose resources are there as soon as they are asked for; a GET may show more than a PUT."""

    def render(self, cloud: Cloud, resource: Resource, request: Request) -> dict[str, Any]:
        """Give the resource without a provisioning state and, when it is read, with what refers to it."""
        shown = {key: value for key, value in resource.properties.items() if key != "provisioningState"}
        if request.method == "GET":
            shown |= self.members(cloud, resource)
        body = {key: value for key, value in resource.body.items() if key != "properties"}
        return {**body, "properties": shown}

    def members(self, cloud: Cloud, resource: Resource) -> dict[str, Any]:
        """Give the lists of what is in the resource, as a GET shows them."""
        del cloud, resource
        return {}


def members_of(cloud: Cloud, resource: Resource, member_type: str, key: str) -> list[dict[str, str]]:
    """List the resources of a type whose property ``key`` names ``resource``, with upper-case names as recorded."""
    return [
        {"id": _shout(member)}
        for member in cloud.store.referrers(resource.id)
        if member.id.type.lower() == member_type.lower()
        and str((member.properties.get(key) or {}).get("id", "")).lower() == resource.id.key
    ]


def _shout(member: Resource) -> str:
    identifier = member.id
    return (
        f"/subscriptions/{identifier.subscription}/resourceGroups/{identifier.group.upper()}/providers/"
        f"{identifier.provider}/{identifier.types[-1]}/{identifier.name.upper()}"
    )


def check_empty(noun: str, resource: Resource, members: dict[str, Any]) -> None:
    """Refuse to delete what something is in.

    Raises:
        ArmError: 409 OperationNotAllowed.
    """
    if any(members.values()):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"{noun} '{resource.id.name}' cannot be deleted. Before deleting {'an' if noun[0] in 'AE' else 'a'} {noun} "
            "please ensure that it does not contain any VM.",
        )


def check_range(name: str, value: int, least: int, most: int) -> None:
    """Refuse a number that is out of range.

    Raises:
        ArmError: 400 InvalidParameter.
    """
    if not least <= value <= most:
        raise ArmError(
            400,
            "InvalidParameter",
            f"The value '{value}' of parameter '{name}' is out of range. The value must be between '{least}' and "
            f"'{most}', inclusive.",
            target=name,
        )


def check_unchanged(existing: Resource | None, properties: dict[str, Any], names: tuple[str, ...]) -> None:
    """Refuse to change what a resource keeps for life.

    Raises:
        ArmError: 409 PropertyChangeNotAllowed.
    """
    for name in names if existing else ():
        before = existing.properties.get(name) if existing else None
        if properties.get(name) is not None and properties[name] != before:
            raise ArmError(409, "PropertyChangeNotAllowed", f"Changing property '{name}' is not allowed.", target=name)
