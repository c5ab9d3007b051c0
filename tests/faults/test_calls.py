"""Whatever goes wrong with whatever call of a build: it is survived, or the build fails cleanly and nothing is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.faults.builds import FAULTS, Cell, Fault, discover, run_cell
from tests.faults.table import new_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from tests.faults.calls import Call
    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud

AT_ONCE = 6
AT_ANY_CALL = tuple(fault for fault in FAULTS if not fault.waits)
OF_OPERATIONS = tuple(fault for fault in FAULTS if fault.waits)
Azure = tuple["LocalCloud", "CloudConnection"]


@pytest.fixture(scope="module")
def calls(azure: Azure, tmp_path_factory: pytest.TempPathFactory) -> tuple[Call, ...]:
    """Every call of a build, with a uniform scale set or a flexible one."""
    found: dict[tuple[str, str, str], Call] = {}
    for orchestration in ("uniform", "flexible"):
        for call in discover(azure[1], tmp_path_factory.mktemp("discovery"), orchestration):
            found.setdefault((call.method, call.operation, call.scope), call)
    return tuple(found.values())


def run_all(azure: Azure, folder: Path, cells: Sequence[tuple[Call, Fault]]) -> list[Cell]:
    """Make a build for each cell, several at once, and count how they ended."""
    table = new_table("ARM calls")
    with ThreadPoolExecutor(AT_ONCE) as pool:
        done = list(pool.map(lambda cell: run_cell(*azure, folder, *cell), cells))
    for cell in done:
        endings = ["failed cleanly" if cell.error else "survived"]
        endings += ["reaped"] if cell.reaped else []
        endings += ["leaked"] if any(text.startswith("left") for text in cell.wrong) else []
        table.count(cell.fault.name, *endings)
    return done


def check(cells: Sequence[Cell]) -> None:
    """Fail with every cell in which something is wrong, and those that were spared."""
    wrong = [str(cell) for cell in cells if cell.wrong]
    spared = [f"{cell} was not struck" for cell in cells if not cell.struck]
    assert not [*wrong, *spared], "\n".join([*wrong, *spared])


def test_each_call_and_each_fault_once(azure: Azure, calls: tuple[Call, ...], tmp_path: Path) -> None:
    sample = [(call, AT_ANY_CALL[place % len(AT_ANY_CALL)]) for place, call in enumerate(calls)]
    waiting = [call for call in calls if call.waits]
    sample += [(call, OF_OPERATIONS[place % len(OF_OPERATIONS)]) for place, call in enumerate(waiting)]
    assert {fault.name for _, fault in sample} == {fault.name for fault in FAULTS}
    check(run_all(azure, tmp_path, sample))


@pytest.mark.faults_full
@pytest.mark.timeout(6 * 3600)
def test_every_fault_at_every_call(azure: Azure, calls: tuple[Call, ...], tmp_path: Path) -> None:
    check(
        run_all(azure, tmp_path, [(call, fault) for call in calls for fault in FAULTS if call.waits or not fault.waits])
    )
