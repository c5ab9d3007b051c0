"""Provision: boot the build VM from the pinned source and run the template's provisioners on it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.cloud.compute import (
    Login,
    MachineSpec,
    create_machine,
    fetch_serial_log,
    run_command,
)
from verified_images.cloud.groups import create_group, delete_group
from verified_images.cloud.images import create_image_from_blob
from verified_images.cloud.machine_extras import DataDisk, MachineExtras
from verified_images.cloud.network import (
    Opening,
    begin_public_address,
    begin_security_group,
    begin_virtual_network,
    create_interface,
    read_public_address,
)
from verified_images.errors import ProvisionerError, VerifiedImagesError
from verified_images.provisioners import ProvisionContext, run_provisioners
from verified_images.stages.machine import Door, Guest, Machine, log_in
from verified_images.templates.model import reveal
from verified_images.waiting import Deadline, pause

if TYPE_CHECKING:
    from verified_images.cloud.operations import Operation
    from verified_images.stages.context import BuildContext
    from verified_images.stages.preflight import BuildPlan
    from verified_images.templates.provisioners import Provisioner


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The build VM with every provisioner applied."""

    plan: BuildPlan
    machine: Machine

    @property
    def source_version(self) -> str:
        """The exact version of the source image that the machine was booted from."""
        return self.plan.source.version


def provision(context: BuildContext, plan: BuildPlan) -> Provisioned:
    """Boot the build VM in a resource group of its own and run the provisioners in order.

    Raises:
        CloudError: Azure refused something.
        MachineError: the machine did not come up.
        ProvisionerError: a provisioner failed.
    """
    create_temporary_group(context)
    private_address = create_network(context, plan)
    boot(context, plan)
    machine = log_into_build_machine(context, private_address)
    apply_provisioners(context, machine)
    return Provisioned(plan, machine)


def apply_provisioners(context: BuildContext, machine: Machine) -> None:
    """Run the template's provisioners, and its error-cleanup-provisioner if one of them failed."""
    template = context.template
    on_machine = ProvisionContext(
        session=machine.session,
        file=template.file,
        run=context.run,
        masker=context.masker,
        step=context.output.step,
        output=context.output.text,
    )
    try:
        run_provisioners(template.provisioners, on_machine)
    except ProvisionerError:
        if template.error_cleanup_provisioner is not None:
            _clean_up_after(template.error_cleanup_provisioner, on_machine)
        raise


def _clean_up_after(provisioner: Provisioner, on_machine: ProvisionContext) -> None:
    on_machine.step("a provisioner failed: running the error-cleanup-provisioner")
    try:
        run_provisioners([provisioner], on_machine)
    except VerifiedImagesError as error:
        # What failed first is what the build fails with.
        on_machine.step(f"the error-cleanup-provisioner failed too: {error}")


def create_temporary_group(context: BuildContext) -> None:
    """Create the group that everything temporary lies in, unless the template names one."""
    arm, place = context.arm, context.place
    if not context.owns_group:
        return
    context.undo.register("resource group", place.group_id, functools.partial(delete_group, arm, place.group))
    create_group(arm, place.group, place.location, place.tags)


def create_network(context: BuildContext, plan: BuildPlan) -> str:
    """Create the network that admits SSH from the caller alone; return the machine's private address."""
    arm, place, names, builder = context.arm, context.place, context.run.names, context.template.builder
    nsg_id = place.network_id("networkSecurityGroups", names.nsg)
    vnet_id = place.network_id("virtualNetworks", names.vnet)
    address_id = place.network_id("publicIPAddresses", names.public_ip)
    context.undo.register("network security group", nsg_id)
    parts: list[Operation[object]] = [
        begin_security_group(arm, place, names.nsg, [Opening("ssh", builder.ssh_port, plan.callers)]),
    ]
    if plan.subnet is None:
        context.undo.register("virtual network", vnet_id)
        parts.append(begin_virtual_network(arm, place, names.vnet, names.subnet))
    if builder.public_ip:
        context.undo.register("public IP address", address_id)
        parts.append(begin_public_address(arm, place, names.public_ip, sku=builder.public_ip_sku))
    for part in parts:
        part.result()
    context.undo.register("network interface", place.network_id("networkInterfaces", names.nic))
    return create_interface(
        arm,
        place,
        names.nic,
        subnet_id=plan.subnet or f"{vnet_id}/subnets/{names.subnet}",
        security_group_id=nsg_id,
        public_address_id=address_id if builder.public_ip else None,
        accelerated=builder.accelerated_networking,
    )


