"""The pipeline: every stage of a build, in order.

    with Build(template, connection, run, journal=journal, output=output) as build:
        plan = build.preflight()
        provisioned = build.provision(plan)
        ...                                             # test provisioned.machine.session
        captured = build.capture(provisioned, Verdict(passed=True, tests=12))
        scale_set = build.deploy(captured)
        ...                                             # test scale_set.instances
        published = build.publish(captured, scale_set, Verdict(passed=True, tests=16))

Leaving the build cleans up: nothing of it remains but what was published. Each stage has the time that the template's
``timeouts`` give it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from verified_images.stages.capture import CapturedImage, capture
from verified_images.stages.cleanup import CleanupReport, cleanup, close_sessions
from verified_images.stages.context import BuildContext, open_context
from verified_images.stages.deploy import deploy
from verified_images.stages.eviction import find_eviction
from verified_images.stages.evidence import read_serial_logs
from verified_images.stages.keep import Kept, keep, note_captured, note_provisioned
from verified_images.stages.location import locate
from verified_images.stages.post_process import post_process
from verified_images.stages.preflight import BuildPlan, preflight
from verified_images.stages.provision import Provisioned, provision
from verified_images.stages.publish import PublishedImage, publish
from verified_images.stages.published import find_published
from verified_images.stages.resume import (
    register_left,
    remove_deployment,
    resume_captured,
    resume_deployed,
    resume_provisioned,
)
from verified_images.waiting import Budget, within

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime
    from types import TracebackType

    from verified_images.cloud.connection import CloudConnection
    from verified_images.errors import EvictedError
    from verified_images.journal import Journal, Record
    from verified_images.naming import Run
    from verified_images.reports.verdict import Verdict
    from verified_images.ssh.keys import RunKey
    from verified_images.stages.output import Output
    from verified_images.stages.scale_set import ScaleSet
    from verified_images.templates.model import Template

__all__ = ["Build"]

EVIDENCE_SECONDS = 60.0
"""How long Azure is asked why something has failed: a network that is gone shall not hold up the clean-up."""


class Build:
    """One template's way to an image; a context manager that cleans up, however it is left."""

    def __init__(  # noqa: PLR0913 - what a build is made of
        self,
        template: Template,
        connection: CloudConnection,
        run: Run,
        *,
        journal: Journal,
        output: Output,
        key: RunKey | None = None,
        layers: bool = False,
    ) -> None:
        self._journal = journal
        self._context: BuildContext = open_context(
            template, connection, run, journal=journal, output=output, key=key, layers=layers
        )

    def preflight(self) -> BuildPlan:
        """Check everything that can be checked before anything is created."""
        with self._within("preflight"):
            self._context = locate(self._context)
            return preflight(self._context)

    def provision(self, plan: BuildPlan) -> Provisioned:
        """Boot the build VM and run the template's provisioners on it."""
        with self._within("provision"):
            provisioned = provision(self._context, plan)
        note_provisioned(self._context, self._journal, provisioned)
        return provisioned

    def capture(self, provisioned: Provisioned, verdict: Verdict, *, deploys: bool = True) -> CapturedImage:
        """Turn the tested machine into a candidate image; the machine is gone afterwards.

        Say with ``deploys`` whether the image is to be deployed, which is prepared meanwhile.
        """
        with self._within("capture"):
            captured = capture(self._context, provisioned, verdict, deploys=deploys)
        note_captured(self._context, self._journal, captured)
        return captured

    def deploy(self, captured: CapturedImage) -> ScaleSet:
        """Boot a scale set from the candidate image."""
        with self._within("deploy"):
            return deploy(self._context, captured)

    def publish(self, captured: CapturedImage, scale_set: ScaleSet, verdict: Verdict) -> PublishedImage:
        """Make the image visible at its target: ``verdict`` is that of all tests, machine and scale set."""
        with self._within("publish"):
            return publish(self._context, captured, scale_set, verdict)

    def post_process(self, published: PublishedImage) -> None:
        """Run the template's post-processors on the published image.

        Raises:
            PostProcessorError: one failed; the image stays published.
        """
        post_process(self._context, published)

    def resume(self, record: Record) -> None:
        """Take over what an earlier run has left: this build's journal is that run's, opened again."""
        with self._within("preflight"):
            self._context = locate(self._context)
        register_left(self._context, record)

    def resume_provisioned(self, record: Record) -> Provisioned:
        """Return the machine that the earlier run kept, as if it had just been provisioned."""
        with self._within("provision"):
            return resume_provisioned(self._context, record)

    def resume_captured(self, record: Record) -> CapturedImage:
        """Return the candidate image of the earlier run, as if it had just been captured; its scale set is removed."""
        with self._within("capture"):
            captured = resume_captured(self._context, record)
            remove_deployment(self._context)
            return captured

    def resume_deployed(self, captured: CapturedImage) -> ScaleSet:
        """Return the scale set that was deployed and tested by the earlier run; it can be published from."""
        return resume_deployed(self._context, captured)

    def find_published(self, inputs: str) -> tuple[str, ...]:
        """Return the images at the template's targets that were verified with the same inputs, by their ARM ids."""
        with self._within("preflight"):
            return find_published(self._context, inputs)

    def note(self, what: str, facts: Mapping[str, Any]) -> None:
        """Note in the journal what a later run needs to know."""
        self._journal.noted(what, facts)

    def keep(self, expires: datetime, *, stays_on: bool = True) -> Kept:
        """Leave everything where it is until ``expires``, in place of the clean-up, and tell how to get in."""
        with self._within("cleanup"):
            return keep(self._context, self._journal, expires, stays_on=stays_on)

    def read_serial_logs(self) -> Mapping[str, str]:
        """Return what the build's machines have written to their serial consoles, by machine name."""
        with within(Budget("reading the serial consoles", EVIDENCE_SECONDS)):
            return read_serial_logs(self._context)

    def find_eviction(self, error: BaseException) -> EvictedError | None:
        """Return the eviction of the build VM that has made one of its tests fail, or None: it has another cause."""
        with within(Budget("asking about an eviction", EVIDENCE_SECONDS)):
            return find_eviction(self._context, error)

    def disconnect(self) -> None:
        """Close the sessions into the build's machines, so that whatever runs on them for a stage ends at once."""
        close_sessions(self._context)

    def cleanup(self, *, seconds: float | None = None) -> CleanupReport:
        """Remove everything temporary, and ask Azure what is left.

        It may take ``seconds``, or as long as the template says.

        Raises:
            CleanupError: something is left; the error names it.
        """
        with self._within("cleanup", seconds):
            report = cleanup(self._context)
        report.check()
        return report

    def _within(self, stage: str, seconds: float | None = None) -> AbstractContextManager[Budget]:
        timeouts = self._context.template.timeouts
        return within(Budget(stage, seconds or getattr(timeouts, stage), timeouts.stall))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()
