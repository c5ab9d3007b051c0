"""Options and fixtures of all tests."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.golden_files import compare_golden

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden", action="store_true", help="write the golden files instead of comparing with them"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each module to one worker, and begin with the real guests, which take the longest.

    Those that the emulator's tests look at are one group, those that something is built on another: two workers begin
    with one each.
    """
    items.sort(key=lambda item: item.get_closest_marker("qemu") is None)
    for item in items:
        guests = "guests" if "emulator" in item.path.parts else "builds"
        group = guests if item.get_closest_marker("qemu") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


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
