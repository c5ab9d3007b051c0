"""Reaping: remove what runs have left that nobody cleans up any more, because they were killed.

What a run may have left is told by its journal, on the machine that it ran on, and by the tags of what it made,
everywhere else. A published image carries the run's tag too, but no expiry: it is never reaped.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from verified_images.cloud.deletion import delete_patiently
from verified_images.cloud.disk_access import revoke_all
from verified_images.cloud.ids import is_inside
from verified_images.cloud.tagged import (
    BLOB_TYPE,
    GROUP_TYPE,
    delete_by_id,
    find_tags,
    in_deletion_order,
    is_of_ours,
    list_tagged,
    noun_of,
    type_of,
)
from verified_images.errors import VerifiedImagesError
from verified_images.journal import Journal
from verified_images.naming import CREATION_TAG, EXPIRY_TAG, RUN_TAG, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from verified_images.cloud.operations import Arm
    from verified_images.cloud.tagged import Tagged
    from verified_images.journal import Record


@dataclass(frozen=True, slots=True)
class Choice:
    """Which runs are to be reaped: those named, else those made longer ago than ``older_than``, else expired ones."""

    runs: frozenset[str] = frozenset()
    older_than: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Leftover:
    """What one run has left: ARM ids, in the order in which they can be deleted."""

    run: str
    spec: str
    owner: str
    created: datetime
    expires: datetime
    ids: tuple[str, ...]
    journals: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Findings:
    """What runs have left: ``ripe`` is to be reaped; ``refused`` is not, each with its reason."""

    ripe: tuple[Leftover, ...]
    refused: tuple[tuple[Leftover, str], ...]
    unreadable: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Reaped:
    """What became of one leftover: ids that were deleted, ids that are still there, and what went wrong."""

    removed: tuple[str, ...]
    left: tuple[str, ...]
    errors: tuple[Exception, ...]


def find_leftovers(arm: Arm, records: Sequence[Record], choice: Choice, now: datetime) -> Findings:
    """Return what runs have left in the connection's subscription, by their journals and by their tags.

    Raises:
        CloudError: ARM could not be asked.
    """
    subscription = arm.connection.subscription_id.lower()
    journaled: dict[str, list[Record]] = {}
    for record in records:
        if record.target.subscription.lower() == subscription:
            journaled.setdefault(record.run.id, []).append(record)
    tagged: dict[str, list[Tagged]] = {}
    for item in list_tagged(arm, RUN_TAG):
        if EXPIRY_TAG in item.tags:
            tagged.setdefault(item.tags[RUN_TAG], []).append(item)
    ripe: list[Leftover] = []
    refused: list[tuple[Leftover, str]] = []
    unreadable: list[str] = []
    for run in sorted({*journaled, *tagged}):
        try:
            leftover = _leftover(run, journaled.get(run, []), tagged.get(run, []))
        except ValueError as error:
            unreadable.append(f"run {run} is left alone: {error}")
            continue
        reason = _reason_to_wait(leftover, journaled.get(run, []), choice, now)
        if reason:
            refused.append((leftover, reason))
        else:
            ripe.append(leftover)
    return Findings(tuple(ripe), tuple(refused), tuple(unreadable))


def _leftover(run: str, records: Sequence[Record], tagged: Sequence[Tagged]) -> Leftover:
    """Bring together what journals and tags tell of a run; ValueError for tags that are none of ours."""
    planned = [entry.resource_id for record in records for entry in record.left]
    ids = in_deletion_order(_to_delete([*planned, *(item.id for item in tagged)]))
    journals = tuple(record.path for record in records)
    if records:
        known = records[0].run
        return Leftover(run, known.spec, known.owner, known.created, known.expires, ids, journals)
    tags = tagged[0].tags
    created, expires = (_moment(tags, name) for name in (CREATION_TAG, EXPIRY_TAG))
    return Leftover(run, tags.get("vi-spec", ""), tags.get("vi-owner", ""), created, expires, ids, ())


def _to_delete(ids: Sequence[str]) -> Sequence[str]:
    """Leave out what no build makes, but a policy may have given its tags: it goes with what it is in.

    Raises:
        ValueError: such a thing is in nothing that the run has made.
    """
    ours = [one for one in ids if is_of_ours(one)]
    for one in ids:
        if one not in ours and not any(is_inside(one, other) for other in ours):
            type_of(one)
    return ours


def _moment(tags: Mapping[str, str], name: str) -> datetime:
    try:
        return parse_time(tags.get(name, ""))
    except ValueError:
        raise ValueError(
            f"its tag {name} is '{tags.get(name, '')}', which is no time that verified-images wrote"
        ) from None


def _reason_to_wait(leftover: Leftover, records: Sequence[Record], choice: Choice, now: datetime) -> str:
    """Say why a run's leftovers are not to be deleted, or nothing."""
    if any(record.active for record in records):
        return "the run is still going on"
    if choice.runs:
        return "" if leftover.run in choice.runs else "it was not asked for"
    if choice.older_than is not None:
        young = leftover.created > now - choice.older_than
        return f"it was made at {leftover.created:%Y-%m-%d %H:%M} UTC, which is not that long ago" if young else ""
    if leftover.expires > now:
        return f"it expires at {leftover.expires:%Y-%m-%d %H:%M} UTC"
    return ""


