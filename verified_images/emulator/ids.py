"""Resource ids: ``/subscriptions/S/resourceGroups/G/providers/NS/type/name[/type/name...]``.

Of the resources that no group has only deployments of a subscription are known by an id, one with an empty ``group``.

Azure compares ids without regard to case and echoes the casing that it was given, so an id keeps its text and
has a ``key`` to compare by.
"""

from __future__ import annotations

from dataclasses import dataclass

_RESOURCE_SEGMENTS = 8
_OF_SUBSCRIPTION = ["providers", "microsoft.resources", "deployments"]


@dataclass(frozen=True, slots=True)
class ResourceId:
    """The id of a resource group (no provider) or of a resource in one; ``types`` and ``names`` run in step."""

    subscription: str
    group: str
    provider: str = ""
    types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    @classmethod
    def parse(cls, text: str) -> ResourceId:
        """Read an id.

        Raises:
            ValueError: the text is not the id of a resource group or of a resource in one.
        """
        parts = text.strip("/").split("/")
        keys = [part.lower() for part in parts]
        if len(parts) == 6 and keys[0] == "subscriptions" and keys[2:5] == _OF_SUBSCRIPTION and all(parts):  # noqa: PLR2004 - a deployment of a subscription
            return cls(parts[1], "", parts[3], (parts[4],), (parts[5],))
        if len(parts) < 4 or keys[0] != "subscriptions" or keys[2] != "resourcegroups" or not all(parts):  # noqa: PLR2004 - the four segments of a group's id
            raise ValueError(f"{text!r} is not a resource id")
        if len(parts) == 4:  # noqa: PLR2004 - the four segments of a group's id
            return cls(parts[1], parts[3])
        if len(parts) < _RESOURCE_SEGMENTS or len(parts) % 2 or keys[4] != "providers":
            raise ValueError(f"{text!r} is not a resource id")
        return cls(parts[1], parts[3], parts[5], tuple(parts[6::2]), tuple(parts[7::2]))

    @property
    def type(self) -> str:
        """The full type, ``Microsoft.Compute/virtualMachines``."""
        return "/".join((self.provider, *self.types)) if self.provider else "Microsoft.Resources/resourceGroups"

    @property
    def name(self) -> str:
        """The last name in the id."""
        return self.names[-1] if self.names else self.group

    @property
    def path(self) -> str:
        """The names of a child resource joined, ``gallery/definition/version``."""
        return "/".join(self.names)

    @property
    def key(self) -> str:
        """The id to compare by."""
        return str(self).lower()

    @property
    def parent(self) -> ResourceId | None:
        """The parent resource's id; None for a top-level resource and for a group."""
        if len(self.types) < 2:  # noqa: PLR2004 - a child has at least two types
            return None
        return ResourceId(self.subscription, self.group, self.provider, self.types[:-1], self.names[:-1])

    @property
    def group_id(self) -> ResourceId:
        """The id of the resource's group."""
        return ResourceId(self.subscription, self.group)

    def child(self, kind: str, name: str) -> ResourceId:
        """Give the id of a child resource."""
        return ResourceId(self.subscription, self.group, self.provider, (*self.types, kind), (*self.names, name))

    def __str__(self) -> str:
        text = f"/subscriptions/{self.subscription}"
        if self.group:
            text += f"/resourceGroups/{self.group}"
        if self.provider:
            text += f"/providers/{self.provider}"
        return text + "".join(f"/{kind}/{name}" for kind, name in zip(self.types, self.names, strict=True))


def same_id(one: str, other: str) -> bool:
    """Tell whether two ids name the same resource."""
    return one.strip("/").lower() == other.strip("/").lower()
