"""What the sub-resources of one kind have in common: defaults, back references, refusals."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from verified_images.emulator.arm_errors import ArmError, network_error
from verified_images.emulator.network.lookup import named, pick

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_NAME = re.compile(r"\w|\w[\w.-]{0,78}\w")


class Part:
    """One list of sub-resources. Subclasses set ``collection`` and override what is particular to them.

    ``writable`` tells whether one can be written and deleted by itself; ``created`` and ``updated`` are the status
    and state of the first answer then, ``retry_write`` its Retry-After in seconds where it is not the parent's.
    """

    collection: ClassVar[str]
    writable: ClassVar[bool] = False
    created: ClassVar[tuple[int, str]] = (201, "Updating")
    updated: ClassVar[tuple[int, str]] = (200, "Updating")
    kept_when_absent: ClassVar[bool] = False
    retry_write: ClassVar[int | None] = None

    def complete(
        self, cloud: Cloud, parent: Resource, name: str, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Check the properties given for an item and add Azure's defaults. Refuse with ArmError."""
        del cloud, parent, name, existing
        return given

    def back_references(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Give the properties that follow from what refers to the item."""
        del cloud, parent, item
        return {}

    def check_delete(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> None:
        """Refuse with ArmError to take an item away while something needs it."""

    def release(self, cloud: Cloud, item: dict[str, Any]) -> None:
        """Take an item that goes away out of what names it and may outlive it."""

    def note_written(self, parent: Resource) -> None:
        """Note in the parent that an item of it was written by itself."""
        del parent

    def shown(self, cloud: Cloud, parent: Resource) -> list[dict[str, Any]]:
        """Give the items that the wire shows, those that follow from others included."""
        del cloud
        return self.items(parent)

    def items(self, parent: Resource) -> list[dict[str, Any]]:
        """Give the items as the parent keeps them."""
        return named(parent.properties, self.collection)

    def make(
        self, cloud: Cloud, parent: Resource, given: dict[str, Any], existing: dict[str, Any] | None
    ) -> dict[str, Any]:
        """Give an item as the parent keeps it."""
        name = existing["name"] if existing else check_name(given.get("name"))
        properties = self.complete(cloud, parent, name, without_read_only(given.get("properties")), existing)
        item = {
            "name": name,
            "id": f"{parent.id}/{self.collection}/{name}",
            "type": f"{parent.id.type}/{self.collection}",
            "properties": properties,
        }
        if given.get("zones"):
            item["zones"] = given["zones"]
        return item

    def make_all(self, cloud: Cloud, parent: Resource, given: Any, existing: Resource | None) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON value
        """Give the items that a PUT of the parent leaves: those given, the others refused or gone."""
        old = self.items(existing) if existing else []
        if given is None:
            given = old if self.kept_when_absent else []
        given = as_list(given, f"properties.{self.collection}")
        items: list[dict[str, Any]] = []
        for item in given:
            made = self.make(cloud, parent, item, pick(old, str(item.get("name"))))
            if pick(items, made["name"]):
                raise network_error(
                    400,
                    "DuplicateResourceName",
                    f"Resource {parent.id} has two child resources with the same name ({made['name']}).",
                )
            items.append(made)
        for item in old:
            if existing and not pick(items, item["name"]):
                self.check_delete(cloud, existing, item)
        return items

    def render(self, cloud: Cloud, parent: Resource, item: dict[str, Any]) -> dict[str, Any]:
        """Give an item as the wire shows it: with its parent's etag and state."""
        shown = dict(item)
        shown["properties"] = {
            "provisioningState": parent.state,
            **item["properties"],
            **self.back_references(cloud, parent, item),
        }
        return {"name": shown.pop("name"), "id": shown.pop("id"), "etag": parent.body["etag"], **shown}

    def render_all(self, cloud: Cloud, parent: Resource) -> Iterator[dict[str, Any]]:
        """Give the items as the wire shows them."""
        for item in self.shown(cloud, parent):
            yield self.render(cloud, parent, item)


def check_name(name: Any) -> str:  # noqa: ANN401 - any JSON value
    """Give a resource's name.

    Raises:
        ArmError: 400: it is missing or has characters that Azure refuses.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise network_error(
            400,
            "InvalidResourceName",
            f"Resource name {name or ''} is invalid. The name can be up to 80 characters long. It must begin with a "
            "word character, and it must end with a word character or with '_'. The name may contain word characters "
            "or '.', '-', '_'.",
        )
    return name


def invalid_format(code: str, message: str) -> ArmError:
    """Make the network provider's 400 for a body that it cannot read."""
    details = [{"code": code, "message": message}]
    return ArmError(400, "InvalidRequestFormat", "Cannot parse the request.", details=details)


def as_object(value: Any, path: str) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Give an object of a body, empty when it is missing.

    Raises:
        ArmError: 400: it is something else. ``path`` is where it stands.
    """
    if value is not None and not isinstance(value, dict):
        raise invalid_format("InvalidJson", f"Error converting value {value!r} to an object. Path '{path}'.")
    return value or {}


def as_list(value: Any, path: str) -> list[dict[str, Any]]:  # noqa: ANN401 - any JSON value
    """Give a list of objects of a body, empty when it is missing.

    Raises:
        ArmError: 400: it is something else. ``path`` is where it stands.
    """
    if value is not None and not isinstance(value, list):
        raise invalid_format("InvalidJson", f"Error converting value {value!r} to a list. Path '{path}'.")
    return [as_object(item, f"{path}[{index}]") for index, item in enumerate(value or ())]


def without_read_only(properties: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON value
    """Leave out what a client sends back from an earlier answer and what is null: both are as if not sent."""
    return {
        key: value
        for key, value in as_object(properties, "properties").items()
        if key not in {"provisioningState", "resourceGuid"} and value is not None
    }


def canonical(value: Any, allowed: tuple[str, ...]) -> Any:  # noqa: ANN401 - any JSON value
    """Give an enumeration's value as Azure spells it, whatever case it was given in; others are left as they are."""
    return next((known for known in allowed if str(value).lower() == known.lower()), value)
