"""Doing independent things at once."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar

from verified_images.waiting import UNLIMITED, Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")


def begin_together(calls: Sequence[Callable[[], T]]) -> list[Future[T]]:
    """Start every call in a thread of its own and return what they will give, in the same order.

    The threads are daemons: after Ctrl-C nobody waits for a call that waits for Azure.
    """
    futures: list[Future[T]] = []
    for call in calls:
        future: Future[T] = Future()
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(_settle, future, call), daemon=True).start()
        futures.append(future)
    return futures


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run every call at once and return their results in order, once all have ended; raise the first's error."""
    futures = begin_together(calls)
    settle(futures)
    return [future.result() for future in futures]


def settle(futures: Sequence[Future[Any]]) -> None:
    """Wait until all have ended, well or not.

    Raises:
        DeadlineError: the budget ended first.
    """
    deadline = Deadline("the end of what was begun", UNLIMITED)
    while wait(futures, timeout=min(deadline.remaining, UNLIMITED)).not_done:
        deadline.check()


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
        future.set_exception(error)
    else:
        future.set_result(result)
