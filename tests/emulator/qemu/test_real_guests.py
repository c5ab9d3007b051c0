"""One story with real guests: a machine is built, restarted, captured, and two instances are made of its image."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from tests.emulator.qemu.guests import CACHE, make_provisioning, make_spec
from tests.emulator.qemu.ssh_client import Key, make_key, run_over_ssh, write_known_hosts
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.qemu import QemuHypervisor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.emulator.hypervisor import Generation, GuestSpec

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

SECONDS = 900.0
GENERATIONS: tuple[Generation, ...] = ("V1", "V2")
CUSTOM_DATA = b"""#cloud-config
write_files: [{path: /etc/custom, content: written}]
runcmd: [[touch, /etc/ran]]
"""
DEPROVISION = """set -e
waagent -deprovision+user -force
cloud-init clean --logs
truncate -s 0 /etc/machine-id
"""


@dataclass(frozen=True)
class Machine:
    """A guest that is provisioned."""

    hypervisor: QemuHypervisor
    spec: GuestSpec
    key: Key
    folder: Path

    def ask(self, script: str) -> str:
        outcome = self.hypervisor.run_command(self.spec.name, script, SECONDS)
        assert outcome.exit_code == 0, outcome
        return outcome.stdout.strip()

    def ssh(self, command: str) -> str:
        assert self.spec.provisioning is not None
        address = self.hypervisor.forward(self.spec.name, 22)
        log = self.hypervisor.read_serial_log(self.spec.name)
        hosts = write_known_hosts(self.folder / f"{self.spec.name}.known", address, log)
        return run_over_ssh(address, self.spec.provisioning.username, self.key, hosts, command).strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Longer than a Unix socket's path may be.
    return tmp_path_factory.mktemp("long-" + "x" * 120)


@pytest.fixture(scope="module")
def hypervisor(folder: Path) -> Iterator[QemuHypervisor]:
    hypervisor = QemuHypervisor(folder, CACHE, progress=print)
    yield hypervisor
    hypervisor.close()


@pytest.fixture(scope="module")
def machine(hypervisor: QemuHypervisor, folder: Path) -> Machine:
    disk, data = folder / "disks/os.qcow2", folder / "disks/data.qcow2"
    base = hypervisor.marketplace_disk("Debian:debian-12:12", "V1")
    hypervisor.create_disk(disk, base=base, size_bytes=40 << 30)
    hypervisor.create_disk(data, base=None, size_bytes=1 << 30)
    key = make_key(folder)
    provisioning = replace(make_provisioning(custom_data=CUSTOM_DATA), ssh_keys=(key.public,))
    spec = make_spec(str(uuid.uuid4()), disk, data, provisioning=provisioning)
    hypervisor.start(spec)
    hypervisor.wait_until_provisioned(spec.name, SECONDS)
    return Machine(hypervisor, spec, key, folder)


@pytest.fixture(scope="module")
def image(machine: Machine) -> Path:
    machine.ask("echo captured > /etc/marker")
    machine.ask(DEPROVISION)
    machine.hypervisor.stop(machine.spec.name, graceful=True)
    image = machine.folder / "images/v1.qcow2"
    machine.hypervisor.freeze_disk(machine.spec.disks[0], image)
    return image


@pytest.fixture(scope="module")
def instances(hypervisor: QemuHypervisor, machine: Machine, image: Path) -> tuple[Machine, ...]:
    made = []
    for number, generation in enumerate(GENERATIONS):
        disk = machine.folder / f"disks/instance{number}.qcow2"
        hypervisor.create_disk(disk, base=image, size_bytes=None)
        provisioning = replace(make_provisioning(f"web-{number}", username="ops"), ssh_keys=(machine.key.public,))
        spec = replace(
            make_spec(str(uuid.uuid4()), disk, address=f"10.0.0.{5 + number}", provisioning=provisioning),
            generation=generation,
        )
        hypervisor.start(spec)
        made.append(Machine(hypervisor, spec, machine.key, machine.folder))
    for instance in made:
        hypervisor.wait_until_provisioned(instance.spec.name, SECONDS)
    return tuple(made)


def test_the_administrator_logs_in_with_the_key_and_is_root_without_a_password(machine: Machine) -> None:
    assert machine.ssh("id -un; hostname; sudo -n id -u").split() == ["azureuser", "builder", "0"]
    assert "azureuser" in machine.ask("cat /etc/sudoers.d/90-cloud-init-users")


def test_custom_data_is_honoured_too(machine: Machine) -> None:
    assert machine.ask("cat /etc/custom; test -e /etc/ran") == "written"


def test_the_guest_has_the_address_and_the_disks_that_arm_gave_it(machine: Machine) -> None:
    assert "10.0.0.4/24" in machine.ask("ip -brief address show eth0")
    assert int(machine.ask("df --output=size --block-size=1G / | tail -1")) >= 39
    assert machine.ask("lsblk -bdno SIZE /dev/disk/azure/scsi1/lun0") == str(1 << 30)


def test_the_agents_command_gives_exit_code_and_both_outputs(machine: Machine) -> None:
    run = machine.hypervisor.run_command
    outcome = run(machine.spec.name, "echo out; echo err >&2; cat; exit 7", SECONDS)
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (7, "out\n", "err\n")
    large = "#!/usr/bin/env python3\n" + f"# {'x' * 500_000}\n" + "print('from python')"
    assert run(machine.spec.name, large, SECONDS).stdout == "from python\n"
    with pytest.raises(HypervisorError, match="did not end within 1 s and was killed"):
        run(machine.spec.name, "sleep 300", 1)


def test_packages_install_from_the_hosts_repositories(machine: Machine) -> None:
    machine.ask("apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y nginx")
    assert machine.ask("systemctl is-active nginx") == "active"


def test_a_restart_boots_by_what_update_grub_wrote(machine: Machine) -> None:
    address = machine.hypervisor.forward(machine.spec.name, 22)
    boot_id = machine.ask("cat /proc/sys/kernel/random/boot_id")
    machine.ask("echo 'GRUB_CMDLINE_LINUX=\"$GRUB_CMDLINE_LINUX marker=1\"' >/etc/default/grub.d/90.cfg; update-grub")
    machine.hypervisor.restart(machine.spec.name)
    assert machine.hypervisor.is_running(machine.spec.name)
    machine.hypervisor.wait_until_provisioned(machine.spec.name, SECONDS)
    assert machine.ask("cat /proc/sys/kernel/random/boot_id") != boot_id
    command_line = machine.ask("cat /proc/cmdline")
    assert "marker=1" in command_line
    assert "BOOT_IMAGE=/boot/vmlinuz-" in command_line
    assert machine.hypervisor.forward(machine.spec.name, 22) == address
    assert machine.ssh("hostname") == "builder"


def test_a_captured_machine_has_switched_itself_off(machine: Machine, image: Path) -> None:
    assert not machine.hypervisor.is_running(machine.spec.name)
    assert image.stat().st_mode & 0o222 == 0


def test_instances_have_what_was_captured(instances: tuple[Machine, ...]) -> None:
    for instance in instances:
        # The agent answers before the last services have started.
        instance.ask("timeout 300 systemctl is-system-running --wait || systemctl --failed")
        assert instance.ask("cat /etc/marker; systemctl is-active nginx").split() == ["captured", "active"]


def test_instances_have_identities_of_their_own(instances: tuple[Machine, ...]) -> None:
    for number, instance in enumerate(instances):
        assert instance.ssh("id -un; hostname; sudo -n id -u").split() == ["ops", f"web-{number}", "0"]
        assert instance.ask("getent passwd azureuser || echo gone") == "gone"
        assert f"10.0.0.{5 + number}/24" in instance.ask("ip -brief address show eth0")
    for file in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"):
        assert len({instance.ask(f"cut -d' ' -f1,2 {file}") for instance in instances}) == 2


def test_each_generation_boots_by_its_firmware(instances: tuple[Machine, ...]) -> None:
    question = "test -d /sys/firmware/efi && echo UEFI || echo BIOS"
    assert [instance.ask(question) for instance in instances] == ["BIOS", "UEFI"]


def test_a_guest_that_powers_itself_off_is_noticed(instances: tuple[Machine, ...]) -> None:
    instance = instances[0]
    assert json.loads(instance.ask("cat /run/cloud-init/result.json"))["v1"]["errors"] == []
    instance.ask("systemd-run --on-active=1 systemctl poweroff")
    deadline = time.monotonic() + SECONDS
    while instance.hypervisor.is_running(instance.spec.name) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not instance.hypervisor.is_running(instance.spec.name)
