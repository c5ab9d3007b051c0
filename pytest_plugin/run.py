"""One spec's build in a session: each stage is done once, when its item comes or when a test needs it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

from pytest_plugin.doing import Task
from pytest_plugin.eviction import Eviction
from pytest_plugin.fingerprints import image_fingerprint, spec_fingerprint, test_digest
from pytest_plugin.stages import BUILD_STAGES, TESTED_AFTER, Stage
from pytest_plugin.templates import explain
from verified_images.errors import CalledOffError, GateClosedError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pluggy
    from testinfra.host import Host

    from pytest_plugin.cloud import Cloud, OpenBuild
    from pytest_plugin.course import Course
    from pytest_plugin.gate import Gate
    from pytest_plugin.progress import Progress
    from pytest_plugin.specs import Spec
    from verified_images.naming import Run
    from verified_images.pipeline import Build
    from verified_images.stages.capture import CapturedImage
    from verified_images.stages.machine import Machine
    from verified_images.stages.preflight import BuildPlan
    from verified_images.stages.provision import Provisioned
    from verified_images.stages.publish import PublishedImage
    from verified_images.stages.scale_set import ScaleSet
    from verified_images.templates.model import Template

T = TypeVar("T")

_WAY_ON = "--vi-from=deploy goes on with its candidate image"


@dataclass(frozen=True, slots=True)
class StageResult:
    """How a stage ended: ``reason`` says why it was not done, ``error`` is what went wrong, if something did."""

    seconds: float = 0.0
    reason: str = ""
    error: BaseException | None = None
    steps: tuple[tuple[str, float], ...] = ()
    """What was done in it, with the seconds of each."""

    @property
    def done(self) -> bool:
        """Whether the stage did what it is for."""
        return not self.reason


class SpecRun:
    """The build of one spec, and what each stage gave; ``left`` and ``trouble`` tell of a clean-up that failed.

    A stage that failed is not tried again: who needs it afterwards gets a GateClosedError that names the cause.
    """

    def __init__(  # noqa: PLR0913 - what a session knows of a build
        self, *, spec: Spec, run: Run, cloud: Cloud, gate: Gate, progress: Progress, course: Course
    ) -> None:
        self.spec = spec
        self.run = run
        self.cloud = cloud
        self.gate = gate
        self.course = course
        self.results: dict[Stage, StageResult] = {}
        self.unchanged = ""
        self.kept: tuple[str, ...] = ()
        self.left: tuple[str, ...] = ()
        self.trouble = ""
        self.plan: BuildPlan | None = None
        self.provisioned: Provisioned | None = None
        self.captured: CapturedImage | None = None
        self.deployed: ScaleSet | None = None
        self.published: PublishedImage | None = None
        self._template: Template | None = None
        self._opened: OpenBuild | None = None
        self._lock = threading.RLock()
        self._untold: dict[Stage, BaseException] = {}
        self._progress = progress
        self._hosts: dict[str, Host] = {}
        self._evidence: list[tuple[str, str]] = []
        self._explained: set[Stage] = set()
        self._provisioning = ""
        self.eviction = Eviction()
        self.task = Task(spec.name, progress)
        self._actions: dict[Stage, Callable[[], None]] = {
            Stage.PREFLIGHT: self._preflight,
            Stage.PROVISION: self._provision,
            Stage.CAPTURE: self._capture,
            Stage.DEPLOY: self._deploy,
            Stage.PUBLISH: self._publish,
            Stage.CLEANUP: self._clean_up,
        }

    def perform(self, stage: Stage) -> None:
        """Do the stage on behalf of its item.

        Raises:
            GateClosedError: something closed the gate of the stage or of one before it; the error names it.
            VerifiedImagesError: the stage, or one before it that had to be done first, failed.
        """
        if stage not in (Stage.PUBLISH, Stage.CLEANUP):
            self._ensure(stage)
            if earlier := self.course.was_done_before(stage):
                raise GateClosedError(stage, (earlier,))
            return
        with self._lock:
            self._tell(stage)
            result = self.results.get(stage)
            if result is None:
                self._attempt(stage)
            elif not result.done:
                raise GateClosedError(stage, (result.reason,))

    def advance(self, stage: Stage) -> None:
        """Do the stage before its item comes, in a thread of one's own; whoever asks for it first is told how it ended.

        It may be called while the session goes on with other items, but not for one spec from two threads.
        """
        with self._lock:
            if stage in self.results:
                return
            try:
                self.perform(stage)
            except BaseException as error:  # noqa: BLE001 - told to the one whose item it is
                self._untold[stage] = error

    def disconnect(self) -> None:
        """Let a stage that is being done in another thread end soon."""
        opened = self._opened
        if opened is not None:
            opened.build.disconnect()

    def ensure(self, stage: Stage) -> None:
        """Do whatever has not been done up to and including ``stage``, one of those before publish.

        Raises:
            GateClosedError: something closed the gate of the stage or of one before it; the error names it.
            VerifiedImagesError: the stage, or one before it that had to be done first, failed.
        """
        self._ensure(stage)
        is_gone = stage is Stage.PROVISION and self.provisioned is None
        if is_gone or (stage is Stage.DEPLOY and self.deployed is not None and not self.deployed.instances):
            raise GateClosedError(stage, (f"{self.course.was_done_before(stage)}, and there is no machine any more",))

    def _ensure(self, stage: Stage) -> None:
        for needed in BUILD_STAGES[: BUILD_STAGES.index(stage) + 1]:
            result = self.results.get(needed)
            # The lock may be held for long, by a thread that does a later stage.
            if result is not None and result.done:
                continue
            with self._lock:
                self._tell(needed)
                result = self.results.get(needed)
                if result is None:
                    self._attempt(needed)
                elif not result.done:
                    raise GateClosedError(stage, (result.reason,))

    def _tell(self, stage: Stage) -> None:
        """Raise what ended a stage that was done ahead, once."""
        error = self._untold.pop(stage, None)
        if error is not None:
            raise error

    @property
    def template(self) -> Template:
        """The template as it is for this very run."""
        if self._template is None:
            self._template = self.spec.read(self.run)
        return self._template

    @property
    def needs_cleanup(self) -> bool:
        """Whether something may have been created that no clean-up has come to its end for."""
        return self._opened is not None

    def clean_up(self, seconds: float | None = None) -> None:
        """Remove everything temporary, if anything was begun, or keep it where that was asked for.

        It may take ``seconds``, or as long as the template says.

        Raises:
            CleanupError: something is still there.
        """
        opened = self._opened
        if opened is None:
            return
        try:
            with self.task.at(Stage.CLEANUP):
                self._keep_or_remove(opened, seconds)
        except Exception as error:
            self.left = getattr(error, "left", ()) or opened.planned()
            self.trouble = explain(error)
            self._close()
            raise
        self._close()

    def _keep_or_remove(self, opened: OpenBuild, seconds: float | None) -> None:
        until = self._keep_until()
        if until is not None and opened.planned():
            title = f"KEPT until {until:%Y-%m-%d %H:%M} UTC by run {self.run.id}"
            self._note_tests()
            way_in = opened.keep(until)
            # A captured machine boots no more; its candidate image is what a later run can use.
            self.kept = (title, *(way_in if self.captured is None else (_WAY_ON,)))
        else:
            opened.build.cleanup(seconds=seconds)

    def _clean_up(self) -> None:
        self.clean_up()
        if self.kept:
            raise GateClosedError(Stage.CLEANUP, (self.kept[0],))

    def _keep_until(self) -> datetime | None:
        """Say until when everything is to be kept, or None: it is to be removed."""
        errors = [result.error for result in self.results.values()]
        failed = self.gate.has_failures or any(
            isinstance(error, Exception) and not isinstance(error, CalledOffError) for error in errors
        )
        times = (self.course.keep, self.course.keep_on_failure if failed else None)
        longest = max((time for time in times if time is not None), default=None)
        if longest is not None:
            return datetime.now(UTC).replace(microsecond=0) + longest
        return self.run.expires if self.course.reuse else None

    def give_up(self, why: str = "") -> None:
        """Name what is there instead of cleaning up, and say why."""
        if self._opened is not None:
            self.left = self._opened.planned()
            self.trouble = why
            self._close()

    def host_of(self, machine: Machine) -> Host:
        """Give the testinfra host of a machine, the same one each time."""
        from pytest_plugin.testinfra_backend import connect_host  # noqa: PLC0415 - only runs that test a machine

        host = self._hosts.get(machine.id)
        if host is None:
            host = self._hosts[machine.id] = connect_host(machine)
        return host

    def explain_failure(self, stage: Stage | None, error: BaseException) -> str:
        """Say why a test of the build VM has failed, where that is not the test's own doing, or nothing."""
        if stage is not Stage.MACHINE or self._opened is None:
            return ""
        return self.eviction.explain(self._opened.build, error)

    def take_evidence(self, stage: Stage | None) -> list[tuple[str, str]]:
        """Give what helps to understand a failure, as pairs of a title and a text.

        For a stage that failed, what it told. For tests, what was told while the machine was provisioned, once a
        ``stage``: the second failing test would only repeat it.
        """
        if self._evidence:
            evidence, self._evidence = self._evidence, []
            return evidence
        if stage not in TESTED_AFTER or stage in self._explained or self.provisioned is None:
            return []
        self._explained.add(stage)
        return [(f"stdout of {Stage.PROVISION}", self._provisioning), *self._read_serial_logs()]

    def failed_stage(self, error: BaseException) -> Stage | None:
        """Tell which stage ended with this very error."""
        return next((stage for stage, result in self.results.items() if result.error is error), None)

    def _attempt(self, stage: Stage) -> None:
        """Do one stage and remember how it ended."""
        self._progress.begin()
        started = time.monotonic()
        try:
            if reason := self._closed_by(stage):
                raise GateClosedError(stage, (reason,))  # noqa: TRY301 - ends as a gate that an action finds closed
            with self.task.at(stage):
                self._actions[stage]()
        except GateClosedError as closed:
            self.results[stage] = StageResult(reason="; ".join(closed.reasons))
            raise
        except BaseException as error:
            self.results[stage] = StageResult(
                time.monotonic() - started, f"{stage} {_ending(error)}", error, self._progress.steps()
            )
            if isinstance(error, Exception) and not isinstance(error, CalledOffError):
                self._evidence = [(f"stdout of {stage}", self._progress.kept()), *self._read_serial_logs()]
            raise
        self.results[stage] = StageResult(time.monotonic() - started, steps=self._progress.steps())

    def _closed_by(self, stage: Stage) -> str:
        if self.unchanged and stage is not Stage.CLEANUP:
            return f"unchanged: published {self.unchanged}"
        return self.course.closed_by(stage)

    def _read_serial_logs(self) -> list[tuple[str, str]]:
        if self._opened is None:
            return []
        logs = self._opened.build.read_serial_logs()
        return [(f"stdout of the serial console of {name}", log) for name, log in logs.items()]

    def _preflight(self) -> None:
        record = self.course.record
        if record is not None:
            self._opened = self.cloud.resume_build(self.template, record, self._progress)
            return
        self._opened = self.cloud.open_build(self.template, self.run, self._progress, layers=self.course.layers)
        self.plan = self._opened.build.preflight()
        self._look_for_published()
        self._build.note("inputs", {"template": str(self.spec.file), "image": image_fingerprint(self.spec)})

    def _look_for_published(self) -> None:
        """Look whether the image is published already, if nobody wants it twice."""
        if self.course.gated:
            inputs = spec_fingerprint(self.spec, there(self.plan).source.version)
            self.unchanged = ", ".join(self._build.find_published(inputs))

    def _provision(self) -> None:
        if self.course.record is not None:
            if self.course.start is Stage.CAPTURE:
                self.provisioned = self._build.resume_provisioned(self.course.record)
            return
        self.provisioned = self._build.provision(there(self.plan))
        self._provisioning = self._progress.kept()
        machine = self.provisioned.machine
        self._hook.pytest_verified_images_machine_ready(vm=machine, host=self.host_of(machine))

    def _capture(self) -> None:
        if self.course.record is not None and self.course.start is not Stage.CAPTURE:
            self.captured = self._build.resume_captured(self.course.record)
            return
        verdict = self.gate.machine_verdict()
        verdict.open_gate(Stage.CAPTURE)
        deploys = not self._closed_by(Stage.DEPLOY)
        self.captured = self._build.capture(there(self.provisioned), verdict, deploys=deploys)
        self._note_tests()
        self._hook.pytest_verified_images_image_captured(image=self.captured)

    def _deploy(self) -> None:
        if self.course.start is Stage.PUBLISH:
            self.deployed = self._build.resume_deployed(there(self.captured))
            return
        self.deployed = self._build.deploy(there(self.captured))
        self._build.note("deployed", {"scale_set": self.deployed.id})
        self._hook.pytest_verified_images_scale_set_ready(scale_set=self.deployed)

    def _publish(self) -> None:
        self._require_earlier(Stage.PUBLISH)
        verdict = self.gate.verdict()
        verdict.open_gate(Stage.PUBLISH)
        self._ensure(Stage.DEPLOY)
        self._note_tests()
        captured = there(self.captured)
        verdict = replace(verdict, inputs=spec_fingerprint(self.spec, captured.plan.source.version))
        self.published = self._build.publish(captured, there(self.deployed), verdict)
        self._build.post_process(self.published)
        self._hook.pytest_verified_images_published(image=self.published)

    def _note_tests(self) -> None:
        """Note which tests have passed, so that a later run can go on from here."""
        self._build.note("tests", {item.nodeid: test_digest(item) for item in self.gate.passed})

    def _require_earlier(self, stage: Stage) -> None:
        """Let the first stage that was not done be the reason, rather than the tests that were skipped for it."""
        for earlier, result in self.results.items():
            if earlier.rank < stage.rank and not result.done:
                raise GateClosedError(stage, (result.reason,))

    @property
    def _build(self) -> Build:
        return there(self._opened).build

    @property
    def _hook(self) -> pluggy.HookRelay:
        # Through the spec's folder, so that only hooks of its own conftest.py and those above it are called.
        return self.spec.node.ihook

    def _close(self) -> None:
        opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()


def _ending(error: BaseException) -> str:
    return "was interrupted" if isinstance(error, KeyboardInterrupt | CalledOffError) else "failed"


def there(value: T | None) -> T:
    """Give what an earlier stage left; it is there since that stage was done."""
    if value is None:
        raise AssertionError("a stage was reached before the one that it builds on")
    return value