def reap(arm: Arm, leftover: Leftover) -> Reaped:
    """Delete what a run has left, whatever goes wrong with one thing or another, and strike it out of its journal.

    Before anything is deleted ARM is asked whose it is: what does not carry the run's tags, because somebody else
    has taken the name or because it was published, is left alone.
    """
    removed: list[str] = []
    left: list[str] = []
    errors: list[Exception] = []
    groups = [one for one in leftover.ids if type_of(one) == GROUP_TYPE]
    own_groups = [one for one in groups if _is_ours(arm, leftover.run, one, errors)]
    if any(type_of(one) == BLOB_TYPE for one in leftover.ids):
        _release_disks(arm, leftover, errors)
    with _Journals(leftover.journals) as journals:
        for resource_id in leftover.ids:
            if _goes_with_its_group(resource_id, own_groups):
                continue
            try:
                if _reap_one(arm, leftover.run, resource_id):
                    removed.append(resource_id)
            except VerifiedImagesError as error:
                left.append(resource_id)
                errors.append(error)
            else:
                journals.strike_out(resource_id)
    if not errors:
        listed = [item.id for item in list_tagged(arm, RUN_TAG) if _belongs(item.tags, leftover.run)]
        # Azure lists what was deleted for minutes on, but does not give it any more.
        left += [one for one in listed if not is_of_ours(one) or find_tags(arm, one) is not None]
    return Reaped(tuple(removed), tuple(left), tuple(errors))


def _release_disks(arm: Arm, leftover: Leftover, errors: list[Exception]) -> None:
    """End the access to disks that were being copied as VHDs: Azure deletes no disk before."""
    for group in {one.split("/")[4] for one in leftover.ids if type_of(one) != BLOB_TYPE}:
        try:
            revoke_all(arm, group, leftover.run)
        except VerifiedImagesError as error:
            errors.append(error)


def _goes_with_its_group(resource_id: str, own_groups: Sequence[str]) -> bool:
    """Tell whether a resource need not be deleted by itself; a scale set must be, since images outside feed it."""
    inside = any(is_inside(resource_id, group) for group in own_groups)
    return inside and not type_of(resource_id).endswith("/virtualmachinescalesets")


def _is_ours(arm: Arm, run: str, resource_id: str, errors: list[Exception]) -> bool:
    try:
        return _belongs(find_tags(arm, resource_id) or {}, run)
    except VerifiedImagesError as error:
        errors.append(error)
        return False


def _belongs(tags: Mapping[str, str], run: str) -> bool:
    return tags.get(RUN_TAG) == run and EXPIRY_TAG in tags


def _reap_one(arm: Arm, run: str, resource_id: str) -> bool:
    """Delete one resource of the run and tell whether there was something to delete."""
    tags = find_tags(arm, resource_id)
    if tags is None:
        return False
    if not _belongs(tags, run):
        arm.report(f"'{resource_id}' does not carry the tags of run {run} (any more): it is left alone")
        return False
    delete_patiently(arm, noun_of(type_of(resource_id)), resource_id, functools.partial(delete_by_id, arm, resource_id))
    return True


class _Journals:
    """The journals of one run, open to be written."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._journals = [Journal.resume(path) for path in paths]

    def strike_out(self, resource_id: str) -> None:
        """Note that a resource, with what was inside it, is gone."""
        for journal in self._journals:
            journal.removed(resource_id)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for journal in self._journals:
            journal.close()
