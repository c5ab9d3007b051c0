"""What a real guest is given when it is made: seen from within, by its agent, and over SSH."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.qemu.owner import BOOT_ID, FIRMWARE
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from tests.emulator.qemu.owner import Owner

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

SECONDS = 900.0


def test_three_machines_run_at_once_and_each_is_reached(owner: Owner) -> None:
    assert len({owner.ask(BOOT_ID), *owner.ask_instances(BOOT_ID)}) == 3
    assert owner.ask("hostname") == "vm"
    assert owner.ask_instances("hostname") == ["inst000000", "inst000001"]


def test_each_generation_boots_by_its_firmware(owner: Owner) -> None:
    assert [owner.ask(FIRMWARE), *owner.ask_instances(FIRMWARE)] == ["UEFI", "BIOS", "BIOS"]


def test_the_administrator_logs_in_with_the_key_and_is_root_without_a_password(owner: Owner) -> None:
    assert owner.ssh(owner.guest, "id -un; hostname; sudo -n id -u").split() == ["azureuser", "vm", "0"]
    assert "azureuser" in owner.ask("cat /etc/sudoers.d/90-cloud-init-users")


def test_custom_data_is_honoured_too(owner: Owner) -> None:
    assert owner.ask("cat /etc/custom; echo; test -e /etc/ran && echo ran").split() == ["written", "ran"]


def test_the_guest_has_the_address_and_the_disks_that_arm_gave_it(owner: Owner) -> None:
    card = owner.estate.azure.network.network_interfaces.get("g", "vm-nic")
    assert card.ip_configurations is not None
    address = card.ip_configurations[0].private_ip_address
    assert f" {address}/24 " in f"{owner.ask('ip -brief address show eth0')} "
    assert int(owner.ask("df --output=size --block-size=1G / | tail -1")) >= 39
    assert owner.ask("lsblk -bdno SIZE /dev/disk/azure/scsi1/lun0") == str(1 << 30)


def test_the_agents_command_gives_exit_code_and_both_outputs(owner: Owner) -> None:
    run = owner.hypervisor.run_command
    outcome = run(owner.guest, "echo out; echo err >&2; cat; exit 7", SECONDS)
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (7, "out\n", "err\n")
    large = "#!/usr/bin/env python3\n" + f"# {'x' * 500_000}\n" + "print('from python')"
    assert run(owner.guest, large, SECONDS).stdout == "from python\n"
    with pytest.raises(HypervisorError, match="did not end within 1 s"):
        run(owner.guest, "exec sleep 54321", 1)
    assert run(owner.guest, "while pgrep -fx 'sleep 54321'; do sleep 1; done", SECONDS).exit_code == 0
