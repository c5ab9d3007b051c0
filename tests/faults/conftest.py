from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.table import TABLES
from tests.local_azure import start_local_azure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the whole matrix out unless it was asked for."""
    if "faults_full" in str(config.getoption("markexpr")):
        return
    whole = [item for item in items if item.get_closest_marker("faults_full")]
    config.hook.pytest_deselected(items=whole)
    items[:] = [item for item in items if item not in whole]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the tables."""
    for table in TABLES:
        terminalreporter.write_sep("-", "faults")
        for line in table.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="package")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalCloud, CloudConnection]]:
    """A local Azure for all faults."""
    folder = tmp_path_factory.mktemp("azure")
    with start_local_azure(folder / "state", folder / "cache", announced=True) as opened:
        yield opened
