"""What the reports of a spec's items carry: the header, the facts of the build, and what a failed stage told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_plugin.critical_path import trace_critical_path
from pytest_plugin.leftovers import describe_cloud, offer_to_reap
from pytest_plugin.run import there
from pytest_plugin.schedule import stage_of
from pytest_plugin.stages import BUILD_STAGES
from pytest_plugin.summary import describe_fallen
from verified_images.errors import GateClosedError
from verified_images.masking import Masker
from verified_images.templates.model import rungs_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_plugin.run import SpecRun
    from pytest_plugin.session import SpecSession

FACTS = (
    "spec",
    "cloud",
    "location",
    "vm_size",
    "zone",
    "smoke_vm_size",
    "smoke_zone",
    "not_to_be_had",
    "run_id",
    "source_image_version",
    "image_id",
    "critical_path",
)


def facts_of(run: SpecRun) -> dict[str, str]:
    """Give what is known of a build so far."""
    facts = {
        "spec": run.spec.name,
        "cloud": run.cloud.name,
        "location": ", ".join(rungs_of(run.spec.template.builder.location)),
        "run_id": run.run.id,
    }
    facts |= _rung_facts(run)
    if run.plan is not None:
        facts["source_image_version"] = run.plan.source.version
    if run.captured is not None:
        facts["image_id"] = run.published.ids[0] if run.published else run.captured.id
    if path := trace_critical_path(run.results):
        facts["critical_path"] = path
    return facts


def _rung_facts(run: SpecRun) -> dict[str, str]:
    """Give where and on which sizes the machines were made, and what could not be had before."""
    facts: dict[str, str] = {}
    if run.provisioned is not None and (built := run.provisioned.plan.rung):
        facts |= {"location": built.location, "vm_size": built.vm_size, "zone": built.zone or ""}
    if run.deployed is not None and (tested := run.deployed.rung):
        facts |= {"smoke_vm_size": tested.vm_size, "smoke_zone": tested.zone or ""}
    if fallen := describe_fallen(run):
        facts["not_to_be_had"] = fallen
    return {name: value for name, value in facts.items() if value}


class Reporter:
    """Tells of the builds of one session."""

    def __init__(self, session: SpecSession) -> None:
        self._session = session

    def pytest_report_collectionfinish(self, config: pytest.Config) -> list[str]:
        """Name the cloud, and where each spec is built under which run id."""
        settings = self._session.settings
        if config.get_verbosity() < 0 or not self._session.runs:
            return []
        lines = [describe_cloud(settings)]
        for spec, run in self._session.runs.items():
            run_id = "" if config.getoption("collectonly") else f", run {run.run.id}"
            locations = ", ".join(rungs_of(spec.template.builder.location))
            lines.append(f"  {spec.name}: {locations}{run_id}")
        lines.extend(offer_to_reap(settings, {run.run.id for run in self._session.runs.values()}))
        return lines

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the facts of the build on the report, and what a failed stage told."""
        run = self._session.run_of(item)
        if run is None:
            return (yield)
        others = [(name, value) for name, value in item.user_properties if name not in FACTS]
        item.user_properties[:] = [*facts_of(run).items(), *others]
        report = yield
        stage = stage_of(item)
        if call.when == "call" and stage in run.results and stage in BUILD_STAGES:
            # It may have been done ahead, while other items ran.
            report.duration = max(report.duration, run.results[stage].seconds)
        if report.failed:
            if call.excinfo is not None and (why := run.explain_failure(stage, call.excinfo.value)):
                add_reason(report, why)
            for title, text in run.take_evidence(stage):
                report.sections.append((f"Captured {title} {call.when}", text))
                # The report of the teardown, which JUnit takes its output from, is made later.
                item.add_report_section(call.when, title, text)
        if call.excinfo is not None and isinstance(call.excinfo.value.__cause__, GateClosedError):
            path, line, _ = item.reportinfo()
            report.longrepr = (str(path), there(line) + 1, f"Skipped: {call.excinfo.value}")
        if secrets := run.spec.template.secrets:
            hide(report, Masker(secret.get_secret_value() for secret in secrets))
        return report


def add_reason(report: pytest.TestReport, why: str) -> None:
    """Say below what failed why it did, for the terminal and JUnit alike."""
    add_section = getattr(report.longrepr, "addsection", None)
    if add_section is not None:
        add_section("why", why)
    else:
        report.longrepr = f"{report.longrepr}\n{why}"


def hide(report: pytest.TestReport, masker: Masker) -> None:
    """Hide secrets that a test printed, or compared with something."""
    report.sections = [(title, masker(text)) for title, text in report.sections]
    report.user_properties = [
        (name, masker(value) if isinstance(value, str) else value) for name, value in report.user_properties
    ]
    if isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        report.longrepr = (path, line, masker(reason))
    elif report.longrepr is not None:
        text = str(report.longrepr)
        # pytest shortens long values, by which a secret may be cut in two.
        if (hidden := masker.mask_pieces(masker(text))) != text:
            report.longrepr = hidden
