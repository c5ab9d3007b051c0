"""Collection: what pytest finds in a spec's folder, and in which order it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_plugin.fixtures import TARGET
from pytest_plugin.items import TemplateFile
from pytest_plugin.schedule import in_order, plan_visits, stage_key
from pytest_plugin.specs import Target, spec_key, spec_of
from pytest_plugin.targets import FIXTURES, stages_of, targets_of
from pytest_plugin.templates import check_named

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytest_plugin.options import Settings
    from pytest_plugin.specs import Spec


class Collection:
    """What collection does in specs; there is none in a session without specs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Those that the arguments lead into: pytest makes nodes of the folders beside them as well.
        self._specs: list[Spec] = []
        self._reported: set[str] = set()

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect a spec's template."""
        spec = parent.stash.get(spec_key, None)
        if spec is None or file_path != spec.file:
            return None
        node: pytest.Collector = TemplateFile.from_parent(parent, path=file_path)
        return node

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Import a spec's modules by their path: every spec has a test_machine.py, and folders are no packages."""
        if isinstance(collector, pytest.Directory) and spec_key in collector.stash:
            self._specs.append(collector.stash[spec_key])
        option = collector.config.option
        if option.importmode != "prepend" or not isinstance(collector, pytest.Module) or not spec_of(collector):
            return (yield)
        option.importmode = "importlib"
        try:
            return (yield)
        finally:
            option.importmode = "prepend"

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Let a test that asks for one of our fixtures, or is marked, run on what it is about."""
        spec = spec_of(metafunc.definition)
        fixtures = FIXTURES.intersection(metafunc.fixturenames)
        if spec is None or not (fixtures or metafunc.definition.get_closest_marker("stage")):
            return
        targets = targets_of(spec, stages_of(metafunc.definition, fixtures), fixtures)
        ids = [target.id for target in targets]
        metafunc.parametrize(TARGET, targets, ids=ids, indirect=True, scope="module")

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Let -k find every item of a spec by the spec's name."""
        spec = spec_of(item)
        if spec is not None:
            item.extra_keyword_matches.add(spec.name)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take note of what was reported as broken."""
        if report.failed:
            self._reported.add(report.nodeid)

    # The outermost wrapper: what -k, -m, --lf and other plugins leave is what is put in order.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Put every spec's items in the order of its stages."""
        result = yield
        for item in items:
            _settle_stage(item)
        items[:] = in_order(plan_visits(items))
        self._report_broken_templates(config)
        if not any(spec.error for spec in self._specs):
            check_named(self._settings, (spec.template for spec in self._specs))
        if any(spec_of(item) for item in items) and not config.getoption("collectonly"):
            self._settings.require_subscription()
        return result

    def _report_broken_templates(self, config: pytest.Config) -> None:
        """Fail the collection for a broken template also if only its spec's tests were selected."""
        for spec in self._specs:
            nodeid = f"{spec.node.nodeid}/{spec.file.name}"
            if spec.error is not None and nodeid not in self._reported:
                report = pytest.CollectReport(nodeid, "failed", longrepr=str(spec.error), result=[])
                config.hook.pytest_collectreport(report=report)


def _settle_stage(item: pytest.Item) -> None:
    """Write down the stage of a spec's test."""
    if spec_of(item) is None or stage_key in item.stash:
        return
    target = (
        item.callspec.params.get(TARGET) if isinstance(item, pytest.Function) and hasattr(item, "callspec") else None
    )
    if isinstance(target, Target):
        item.stash[stage_key] = target.stage
    else:
        item.stash[stage_key] = stages_of(item, getattr(item, "fixturenames", ()))[-1]
