"""What a failure report shows of the machines: their serial logs."""

from __future__ import annotations

import contextlib
import functools
from typing import TYPE_CHECKING

from verified_images.cloud.compute import fetch_serial_log
from verified_images.errors import CloudError, DeadlineError
from verified_images.stages.scale_set import instances_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from verified_images.stages.context import BuildContext


def read_serial_logs(context: BuildContext) -> Mapping[str, str]:
    """Return the serial log of each machine by its name, secrets masked; one that cannot be had is left out."""
    logs = {}
    with contextlib.suppress(CloudError, DeadlineError):
        for name, read in _machines(context):
            with contextlib.suppress(CloudError):
                logs[name] = context.masker(read())
    return logs


def _machines(context: BuildContext) -> Iterator[tuple[str, Callable[[], str]]]:
    arm, place, names = context.arm, context.place, context.run.names
    if context.undo.is_registered(place.compute_id("virtualMachines", names.virtual_machine)):
        name = names.virtual_machine
        yield name, functools.partial(fetch_serial_log, arm, place.group, name)
    if context.undo.is_registered(place.compute_id("virtualMachineScaleSets", names.scale_set)):
        instances = instances_of(context)
        for state in instances.read_states():
            yield state.name, functools.partial(instances.fetch_log, state.number)
