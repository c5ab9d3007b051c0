"""The guest behind a machine: booted from its disks, with its network card and its provisioning data."""

from __future__ import annotations

import base64
import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.calls import carry_out_within
from verified_images.emulator.compute.sizes import find_size
from verified_images.emulator.hypervisor import GuestSpec, HypervisorError, ProvisioningData
from verified_images.emulator.lifecycle import check_wanted
from verified_images.emulator.network.addresses import guest_network
from verified_images.emulator.offering import allocate
from verified_images.emulator.wire import Request

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

logger = logging.getLogger(__name__)

BOOT_SECONDS = 900.0
_EVICTION_VERSION = "2024-07-01"
_LOOK_SECONDS = 0.1
_SECONDS_TO_TELL = 20.0
_LEAST_MEMORY_MIB = 512
_MOST_MEMORY_MIB = 2048
_MOST_CPUS = 2


def boot_guest(cloud: Cloud, machine: Resource, *, nic: Resource) -> None:
    """Start the guest of a virtual machine or of a scale set's instance, and wait until it is provisioned.

    Raises:
        ArmError: 409 OSProvisioningTimedOut: it did not come up; or the machine is being deleted.
    """
    check_wanted(cloud, machine.id)
    allocate(cloud, machine, find_size(machine_size(machine)))
    set_power(cloud, machine, "running")
    _hang_if_told(cloud, machine)
    cloud.hypervisor.start(_spec(cloud, machine, nic))
    # A deletion that stopped the guest before this start is noticed here, one after it stops the guest.
    check_wanted(cloud, machine.id)
    wait_for_guest(cloud, machine)
    note_system(cloud, machine)
    _evict_if_told(cloud, machine)


def _evict_if_told(cloud: Cloud, machine: Resource) -> None:
    """Let a machine that a fault rule strikes be evicted in a while."""
    if rule := cloud.faults.on_resource("evicted", machine.id):
        timer = threading.Timer(rule.seconds or 0.0, _evict, [cloud, str(machine.id)])
        timer.daemon = True
        timer.start()


def _evict(cloud: Cloud, machine: str) -> None:
    query = {"api-version": _EVICTION_VERSION}
    call = Request("POST", f"{machine}/simulateEviction", {}, query, {}, b"", "https://127.0.0.1", "127.0.0.1", {})
    try:
        carry_out_within(cloud, call, {"oid": cloud.account.object_id})
    except ArmError as error:
        logger.warning("%s is not evicted as a fault rule wants: %s", machine, error)


def _hang_if_told(cloud: Cloud, machine: Resource) -> None:
    """Let a machine that a fault rule strikes hang: powered on, and never provisioned."""
    rule = cloud.faults.on_resource("never_boots", machine.id)
    with cloud.store.changing(machine.id) as found:
        if found:
            found.hidden["hangs"] = rule is not None
    if rule is None:
        return
    end = time.monotonic() + (rule.seconds or 0.0)
    while (left := end - time.monotonic()) > 0:
        check_wanted(cloud, machine.id)
        time.sleep(min(left, _LOOK_SECONDS))
    raise _not_provisioned(machine, rule.message)


def note_system(cloud: Cloud, machine: Resource) -> None:
    """Note what system the guest's agent says it runs, which the instance view shows."""
    try:
        outcome = cloud.hypervisor.run_command(machine.hidden["guest"], "cat /etc/os-release", _SECONDS_TO_TELL)
    except HypervisorError:
        return
    facts = dict(line.split("=", 1) for line in outcome.stdout.splitlines() if "=" in line)
    system = {"osName": facts.get("ID", "").strip('"'), "osVersion": facts.get("VERSION_ID", "").strip('"')}
    with cloud.store.changing(machine.id) as found:
        if found and all(system.values()):
            found.hidden["os"] = system


def wait_for_guest(cloud: Cloud, machine: Resource) -> None:
    """Wait until a machine's guest is provisioned.

    Raises:
        ArmError: 409 OSProvisioningTimedOut: it did not come up; or the machine is being deleted.
    """
    try:
        cloud.hypervisor.wait_until_provisioned(machine.hidden["guest"], BOOT_SECONDS)
    except HypervisorError as error:
        check_wanted(cloud, machine.id)
        raise _not_provisioned(machine, str(error)) from error


def _not_provisioned(machine: Resource, why: str) -> ArmError:
    return ArmError(
        409,
        "OSProvisioningTimedOut",
        f"OS Provisioning for VM '{machine.id.name}' did not finish in the allotted time. The VM may still finish "
        f"provisioning successfully. Please check provisioning state later. {why}".strip(),
    )


def _spec(cloud: Cloud, machine: Resource, nic: Resource) -> GuestSpec:
    size = find_size(machine_size(machine))
    return GuestSpec(
        name=machine.hidden["guest"],
        disks=tuple(Path(path) for path in disk_paths(cloud, machine)),
        cpus=min(size.cpus, _MOST_CPUS),
        memory_mib=max(_LEAST_MEMORY_MIB, min(int(size.memory_gb * 1024), _MOST_MEMORY_MIB)),
        generation=machine.hidden["generation"],
        network=guest_network(cloud, nic),
        provisioning=_provisioning(machine),
        luns=tuple(int(disk["lun"]) for disk in _data_disks(machine)),
    )


def machine_size(machine: Resource) -> str:
    """Give the size of a virtual machine, or of an instance (whose size is its scale set's SKU)."""
    profile = machine.properties.get("hardwareProfile") or {}
    return str(profile.get("vmSize") or machine.body["sku"]["name"])


def disk_paths(cloud: Cloud, machine: Resource) -> list[str]:
    """Give the files of a machine's disks: the OS disk, then data disks by LUN."""
    paths = []
    for disk in (machine.properties["storageProfile"]["osDisk"], *_data_disks(machine)):
        found = cloud.store.find(disk["managedDisk"]["id"])
        if found is None:
            raise ArmError(404, "ResourceNotFound", f"The disk '{disk['managedDisk']['id']}' was not found.")
        paths.append(found.hidden["path"])
    return paths


def _data_disks(machine: Resource) -> list[dict[str, Any]]:
    disks = machine.properties["storageProfile"].get("dataDisks") or []
    return sorted(disks, key=lambda disk: int(disk["lun"]))


def _provisioning(machine: Resource) -> ProvisioningData | None:
    profile = machine.properties.get("osProfile")
    if not profile:
        return None
    linux = profile.get("linuxConfiguration") or {}
    keys = (linux.get("ssh") or {}).get("publicKeys") or []
    kept = machine.hidden.get("secrets", {})
    return ProvisioningData(
        instance_id=machine.hidden["guest"],
        host_name=profile["computerName"],
        username=profile["adminUsername"],
        ssh_keys=tuple(key["keyData"].strip() for key in keys),
        password=kept.get("adminPassword"),
        custom_data=_decode(kept.get("customData")),
        user_data=_decode(kept.get("userData")),
    )


def _decode(text: str | None) -> bytes | None:
    return base64.b64decode(text) if text else None


def power_of(cloud: Cloud, machine: Resource) -> str:
    """Give a machine's power state: a guest that ended by itself is ``stopped``."""
    power = str(machine.hidden.get("power", "deallocated"))
    if (
        power == "running"
        and not machine.hidden.get("hangs")
        and not cloud.hypervisor.is_running(machine.hidden["guest"])
    ):
        return "stopped"
    return power


def set_power(cloud: Cloud, machine: Resource, power: str) -> None:
    """Write a machine's power state."""
    with cloud.store.changing(machine.id) as found:
        if found:
            found.hidden["power"] = power
