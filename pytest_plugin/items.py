"""The template file as a test file: its items are the stages of the build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_plugin import run
from pytest_plugin.failures import shortened, wants_traceback, without_history
from pytest_plugin.schedule import stage_key
from pytest_plugin.session import session_key
from pytest_plugin.specs import origin_key, spec_key, spec_of
from pytest_plugin.stages import BUILD_STAGES
from verified_images.errors import GateClosedError, VerifiedImagesError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from pytest_plugin.run import SpecRun


class TemplateFile(pytest.File):
    """A template."""

    def collect(self) -> Iterator[pytest.Item]:
        """Give one item a stage, of each spec that the template is built into.

        Raises:
            CollectError: something is wrong with the template; the text names file and line.
        """
        specs = self.stash[origin_key].specs
        for spec in specs:
            if spec.error is not None:
                raise self.CollectError(str(spec.error)) from spec.error
        has_limits = self.config.pluginmanager.hasplugin("timeout")
        for spec in specs:
            for stage in BUILD_STAGES:
                name = stage.value if len(specs) == 1 else f"{stage}[{spec.name}]"
                item = StageItem.from_parent(self, name=name)
                item.stash[spec_key] = spec
                item.stash[stage_key] = stage
                if has_limits:
                    # What pytest-timeout allows a test is no measure for a build, which has timeouts of its own.
                    item.add_marker(pytest.mark.timeout(0))
                yield item


class StageItem(pytest.Item):
    """One stage of a spec's build."""

    @property
    def _run(self) -> SpecRun:
        return self.config.stash[session_key].runs[spec_of(self)]  # type: ignore[index]

    def runtest(self) -> None:
        """Do the stage, or skip it if something closed its gate."""
        __tracebackhide__ = True
        try:
            self._run.perform(self.stash[stage_key])
        except GateClosedError as closed:
            raise pytest.skip.Exception(str(closed)) from closed
        except KeyboardInterrupt as interrupt:
            raise without_history(interrupt, self.config) from None

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:  # noqa: ANN401 - pytest's types of these are private
        """Say in one sentence what failed and why; with -vv or --full-trace, where as well."""
        if isinstance(excinfo.value, VerifiedImagesError) and not wants_traceback(self.config):
            excinfo = pytest.ExceptionInfo.from_exception(shortened(self._run, excinfo.value))
        elif not self.config.getoption("fulltrace"):
            excinfo.traceback = excinfo.traceback.cut(path=run.__file__)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[PathLike[str] | str, int | None, str]:
        """Give the stage's place in reports."""
        spec = spec_of(self)
        return self.path, 0, f"{spec.name}::{self.stash[stage_key]}" if spec else self.name
