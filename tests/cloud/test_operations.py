"""Long-running operations: waited for, told about, given up."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.cloud.scripted_arm import ENDPOINT, Answer
from verified_images.cloud.compute import deallocate_machine
from verified_images.cloud.network import begin_public_address, begin_virtual_network
from verified_images.cloud.operations import Arm, Operation
from verified_images.errors import CapacityError, CloudError, DeadlineError
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
    polls = [sent for sent in scripted.sent if sent.path.endswith("operations/1")]
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


def looking(look: Callable[[], Any]) -> Operation[Any]:
    """Return an operation whose end only the resource itself tells."""
    like_the_sdks: Any = StuckPoller()
    deadline = Deadline("create disk 'd'", 3600)
    return Operation("create disk", "d", like_the_sdks, deadline, lambda _: None, look, _next_look=0.0)


def test_the_resource_itself_may_tell_first_that_an_operation_is_done(arm: Arm) -> None:
    disk = {"properties": {"provisioningState": "Succeeded"}}
    operation = looking(arm.when_provisioned("disk", "d", lambda: disk))
    assert not operation.done
    assert operation.result() is disk
    assert operation.done


def test_a_resource_is_looked_at_again_until_it_is_provisioned(arm: Arm) -> None:
    states = iter(["Creating", "Updating", "Succeeded"])
    look = arm.when_provisioned("disk", "d", lambda: {"properties": {"provisioningState": next(states)}})
    operation = looking(look)
    assert operation.result()["properties"]["provisioningState"] == "Succeeded"


def test_a_look_that_is_refused_tells_nothing() -> None:
    answers: Iterator[Any] = iter([CloudError("no"), "done"])

    def look() -> Any:  # noqa: ANN401 - anything
        if isinstance(answer := next(answers), Exception):
            raise answer
        return answer

    assert looking(look).result() == "done"


def test_what_is_not_found_any_more_is_deleted(arm: Arm, place: Place) -> None:
    groups = arm.connection.network.network_security_groups
    assert looking(arm.when_gone("network security group", "g", lambda: groups.get(place.group, "g"))).result()


def test_a_connection_that_does_not_look_leaves_it_to_the_operation(arm: Arm) -> None:
    patient = replace(arm, connection=replace(arm.connection, looks=False))
    like_the_sdks: Any = StuckPoller()
    assert patient.begin("delete disk", "d", lambda: like_the_sdks, look=lambda: None).look is None


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
