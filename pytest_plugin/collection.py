"""Collection: what pytest finds in a spec's folder, and in which order it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.items import TemplateFile
from pytest_plugin.schedule import in_order, plan_visits, stage_key
from pytest_plugin.specs import TARGET, Target, folder_key, folder_of, origin_key, spec_of, specs_of
from pytest_plugin.targets import FIXTURES, meant_specs, stages_of, targets_of
from pytest_plugin.templates import check_named
from pytest_plugin.wiring import report_broken_wiring
from pytest_plugin.worker import refusing

if TYPE_CHECKING:
    from collections.abc import Generator

    from pytest_plugin.options import Settings
    from pytest_plugin.specs import Spec, SpecFolder


class Collection:
    """What collection does in specs; there is none in a session without specs."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Those that the arguments lead into: pytest makes nodes of the folders beside them as well.
        self._folders: list[SpecFolder] = []
        self._reported: set[str] = set()
        self.unchanged: list[Spec] = []

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect a spec's template."""
        folder = parent.stash.get(folder_key, None)
        for origin in folder.origins if folder is not None and may_be_template(file_path) else ():
            if file_path == origin.file:
                node: pytest.Collector = TemplateFile.from_parent(parent, path=file_path)
                node.stash[origin_key] = origin
                return node
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Import a spec's modules by their path: every spec has a test_machine.py, and folders are no packages."""
        if isinstance(collector, pytest.Directory) and folder_key in collector.stash and _is_meant(collector):
            self._folders.append(collector.stash[folder_key])
        option = collector.config.option
        if option.importmode != "prepend" or not isinstance(collector, pytest.Module) or not folder_of(collector):
            return (yield)
        option.importmode = "importlib"
        try:
            return (yield)
        finally:
            option.importmode = "prepend"

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Let a test that asks for one of our fixtures, or is marked, run on what it is about."""
        folder = folder_of(metafunc.definition)
        if folder is None or metafunc.config.getoption("showfixtures", default=False):
            return
        specs = meant_specs(folder, metafunc.definition)
        fixtures = FIXTURES.intersection(metafunc.fixturenames)
        if len(folder.specs) == 1 and not (fixtures or metafunc.definition.get_closest_marker("stage")):
            return
        stages = stages_of(metafunc.definition, fixtures)
        targets = [target for spec in specs for target in targets_of(spec, stages, fixtures)]
        ids = [target.id for target in targets]
        metafunc.parametrize(TARGET, targets, ids=ids, indirect=True, scope="module")

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Let -k find every item of a spec by the spec's name."""
        item.extra_keyword_matches.update(spec.name for spec in specs_of(item))

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
        with refusing(config, items):
            self._arrange(config, items)
        return result

    def _arrange(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self._leave_out_unchanged(config, items)
        for item in items:
            _settle_stage(item)
        items[:] = in_order(plan_visits(items))
        self._report_broken_templates(config)
        report_broken_wiring(config, items)
        if not any(spec.error for spec in self._specs):
            check_named(self._settings, (spec.template for spec in self._specs))
        if any(spec_of(item) for item in items) and not config.getoption("collectonly"):
            self._settings.require_subscription()

    def _leave_out_unchanged(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Deselect the items of specs that have not changed since the commit of the command line."""
        ref = self._settings.changed_since
        if ref is None:
            return
        from pytest_plugin.changed_since import unchanged_specs  # noqa: PLC0415 - only runs that are gated

        sound = [spec for spec in self._specs if spec.error is None]
        self.unchanged = unchanged_specs(sound, ref, config.rootpath)
        left_out = [item for item in items if spec_of(item) in self.unchanged]
        if left_out:
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if spec_of(item) not in self.unchanged]

    @property
    def _specs(self) -> list[Spec]:
        return [spec for folder in self._folders for spec in folder.specs]

    def _report_broken_templates(self, config: pytest.Config) -> None:
        """Fail the collection for a broken template also if only its spec's tests were selected."""
        for spec in self._specs:
            nodeid = f"{spec.node.nodeid}/{spec.file.name}".removeprefix("./")
            if spec.error is not None and nodeid not in self._reported:
                report = pytest.CollectReport(nodeid, "failed", longrepr=str(spec.error), result=[])
                config.hook.pytest_collectreport(report=report)


def _is_meant(folder: pytest.Directory) -> bool:
    """Tell whether the arguments ask for what is in a folder, and do not just lead through it to one below."""
    start = folder.config.invocation_params.dir
    names = [name.partition("::")[0] for name in folder.config.args]
    paths = [Path(os.path.abspath(start / name)) for name in names]  # noqa: PTH100 - links stay, as in pytest
    below = [path for path in paths if folder.path in path.parents]
    around = any(path == folder.path or path in folder.path.parents for path in paths)
    return around or not below or any(path.parent == folder.path and path.is_file() for path in below)


def may_be_template(file: Path) -> bool:
    """Tell by its name alone whether a file can be a template, so that a module does not make its folder be read."""
    return file.name.endswith((".yaml", ".yml", ".json", ".pkr.hcl"))


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