def boot(context: BuildContext, plan: BuildPlan) -> None:
    """Create the build VM from the pinned source."""
    arm, place, names = context.arm, context.place, context.run.names
    if plan.source.vhd:
        context.undo.register("image", place.compute_id("images", names.source_image))
        create_image_from_blob(arm, place, names.source_image, plan.source.vhd)
    for disk in (names.os_disk, *(each.name for each in data_disks(context))):
        context.undo.register("disk", place.compute_id("disks", disk))
    context.undo.register("virtual machine", place.compute_id("virtualMachines", names.virtual_machine))
    create_machine(arm, place, _machine_spec(context, plan))


def log_into_build_machine(context: BuildContext, private_address: str) -> Machine:
    """Wait until the build VM is up and return it with a session into it."""
    arm, place, builder = context.arm, context.place, context.template.builder
    name = context.run.names.virtual_machine
    pause(builder.pause_before_connecting)
    guest = Guest(
        id=place.compute_id("virtualMachines", name),
        name=name,
        read_serial_log=functools.partial(fetch_serial_log, arm, place.group, name),
        run_command=functools.partial(run_command, arm, place.group, name),
    )
    host = read_public_address(arm, place, context.run.names.public_ip) if builder.public_ip else private_address
    door = Door(host, builder.ssh_port, builder.username, context.key)
    session = log_in(context, guest, door, Deadline(f"a session to '{name}'", builder.ssh_timeout))
    return Machine(guest.id, name, session.run("hostname").stdout.decode().strip(), private_address, session)


def _machine_spec(context: BuildContext, plan: BuildPlan) -> MachineSpec:
    builder, names = context.template.builder, context.run.names
    source_image = {"id": context.place.compute_id("images", names.source_image)}
    return MachineSpec(
        name=names.virtual_machine,
        size=builder.vm_size,
        image=source_image if plan.source.vhd else plan.source.reference,
        login=Login(builder.username, context.key.public),
        os_disk_name=names.os_disk,
        os_disk_type=builder.os_disk_type,
        interface_id=context.place.network_id("networkInterfaces", names.nic),
        os_disk_size_gb=builder.os_disk_size_gb,
        security_type=plan.security_type,
        purchase_plan=plan.source.purchase_plan,
        custom_data=None if builder.custom_data is None else reveal(builder.custom_data),
        user_data=None if builder.user_data is None else reveal(builder.user_data),
        extras=_extras(context),
    )


def data_disks(context: BuildContext) -> tuple[DataDisk, ...]:
    """Return the empty disks that the build VM has beside its OS disk."""
    builder, name = context.template.builder, context.run.names.os_disk
    luns = builder.data_disk_luns or range(len(builder.data_disk_sizes_gb))
    return tuple(
        DataDisk(f"{name}-data-{lun}", size, lun) for size, lun in zip(builder.data_disk_sizes_gb, luns, strict=True)
    )


def _extras(context: BuildContext) -> MachineExtras:
    builder = context.template.builder
    return MachineExtras(
        license_type=builder.license_type,
        spot_eviction_policy=builder.spot.eviction_policy if builder.spot else None,
        spot_max_price=builder.spot.max_price if builder.spot else None,
        identities=builder.user_assigned_managed_identities,
        caching=builder.os_disk_caching,
        data_disks=data_disks(context),
        disk_controller_type=builder.disk_controller_type,
        disk_encryption_set=builder.disk_encryption_set,
        secure_boot=builder.secure_boot,
        vtpm=builder.vtpm,
        encryption_at_host=builder.encryption_at_host,
    )
