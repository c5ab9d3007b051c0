"""A candidate gets a number of its own, and nobody else's version is ever touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cloud.scripted_arm import SUBSCRIPTION, Answer
from tests.stages.conftest import GALLERY
from verified_images.errors import CloudError, ConflictError
from verified_images.stages.candidate import delete_own_image, delete_own_version, make_candidate_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud.scripted_arm import ScriptedArm
    from verified_images.journal import Journal
    from verified_images.stages.context import BuildContext

IMAGES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"
VERSIONS = f"{IMAGES}/galleries/golden/images/web/versions"
MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"
OTHERS = {"tags": {"vi-run": "zzzzzzzz"}}
TAKEN = Answer(409, {"error": {"code": "Conflict", "message": "Being created."}})


def made(scripted: ScriptedArm) -> list[str]:
    return [path.rpartition("/")[2] for method, path in scripted.methods() if method == "PUT"]


def test_a_candidate_is_hidden_from_latest(open_build: Callable[..., BuildContext], scripted: ScriptedArm) -> None:
    assert make_candidate_version(open_build(), f"{VERSIONS}/1.0.0", MACHINE) == f"{VERSIONS}/1.0.0"
    body = scripted.bodies("PUT", "versions/1.0.0$")[0]
    assert body["properties"]["publishingProfile"]["excludeFromLatest"] is True
    assert body["properties"]["storageProfile"] == {"source": {"virtualMachineId": MACHINE}}
    assert body["tags"] == {
        "team": "platform",
        "vi-run": "abcdefgh",
        "vi-spec": "web",
        "vi-owner": "ada",
        "vi-created": "2026-05-04T03:02:01Z",
        "vi-expires": "2026-05-04T11:02:01Z",
        "vi-verdict": "candidate",
    }


def test_a_number_that_another_build_took_is_passed_over(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, journal: Journal
) -> None:
    scripted.put(f"{VERSIONS}/1.0.0", **OTHERS)
    version = make_candidate_version(open_build(), f"{VERSIONS}/1.0.0", MACHINE)
    assert version == f"{VERSIONS}/1.0.1"
    assert made(scripted) == ["1.0.1"]
    assert [entry.resource_id for entry in journal.left()] == [version]


def test_a_number_that_another_build_takes_at_the_same_moment_is_left_to_it(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, journal: Journal
) -> None:
    scripted.script("PUT", "versions/1.0.0$", TAKEN)
    listed = Answer(200, {"value": [{"name": "1.0.0", "properties": {}}]})
    scripted.script("GET", "images/web/versions$", listed)
    context = open_build()
    assert make_candidate_version(context, f"{VERSIONS}/1.0.0", MACHINE) == f"{VERSIONS}/1.0.1"
    assert [entry.resource_id for entry in journal.left()] == [f"{VERSIONS}/1.0.1"]


def test_a_version_overwritten_by_another_build_is_not_ours(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm
) -> None:
    theirs = {**OTHERS, "properties": {"provisioningState": "Succeeded"}}
    scripted.script("PUT", "versions/1.0.0$", Answer(200, theirs))
    scripted.script("GET", "versions/1.0.0$", Answer(200, theirs))
    scripted.script("GET", "versions/1.0.0$", Answer(404, {}), times=1)
    listed = Answer(200, {"value": [{"name": "1.0.0", "properties": {}}]})
    scripted.script("GET", "images/web/versions$", listed)
    assert make_candidate_version(open_build(), f"{VERSIONS}/1.0.0", MACHINE) == f"{VERSIONS}/1.0.1"


def test_a_version_that_the_template_names_is_not_replaced_by_the_next(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, journal: Journal
) -> None:
    scripted.put(f"{VERSIONS}/2.0.0", **OTHERS)
    context = open_build(image={"gallery": {**GALLERY, "version": "2.0.0"}})
    with pytest.raises(ConflictError, match=r"another build has made image version '2.0.0'"):
        make_candidate_version(context, f"{VERSIONS}/2.0.0", MACHINE)
    assert made(scripted) == []
    assert journal.left() == ()


def test_a_failure_leaves_the_version_to_clean_up(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, journal: Journal
) -> None:
    failed = {"error": {"code": "InternalServerError", "message": "Storage allocation failure."}}
    scripted.script("PUT", "versions/1.0.0$", Answer(400, failed))
    with pytest.raises(CloudError, match="Storage allocation failure"):
        make_candidate_version(open_build(), f"{VERSIONS}/1.0.0", MACHINE)
    assert [entry.resource_id for entry in journal.left()] == [f"{VERSIONS}/1.0.0"]


@pytest.mark.parametrize(("run", "deleted"), [("abcdefgh", True), ("zzzzzzzz", False)])
def test_only_our_own_is_deleted(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, run: str, *, deleted: bool
) -> None:
    for resource_id in (f"{VERSIONS}/1.0.0", f"{IMAGES}/images/web"):
        scripted.put(resource_id, tags={"vi-run": run})
    context = open_build()
    delete_own_version(context, f"{VERSIONS}/1.0.0")
    delete_own_image(context, f"{IMAGES}/images/web")
    assert [method for method, _ in scripted.methods()] == ["DELETE"] * (2 if deleted else 0)


def test_what_is_not_there_needs_no_delete(open_build: Callable[..., BuildContext], scripted: ScriptedArm) -> None:
    delete_own_version(open_build(), f"{VERSIONS}/1.0.0")
    delete_own_image(open_build(), f"{IMAGES}/images/web")
    assert scripted.methods() == []
