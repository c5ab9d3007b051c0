"""Checks before a build: begun at once, answered together, so that all problems are told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from verified_images.errors import CloudError, PreflightError
from verified_images.stages.together import begin_together, settle

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


def begin_check(call: Callable[[], T]) -> Future[T]:
    """Begin a check in a thread of its own."""
    return begin_together([call])[0]


def answer(future: Future[T] | None, problems: list[str]) -> T | None:
    """Return what a check found, or None after adding why it failed to the problems."""
    if future is None:
        return None
    settle([future])
    try:
        return future.result()
    except PreflightError as error:
        problems += error.problems
    except CloudError as error:
        problems.append(str(error))
    return None
