from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.emulator.qemu.guests import make_provisioning, make_spec
from verified_images.emulator.qemu.accelerator import KVM, TCG
from verified_images.emulator.qemu.command_line import GuestFiles, Sockets, find_firmware, qemu_command

if TYPE_CHECKING:
    from verified_images.emulator.hypervisor import GuestSpec
    from verified_images.emulator.qemu.accelerator import Accelerator

SOCKETS = Sockets(monitor=7, agent=9, inlet=11, outlet=13, outside=15)
FILES = GuestFiles(Path("/state/guests/one"))


def _command(spec: GuestSpec, accelerator: Accelerator = TCG) -> list[str]:
    return qemu_command(spec, FILES, accelerator, SOCKETS)


def _values(command: list[str], option: str) -> list[str]:
    return [value for name, value in itertools.pairwise(command) if name == option]


def _nodes(command: list[str]) -> dict[str, dict[str, Any]]:
    return {node["node-name"]: node for node in map(json.loads, _values(command, "-blockdev"))}


def _scsi_disks(command: list[str]) -> list[dict[str, Any]]:
    return [json.loads(value) for value in _values(command, "-device") if value.startswith("{")]


def test_the_guest_gets_the_address_that_arm_gave_it() -> None:
    command = _command(make_spec(address="10.0.0.17"))
    (netdev,) = _values(command, "-netdev")
    assert netdev == "user,id=net,ipv6=off,net=10.0.0.0/24,host=10.0.0.1,dns=10.0.0.3,dhcpstart=10.0.0.17"
    assert "virtio-net-pci,netdev=net,mac=00:0D:3A:12:34:56,romfile=" in _values(command, "-device")


def test_what_the_guest_sends_goes_through_the_switch_and_what_comes_from_outside_straight_to_it() -> None:
    command = _command(make_spec())
    sockets = [value for value in _values(command, "-chardev") if value.startswith("socket")]
    assert sockets[:3] == ["socket,id=inlet,fd=11", "socket,id=outlet,fd=13", "socket,id=outside,fd=15"]
    assert [value for value in _values(command, "-object") if value.startswith("filter")] == [
        "filter-redirector,id=sent,netdev=net,queue=rx,outdev=inlet,indev=outside",
        "filter-redirector,id=received,netdev=net,queue=tx,indev=outlet",
    ]


def test_disks_stand_where_azure_has_them() -> None:
    spec = make_spec("one", Path("/d/os.qcow2"), Path("/d/a.qcow2"), Path("/d/b.qcow2"))
    assert [(disk["bus"], disk["lun"], disk["serial"]) for disk in _scsi_disks(_command(spec))] == [
        ("os.0", 0, "os"),
        ("data.0", 0, "lun0"),
        ("data.0", 1, "lun1"),
    ]


def test_a_data_disk_has_the_lun_that_arm_gave_it() -> None:
    spec = make_spec("one", Path("/d/os.qcow2")).with_data_disks({7: Path("/d/b.qcow2"), 3: Path("/d/a.qcow2")})
    command = _command(spec)
    assert [(disk["lun"], disk["serial"], disk["drive"]) for disk in _scsi_disks(command)] == [
        (0, "os", "os-disk"),
        (3, "lun3", "lun3"),
        (7, "lun7", "lun7"),
    ]
    assert _nodes(command)["lun7"]["file"]["filename"] == "/d/b.qcow2"


def test_a_path_may_hold_any_character() -> None:
    command = qemu_command(make_spec("one", Path("/d/a,b:c.qcow2")), GuestFiles(Path("/s,t")), TCG, SOCKETS)
    assert _nodes(command)["os-disk"]["file"]["filename"] == "/d/a,b:c.qcow2"
    assert "file,id=serial,path=/s,,t/serial.log,append=on" in _values(command, "-chardev")


def test_generation_1_boots_by_bios() -> None:
    command = _command(make_spec("one", Path("/d/os.qcow2")))
    assert "uefi-code" not in _nodes(command)
    assert _values(command, "-machine") == ["q35,hpet=off"]


def test_generation_2_boots_by_uefi_with_variables_of_its_own() -> None:
    command = _command(make_spec("one", Path("/d/os.qcow2"), generation="V2"))
    nodes = _nodes(command)
    assert nodes["uefi-code"]["file"]["filename"] == str(find_firmware()[0])
    assert nodes["uefi-code"]["read-only"] is True
    assert nodes["uefi-variables"]["file"]["filename"] == "/state/guests/one/uefi-variables.fd"
    assert nodes["uefi-variables"]["read-only"] is False


def test_a_machine_that_is_not_provisioned_has_no_seed() -> None:
    assert "seed" not in _nodes(_command(make_spec("one", Path("/d/os.qcow2"))))
    spec = make_spec("one", Path("/d/os.qcow2"), provisioning=make_provisioning())
    assert _nodes(_command(spec))["seed"]["read-only"] is True


def test_no_secret_is_on_the_command_line() -> None:
    provisioning = make_provisioning(password="hunter2 and more", custom_data=b"a secret in custom data")
    command = " ".join(_command(make_spec("one", Path("/d/os.qcow2"), provisioning=provisioning)))
    assert "hunter2" not in command
    assert "custom data" not in command


def test_the_machine_is_known_to_itself_by_its_vm_id() -> None:
    (smbios,) = _values(_command(make_spec("6F1C2A34-9D1E-4B53-8C0A-2F6D4C1B7E90")), "-smbios")
    assert smbios.endswith(",uuid=6f1c2a34-9d1e-4b53-8c0a-2f6d4c1b7e90")


def test_any_other_name_is_made_an_identity_that_stays() -> None:
    first, again, other = (_values(_command(make_spec(name)), "-smbios") for name in ("web_0", "web_0", "web_1"))
    assert first == again != other


def test_the_accelerator_is_used() -> None:
    command = _command(make_spec(), KVM)
    assert _values(command, "-accel") == ["kvm"]
    assert _values(command, "-cpu") == ["host"]
