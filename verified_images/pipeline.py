"""The pipeline: every stage of a build, in order.

    with Build(template, connection, run, journal=journal, output=output) as build:
        plan = build.preflight()
        provisioned = build.provision(plan)
        ...                                             # test provisioned.machine.session
        captured = build.capture(provisioned, Verdict(passed=True, tests=12))
        scale_set = build.deploy(captured)
        ...                                             # test scale_set.instances
        published = build.publish(captured, scale_set, Verdict(passed=True, tests=16))

Leaving the build cleans up: nothing of it remains but what was published.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from verified_images.stages.capture import CapturedImage, capture
from verified_images.stages.cleanup import CleanupReport, cleanup, close_sessions
from verified_images.stages.context import BuildContext, open_context
from verified_images.stages.deploy import deploy
from verified_images.stages.evidence import read_serial_logs
from verified_images.stages.preflight import BuildPlan, preflight
from verified_images.stages.provision import Provisioned, provision
from verified_images.stages.publish import PublishedImage, publish

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from verified_images.cloud.connection import CloudConnection
    from verified_images.journal import Journal
    from verified_images.naming import Run
    from verified_images.reports.verdict import Verdict
    from verified_images.stages.output import Output
    from verified_images.stages.scale_set import ScaleSet
    from verified_images.templates.model import Template

__all__ = ["Build"]


class Build:
    """One template's way to an image; a context manager that cleans up, however it is left."""

    def __init__(
        self, template: Template, connection: CloudConnection, run: Run, *, journal: Journal, output: Output
    ) -> None:
        self._context: BuildContext = open_context(template, connection, run, journal=journal, output=output)

    def preflight(self) -> BuildPlan:
        """Check everything that can be checked before anything is created."""
        return preflight(self._context)

    def provision(self, plan: BuildPlan) -> Provisioned:
        """Boot the build VM and run the template's provisioners on it."""
        return provision(self._context, plan)

    def capture(self, provisioned: Provisioned, verdict: Verdict) -> CapturedImage:
        """Turn the tested machine into a candidate image; the machine is gone afterwards."""
        return capture(self._context, provisioned, verdict)

    def deploy(self, captured: CapturedImage) -> ScaleSet:
        """Boot a scale set from the candidate image."""
        return deploy(self._context, captured)

    def publish(self, captured: CapturedImage, scale_set: ScaleSet, verdict: Verdict) -> PublishedImage:
        """Make the image visible at its target: ``verdict`` is that of all tests, machine and scale set."""
        return publish(self._context, captured, scale_set, verdict)

    def read_serial_logs(self) -> Mapping[str, str]:
        """Return what the build's machines have written to their serial consoles, by machine name."""
        return read_serial_logs(self._context)

    def disconnect(self) -> None:
        """Close the sessions into the build's machines, so that whatever runs on them for a stage ends at once."""
        close_sessions(self._context)

    def cleanup(self) -> CleanupReport:
        """Remove everything temporary, and ask Azure what is left.

        Raises:
            CleanupError: something is left; the error names it.
        """
        report = cleanup(self._context)
        report.check()
        return report

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cleanup()
