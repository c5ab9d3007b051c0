"""The same work on several machines at once."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import ArmError, unexpected
from verified_images.emulator.compute.machines import power
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.lifecycle import check_wanted
from verified_images.emulator.operations import PREEMPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

logger = logging.getLogger(__name__)


def on_each(cloud: Cloud, machines: Sequence[Resource], work: Callable[[Cloud, Resource], None]) -> None:
    """Do something on machines side by side, each in its turn; one that is deleted meanwhile is left out.

    Raises:
        ArmError: the first failure, when all have come to an end.
    """

    def in_turn(machine: Resource) -> Callable[[], None]:
        def act() -> None:
            succeeded = False
            with cloud.operations.turns.ask(machine.id.key):
                try:
                    work(cloud, check_wanted(cloud, machine.id))
                    succeeded = True
                finally:
                    power.conclude(cloud, machine.id, succeeded=succeeded)

        return act

    together([in_turn(machine) for machine in machines])


def together(calls: Sequence[Callable[[], None]]) -> None:
    """Make calls at once and wait for all; one that is preempted by a deletion is no failure.

    Raises:
        ArmError: the first failure, when all have come to an end.
    """
    failures: list[ArmError] = []

    def run(call: Callable[[], None]) -> None:
        try:
            call()
        except ArmError as error:
            if error.code != PREEMPTED:
                failures.append(error)
        except HypervisorError as error:
            failures.append(ArmError(409, "InternalExecutionError", str(error)))
        except Exception as error:
            logger.exception("work on one of several machines failed")
            failures.append(unexpected(error))

    threads = [threading.Thread(target=run, args=(call,), name="one of several", daemon=True) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
