"""Clean-up removes everything, whatever goes wrong, and names what is left."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from tests.cloud.scripted_arm import Answer
from verified_images.errors import CalledOffError, CleanupError
from verified_images.stages.cleanup import cleanup
from verified_images.stages.provision import create_temporary_group

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud.scripted_arm import ScriptedArm
    from verified_images.journal import Journal
    from verified_images.stages.context import BuildContext

VERSION = "/subscriptions/s/resourceGroups/images/providers/Microsoft.Compute/galleries/g/images/i/versions/1.0.0"
NIC_IN_USE = {"error": {"code": "NicInUse", "message": "In use.", "details": []}}


def test_nothing_made_is_nothing_removed_and_nothing_asked(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm
) -> None:
    report = cleanup(open_build())
    report.check()
    assert report.removed == report.left == ()
    assert scripted.sent == []


def test_the_group_goes_last_and_takes_its_members_along(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, journal: Journal
) -> None:
    context = open_build()
    create_temporary_group(context)
    context.undo.register("network interface", context.place.network_id("networkInterfaces", "nic"))
    deleted = []
    context.undo.register("image version", VERSION, lambda: deleted.append(VERSION))
    report = cleanup(context)
    report.check()
    assert report.removed == (VERSION, context.place.group_id)
    assert deleted == [VERSION]
    assert scripted.methods()[-1][0] == "DELETE"
    assert journal.left() == ()


def test_a_delete_that_is_refused_while_in_use_is_tried_again(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm
) -> None:
    context = open_build()
    create_temporary_group(context)
    scripted.script("DELETE", "resourcegroups", Answer(400, NIC_IN_USE), times=1)
    cleanup(context).check()
    assert [method for method, _ in scripted.methods()].count("DELETE") == 2


def test_one_failure_does_not_stop_the_rest(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, journal: Journal
) -> None:
    context = open_build()
    create_temporary_group(context)
    context.undo.register("image version", VERSION, lambda: None)
    scale_set = context.place.compute_id("virtualMachineScaleSets", "ss")
    scripted.script("DELETE", "ss$", Answer(403, {"error": {"code": "AuthorizationFailed", "message": "No."}}))

    def delete() -> None:
        context.arm.run(
            "delete scale set",
            "ss",
            lambda: context.arm.connection.compute.virtual_machine_scale_sets.begin_delete(context.place.group, "ss"),
        )

    context.undo.register("scale set", scale_set, delete)
    report = cleanup(context)
    assert report.removed == (VERSION, context.place.group_id)
    assert len(report.errors) == 1
    with pytest.raises(CleanupError, match="delete scale set 'ss' failed: AuthorizationFailed"):
        report.check()
    assert journal.left() == ()


def test_a_scale_set_goes_first_where_its_image_goes_and_else_with_the_group(
    open_build: Callable[..., BuildContext],
) -> None:
    deleted = []
    for version in (VERSION, None):
        context = open_build()
        create_temporary_group(context)
        scale_set = context.place.compute_id("virtualMachineScaleSets", "ss")
        context.undo.register("scale set", scale_set, lambda: deleted.append("scale set"))
        if version:
            context.undo.register("image version", version, lambda: deleted.append("version"))
        cleanup(context).check()
    assert deleted == ["scale set", "version"]


def test_in_a_group_that_stays_what_depends_on_nothing_goes_at_the_same_time(
    open_build: Callable[..., BuildContext],
) -> None:
    context = open_build(builder={"resource_group": "ours"})
    deleted: list[str] = []
    meeting = threading.Barrier(2)

    def delete(name: str, *, meets: bool = False) -> Callable[[], None]:
        def note() -> None:
            if meets:
                meeting.wait(30)
            deleted.append(name)

        return note

    place = context.place
    context.undo.register("virtual network", place.network_id("virtualNetworks", "net"), delete("net", meets=True))
    context.undo.register("public IP address", place.network_id("publicIPAddresses", "ip"), delete("ip", meets=True))
    context.undo.register("network interface", place.network_id("networkInterfaces", "nic"), delete("nic"))
    context.undo.register("virtual machine", place.compute_id("virtualMachines", "vm"), delete("vm"))
    context.undo.register("image version", VERSION, delete("version"))
    cleanup(context).check()
    assert deleted[:3] == ["version", "vm", "nic"]
    assert sorted(deleted[3:]) == ["ip", "net"]


def test_nothing_is_made_any_more_once_clean_up_has_begun(open_build: Callable[..., BuildContext]) -> None:
    context = open_build()
    cleanup(context).check()
    with pytest.raises(CalledOffError):
        create_temporary_group(context)


def test_what_still_carries_the_tag_is_named(open_build: Callable[..., BuildContext], scripted: ScriptedArm) -> None:
    context = open_build()
    create_temporary_group(context)
    scripted.script("DELETE", "resourcegroups", Answer(403, {"error": {"code": "Locked", "message": "No."}}))
    group, nic = context.place.group_id, context.place.network_id("networkInterfaces", "nic")
    scripted.script("GET", "/resourcegroups$", Answer(200, {"value": [{"id": group}]}))
    scripted.script("GET", "/resources$", Answer(200, {"value": [{"id": nic.upper()}]}))
    report = cleanup(context)
    assert report.left == (group,)
    with pytest.raises(CleanupError, match=r"1 temporary resource\(s\) are still there: .*vi-web-abcdefgh") as caught:
        report.check()
    assert caught.value.left == (group,)
    queries = [sent.query["$filter"] for sent in scripted.sent if "$filter" in sent.query]
    assert queries[0] == ["tagName eq 'vi-run' and tagValue eq 'abcdefgh'"]


def test_a_published_image_is_not_left_over(open_build: Callable[..., BuildContext], scripted: ScriptedArm) -> None:
    context = open_build()
    image = "/subscriptions/s/resourceGroups/images/providers/Microsoft.Compute/images/web"
    context.undo.register("image", image, lambda: pytest.fail("it was deleted"))
    context.undo.keep(image)
    scripted.script("GET", "/resources$", Answer(200, {"value": [{"id": image.upper()}]}))
    cleanup(context).check()


def test_a_cloud_that_does_not_answer_leaves_what_the_journal_has(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm
) -> None:
    context = open_build()
    create_temporary_group(context)
    refused = Answer(403, {"error": {"code": "AuthorizationFailed", "message": "No."}})
    scripted.script("DELETE", "", refused)
    scripted.script("GET", "", refused)
    report = cleanup(context)
    assert report.left == (context.place.group_id,)
    assert len(report.errors) == 2


def test_sessions_are_closed_even_when_one_is_broken(open_build: Callable[..., BuildContext]) -> None:
    closed: list[str] = []

    class Session:
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)
            raise OSError("broken")

    context = open_build()
    context.sessions.extend([Session("vm"), Session("instance")])  # type: ignore[list-item]
    cleanup(context)
    assert closed == ["instance", "vm"]
