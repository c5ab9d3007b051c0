"""The tools run for real in one Debian guest, which installs them from Debian's packages."""

from __future__ import annotations

import socket
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.emulator.qemu.guests import CACHE, make_provisioning, make_spec
from tests.provisioners.machine import Bench
from verified_images.emulator.qemu import QemuHypervisor
from verified_images.ssh.address import Address
from verified_images.ssh.host_keys import read_serial_log
from verified_images.ssh.keys import new_run_key
from verified_images.ssh.session import Session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]

SECONDS = 900.0
# What costs most where the processor is software: unpacking xz, compiling Python that is never run, and documentation.
BE_QUICK = (
    """echo 'Acquire::Languages "none"; Acquire::CompressionTypes::Order { "gz"; };' >/etc/apt/apt.conf.d/90quick""",
    r"printf 'force-unsafe-io\npath-exclude=/usr/share/%s/*\n' doc man locale >/etc/dpkg/dpkg.cfg.d/90quick",
    r"printf '#!/bin/sh\n' >/usr/local/bin/py3compile; chmod 755 /usr/local/bin/py3compile",
)
INSTALL = (
    "apt-get -q update",
    "apt-get -q -y --no-install-recommends -o Dpkg::Use-Pty=0 install puppet-agent ansible-core",
)
RESTARTED = "test -e /var/lib/restarted || { touch /var/lib/restarted; systemctl reboot; sleep 60; }"


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("guest")
    hypervisor = QemuHypervisor(folder, CACHE, progress=print)
    try:
        disk, key = folder / "disks/os.qcow2", new_run_key()
        hypervisor.create_disk(disk, base=hypervisor.marketplace_disk("Debian:debian-12:12", "V1"), size_bytes=40 << 30)
        provisioning = replace(make_provisioning(), ssh_keys=(key.public,))
        spec = make_spec(str(uuid.uuid4()), disk, provisioning=provisioning)
        hypervisor.start(spec)
        hypervisor.wait_until_provisioned(spec.name, SECONDS)
        host_keys = tuple(map(str, read_serial_log(hypervisor.read_serial_log(spec.name).decode("utf-8", "replace"))))

        def reach(address: str, port: int, timeout: float) -> socket.socket:
            assert (address, port) == ("10.0.0.4", 22)
            return socket.create_connection(hypervisor.forward(spec.name, 22), timeout)

        address = Address("guest", "10.0.0.4", 22, "azureuser", host_keys)
        with Session.connect(address, key, reach, timeout=SECONDS) as session:
            yield session
    finally:
        hypervisor.close()


@pytest.fixture(scope="module")
def tools(guest: Session, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """The guest with the tools that Debian has packages of."""
    bench = Bench(guest, tmp_path_factory.mktemp("tools") / "spec")
    bench.shell(inline=[*BE_QUICK, *INSTALL], sudo=True, env={"DEBIAN_FRONTEND": "noninteractive"})
    return guest


@pytest.fixture
def machine(tools: Session, tmp_path: Path) -> Bench:
    return Bench(tools, tmp_path / "spec")


def ask(bench: Bench, command: str) -> str:
    return bench.session.run(command, sudo=True).stdout.decode().strip()


def write(bench: Bench, **files: str) -> None:
    for name, text in files.items():
        (bench.folder / f"{name}").write_text(text)


def assert_no_trace(bench: Bench) -> None:
    assert ask(bench, "ls -d /tmp/vi-* /root/.ansible /home/azureuser/.ansible 2>/dev/null") == ""


def test_ansible_works_on_the_guest_from_here(guest: Session, tmp_path: Path) -> None:
    bench = Bench(guest, tmp_path / "spec")
    play = """\
- hosts: web
  gather_subset: [min]
  tasks:
    - copy: {content: "{{ ansible_distribution }} {{ ansible_user_id }}", dest: /etc/from-here, mode: "0600"}
    - user: {name: keeper, system: true, shell: /usr/sbin/nologin}
"""
    write(bench, play=play)
    bench.provision({"ansible": {"playbook_file": "play", "groups": ["web"], "become": True, "timeout": "10m"}})
    assert ask(bench, "cat /etc/from-here; stat -c ' %a' /etc/from-here; id -un keeper").split() == [
        "Debian", "root", "600", "keeper"
    ]  # fmt: skip
    assert_no_trace(bench)


def test_ansible_runs_in_the_guest(machine: Bench) -> None:
    tasks = "tasks: [{copy: {content: '{{ ansible_hostname }}', dest: /etc/in-guest}}]"
    write(machine, play=f"- hosts: all\n  gather_subset: [min]\n  {tasks}\n")
    machine.provision({"ansible-local": {"playbook_file": "play", "sudo": True, "timeout": "10m"}})
    assert ask(machine, "cat /etc/in-guest") == "builder"
    assert_no_trace(machine)


def test_puppet_applies_manifests_in_the_guest(machine: Bench) -> None:
    module = machine.folder / "modules/web/manifests"
    module.mkdir(parents=True)
    (module / "init.pp").write_text(
        "class web(String $colour) { file { '/etc/puppeted': content => \"${colour} ${facts['role']} ${id}\" } }\n"
    )
    (machine.folder / "modules/common.yaml").write_text("web::colour: blue\n")
    defaults = "defaults: {datadir: modules-0, data_hash: yaml_data}\n"
    hiera = f"version: 5\n{defaults}hierarchy: [{{name: common, path: common.yaml}}]\n"
    write(machine, site="include web\n", hiera=hiera)
    keys: dict[str, object] = {
        "manifest_file": "site",
        "module_paths": ["modules"],
        "hiera_config_path": "hiera",
        "timeout": "10m",
    }
    machine.provision({"puppet-masterless": {**keys, "facter": {"role": "front"}}})
    assert ask(machine, "cat /etc/puppeted") == "blue front root"
    assert_no_trace(machine)


def test_a_restart_in_the_middle_is_waited_for(guest: Session, tmp_path: Path) -> None:
    bench = Bench(guest, tmp_path / "spec")
    before = guest.boot_id()
    stand_in = (
        f"#!/bin/sh\n{RESTARTED}\n[ -d /tmp/vi-{bench.run.id}-2-puppet-masterless ] && touch /var/lib/converged\n"
    )
    write(bench, puppet=stand_in, site="")
    keys = {"manifest_file": "site", "puppet_bin_dir": "/opt/stand-in", "expect_disconnect": True, "timeout": "10m"}
    bench.provision(
        {"file": {"source": "puppet", "destination": "/opt/stand-in/puppet", "sudo": True, "mode": "0755"}},
        {"puppet-masterless": keys},
    )
    assert guest.boot_id() != before
    assert ask(bench, "ls /var/lib/converged") == "/var/lib/converged"
    assert_no_trace(bench)
