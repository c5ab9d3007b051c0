"""What became of each spec: the summary at the end of a session."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.critical_path import trace_critical_path
from pytest_plugin.leftovers import command_to_reap
from pytest_plugin.stages import Stage
from pytest_plugin.templates import explain
from verified_images.templates.model import rungs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from pytest_plugin.run import SpecRun


_A_LADDER = 2


@dataclass(frozen=True, slots=True)
class Summary:
    """What became of a spec, in plain values that an xdist worker can send.

    ``published`` holds ARM ids; where there are none, ``reason`` says why. ``left`` names what is still
    there, ``trouble`` says what went wrong when it was to be removed, and ``reap`` is the command that removes it.
    ``warnings`` are those of the template, ``kept`` is how to get into what was kept. ``unchanged`` says why there was
    nothing to build, ``critical_path`` what the seconds went into, ``used`` where the machines were made if the
    template left a choice.
    """

    spec: str
    run_id: str
    published: Sequence[str] = ()
    version: str | None = None
    regions: Sequence[str] = ()
    seconds: float = 0.0
    reason: str = ""
    left: Sequence[str] = ()
    trouble: str = ""
    warnings: Sequence[str] = ()
    reap: str = ""
    kept: Sequence[str] = ()
    unchanged: str = ""
    critical_path: str = ""
    used: str = ""

    def as_plain(self) -> dict[str, object]:
        """Give the values as an xdist worker can send them."""
        return asdict(self)


def summarize(run: SpecRun) -> Summary:
    """Say what became of a spec."""
    image = run.published
    summary = Summary(
        spec=run.spec.name,
        run_id=run.run.id,
        seconds=sum(result.seconds for result in run.results.values()),
        left=run.left,
        trouble=run.trouble,
        warnings=tuple(str(warning) for warning in run.spec.warnings),
        reap=command_to_reap(run.run.id, run.spec.origin.folder.settings) if run.left or run.kept else "",
        kept=run.kept,
        unchanged=f"published {run.unchanged}" if run.unchanged else "",
        critical_path=trace_critical_path(run.results),
        used=describe_used(run),
    )
    if image is None:
        return replace(summary, reason=why_unpublished(run))
    return replace(summary, published=image.ids, version=image.version, regions=image.regions)


def describe_used(run: SpecRun) -> str:
    """Say where the machines of a spec were made, if the template has a ladder, and what could not be had before."""
    builder, smoke = run.spec.template.builder, run.spec.template.smoke
    ladders = (builder.location, builder.vm_size, builder.zone, smoke.vm_size, smoke.zone)
    if run.provisioned is None or all(len(rungs_of(ladder)) < _A_LADDER for ladder in ladders):
        return ""
    told = f"built on {run.provisioned.plan.rung}"
    if run.deployed is not None and run.deployed.rung is not None:
        told += f", tested on {run.deployed.rung}"
    fallen = describe_fallen(run)
    return f"{told}; not to be had: {fallen}" if fallen else told


def describe_fallen(run: SpecRun) -> str:
    """Name the rungs of the template's ladders that could not be had, each with why in two words."""
    fallen = [
        *(run.provisioned.fallen if run.provisioned is not None else ()),
        *(run.deployed.fallen if run.deployed is not None else ()),
    ]
    return ", ".join(f"{rung}: {word}" for rung, word in fallen)


def why_unpublished(run: SpecRun) -> str:
    """Give the first thing that kept the image from being published."""
    for stage, result in run.results.items():
        if stage is not Stage.CLEANUP and not result.done:
            cause = f": {explain(result.error).splitlines()[0]}" if isinstance(result.error, Exception) else ""
            return f"{result.reason}{cause}"
    return "; ".join(run.gate.verdict().reasons) or "publish did not run"


class SummaryWriter:
    """Writes what became of each spec at the end of the session; ``gather`` gives it."""

    def __init__(self, gather: Callable[[], Sequence[Summary]]) -> None:
        self._gather = gather

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name per spec the image that was published, or why none was, and what is left behind."""
        summaries = self._gather()
        option = terminalreporter.config.getoption
        if not summaries or option("collectonly") or option("setupplan", default=False):
            return
        # Specs of one template have its warnings in common.
        warnings = dict.fromkeys(warning for summary in summaries for warning in summary.warnings)
        if warnings:
            terminalreporter.write_sep("=", "templates")
            for warning in warnings:
                terminalreporter.write_line(f"warning: {warning}")
        terminalreporter.write_sep("=", "images")
        for summary in summaries:
            for line in describe(summary):
                terminalreporter.write_line(line)
            if summary.critical_path and terminalreporter.config.get_verbosity() > 0:
                terminalreporter.write_line(f"{summary.spec}: critical path: {summary.critical_path}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> Generator[None, object, object]:
        """Write the summary also after an internal error, when pytest writes none."""
        result = yield
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if exitstatus == pytest.ExitCode.INTERNAL_ERROR and reporter is not None:
            self.pytest_terminal_summary(reporter)
        return result


def describe(summary: Summary) -> list[str]:
    """Give the lines of the summary for one spec."""
    if summary.unchanged:
        lines = [f"{summary.spec}: unchanged: {summary.unchanged}"]
    elif summary.published:
        where = f" in {', '.join(summary.regions)}" if summary.regions else ""
        lines = [
            f"{summary.spec}: published {image}{_version_of(image, summary)}{where}, {summary.seconds:.0f} s"
            for image in summary.published
        ]
    else:
        lines = [f"{summary.spec}: not published: {summary.reason}"]
    if summary.used:
        lines.append(f"{summary.spec}: {summary.used}")
    if summary.trouble:
        lines.append(f"{summary.spec}: {summary.trouble}")
    if summary.kept:
        first, *more = summary.kept
        lines += [f"{summary.spec}: {first}; `{summary.reap}` removes it", *(f"  {line}" for line in more)]
    if summary.left:
        lines.append(f"{summary.spec}: LEFT BEHIND by run {summary.run_id}; `{summary.reap}` removes it:")
        lines += [f"  {name}" for name in summary.left]
    return lines


def _version_of(image: str, summary: Summary) -> str:
    """Name the version of a gallery's image; a managed image has none."""
    return f", version {summary.version}" if summary.version and "/versions/" in image else ""


def pass_unchanged(session: pytest.Session) -> None:
    """Let a session end well that had nothing to build: that nothing has changed is what the caller hoped for."""
    if session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


def fail_session(session: pytest.Session) -> None:
    """Make the exit code of a session that went well so far say that something did not."""
    if session.exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
