"""First boot, later boots, and guests that misbehave."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import paramiko
import pytest

from verified_images.emulator.fake.faults import GuestFault
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.emulator.fake.conftest import Boot, LogIn
    from verified_images.emulator.fake.hypervisor import FakeHypervisor
    from verified_images.emulator.hypervisor import GuestSpec, ProvisioningData


def test_first_boot_provisions_what_the_platform_hands_over(
    boot: Boot, log_in: LogIn, provisioning: Callable[..., ProvisioningData]
) -> None:
    script = b"#!/bin/sh\necho ran >>/var/tmp/custom\n"
    boot(provisioning=provisioning(custom_data=script, user_data=b"less wanted", password='pa"ss word'))
    login = log_in()
    assert login.output("hostname; cat /etc/hostname") == "vm-host\nvm-host"
    assert login.output("cat /var/lib/cloud/data/instance-id") == "id-of-vm"
    assert len(login.output("cat /etc/machine-id")) == 32
    assert login.output("sudo cat /etc/sudoers.d/90-cloud-init-users").endswith("azureuser ALL=(ALL) NOPASSWD:ALL")
    assert login.output("id -Gn").startswith("azureuser adm ")
    assert login.output("sudo cat /var/lib/cloud/instance/user-data.txt") == script.decode().strip()
    assert login.output("cat /var/tmp/custom") == "ran"
    assert "<ns1:UserName>azureuser</ns1:UserName>" in login.output("sudo cat /var/lib/waagent/ovf-env.xml")
    assert login.run("sudo grep -r 'ss word' /var/lib /etc /var/log").code == 1
    assert login.output("cloud-init status --wait").endswith("status: done")
    assert log_in(pkey=None, password='pa"ss word').output("whoami") == "azureuser"


def test_a_failing_custom_data_script_is_an_error_of_cloud_init(
    boot: Boot, log_in: LogIn, provisioning: Callable[..., ProvisioningData], hypervisor: FakeHypervisor
) -> None:
    boot(provisioning=provisioning(custom_data=b"#!/bin/sh\necho about to fail\nexit 7\n"))
    result = log_in().run("cloud-init status --wait")
    assert (result.code, result.stdout.strip()) == (1, "status: error")
    assert b"about to fail\n" in hypervisor.read_serial_log("vm")


def test_the_serial_log_tells_the_host_keys(hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn) -> None:
    boot()
    log = hypervisor.read_serial_log("vm").decode()
    begin, end = "-----BEGIN SSH HOST KEY KEYS-----\n", "-----END SSH HOST KEY KEYS-----\n"
    keys = log.partition(begin)[2].partition(end)[0].splitlines()
    assert keys == log_in().output("cat /etc/ssh/ssh_host_*_key.pub").splitlines()
    transport = log_in().client.get_transport()
    assert transport is not None
    assert transport.get_remote_server_key().get_base64() in "".join(keys)
    assert log.startswith("[    0.000000] Linux version ")
    assert log.endswith("\nvm-host login: ")
    log_in().output("echo from the guest | sudo tee /dev/console /dev/ttyS0")
    assert hypervisor.read_serial_log("vm").endswith(b"from the guest\nfrom the guest\n")


def test_the_serial_log_is_begun_anew_at_start(
    hypervisor: FakeHypervisor, boot: Boot, spec: Callable[..., GuestSpec]
) -> None:
    boot()
    hypervisor.stop("vm", graceful=True)
    assert hypervisor.read_serial_log("vm")
    hypervisor.start(spec())
    hypervisor.wait_until_provisioned("vm", 20)
    assert hypervisor.read_serial_log("vm").count(b"Linux version") == 1


def test_a_new_instance_of_an_image_that_was_not_cleaned_keeps_the_residue(
    hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn, provisioning: Callable[..., ProvisioningData], state: Path
) -> None:
    disk = boot(provisioning=provisioning(username="packer")).disks[0]
    machine_id = log_in(user="packer").output("cat /etc/machine-id")
    hypervisor.stop("vm", graceful=True)
    hypervisor.freeze_disk(disk, state / "image")
    boot("instance", base=state / "image")
    login = log_in("instance")
    assert login.output("cat /etc/machine-id") == machine_id
    assert login.output("cat /var/lib/cloud/data/previous-instance-id") == "id-of-vm"
    assert login.run("id packer").code == 0
    assert "packer ALL" in login.output("sudo cat /etc/sudoers.d/90-cloud-init-users")
    assert log_in("instance", user="packer").output("id -un") == "packer"


def test_a_specialized_disk_boots_as_the_machine_it_was(
    hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn, state: Path
) -> None:
    disk = boot().disks[0]
    identity = "hostname; cat /etc/machine-id /var/lib/cloud/data/instance-id /etc/ssh/*.pub"
    before = log_in().output(identity)
    hypervisor.stop("vm", graceful=True)
    hypervisor.freeze_disk(disk, state / "image")
    boot("copy", base=state / "image", provisioning=None)
    assert log_in("copy").output(identity) == before


def test_a_slow_guest_is_not_ready_until_it_has_booted(hypervisor: FakeHypervisor, boot: Boot) -> None:
    hypervisor.fault = lambda _: GuestFault(boot_seconds=30)
    boot(wait=False)
    assert hypervisor.is_running("vm")
    assert not hypervisor.is_agent_ready("vm")
    with pytest.raises(HypervisorError, match="the guest vm was not provisioned within 0 s"):
        hypervisor.wait_until_provisioned("vm", 0.05)
    with pytest.raises(HypervisorError, match="the agent of the guest vm does not answer"):
        hypervisor.run_command("vm", "true", 1)
    started = time.monotonic()
    hypervisor.stop("vm", graceful=True)
    assert time.monotonic() - started < 10


def test_a_guest_that_is_never_provisioned_serves_ssh(hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn) -> None:
    hypervisor.fault = lambda spec: GuestFault(never_provisioned=spec.name == "vm")
    boot(wait=False)
    boot("sound")
    deadline = time.monotonic() + 20
    while True:
        try:
            assert log_in().output("cloud-init status") == "status: running"
            break
        except (OSError, EOFError, paramiko.SSHException):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert not hypervisor.is_agent_ready("vm")


def test_a_guest_that_refuses_ssh_is_provisioned(hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn) -> None:
    hypervisor.fault = lambda _: GuestFault(refuses_ssh=True)
    boot()
    assert hypervisor.is_agent_ready("vm")
    with pytest.raises((OSError, EOFError, paramiko.SSHException)):
        log_in()


def test_a_guest_that_cannot_start_says_why(hypervisor: FakeHypervisor, boot: Boot) -> None:
    hypervisor.fault = lambda _: GuestFault(cannot_start="no room for this size")
    with pytest.raises(HypervisorError, match="no room for this size"):
        boot()
    assert not hypervisor.is_running("vm")


def test_a_waiting_caller_is_told_that_the_guest_ended(
    hypervisor: FakeHypervisor, boot: Boot, provisioning: Callable[..., ProvisioningData]
) -> None:
    with pytest.raises(HypervisorError, match="ended before it was provisioned"):
        boot(provisioning=provisioning(custom_data=b"#!/bin/sh\npoweroff\nsleep 60\n"))
    assert not hypervisor.is_running("vm")
