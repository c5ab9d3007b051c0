"""Options and fixtures of all tests."""

from __future__ import annotations

import gc
import math
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.golden_files import compare_golden
from tests.watchdog import Watchdog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_watchdog = pytest.StashKey[Watchdog]()
_END_SECONDS = 120.0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files instead of comparing with them"
    )


def pytest_configure(config: pytest.Config) -> None:
    # A copy of standard error: what pytest captures is not shown by a process that ends at once.
    config.stash[_watchdog] = Watchdog(os.fdopen(os.dup(2), "w", encoding="utf-8"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Give a test, with its fixtures, half as long again as pytest-timeout does, and then no more."""
    marker = item.get_closest_marker("timeout")
    given = float(marker.args[0] if marker else item.config.getoption("timeout") or item.config.getini("timeout") or 0)
    debugged = item.config.getoption("usepdb")
    item.config.stash[_watchdog].allow(item.nodeid, 1.5 * given if given and not debugged else math.inf)
    result = yield
    item.config.stash[_watchdog].allow("what comes between two tests", math.inf)
    return result


def pytest_unconfigure(config: pytest.Config) -> None:
    # pytest-xdist ends its workers by itself.
    if not hasattr(config, "workerinput"):
        config.stash[_watchdog].allow("the end of the process", _END_SECONDS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the real guests, which take the longest."""
    items.sort(key=lambda item: item.get_closest_marker("qemu") is None)


def pytest_collection_finish() -> None:
    """Let what is there for all tests be looked at no more whenever garbage is collected, which pytest does often."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:  # noqa: ANN401 - of pytest-xdist
    """Let two workers begin with real guests of their own, and share out the other tests by their modules."""
    if config.getoption("dist") != "loadgroup":
        return None
    from tests.scheduling import ModuleScheduling  # noqa: PLC0415 - most sessions go without pytest-xdist

    return ModuleScheduling(config, log)


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, Any], None]:
    """Compare a value with a golden file: ``golden("network", body)``."""
    return partial(compare_golden, update=request.config.getoption("--update-golden"))


@pytest.fixture(autouse=True)
def _calls_are_as_documented() -> Iterator[None]:
    """Fail a test in which what went over the wire of a local Azure was not as Azure documents it."""
    yield
    if validation := sys.modules.get("tests.emulator.openapi.validation"):
        found = validation.FINDINGS.take()
        assert not found, "\n".join(found)
