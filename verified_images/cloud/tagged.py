"""Whatever carries a run's tags, of any type that a build makes: found with its tags, and deleted by its id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from verified_images.cloud.blobs import delete_blob, find_metadata, metadata_name
from verified_images.cloud.ids import parse_id
from verified_images.naming import RUN_TAGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from verified_images.cloud.operations import Arm

GROUP_TYPE = "microsoft.resources/resourcegroups"
BLOB_TYPE = "microsoft.storage/storageaccounts/blobservices/containers/blobs"

_COMPUTE, _DISKS, _GALLERIES, _NETWORK = "2024-07-01", "2024-03-02", "2024-03-03", "2024-05-01"

# The api-version of each type, and the wave of a clean-up that it goes in, all of which Azure lets go at the same time.
# The order is that of going one by one: a scale set before the image that it scales out from, a machine before its
# interface, an interface before its addresses and network, the group last. In waves an image goes before the machine
# that it is still being made from, if something has ended the build just then.
_TYPES: Mapping[str, tuple[str, int]] = {
    "microsoft.compute/virtualmachinescalesets": (_COMPUTE, 0),
    "microsoft.compute/virtualmachines": (_COMPUTE, 2),
    "microsoft.compute/galleries/images/versions": (_GALLERIES, 1),
    "microsoft.compute/images": (_COMPUTE, 1),
    "microsoft.compute/snapshots": (_DISKS, 1),
    BLOB_TYPE: ("", 1),
    "microsoft.compute/disks": (_DISKS, 3),
    "microsoft.network/loadbalancers": (_NETWORK, 3),
    "microsoft.network/networkinterfaces": (_NETWORK, 3),
    "microsoft.network/publicipaddresses": (_NETWORK, 4),
    "microsoft.network/virtualnetworks": (_NETWORK, 4),
    "microsoft.network/networksecuritygroups": (_NETWORK, 4),
    GROUP_TYPE: ("", 5),
}
_WAVES = sorted({wave for _, wave in _TYPES.values()})
_ORDER = {kind: place for place, kind in enumerate(_TYPES)}


@dataclass(frozen=True, slots=True)
class Tagged:
    """A resource or resource group as ARM lists it: its id, its type in lower case, and its tags."""

    id: str
    type: str
    tags: Mapping[str, str]


def list_tagged(arm: Arm, tag: str) -> tuple[Tagged, ...]:
    """Return every group and resource of the subscription that has the tag, whatever its value."""
    resources = arm.connection.resources
    # A query by tag would answer without the tags (recorded traffic), so ARM is asked for everything.
    groups = arm.call("list groups with tag", tag, lambda: list(resources.resource_groups.list()))
    found = arm.call("list resources with tag", tag, lambda: list(resources.resources.list()))
    described = (_describe(item) for item in (*groups, *found))
    return tuple(item for item in described if tag in item.tags)


def find_tags(arm: Arm, resource_id: str) -> Mapping[str, str] | None:
    """Return the tags of a group or of a resource of a type that builds make, or None where there is none of that id.

    Raises:
        ValueError: builds make no resource of this type.
    """
    resources = arm.connection.resources
    kind = type_of(resource_id)
    group = resource_id.strip("/").split("/")[3]
    if kind == BLOB_TYPE:
        metadata = find_metadata(arm, resource_id)
        return None if metadata is None else _tags_in(metadata)
    if kind == GROUP_TYPE:
        found: Any = arm.find("get resource group", group, lambda: resources.resource_groups.get(group))
    else:
        version, _ = _TYPES[kind]
        found = arm.find("get", resource_id, lambda: resources.resources.get_by_id(resource_id, api_version=version))
    return None if found is None else dict(found.get("tags") or {})


def set_tag(arm: Arm, resource_id: str, name: str, value: str) -> None:
    """Give a group or resource a tag, or the tag another value, whatever other tags it has."""
    body: Any = {"operation": "Merge", "properties": {"tags": {name: value}}}
    tags = arm.connection.resources.tags
    arm.run("set tags of", resource_id, lambda: tags.begin_update_at_scope(resource_id.lstrip("/"), body))


def delete_by_id(arm: Arm, resource_id: str) -> None:
    """Delete a resource group, or a resource of a type that builds make, and return once it is gone.

    Raises:
        ValueError: builds make no resource of this type.
    """
    resources = arm.connection.resources
    kind = type_of(resource_id)
    if kind == GROUP_TYPE:
        group = resource_id.strip("/").split("/")[3]
        arm.run("delete resource group", group, lambda: resources.resource_groups.begin_delete(group))
        return
    if kind == BLOB_TYPE:
        delete_blob(arm, resource_id)
        return
    version, _ = _TYPES[kind]
    name = parse_id(resource_id).name
    arm.run(
        f"delete {noun_of(kind)}",
        name,
        lambda: resources.resources.begin_delete_by_id(resource_id, api_version=version),
    )


def in_deletion_order(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the ids in the order in which Azure lets such resources go, each once."""
    once = {one.strip("/").lower(): one for one in ids}
    return tuple(sorted(once.values(), key=lambda one: _ORDER[type_of(one)]))


def in_deletion_waves(ids: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Return the ids in groups, one after the other: Azure lets all of a group go at the same time."""
    waves = (tuple(one for one in ids if _TYPES[type_of(one)][1] == wave) for wave in _WAVES)
    return tuple(filter(None, waves))


def type_of(resource_id: str) -> str:
    """Return the type of what an id names, in lower case.

    Raises:
        ValueError: it is no id, or builds make no resource of this type.
    """
    match resource_id.strip("/").lower().split("/"):
        case ["subscriptions", _, "resourcegroups", _]:
            return GROUP_TYPE
        case ["subscriptions", _, "resourcegroups", _, "providers", provider, *rest]:
            kind = "/".join((provider, *rest[::2]))
            if kind in _TYPES:
                return kind
    raise ValueError(f"'{resource_id}' is of no type that builds make")


def is_of_ours(resource_id: str) -> bool:
    """Tell whether an id is that of a group, or of a resource of a type that builds make."""
    try:
        type_of(resource_id)
    except ValueError:
        return False
    return True


def noun_of(kind: str) -> str:
    """Return what messages call a resource of a type: ``microsoft.compute/disks`` is a disk."""
    last = kind.rpartition("/")[2]
    return _NOUNS.get(last, last.removesuffix("s"))


_NOUNS = {
    "virtualmachinescalesets": "scale set",
    "virtualmachines": "virtual machine",
    "versions": "image version",
    "loadbalancers": "load balancer",
    "networkinterfaces": "network interface",
    "publicipaddresses": "public IP address",
    "virtualnetworks": "virtual network",
    "networksecuritygroups": "network security group",
    "resourcegroups": "resource group",
}


def _tags_in(metadata: Mapping[str, str]) -> Mapping[str, str]:
    """Return the tags of a run that are among a blob's metadata."""
    names = {tag: metadata_name(tag) for tag in RUN_TAGS}
    return {tag: metadata[name] for tag, name in names.items() if name in metadata}


def _describe(item: Any) -> Tagged:  # noqa: ANN401 - a model of the SDK, which is a mapping
    tags = {str(name): str(value) for name, value in (item.get("tags") or {}).items()}
    return Tagged(str(item["id"]), str(item.get("type") or GROUP_TYPE).lower(), tags)
