"""Eviction: Azure takes spot machines back at any time, and whatever fails then has failed because of that."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from verified_images.cloud.compute import is_taken_back
from verified_images.errors import CloudError, DeadlineError, EvictedError, MachineError, ProvisionerError
from verified_images.stages.ladder import NEXT_RUNG
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.stages.context import BuildContext

NOTICE_SECONDS = 30.0
"""How long Azure's word on a machine may lag behind its end (Azure: Spot machines get 30 seconds of notice)."""


@contextmanager
def telling_eviction(context: BuildContext) -> Iterator[None]:
    """Let what fails on the build VM be told as its eviction, where it is a spot machine that Azure took back.

    Raises:
        EvictedError: it was; what failed is its cause.
    """
    try:
        yield
    except (MachineError, ProvisionerError, CloudError, DeadlineError) as error:
        if evicted := find_eviction(context, error):
            raise evicted from error
        raise


def find_eviction(context: BuildContext, error: BaseException) -> EvictedError | None:
    """Return the eviction of the build VM that has made something fail, or None: ``error`` has another cause."""
    if context.template.builder.spot is None or isinstance(error, NEXT_RUNG):
        return None
    with suppress(DeadlineError, CloudError):
        patience = Deadline("word of an eviction", NOTICE_SECONDS if _is_gone(error) else 0.0)
        wait_for(lambda _: _is_evicted(context) or None, patience, every=context.arm.connection.polling_interval)
        return _evicted(context)
    return None


def check_not_evicted(context: BuildContext) -> None:
    """Return if the build VM is there.

    Raises:
        EvictedError: Azure took it back.
        CloudError: ARM could not be asked.
    """
    if _is_evicted(context):
        raise _evicted(context)


def _is_evicted(context: BuildContext) -> bool:
    return is_taken_back(context.arm, context.place.group, context.run.names.virtual_machine)


def _is_gone(error: BaseException | None) -> bool:
    """Tell whether it looks as if the machine had ended, rather than as if something on it had gone wrong."""
    while error is not None:
        if isinstance(error, MachineError) and not getattr(error, "exit_code", None):
            return True
        error = error.__cause__
    return False


def _evicted(context: BuildContext) -> EvictedError:
    name = context.run.names.virtual_machine
    return EvictedError(
        f"Azure took the spot machine '{name}' back before it was captured; run again, name several of vm_size, zone "
        "and location, or build without builder.spot",
        machine=name,
    )
