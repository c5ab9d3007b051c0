"""Capture: turn the tested machine into a candidate image that nobody picks up by accident."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from verified_images.cloud.compute import deallocate_machine, generalize_machine
from verified_images.cloud.images import begin_image_from_machine
from verified_images.errors import GateClosedError
from verified_images.stages.candidate import make_candidate_version
from verified_images.stages.deprovision import deprovision
from verified_images.stages.eviction import telling_eviction
from verified_images.stages.ladder import at_rung
from verified_images.stages.network_parts import make_scale_set_network
from verified_images.stages.security import image_encryption
from verified_images.stages.together import beside

if TYPE_CHECKING:
    from concurrent.futures import Future

    from verified_images.cloud.operations import Operation
    from verified_images.reports.verdict import Verdict
    from verified_images.stages.context import BuildContext
    from verified_images.stages.preflight import BuildPlan
    from verified_images.stages.provision import Provisioned


@dataclass(frozen=True, slots=True)
class CapturedImage:
    """The candidates made from the generalized VM ``machine_id``; at least one of the two is there.

    ``gallery_version`` and ``managed_image`` are ARM ids; the managed one lies in the temporary group. It is there too
    where a VHD alone is the target, which no machine can be made from directly.
    ``scale_set_network`` is how the making of the scale set's network went, if that was begun meanwhile.
    """

    plan: BuildPlan
    machine_id: str
    gallery_version: str | None = None
    managed_image: str | None = None
    scale_set_network: Future[None] | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str:
        """The ARM id of the image that the scale set is deployed from: the gallery's where there are both."""
        return self.gallery_version or self.managed_image or ""


def capture(
    context: BuildContext, provisioned: Provisioned, verdict: Verdict, *, deploys: bool = True
) -> CapturedImage:
    """Deprovision, stop and generalize the machine and make a candidate for each target of the template.

    If the stage that ``deploys`` it is to come, its network is made meanwhile; an error of that is told there.

    Raises:
        GateClosedError: the machine's tests did not pass, or the template wants no image.
        CommandError: the machine could not be cleaned; nothing was captured.
        EvictedError: Azure took the spot machine back; nothing was captured.
        CloudError: Azure refused something.
    """
    verdict.open_gate("capture")
    if context.template.image.skip:
        raise GateClosedError("capture", ["the template wants no image (image.skip)"])
    context = at_rung(context, provisioned.plan.rung)
    if not deploys:
        return _capture(context, provisioned)
    with beside(functools.partial(make_scale_set_network, context, provisioned.plan)) as network:
        captured = _capture(context, provisioned)
    return replace(captured, scale_set_network=network)


def _capture(context: BuildContext, provisioned: Provisioned) -> CapturedImage:
    gallery = context.template.image.gallery
    generalizes = gallery is None or not gallery.specialized
    arm, group, name = context.arm, context.place.group, provisioned.machine.name
    with telling_eviction(context):
        if generalizes:
            deprovision(context, provisioned.machine)
        else:
            provisioned.machine.session.close()
        deallocate_machine(arm, group, name)
        if generalizes:
            generalize_machine(arm, group, name)
    plan, machine_id = provisioned.plan, provisioned.machine.id
    is_managed = plan.managed_image is not None or plan.gallery_version is None
    managed = _begin_managed_candidate(context, provisioned) if is_managed else None
    version = None
    if plan.gallery_version:
        confidential = image_encryption(context.template, plan.security_type)
        version = make_candidate_version(context, plan.gallery_version, machine_id, confidential)
    if managed:
        managed.result()
    candidate = context.place.compute_id("images", context.run.names.candidate_image) if managed else None
    return CapturedImage(plan, machine_id, version, candidate)


def _begin_managed_candidate(context: BuildContext, provisioned: Provisioned) -> Operation[object]:
    name = context.run.names.candidate_image
    context.undo.register("image", context.place.compute_id("images", name))
    begin = functools.partial(begin_image_from_machine, context.arm, context.place, name)
    return begin(machine_id=provisioned.machine.id, generation=provisioned.plan.source.generation)
