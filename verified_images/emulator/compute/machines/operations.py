"""Long-running actions on a machine, begun in the way that all of them are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.machines.power import check_allowed, conclude
from verified_images.emulator.lifecycle import check_wanted, set_state
from verified_images.emulator.operations import COMPUTE, Work
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource


def begin(
    cloud: Cloud, request: Request, machine: Resource, action: str, work: Callable[[Cloud, Resource], Any]
) -> Answer:
    """Answer a call with 202, and do ``work`` in the machine's turn; what it returns is the operation's result.

    Raises:
        ArmError: 409 OperationNotAllowed: the machine is generalized or being deleted.
    """
    with cloud.store.lock:
        check_allowed(action, machine)
        set_state(cloud, machine.id, "Updating")
    started = cloud.operations.start(
        request,
        f"{machine.id.type}/{action}/action",
        machine.location,
        Work(
            lambda: work(cloud, check_wanted(cloud, machine.id)),
            on=machine.id,
            conclude=lambda succeeded: conclude(cloud, machine.id, succeeded=succeeded),
        ),
        track=COMPUTE,
        slow=True,
    )
    return Answer(202, None, started.status_header | started.location_header)
