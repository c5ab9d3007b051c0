"""Azure Compute Galleries: image definitions, and versions that become visible only on purpose."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from verified_images.cloud.ids import parse_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from verified_images.cloud.operations import Arm, Body, Operation

PUBLISH_SECONDS = 3 * 3600.0
"""How long making or replicating a version may take: an hour was not enough for some of Packer's users."""


@dataclass(frozen=True, slots=True)
class RegionWishes:
    """What is different in one region: the number of replicas, and the disk encryption set whose key encrypts them."""

    replicas: int | None = None
    disk_encryption_set: str | None = None


@dataclass(frozen=True, slots=True)
class ConfidentialEncryption:
    """What is encrypted of a confidential machine's image; the disk encryption set has the key if it is one's own."""

    type: str
    disk_encryption_set: str | None = None


@dataclass(frozen=True, slots=True)
class Replication:
    """Where a version is to be and how: regions, replicas in each, their storage, and until when it should be used.

    ``special`` has what is different in some of the regions, by their names; ``confidential`` is for images of
    confidential machines.
    """

    regions: tuple[str, ...]
    replicas: int
    storage_account_type: str
    end_of_life: datetime | None = None
    exclude_from_latest: bool = False
    special: Mapping[str, RegionWishes] = field(default_factory=dict)
    confidential: ConfidentialEncryption | None = None


def find_definition(arm: Arm, definition_id: str) -> Mapping[str, Any]:
    """Return an image definition in wire shape.

    Raises:
        NotFoundError: the definition, its gallery or its group does not exist.
    """
    parsed = parse_id(definition_id)
    definitions = arm.connection.compute_of(parsed.subscription).gallery_images
    return arm.call("get image definition", parsed.name, lambda: definitions.get(parsed.group, *parsed.names))


def list_versions(arm: Arm, definition_id: str) -> Sequence[Mapping[str, Any]]:
    """Return all versions of an image definition in wire shape, failed ones too."""
    parsed = parse_id(definition_id)
    versions = arm.connection.compute_of(parsed.subscription).gallery_image_versions
    return arm.call(
        "list versions of",
        parsed.name,
        lambda: list(versions.list_by_gallery_image(parsed.group, *parsed.names)),
    )


def find_version(arm: Arm, version_id: str, *, replication: bool = False) -> Mapping[str, Any] | None:
    """Return a version in wire shape, with its state in each region if asked for, or None if there is none."""
    parsed = parse_id(version_id)
    versions = arm.connection.compute_of(parsed.subscription).gallery_image_versions
    expand = "ReplicationStatus" if replication else None
    return arm.find(
        "get image version",
        parsed.name,
        lambda: versions.get(parsed.group, *parsed.names, expand=expand),
    )


def begin_candidate_version(  # noqa: PLR0913 - what a version is made of
    arm: Arm,
    version_id: str,
    *,
    location: str,
    tags: Mapping[str, str],
    machine_id: str,
    shallow: bool = False,
    confidential: ConfidentialEncryption | None = None,
) -> Operation[object]:
    """Begin to make a version from a stopped virtual machine, in one region, that "latest" does not find.

    A ``shallow`` one is made quickly and without a copy of its own; it stays in its region.
    """
    body: Body = {
        "location": location,
        "tags": dict(tags),
        "properties": {
            "publishingProfile": {
                "targetRegions": [{"name": location, "regionalReplicaCount": 1, **_encryption(None, confidential)}],
                "excludeFromLatest": True,
            },
            "storageProfile": {"source": {"virtualMachineId": machine_id}},
        },
    }
    if shallow:
        body["properties"]["publishingProfile"]["replicationMode"] = "Shallow"
    parsed = parse_id(version_id)
    gallery, definition, version = parsed.names
    versions = arm.connection.compute_of(parsed.subscription).gallery_image_versions
    return arm.begin(
        "create image version",
        version,
        lambda: versions.begin_create_or_update(parsed.group, gallery, definition, version, body),
        seconds=PUBLISH_SECONDS,
        look=arm.when_provisioned(
            "image version", version, lambda: versions.get(parsed.group, gallery, definition, version)
        ),
    )


def promote_version(arm: Arm, version_id: str, replication: Replication, tags: Mapping[str, str]) -> None:
    """Replicate a candidate version and let "latest" find it; its tags are replaced as a whole."""
    profile: Body = {
        "targetRegions": [_region(name, replication) for name in replication.regions],
        "excludeFromLatest": replication.exclude_from_latest,
    }
    if replication.end_of_life:
        profile["endOfLifeDate"] = replication.end_of_life.isoformat()
    body: Body = {
        "tags": dict(tags),
        # The storage profile must be there; an empty one keeps the source, as az sig image-version update relies on.
        "properties": {"publishingProfile": profile, "storageProfile": {}},
    }
    parsed = parse_id(version_id)
    gallery, definition, version = parsed.names
    versions = arm.connection.compute_of(parsed.subscription).gallery_image_versions
    arm.run(
        "publish image version",
        version,
        lambda: versions.begin_update(parsed.group, gallery, definition, version, body),
        seconds=PUBLISH_SECONDS,
        look=arm.when_provisioned(
            "image version", version, lambda: versions.get(parsed.group, gallery, definition, version)
        ),
    )


def _region(name: str, replication: Replication) -> Body:
    wishes = replication.special.get(name, RegionWishes())
    region: Body = {
        "name": name,
        "regionalReplicaCount": wishes.replicas or replication.replicas,
        "storageAccountType": replication.storage_account_type,
    }
    return {**region, **_encryption(wishes.disk_encryption_set, replication.confidential)}


def _encryption(disk_encryption_set: str | None, confidential: ConfidentialEncryption | None) -> Body:
    """Return how the replicas of a region are encrypted; nothing where Azure is to do as it does."""
    image: Body = {}
    if confidential:
        image["securityProfile"] = {"confidentialVMEncryptionType": confidential.type}
        if confidential.type == "EncryptedWithCmk":
            key = disk_encryption_set or confidential.disk_encryption_set
            image["securityProfile"]["secureVMDiskEncryptionSetId"] = key
    if disk_encryption_set and "secureVMDiskEncryptionSetId" not in image.get("securityProfile", {}):
        image["diskEncryptionSetId"] = disk_encryption_set
    return {"encryption": {"osDiskImage": image}} if image else {}


def delete_version(arm: Arm, version_id: str) -> None:
    """Delete an image version."""
    parsed = parse_id(version_id)
    versions = arm.connection.compute_of(parsed.subscription).gallery_image_versions
    arm.run(
        "delete image version",
        parsed.name,
        lambda: versions.begin_delete(parsed.group, *parsed.names),
        look=arm.when_gone("image version", parsed.name, lambda: versions.get(parsed.group, *parsed.names)),
    )
