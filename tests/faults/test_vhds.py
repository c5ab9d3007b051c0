"""Whatever goes wrong while disks are copied as VHDs: it is survived, or nothing of the copies is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from tests.faults.builds import FAULTS, PASSED, Fault, client, reap_what_is_left
from tests.local_azure import GROUP, LOCATION, everything, make_template, opened_build
from verified_images.cloud.blobs import Container, open_container
from verified_images.cloud.ids import resource_id
from verified_images.cloud.operations import Arm
from verified_images.cloud.storage_accounts import create_account, find_account
from verified_images.errors import VerifiedImagesError
from verified_images.naming import new_run
from verified_images.ssh.reach import reach_directly
from verified_images.stages.scale_set import ScaleSet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud

Azure = tuple["LocalCloud", "CloudConnection"]
Call = tuple[str, str, int]
"""A method, an operation, and which of its calls is struck."""
CONTAINERS = "Microsoft.Storage/storageAccounts/blobServices/containers"
CALLS: tuple[Call, ...] = (
    *(("GET", "Microsoft.Storage/storageAccounts/read", nth) for nth in (1, 2, 3)),
    *(("POST", "Microsoft.Storage/storageAccounts/listKeys/action", nth) for nth in (1, 2, 3)),
    ("POST", "Microsoft.Compute/disks/beginGetAccess/action", 1),
    ("POST", "Microsoft.Compute/disks/endGetAccess/action", 1),
    ("GET", f"{CONTAINERS}/read", 1),
    *(("HEAD", f"{CONTAINERS}/blobs/read", nth) for nth in (1, 2)),
    *(("PUT", f"{CONTAINERS}/blobs/write", nth) for nth in (1, 2)),
)
SAMPLE = ((CALLS[6], "reset after"), (CALLS[7], "LRO failed"), (CALLS[10], "403"), (CALLS[11], "reset after"))
NAMED = {fault.name: fault for fault in FAULTS}


@pytest.fixture(scope="module")
def container(azure: Azure) -> Container:
    arm, kind = Arm(azure[1], lambda _: None), "Microsoft.Storage/storageAccounts"
    account_id = resource_id(azure[1].subscription_id, GROUP, kind, "goldenvhds")
    create_account(arm, account_id, LOCATION)
    account = find_account(arm, account_id)
    assert account is not None
    made = open_container(arm, account, "vhds")
    made.create()
    return made


def wrongs(azure: Azure, container: Container, folder: Path, call: Call, fault: Fault) -> list[str]:
    """Make a build in which a fault strikes a call, and say what is wrong afterwards."""
    (cloud, connection), run = azure, new_run("web")
    method, operation, nth = call
    rule = {"method": method, "operation": operation, "user_agent": run.id, "nth": nth, **fault.rule}
    name, error = cloud.faults.add(name=run.id, **rule), None
    target = {"resource_group": GROUP, "storage_account": "goldenvhds", "container": "vhds", "name_prefix": run.id}
    template = make_template(
        folder,
        provisioners=[],
        image={"vhd": target},
        smoke={"instances": 1, "timeout": 60},
        timeouts=fault.timeouts or {"stall": 120, "cleanup": 120},
    )
    with client(connection, run.id) as own:
        try:
            with opened_build(own, template, folder, run=run) as build:
                captured = build.capture(build.provision(build.preflight()), PASSED)
                tested = ScaleSet("/subscriptions/s/ss", "ss", captured.id, (), None, reach_directly)
                build.publish(captured, tested, PASSED)
        except VerifiedImagesError as failed:
            error = failed
        struck = next(each for each in cloud.faults.describe() if each["name"] == name)["hit"]
        cloud.faults.remove(name)
        reap_what_is_left(own, folder, run)
    found = [
        ("was not struck", not struck),
        ("left resources", any(run.id in each for each in everything(connection))),
        ("a transient fault was not survived", bool(error) and fault.transient),
    ]
    blobs = [metadata for _, metadata in container.list_metadata(run.id)]
    verified = [metadata for metadata in blobs if metadata["vi_verdict"] == "verified" and "vi_expires" not in metadata]
    found.append((f"there is {blobs}", bool(blobs) if error else (len(blobs), len(verified)) != (1, 1)))
    return [f"{call} x {fault.name}: {text}; {error}" for text, is_wrong in found if is_wrong]


def check(azure: Azure, container: Container, folder: Path, cells: Sequence[tuple[Call, Fault]]) -> None:
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda cell: wrongs(azure, container, folder, *cell), cells))
    assert not (told := [text for texts in done for text in texts]), "\n".join(told)


def test_some_faults_at_some_calls(azure: Azure, container: Container, tmp_path: Path) -> None:
    check(azure, container, tmp_path, [(call, NAMED[name]) for call, name in SAMPLE])


@pytest.mark.faults_full
@pytest.mark.timeout(6 * 3600)
def test_every_fault_at_every_call(azure: Azure, container: Container, tmp_path: Path) -> None:
    cells = [(call, fault) for call in CALLS for fault in FAULTS if not fault.waits or "GetAccess" in call[1]]
    check(azure, container, tmp_path, cells)
