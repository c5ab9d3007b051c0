"""Whether a spec's whole suite was selected.

pytest tells of everything it finds while it collects, also of what node ids, ``--lf`` or a deselection leave
out later. An image that only a part of its suite was run on must not be published.
"""

from __future__ import annotations

from collections import defaultdict
from fnmatch import fnmatch
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.options import settings_key
from pytest_plugin.specs import specs_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from pathlib import Path

    from pytest_plugin.specs import Spec

NAMED_AT_MOST = 3

# With pytest 9.1, pytest-xdist adds the group of a test to its node id once it was found.
_found_as = pytest.StashKey[str]()


class Inventory:
    """Everything that pytest found in each spec; asked at the end what of it was left out."""

    def __init__(self, config: pytest.Config) -> None:
        self._test_modules: Sequence[str] = config.getini("python_files")
        # --lf passes over a file without failures by giving it an empty report.
        self._skips_files: bool = config.getoption("lf", default=False)
        self._allows_skips = config.stash[settings_key].allow_skips
        self._found: defaultdict[Spec, dict[str, pytest.Item | pytest.Collector]] = defaultdict(dict)
        self._collected: set[str] = set()
        self._skipped: set[str] = set()
        self._ignored: list[Path] = []

    # The innermost wrapper: --lf removes from the result further out.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Remember what the collector found."""
        report = yield
        specs = specs_of(collector)
        if specs and report.skipped:
            self._skipped.add(collector.nodeid)
        if specs and report.passed:
            if report.result or not self._skips_files:
                self._collected.add(collector.nodeid)
            for child in report.result:
                child.stash[_found_as] = child.nodeid
                for spec in specs_of(child):
                    if spec in specs:
                        self._found[spec][child.nodeid] = child
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_ignore_collect(
        self, collection_path: Path, config: pytest.Config
    ) -> Generator[None, bool | None, bool | None]:
        """Remember what the command line leaves out; what a conftest.py leaves out is no part of the suite."""
        ignored = yield
        if ignored and _named_by_ignore(collection_path, config):
            self._ignored.append(collection_path)
        return ignored

    def left_out(self, spec: Spec, selected: Iterable[pytest.Item]) -> tuple[str, ...]:
        """Say what of the spec was found but is not among the selected items; nothing: the suite is whole."""
        chosen = {item.stash.get(_found_as, item.nodeid) for item in selected}
        items = [nodeid for nodeid, node in self._found[spec].items() if isinstance(node, pytest.Item)]
        files = [nodeid for nodeid, node in self._found[spec].items() if self._was_passed_over(node)]
        skipped = [] if self._allows_skips else [nodeid for nodeid in self._found[spec] if nodeid in self._skipped]
        ignored = [str(path) for path in self._ignored if _concerns(path, spec)]
        return (
            *_say("not collected", files),
            *_say("skipped as a whole", skipped),
            *_say("not selected", [nodeid for nodeid in items if nodeid not in chosen]),
            *_say("left out by --ignore", ignored),
        )

    def _was_passed_over(self, node: pytest.Item | pytest.Collector) -> bool:
        """Tell whether something that may hold tests was found but not looked into."""
        if isinstance(node, pytest.Item) or node.nodeid in self._collected | self._skipped:
            return False
        return not isinstance(node, pytest.Directory) or any(
            fnmatch(file.name, pattern) for file in node.path.rglob("*.py") for pattern in self._test_modules
        )


def _concerns(path: Path, spec: Spec) -> bool:
    """Tell whether what is left out could hold tests of the spec, or is its template."""
    if path.is_relative_to(spec.folder):
        return path.is_dir() or path.suffix == ".py" or path == spec.file
    return False


def _named_by_ignore(path: Path, config: pytest.Config) -> bool:
    """Tell whether ``--ignore`` or ``--ignore-glob`` names the path."""
    start = config.invocation_params.dir
    paths = {start / given for given in config.getoption("ignore") or ()}
    globs = [str(start / given) for given in config.getoption("ignore_glob") or ()]
    return path in paths or any(fnmatch(str(path), glob) for glob in globs)


def _say(what: str, names: Sequence[str]) -> tuple[str, ...]:
    """Give no or one sentence that names the first few of the names."""
    if not names:
        return ()
    more = f" and {len(names) - NAMED_AT_MOST} more" if len(names) > NAMED_AT_MOST else ""
    return (f"{what}: {', '.join(names[:NAMED_AT_MOST])}{more}",)
