"""What a local Azure finds when it is started again on the folder of an earlier one."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from tests.emulator.clients import Clients
from tests.emulator.compute.estate import LOCATION, Estate, Faults, power_state
from verified_images.emulator import LocalCloud, Options
from verified_images.emulator.compute.scale_sets.rolling_upgrades import begin

if TYPE_CHECKING:
    from pathlib import Path


def test_a_machine_that_ran_is_stopped_and_starts_again(tmp_path: Path, image_cache: Path) -> None:
    options = Options(hypervisor="fake", cache=image_cache)
    with LocalCloud(tmp_path, options) as cloud:
        estate = Estate(Clients(cloud), Faults())
        estate.open()
        estate.make_machine()
        estate.make_scale_set(1)
        estate.run("echo kept > /root/note")
        estate.azure.close()
    with LocalCloud(tmp_path, options) as cloud:
        estate = Estate(Clients(cloud), Faults())
        machines = estate.compute.virtual_machines
        assert power_state(machines.instance_view("g", "vm")) == "PowerState/stopped"
        view = estate.compute.virtual_machine_scale_set_vms.get_instance_view("g", "ss", "0")
        assert power_state(view) == "PowerState/stopped"
        assert machines.get("g", "vm").provisioning_state == "Succeeded"
        machines.begin_start("g", "vm").result()
        assert "[stdout]\nkept\n" in estate.run("cat /root/note")
        estate.close()
        assert estate.files("disks") == []
        estate.azure.close()


def test_what_was_interrupted_is_failed_and_can_be_deleted(tmp_path: Path, image_cache: Path) -> None:
    options = Options(hypervisor="fake", cache=image_cache)
    with LocalCloud(tmp_path, options) as cloud:
        estate = Estate(Clients(cloud), Faults())
        estate.open()
        answer = estate.call("PUT", "virtualMachines/vm", estate.machine_body(estate.make_nic()))
        url = answer.headers["Azure-AsyncOperation"]
        estate.compute.virtual_machines.begin_create_or_update(
            "g", "vm", estate.machine_body(estate.make_nic())
        ).result()
        estate.hypervisor.create_disk(tmp_path / "disks" / "stray.disk", base=None, size_bytes=1)
        estate.azure.close()
    _pretend_that_it_still_ran(tmp_path / "arm.sqlite")
    (tmp_path / "disks" / ".other.unfinished").touch()
    with LocalCloud(tmp_path, options) as cloud:
        estate = Estate(Clients(cloud), Faults())
        assert len(estate.files("disks")) == 1
        assert estate.compute.virtual_machines.get("g", "vm").provisioning_state == "Failed"
        status = estate.call("GET", url.replace(url.split("/subscriptions")[0], cloud.endpoint)).json()
        assert status["status"] == "Failed"
        estate.close()
        assert estate.files("disks") == []
        estate.azure.close()


def _pretend_that_it_still_ran(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(
            "UPDATE operations SET document = json_set(document, '$.status', 'InProgress')"
            " WHERE document LIKE '%virtualMachines/write%'"
        )
    connection.close()


def test_a_rolling_upgrade_that_was_interrupted_is_over(tmp_path: Path, image_cache: Path) -> None:
    options = Options(hypervisor="fake", cache=image_cache)
    health = {
        "publisher": "Microsoft.ManagedServices",
        "type": "ApplicationHealthLinux",
        "typeHandlerVersion": "1.0",
        "settings": {"protocol": "tcp", "port": 22},
    }
    with LocalCloud(tmp_path, options) as cloud:
        estate = Estate(Clients(cloud), Faults())
        estate.open()
        estate.make_scale_set(1, extensionProfile={"extensions": [{"name": "health", "properties": health}]})
        scale_set = cloud.cloud.store.find(estate.id("virtualMachineScaleSets", "ss"))
        assert scale_set is not None
        begin(cloud.cloud, scale_set.id, started_by="User")
        estate.azure.close()
    with LocalCloud(tmp_path, options) as cloud:
        estate = Estate(Clients(cloud), Faults())
        rolling = estate.compute.virtual_machine_scale_set_rolling_upgrades
        assert rolling.get_latest("g", "ss").running_status.code == "Faulted"
        estate.compute.virtual_machine_scale_sets.begin_start("g", "ss").result()
        rolling.begin_start_extension_upgrade("g", "ss").result()
        assert rolling.get_latest("g", "ss").running_status.code == "Completed"
        estate.close()


def test_an_access_goes_on_and_what_was_half_written_of_others_is_gone(tmp_path: Path, image_cache: Path) -> None:
    options = Options(hypervisor="fake", cache=image_cache)
    with LocalCloud(tmp_path, options) as cloud:
        estate = Estate(Clients(cloud), Faults())
        estate.open()
        body = {"location": LOCATION, "properties": {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}}
        assert estate.call("PUT", "disks/d", body).status_code == 202
        access = {"access": "Read", "durationInSeconds": 600}
        url = str(estate.compute.disks.begin_grant_access("g", "d", access).result().access_sas)
        for name in (".half.vhd", "stray.vhd"):
            (tmp_path / "vhds" / name).touch()
        estate.azure.close()
    with LocalCloud(tmp_path, options) as cloud:
        estate = Estate(Clients(cloud), Faults())
        moved = cloud.endpoint + url.partition("/blobs/")[1] + url.partition("/blobs/")[2]
        assert estate.session.head(moved, verify=str(cloud.ca_bundle), timeout=30).status_code == 200
        assert len(estate.files("vhds")) == 1
        estate.compute.disks.begin_revoke_access("g", "d").result()
        estate.close()
        assert estate.files("vhds") == []
        estate.azure.close()
