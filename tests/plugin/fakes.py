"""A cloud that builds nothing, for the tests of the plugin: it notes what is asked of it and fails where told to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from verified_images.errors import CleanupError, EvictedError
from verified_images.ssh.reach import reach_directly
from verified_images.stages.capture import CapturedImage
from verified_images.stages.cleanup import CleanupReport
from verified_images.stages.ladder import build_rungs
from verified_images.stages.machine import Machine
from verified_images.stages.preflight import BuildPlan
from verified_images.stages.provision import Provisioned
from verified_images.stages.publish import PublishedImage
from verified_images.stages.scale_set import Instance, ScaleSet
from verified_images.stages.source import PinnedSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from verified_images.journal import Record
    from verified_images.naming import Run
    from verified_images.pipeline import Build
    from verified_images.reports.verdict import Verdict
    from verified_images.stages.ladder import Fallen
    from verified_images.stages.output import Output
    from verified_images.templates.model import Template


@dataclass(frozen=True)
class FakeResult:
    """What a command gave."""

    command: str
    exit_code: int
    stdout: bytes
    stderr: bytes


class FakeSession:
    """An SSH session whose machine answers each command with the command itself."""

    def __init__(self, answers: Mapping[str, bytes] | None = None) -> None:
        self.commands: list[str] = []
        self.alive = True
        self.answers = answers or {}

    def reconnect(self, timeout: float) -> None:
        self.commands.append(f"reconnect within {timeout:.0f} s")
        self.alive = True

    def run(self, command: str, **_: object) -> FakeResult:
        if command == "reboot":
            self.alive = False
        self.commands.append(command)
        return FakeResult(command, 0, self.answers.get(command, command.encode()), b"")


@dataclass
class FakeCloud:
    """Where fake builds happen.

    ``log`` has everything that was done, one line each: "debian: provision". ``wrong`` maps such a line to what is
    done in place of it (raise something). ``leaks`` are ids that clean-up cannot remove. ``fallen`` are the rungs that
    cannot be had before the template's last one is.
    """

    name: str = "fake"
    log: list[str] = field(default_factory=list)
    wrong: dict[str, Callable[[], None]] = field(default_factory=dict)
    leaks: tuple[str, ...] = ()
    verdicts: list[Verdict] = field(default_factory=list)
    sessions: dict[str, FakeSession] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    post_processed: list[tuple[str, ...]] = field(default_factory=list)
    layered: list[str] = field(default_factory=list)
    loaded: bool = False
    fallen: Fallen = ()
    evicted: EvictedError | None = None

    def load(self) -> None:
        self.loaded = True

    def open_build(self, template: Template, run: Run, output: Output, *, layers: bool = False) -> FakeOpenBuild:
        self.layered += [run.spec] if layers else []
        return FakeOpenBuild(FakeBuild(self, template, run, output))  # type: ignore[arg-type]

    def resume_build(self, template: Template, record: Record, output: Output) -> FakeOpenBuild:
        build = FakeBuild(self, template, record.run, output)
        build.did(f"resume {record.run.id}")
        build.planned.append("/group")
        return FakeOpenBuild(build)  # type: ignore[arg-type]

    def close(self) -> None:
        self.log.append("closed")

    def did(self, spec: str, what: str) -> None:
        line = f"{spec}: {what}"
        self.log.append(line)
        if line in self.wrong:
            self.wrong[line]()


@dataclass
class FakeOpenBuild:
    """A fake build that has begun."""

    build: Build

    def planned(self) -> tuple[str, ...]:
        return tuple(self.build.planned)  # type: ignore[attr-defined]

    def keep(self, expires: datetime) -> tuple[str, ...]:
        self.build.did("keep")  # type: ignore[attr-defined]
        return (f"ssh until {expires.isoformat()}",)

    def close(self) -> None:
        self.build.planned.clear()  # type: ignore[attr-defined]


class FakeBuild:
    """Has the stages of verified_images.pipeline.Build."""

    def __init__(self, cloud: FakeCloud, template: Template, run: Run, output: Output) -> None:
        self.cloud = cloud
        self.template = template
        self.run = run
        self.output = output
        self.planned: list[str] = []
        source = PinnedSource(
            description="Debian 12", version="0.1.2", reference={}, generation="V2", architecture="x64"
        )
        self.rung = build_rungs(template)[-1]
        self.plan = BuildPlan(source, ("203.0.113.7/32",), gallery_version="/golden/versions/1.0.0", rung=self.rung)

    def did(self, what: str) -> None:
        self.output.step(f"{what} of {self.template.name} goes on")
        self.cloud.did(self.template.name, what)

    def preflight(self) -> BuildPlan:
        self.did("preflight")
        return self.plan

    def provision(self, plan: BuildPlan) -> Provisioned:
        self.planned.append("/group")
        self.output.text("apt-get says hello\nand ")
        self.output.text("goodbye\n")
        self.did("provision")
        return Provisioned(plan, Machine(**self.machine("vm")), self.cloud.fallen)

    def capture(self, provisioned: Provisioned, verdict: Verdict, *, deploys: bool = True) -> CapturedImage:
        verdict.open_gate("capture")
        self.cloud.verdicts.append(verdict)
        self.did("capture" if deploys else "capture alone")
        return CapturedImage(self.plan, provisioned.machine.id, gallery_version="/golden/versions/1.0.0")

    def deploy(self, captured: CapturedImage) -> ScaleSet:
        self.did("deploy")
        instances = [
            Instance(**self.machine(f"ss_{index}"), index=index, port=80)
            for index in range(self.template.smoke.instances)
        ]
        return ScaleSet(
            id="/ss",
            name="ss",
            image_id=captured.id,
            instances=tuple(instances),
            frontend=None,
            reach=reach_directly,
            rung=self.rung,
        )

    def publish(self, captured: CapturedImage, scale_set: ScaleSet, verdict: Verdict) -> PublishedImage:
        verdict.open_gate("publish")
        self.cloud.verdicts.append(verdict)
        self.did(f"publish from {scale_set.name}")
        return PublishedImage((captured.id,), "1.0.0", ("westeurope",))

    def post_process(self, published: PublishedImage) -> None:
        self.cloud.post_processed.append(tuple(published.ids))

    def note(self, what: str, facts: Mapping[str, Any]) -> None:
        self.cloud.notes[what] = facts

    def read_serial_logs(self) -> Mapping[str, str]:
        return {"vm": "[    0.000000] Linux version 6.1\n"} if self.planned else {}

    def find_eviction(self, _error: BaseException) -> EvictedError | None:
        self.did("find eviction")
        return self.cloud.evicted

    def disconnect(self) -> None:
        self.cloud.log.append(f"{self.template.name}: disconnect")

    def cleanup(self, *, seconds: float | None = None) -> CleanupReport:
        self.did("cleanup" if seconds is None else f"cleanup within {seconds:.0f} s")
        if self.cloud.leaks:
            raise CleanupError(self.cloud.leaks)
        self.planned.clear()
        return CleanupReport((), (), (), 0.0)

    def machine(self, name: str) -> dict[str, Any]:
        session = self.cloud.sessions.setdefault(name, FakeSession())
        return {
            "id": f"/{name}",
            "name": name,
            "host_name": f"{name}-host",
            "private_address": "10.0.0.4",
            "session": session,
        }
