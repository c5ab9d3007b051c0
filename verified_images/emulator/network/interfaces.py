"""Network interfaces, and what ties one to a virtual machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.arm_errors import network_error
from verified_images.emulator.ids import same_id
from verified_images.emulator.network.addresses import missing_reference, new_mac
from verified_images.emulator.network.parts import id_of

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud


def attach(cloud: Cloud, nic_id: str, vm_id: str, *, primary: bool = True) -> None:
    """Tie an interface to a virtual machine, which gives it a hardware address; doing so again changes nothing.

    Raises:
        ArmError: 400: there is no such interface, or another virtual machine has it.
    """
    with cloud.store.lock:
        nic = cloud.store.find(nic_id)
        if nic is None:
            raise network_error(400, "InvalidResourceReference", missing_reference(nic_id, vm_id))
        user = id_of(nic.properties.get("virtualMachine"))
        if user and not same_id(user, vm_id):
            raise network_error(400, "NicInUse", f"Network Interface {nic.id} is used by existing resource {user}.")
        nic.properties["macAddress"] = nic.properties.get("macAddress") or new_mac()
        nic.properties["primary"] = primary
        nic.properties["virtualMachine"] = {"id": vm_id}
        cloud.store.put(nic)


def detach(cloud: Cloud, nic_id: str) -> None:
    """Free an interface of its virtual machine; one that is free or does not exist is no error."""
    with cloud.store.lock:
        nic = cloud.store.find(nic_id)
        if nic is not None and "virtualMachine" in nic.properties:
            for name in ("virtualMachine", "macAddress", "primary"):
                nic.properties.pop(name, None)
            cloud.store.put(nic)
