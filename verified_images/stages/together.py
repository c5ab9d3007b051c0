"""Doing independent things at once, none of which outlives whoever wanted it."""

from __future__ import annotations

import contextvars
import threading
from concurrent.futures import ALL_COMPLETED, FIRST_EXCEPTION, Future, wait
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from verified_images.errors import CalledOffError
from verified_images.waiting import UNLIMITED, Deadline, until_called_off

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
U = TypeVar("U")

CALLED_OFF_WITHIN = 60.0
"""Seconds that a call may take to end once it is called off; a request to Azure that is on its way is let arrive."""


def begin_together(calls: Sequence[Callable[[], T]]) -> list[Future[T]]:
    """Start every call in a thread of its own and return what they will give, in the same order.

    The threads are daemons: after Ctrl-C nobody waits for a call that waits for Azure. Only for calls that create
    nothing: clean-up does not wait for them.
    """
    futures: list[Future[T]] = []
    for call in calls:
        future: Future[T] = Future()
        context = contextvars.copy_context()
        threading.Thread(target=context.run, args=(_settle, future, call), daemon=True).start()
        futures.append(future)
    return futures


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Run every call at once and return their results in order, once all have ended.

    If one fails, the others are called off, as they are by Ctrl-C; the error of the first that failed is raised when
    all have ended.
    """
    off = threading.Event()
    with until_called_off(off):
        futures = begin_together(calls)
    try:
        _await(futures, FIRST_EXCEPTION)
    finally:
        off.set()
        wait(futures, timeout=CALLED_OFF_WITHIN)
    if error := _first_error(futures):
        raise error
    return [future.result() for future in futures]


def both(first: Callable[[], T], second: Callable[[], U]) -> tuple[T, U]:
    """Run two calls of different kinds at once, as ``together`` does."""
    calls: list[Callable[[], Any]] = [first, second]
    one, other = together(calls)
    return one, other


@contextmanager
def beside(call: Callable[[], T]) -> Iterator[Future[T]]:
    """Run a call while the block runs, and give what it will give; leaving the block waits for its end.

    Leaving it by an error calls the call off. An error of the call is not raised here: it is in the future.
    """
    off = threading.Event()
    with until_called_off(off):
        futures = begin_together([call])
    try:
        yield futures[0]
        settle(futures)
    finally:
        off.set()
        wait(futures, timeout=CALLED_OFF_WITHIN)


def settle(futures: Sequence[Future[Any]]) -> None:
    """Wait until all have ended, well or not.

    Raises:
        DeadlineError: the budget ended first.
        CalledOffError: nobody wants it any more.
    """
    _await(futures, ALL_COMPLETED)


def _await(futures: Sequence[Future[Any]], until: str) -> None:
    deadline = Deadline("the end of what was begun", UNLIMITED)
    while wait(futures, deadline.patience, until).not_done:
        if until == FIRST_EXCEPTION and _first_error(futures):
            return
        deadline.check()


def _first_error(futures: Sequence[Future[Any]]) -> BaseException | None:
    """Return the error of a call that failed by itself, else of one that was called off."""
    errors = [error for future in futures if future.done() and (error := future.exception())]
    return next((error for error in errors if not isinstance(error, CalledOffError)), next(iter(errors), None))


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        result = call()
    except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits
        future.set_exception(error)
    else:
        future.set_result(result)
