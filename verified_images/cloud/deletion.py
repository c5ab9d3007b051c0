"""Deleting what may still be in use: again and again, until Azure lets it go."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from verified_images.errors import CloudError, ConflictError, NotFoundError
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.cloud.operations import Arm

DELETE_SECONDS = 30 * 60.0
"""How long one resource may refuse to go because another one uses it still."""

# Network refuses with 400 what is still used: NicInUse, InUseSubnetCannotBeDeleted, NicReservedForAnotherVm ...
_IN_USE = ("InUse", "CannotBeDeleted", "CannotDelete", "ReservedForAnotherVm", "Retryable", "AnotherOperation")


def delete_patiently(arm: Arm, kind: str, resource_id: str, delete: Callable[[], None]) -> None:
    """Delete a resource, again and again as long as ARM says that something uses it; one that is gone is no error.

    ``kind`` says in words what it is.

    Raises:
        CloudError: ARM refused for another reason.
        DeadlineError: it was still in use after half an hour.
    """
    deadline = Deadline(f"deletion of {kind} '{resource_id}'", DELETE_SECONDS)
    attempt = functools.partial(_try_to_delete, arm, delete)
    wait_for(attempt, deadline, every=max(1.0, arm.connection.polling_interval))


def _try_to_delete(arm: Arm, delete: Callable[[], None], deadline: Deadline) -> bool | None:
    try:
        delete()
    except NotFoundError:
        return True
    except CloudError as error:
        if isinstance(error, ConflictError) or any(word in error.code for word in _IN_USE):
            if error.code not in deadline.last_seen:
                arm.report(f"{error}; trying again for {deadline.remaining / 60:.0f} minutes")
            deadline.saw(str(error))
            return None
        raise
    return True
