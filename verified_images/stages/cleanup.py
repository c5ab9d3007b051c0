"""Clean-up: remove whatever the build made and did not publish, then ask Azure whether that is so."""

from __future__ import annotations

import contextlib
import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.cloud.deletion import delete_patiently
from verified_images.cloud.disk_access import revoke_all
from verified_images.cloud.groups import find_tagged
from verified_images.cloud.ids import is_inside, same_id
from verified_images.cloud.tagged import BLOB_TYPE, delete_by_id, in_deletion_waves, type_of
from verified_images.errors import (
    CleanupError,
    CloudError,
    DeadlineError,
    VerifiedImagesError,
)
from verified_images.naming import RUN_TAG
from verified_images.stages.together import together
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from verified_images.stages.context import BuildContext
    from verified_images.stages.undo import Temporary

LISTING_SECONDS = 3 * 60.0
"""How long ARM may go on listing what is deleted."""


@dataclass(frozen=True, slots=True)
class CleanupReport:
    """What clean-up removed, what it had to leave and why; ARM ids, newest first. ``seconds``: how long it took."""

    removed: tuple[str, ...]
    left: tuple[str, ...]
    errors: tuple[BaseException, ...]
    seconds: float

    def check(self) -> None:
        """Return if nothing is left.

        Raises:
            CleanupError: something temporary is still there, or ARM could not be asked.
        """
        if self.left or self.errors:
            raise CleanupError(self.left, self.errors)


def cleanup(context: BuildContext) -> CleanupReport:
    """Remove everything temporary, what depends on nothing at the same time, and tell what is left."""
    started = time.monotonic()
    close_sessions(context)
    context.undo.seal()
    _release_disks(context)
    removed, errors = remove(context, _to_delete(context))
    # Without a credential, which preflight has said already, ARM could not be asked.
    left = _ask_what_is_left(context, errors) if context.undo.was_used else ()
    return CleanupReport(tuple(removed), left, tuple(errors), time.monotonic() - started)


def _release_disks(context: BuildContext) -> None:
    """End the access to disks that were being copied as VHDs: Azure deletes no disk before."""
    if any(type_of(each.id) == BLOB_TYPE for each in context.undo.newest_first()):
        # What goes wrong here does so again, and is told, where the disk is to go.
        with contextlib.suppress(VerifiedImagesError):
            revoke_all(context.arm, context.place.group, context.run.id)


def remove(context: BuildContext, temporaries: Sequence[Temporary]) -> tuple[list[str], list[BaseException]]:
    """Remove things that the build has made, what depends on nothing at the same time; one that is gone is no error.

    Returns the ids of what is gone, and what went wrong with the others.
    """
    removed: list[str] = []
    errors: list[BaseException] = []
    to_delete = {temporary.id: temporary for temporary in temporaries}
    for wave in in_deletion_waves(list(to_delete)):
        ended = together([functools.partial(_remove, context, to_delete[one]) for one in wave])
        removed += [one for one, error in zip(wave, ended, strict=True) if error is None]
        errors += filter(None, ended)
    return removed, errors


def remove_or_raise(context: BuildContext, temporaries: Sequence[Temporary]) -> None:
    """Remove things that the build has made before it goes on without them.

    Raises:
        CloudError, DeadlineError: something could not be removed.
    """
    _, errors = remove(context, temporaries)
    if errors:
        raise errors[0]


def _to_delete(context: BuildContext) -> Sequence[Temporary]:
    """Return what has to be deleted by itself: with a group of the build's own, all that is in it goes too."""
    everything, group = context.undo.newest_first(), context.place.group_id
    if not context.owns_group:
        return everything
    elsewhere = [each for each in everything if not is_inside(each.id, group)]
    # An image that is to go may not be one that a scale set still stands on.
    if any(not same_id(each.id, group) for each in elsewhere):
        return [each for each in everything if each in elsewhere or each.delete is not None]
    return elsewhere


def _remove(context: BuildContext, temporary: Temporary) -> VerifiedImagesError | None:
    """Delete something; return what went wrong."""
    delete = temporary.delete or functools.partial(delete_by_id, context.arm, temporary.id)
    try:
        delete_patiently(context.arm, temporary.kind, temporary.id, delete)
    except VerifiedImagesError as error:
        return error
    context.undo.forget(temporary.id)
    return None


def close_sessions(context: BuildContext) -> None:
    """Close every SSH session of the build; one that is broken is no error any more."""
    while context.sessions:
        with contextlib.suppress(VerifiedImagesError, OSError):
            context.sessions.pop().close()


def _ask_what_is_left(context: BuildContext, errors: list[BaseException]) -> tuple[str, ...]:
    """Return what still carries the run's tag and was not published; ARM's listing may lag behind its deletions."""
    seen: list[str] = []
    if not errors:
        look = functools.partial(_look_for_nothing, context, seen)
        patience = Deadline("an empty listing of the run's resources", LISTING_SECONDS)
        with contextlib.suppress(DeadlineError, CloudError):
            wait_for(look, patience, every=context.arm.connection.polling_interval)
            return ()
    try:
        return _outermost(_still_there(context))
    except (CloudError, DeadlineError) as error:
        errors.append(error)
        return _outermost([*seen, *(temporary.id for temporary in context.undo.newest_first())])


def _look_for_nothing(context: BuildContext, seen: list[str], deadline: Deadline) -> bool | None:
    left = _still_there(context)
    seen[:] = left
    deadline.saw(", ".join(left))
    return None if left else True


def _still_there(context: BuildContext) -> tuple[str, ...]:
    tagged = find_tagged(context.arm, RUN_TAG, context.run.id)
    return tuple(resource_id for resource_id in tagged if not context.undo.is_kept(resource_id))


def _outermost(ids: Iterable[str]) -> tuple[str, ...]:
    """Return the ids that lie inside none of the others: a group stands for what is in it."""
    found = list(dict.fromkeys(ids))
    return tuple(one for one in found if not any(is_inside(one, other) for other in found if not same_id(one, other)))
