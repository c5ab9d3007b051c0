"""ARM ids: how they are made, taken apart and compared (without regard to case, as ARM does)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResourceId:
    """An ARM id taken apart: ``names`` are those of the resource and its parents, the outermost first."""

    subscription: str
    group: str
    provider: str
    names: tuple[str, ...]

    @property
    def name(self) -> str:
        """The resource's own name."""
        return self.names[-1]


def group_id(subscription: str, group: str) -> str:
    """Return the id of a resource group."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def resource_id(subscription: str, group: str, kind: str, *names: str) -> str:
    """Return the id of a resource: ``kind`` is "Microsoft.Compute/galleries/images" with a name for each part."""
    provider, *types = kind.split("/")
    pairs = "/".join(f"{type_}/{name}" for type_, name in zip(types, names, strict=True))
    return f"{group_id(subscription, group)}/providers/{provider}/{pairs}"


def parse_id(text: str) -> ResourceId:
    """Take apart the id of a resource that lies in a group; ValueError for anything else."""
    match text.strip("/").split("/"):
        case [subscriptions, subscription, groups, group, providers, provider, *rest] if (
            (subscriptions.lower(), groups.lower(), providers.lower())
            == ("subscriptions", "resourcegroups", "providers")
            and rest
            and len(rest) % 2 == 0
        ):
            return ResourceId(subscription, group, provider, tuple(rest[1::2]))
        case _:
            raise ValueError(f"'{text}' is not the id of a resource in a resource group")


def same_id(one: str, other: str) -> bool:
    """Tell whether two ids name the same resource."""
    return one.strip("/").lower() == other.strip("/").lower()


def is_inside(inner: str, outer: str) -> bool:
    """Tell whether ``inner`` is the id of something inside the resource or group ``outer``."""
    return inner.strip("/").lower().startswith(f"{outer.strip('/').lower()}/")
