from __future__ import annotations

import sqlite3
import stat
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import HttpResponseError

from tests.emulator.clients import Clients
from verified_images.emulator import LocalCloud, Options, StateInUseError, find_running
from verified_images.emulator.timing import Timing

if TYPE_CHECKING:
    from pathlib import Path


def test_state_survives_a_restart(tmp_path: Path, image_cache: Path) -> None:
    options = Options(hypervisor="fake", cache=image_cache)
    with LocalCloud(tmp_path, options) as cloud:
        clients = Clients(cloud)
        clients.resources.resource_groups.create_or_update("g", {"location": "eastus", "tags": {"a": "b"}})
        clients.close()
    with LocalCloud(tmp_path, options) as cloud:
        clients = Clients(cloud)
        assert clients.resources.resource_groups.get("g").tags == {"a": "b"}
        clients.close()


class FullDisk:
    """In place of the database: refuses everything."""

    def execute(self, *_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")


def test_a_full_disk_is_told_and_no_operation_waits_for_it(
    tmp_path: Path, image_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timing = Timing({"Microsoft.Resources/resourceGroups/delete": 0.2})
    with LocalCloud(tmp_path, Options(hypervisor="fake", cache=image_cache, timing=timing)) as cloud:
        clients = Clients(cloud)
        groups = clients.resources.resource_groups
        groups.create_or_update("g", {"location": "eastus"})
        deletion = groups.begin_delete("g")
        with monkeypatch.context() as patch:
            patch.setattr(cloud.cloud.store, "_database", FullDisk())
            deletion.wait(10)
            assert deletion.done()
            with pytest.raises(HttpResponseError, match="could not use its own files: database or disk is full"):
                groups.create_or_update("h", {"location": "eastus"}, retry_total=0)
        clients.close()


def test_a_folder_in_use_is_refused_with_the_process(local_cloud: LocalCloud, image_cache: Path) -> None:
    with pytest.raises(StateInUseError, match=r"in use by process \d+"):
        LocalCloud(local_cloud.state, Options(hypervisor="fake", cache=image_cache))


def test_an_announced_cloud_is_found_until_it_closes(tmp_path: Path, image_cache: Path) -> None:
    with LocalCloud(tmp_path, Options(hypervisor="fake", cache=image_cache, announced=True)) as cloud:
        found = find_running(tmp_path)
        assert found is not None
        assert (found.endpoint, found.proxy, found.account) == (cloud.endpoint, cloud.proxy, cloud.account)
    assert find_running(tmp_path) is None


def test_a_cloud_that_is_not_announced_is_not_found(local_cloud: LocalCloud) -> None:
    assert find_running(local_cloud.state) is None


def test_private_files_are_their_owners_alone(local_cloud: LocalCloud) -> None:
    for name in ("account.json", "ca/ca.key", "ca/server.key"):
        assert stat.S_IMODE((local_cloud.state / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(local_cloud.state.stat().st_mode) == 0o700
