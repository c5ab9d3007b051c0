"""From the Marketplace to instances, as a build goes."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from verified_images.emulator.fake.hypervisor import FakeHypervisor
from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.emulator.fake.conftest import Boot, LogIn
    from verified_images.emulator.hypervisor import GuestSpec


def test_instances_come_from_an_image_of_a_deprovisioned_machine(
    hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn, state: Path
) -> None:
    disk = boot("build").disks[0]
    build = log_in("build")
    build.output("sudo apt-get update && sudo apt-get install -y nginx")
    build.output("echo from the image | sudo tee /var/www/html/index.html")
    old_key = build.output("cat /etc/ssh/ssh_host_ed25519_key.pub")
    build.output("sudo cloud-init clean --logs --machine-id && sudo waagent -deprovision+user -force")
    hypervisor.stop("build", graceful=True)
    image = state / "disks" / "image"
    hypervisor.freeze_disk(disk, image)
    for name in ("first", "second"):
        boot(name, base=image)
    first, second = log_in("first"), log_in("second")
    for instance, host_name in ((first, "first-host"), (second, "second-host")):
        assert instance.output("curl -s http://localhost/") == "from the image"
        assert instance.output("hostname") == host_name
        assert old_key not in instance.output("cat /etc/ssh/*.pub")
    for identity in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub", "/var/lib/cloud/data/instance-id"):
        assert first.output(f"cat {identity}") != second.output(f"cat {identity}")


def test_a_guest_keeps_its_disk_over_stop_and_start(hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn) -> None:
    spec = boot()
    before = log_in().output("echo kept > note; cat /etc/machine-id; sha256sum /etc/ssh/*_key")
    hypervisor.stop("vm", graceful=True)
    assert not hypervisor.is_running("vm")
    hypervisor.start(spec)
    hypervisor.wait_until_provisioned("vm", 20)
    assert log_in().output("cat /etc/machine-id; sha256sum /etc/ssh/*_key") == before
    assert log_in().output("cat note; ls /run/provisioning/new || true") == "kept"


def test_a_restart_is_another_boot_of_the_same_machine(hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn) -> None:
    boot()
    address = hypervisor.forward("vm", 22)
    before = log_in().output("sleep 300 >/dev/null 2>&1 & cat /proc/sys/kernel/random/boot_id")
    hypervisor.restart("vm")
    hypervisor.wait_until_provisioned("vm", 20)
    assert hypervisor.forward("vm", 22) == address
    assert log_in().output("cat /proc/sys/kernel/random/boot_id") != before
    assert log_in().run("pgrep sleep").code == 1
    assert float(log_in().output("cut -d' ' -f1 /proc/uptime")) < 20


def test_reboot_from_inside_boots_again(hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn) -> None:
    boot()
    login = log_in()
    before = login.output("cat /proc/sys/kernel/random/boot_id")
    login.run("sudo reboot")
    transport = login.client.get_transport()
    assert transport is not None
    transport.join(10)
    assert not transport.is_active()
    hypervisor.wait_until_provisioned("vm", 20)
    assert log_in().output("cat /proc/sys/kernel/random/boot_id") != before


def test_poweroff_from_inside_leaves_the_guest_off(hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn) -> None:
    boot()
    log_in().run("sudo shutdown -h now")
    deadline = time.monotonic() + 10
    while hypervisor.is_running("vm") and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not hypervisor.is_running("vm")
    assert not hypervisor.is_agent_ready("vm")


def test_a_guest_that_runs_is_not_started_twice(hypervisor: FakeHypervisor, boot: Boot) -> None:
    spec = boot(wait=False)
    with pytest.raises(HypervisorError, match="the guest vm runs already"):
        hypervisor.start(spec)


def test_many_guests_start_at_the_same_time(
    hypervisor: FakeHypervisor, marketplace: Path, spec: Callable[..., GuestSpec]
) -> None:
    specs = [spec(f"vm{number}") for number in range(6)]
    for wanted in specs:
        hypervisor.create_disk(wanted.disks[0], base=marketplace, size_bytes=None)
    with ThreadPoolExecutor(len(specs)) as pool:
        list(pool.map(hypervisor.start, specs))
        list(pool.map(lambda wanted: hypervisor.wait_until_provisioned(wanted.name, 60), specs))
        names = pool.map(lambda wanted: hypervisor.run_command(wanted.name, "hostname", 60).stdout, specs)
        assert list(names) == [f"vm{number}-host\n" for number in range(6)]
        list(pool.map(lambda wanted: hypervisor.stop(wanted.name, graceful=True), specs))


def test_what_is_not_running_is_named(hypervisor: FakeHypervisor) -> None:
    hypervisor.stop("nobody", graceful=True)
    hypervisor.forget("nobody")
    assert hypervisor.read_serial_log("nobody") == b""
    for ask in (
        lambda: hypervisor.restart("nobody"),
        lambda: hypervisor.wait_until_provisioned("nobody", 1),
        lambda: hypervisor.run_command("nobody", "true", 1),
        lambda: hypervisor.forward("nobody", 22),
    ):
        with pytest.raises(HypervisorError, match="nobody"):
            ask()


def test_forgetting_leaves_the_disk(hypervisor: FakeHypervisor, boot: Boot, state: Path) -> None:
    spec = boot()
    hypervisor.forget("vm")
    assert not (state / "guests" / "vm").exists()
    assert hypervisor.disk_size(spec.disks[0]) == 30 * 1024**3


def test_the_agent_runs_a_script_as_root(hypervisor: FakeHypervisor, boot: Boot) -> None:
    boot()
    outcome = hypervisor.run_command("vm", "#!/bin/bash\necho ${BASH_VERSION:+bash}; id -un; echo no >&2; exit 3", 20)
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (3, "bash\nroot\n", "no\n")
    with pytest.raises(HypervisorError, match="did not end within 0 s"):
        hypervisor.run_command("vm", "sleep 60", 0.2)


def test_close_leaves_no_thread_process_or_descriptor(
    hypervisor: FakeHypervisor, boot: Boot, log_in: LogIn, state: Path
) -> None:
    threads, descriptors = threading.active_count(), _open_descriptors()
    boot()
    login = log_in()
    login.session().exec_command("sleep 300")
    hypervisor.forward("vm", 80)
    hypervisor.close()
    login.client.close()
    # The threads that fed a command end a moment after it.
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and (threading.active_count() > threads or _open_descriptors() > descriptors):
        time.sleep(0.01)
    assert threading.active_count() <= threads, threading.enumerate()
    # The lock of the state folder was open before, and what the switch waits with: an epoll and a pair of sockets.
    assert _open_descriptors() == descriptors - 4
    assert str(state) not in _command_lines()


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


_OWNER = """
import sys, time
from pathlib import Path
from verified_images.emulator.fake.hypervisor import FakeHypervisor
from verified_images.emulator.hypervisor import GuestNetwork, GuestSpec, ProvisioningData
state, cache = Path(sys.argv[1]), Path(sys.argv[2])
hypervisor = FakeHypervisor(state, cache)
hypervisor.create_disk(state / "disk", base=hypervisor.marketplace_disk("Debian:debian-12:12", "V1"), size_bytes=None)
data = ProvisioningData("id", "host", "azureuser")
network = GuestNetwork("00:0d:3a:00:00:01", "10.0.0.4", "10.0.0.0/24")
hypervisor.start(GuestSpec("vm", (state / "disk",), 1, 512, "V1", network, data))
hypervisor.wait_until_provisioned("vm", 20)
hypervisor.run_command("vm", "setsid sleep 4242 >/dev/null 2>&1 &", 20)
print("up", flush=True)
time.sleep(60)
"""


def test_a_guest_does_not_outlive_an_owner_that_is_killed(state: Path, cache: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _OWNER, str(state), str(cache)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"up\n"
        with pytest.raises(HypervisorError, match=f"in use by process {owner.pid}"):
            FakeHypervisor(state, cache)
        assert "sleep 4242" in _command_lines()
        owner.send_signal(signal.SIGKILL)
    heir = FakeHypervisor(state, cache)
    deadline = time.monotonic() + 10
    while "sleep 4242" in _command_lines() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert "sleep 4242" not in _command_lines()
    assert not heir.is_running("vm")
    heir.delete_disk(state / "disk")
    assert sorted(path.name for path in (state / "layers").iterdir()) == ["claims"]
    heir.close()


def _command_lines() -> str:
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return "\n".join(lines)
