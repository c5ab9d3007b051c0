"""Where resources are made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.cloud.ids import group_id, resource_id

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource is made: subscription, group and location, and the tags that it gets there."""

    subscription: str
    group: str
    location: str
    tags: Mapping[str, str]

    @property
    def group_id(self) -> str:
        """The id of the group."""
        return group_id(self.subscription, self.group)

    def network_id(self, kind: str, *names: str) -> str:
        """Return the id of a resource of Microsoft.Network in this place."""
        return resource_id(self.subscription, self.group, f"Microsoft.Network/{kind}", *names)

    def compute_id(self, kind: str, *names: str) -> str:
        """Return the id of a resource of Microsoft.Compute in this place."""
        return resource_id(self.subscription, self.group, f"Microsoft.Compute/{kind}", *names)
