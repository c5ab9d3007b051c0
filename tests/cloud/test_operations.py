"""Long-running operations: waited for, told about, given up."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from tests.cloud.scripted_arm import ENDPOINT, Answer
from verified_images.cloud.compute import deallocate_machine
from verified_images.cloud.network import begin_public_address, begin_virtual_network
from verified_images.cloud.operations import Arm, Operation
from verified_images.errors import CapacityError, DeadlineError
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from tests.cloud.scripted_arm import ScriptedArm
    from verified_images.cloud.place import Place

STATUS_URL = f"{ENDPOINT}/subscriptions/s/providers/Microsoft.Compute/locations/l/operations/1"


def accept(scripted: ScriptedArm) -> None:
    """Let ARM accept a deallocation as a long-running operation."""
    scripted.script("POST", "deallocate$", Answer(202, None, {"Azure-AsyncOperation": STATUS_URL}))


def answer_status(scripted: ScriptedArm, status: str, *, times: int = 1_000_000, **more: object) -> None:
    """Let the operation have this status."""
    scripted.script("GET", "operations/1$", Answer(200, {"status": status, **more}), times=times)


def test_an_operation_is_polled_until_it_succeeds(
    arm: Arm, place: Place, scripted: ScriptedArm, said: list[str]
) -> None:
    accept(scripted)
    answer_status(scripted, "Succeeded")
    answer_status(scripted, "InProgress", times=3)
    deallocate_machine(arm, place.group, "vm")
    polls = [sent for sent in scripted.sent if sent.method == "GET"]
    assert len(polls) == 4
    assert said[0] == "deallocate virtual machine 'vm' ..."
    assert said[-1].startswith("deallocate virtual machine 'vm': ")


def test_a_failed_operation_is_an_error_of_the_right_kind(arm: Arm, place: Place, scripted: ScriptedArm) -> None:
    accept(scripted)
    answer_status(scripted, "Failed", error={"code": "AllocationFailed", "message": "No room."})
    with pytest.raises(CapacityError, match="deallocate virtual machine 'vm' failed: AllocationFailed: No room"):
        deallocate_machine(arm, place.group, "vm")


def test_independent_operations_run_at_once(arm: Arm, place: Place, scripted: ScriptedArm) -> None:
    first = begin_virtual_network(arm, place, "vnet", "subnet")
    second = begin_public_address(arm, place, "ip")
    assert [method for method, _ in scripted.methods()] == ["PUT", "PUT"]
    first.result()
    second.result()


class StuckPoller:
    """A poller whose operation never ends."""

    def done(self) -> bool:
        return False

    def status(self) -> str:
        return "InProgress"

    def wait(self, timeout: float) -> None:
        threading.Event().wait(min(timeout, 0.01))

    def result(self) -> None:
        raise AssertionError("it never ends")


class InterruptedPoller(StuckPoller):
    """A poller whose waiting thread gets Ctrl-C."""

    def wait(self, timeout: float) -> None:
        raise KeyboardInterrupt(timeout)


def create_vm(poller: StuckPoller, said: list[str], *, news: float = 30.0) -> Operation[None]:
    deadline = Deadline("create virtual machine 'vm'", 0.05)
    like_the_sdks: Any = poller
    return Operation("create virtual machine", "vm", like_the_sdks, deadline, said.append, _next_news=news)


def test_an_operation_that_never_ends_meets_its_deadline(said: list[str]) -> None:
    with pytest.raises(DeadlineError, match=r"create virtual machine 'vm' did not happen .* InProgress"):
        create_vm(StuckPoller(), said).result()
    assert said == []


def test_an_operation_may_take_as_long_as_the_build_says(arm: Arm, said: list[str]) -> None:
    like_the_sdks: Any = StuckPoller()
    with pytest.raises(DeadlineError, match=r"delete disk 'd' did not happen"):
        Arm(arm.connection, said.append, seconds=0.05).run("delete disk", "d", lambda: like_the_sdks)


def test_news_comes_while_it_takes_long(said: list[str]) -> None:
    with pytest.raises(DeadlineError):
        create_vm(StuckPoller(), said, news=0.0).result()
    assert said == ["create virtual machine 'vm': InProgress for 0 s"]


def test_ctrl_c_ends_the_wait_at_once(said: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        create_vm(InterruptedPoller(), said).result()
