"""Publishing needs a passed verdict, happens at every target or at none, and says what was published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.cloud.scripted_arm import SUBSCRIPTION, Answer
from tests.stages.conftest import GALLERY, MANAGED
from verified_images.errors import CloudError, GateClosedError
from verified_images.reports.verdict import Verdict
from verified_images.ssh.reach import reach_directly
from verified_images.stages.candidate import candidate_tags
from verified_images.stages.capture import CapturedImage
from verified_images.stages.cleanup import cleanup
from verified_images.stages.preflight import BuildPlan
from verified_images.stages.publish import publish
from verified_images.stages.scale_set import ScaleSet
from verified_images.stages.source import PinnedSource

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud.scripted_arm import ScriptedArm
    from tests.stages.conftest import Told
    from verified_images.journal import Journal
    from verified_images.stages.context import BuildContext

IMAGES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images/providers/Microsoft.Compute"
VERSION = f"{IMAGES}/galleries/golden/images/web/versions/1.0.0"
IMAGE = f"{IMAGES}/images/web-abcdefgh"
MACHINE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/vm"
SOURCE = PinnedSource("Debian:debian-12:12-gen2:12.2.10", "12.2.10", {}, "V2", "x64")
PLAN = BuildPlan(SOURCE, ("203.0.113.7/32",), VERSION, IMAGE)
CAPTURED = CapturedImage(PLAN, MACHINE, VERSION, "/subscriptions/s/candidate")
SCALE_SET = ScaleSet("/subscriptions/s/ss", "ss", VERSION, (), None, reach_directly)
PASSED = Verdict(passed=True, tests=12)


def replication(aggregated: str, **regions: str) -> dict[str, Any]:
    summary = [{"region": region.replace("_", " "), "state": state} for region, state in regions.items()]
    return {"replicationStatus": {"aggregatedState": aggregated, "summary": summary}}


@pytest.fixture
def context(open_build: Callable[..., BuildContext], scripted: ScriptedArm) -> BuildContext:
    gallery = {**GALLERY, "regions": ["northeurope"], "replicas": 3, "end_of_life": "2027-01-31"}
    context = open_build(image={"gallery": gallery, "managed": MANAGED, "tags": {"team": "platform"}})
    context.undo.register("image version", VERSION, lambda: scripted.forget(VERSION))
    done = replication("Completed", West_Europe="Completed", North_Europe="Completed")
    scripted.put(VERSION, tags=candidate_tags(context), properties=done)
    return context


@pytest.mark.parametrize(
    ("verdict", "scale_set", "reason"),
    [
        (Verdict(passed=False, reasons=("test_x failed",)), SCALE_SET, "test_x failed"),
        (PASSED, ScaleSet("i", "ss", "/another", (), None, reach_directly), "'ss' was deployed from another image"),
    ],
)
def test_the_gate_is_closed(
    context: BuildContext, scripted: ScriptedArm, verdict: Verdict, scale_set: ScaleSet, reason: str
) -> None:
    with pytest.raises(GateClosedError, match=f"publish not done: .*{reason}"):
        publish(context, CAPTURED, scale_set, verdict)
    assert scripted.methods() == []


def test_both_targets_become_visible(context: BuildContext, scripted: ScriptedArm, journal: Journal) -> None:
    published = publish(context, CAPTURED, SCALE_SET, PASSED)
    assert published.ids == (IMAGE, VERSION)
    assert published.version == "1.0.0"
    assert published.regions == ("westeurope", "northeurope")
    image = scripted.bodies("PUT", "images/web-abcdefgh$")[0]
    assert image["properties"] == {"sourceVirtualMachine": {"id": MACHINE}, "hyperVGeneration": "V2"}
    promotion = scripted.bodies("PATCH", "versions/1.0.0$")[0]
    assert promotion["properties"]["publishingProfile"] == {
        "excludeFromLatest": False,
        "endOfLifeDate": "2027-01-31T00:00:00+00:00",
        "targetRegions": [
            {"name": name, "regionalReplicaCount": 3, "storageAccountType": "Standard_LRS"}
            for name in ("westeurope", "northeurope")
        ],
    }
    for tags in (image["tags"], promotion["tags"]):
        assert tags["vi-verdict"] == "verified"
        assert tags["vi-tests"] == "12"
        assert tags["vi-source"] == "Debian:debian-12:12-gen2:12.2.10"
        assert tags["team"] == "platform"
        assert "vi-expires" not in tags
    assert journal.left() == ()


def test_what_is_published_outlives_clean_up(context: BuildContext, scripted: ScriptedArm) -> None:
    publish(context, CAPTURED, SCALE_SET, PASSED)
    listed = [{"id": VERSION}, {"id": IMAGE}]
    scripted.script("GET", "/resources$", Answer(200, {"value": listed}))
    scripted.script("GET", "/resourcegroups$", Answer(200, {"value": []}))
    cleanup(context).check()
    assert {VERSION.lower(), IMAGE.lower()} <= scripted.store.keys()


def test_replication_is_waited_for_and_told(context: BuildContext, scripted: ScriptedArm, told: Told) -> None:
    under_way = replication("InProgress", West_Europe="Completed", North_Europe="Replicating")
    scripted.script("GET", "versions/1.0.0$", Answer(200, {"properties": under_way}), times=3)
    publish(context, CAPTURED, SCALE_SET, PASSED)
    news = [step for step in told.steps if step.startswith("replication: ")]
    assert news == [
        "replication: West Europe Completed, North Europe Replicating",
        "replication: West Europe Completed, North Europe Completed",
    ]


def test_half_a_publication_is_taken_back(context: BuildContext, scripted: ScriptedArm) -> None:
    failed = replication("Failed", West_Europe="Completed", North_Europe="Failed")
    scripted.script("GET", "versions/1.0.0$", Answer(200, {"properties": failed}))
    with pytest.raises(CloudError, match=r"could not be replicated: .*North Europe"):
        publish(context, CAPTURED, SCALE_SET, PASSED)
    assert IMAGE.lower() in scripted.store
    scripted.script("GET", "/resource(group)?s$", Answer(200, {"value": []}))
    cleanup(context)
    assert not {VERSION.lower(), IMAGE.lower()} & scripted.store.keys()
