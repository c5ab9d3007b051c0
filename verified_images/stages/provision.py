"""Provision: boot the build VM from the pinned source and run the template's provisioners on it."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from verified_images.cloud.compute import (
    Login,
    MachineSpec,
    begin_machine,
    fetch_serial_log,
    run_command,
)
from verified_images.cloud.groups import create_group, delete_group
from verified_images.cloud.ids import same_id
from verified_images.cloud.images import create_image_from_blob
from verified_images.cloud.machine_extras import DataDisk, MachineExtras
from verified_images.cloud.network import read_public_address
from verified_images.errors import CloudError, ProvisionerError, VerifiedImagesError
from verified_images.provisioners import ProvisionContext, run_provisioners
from verified_images.ssh.host_keys import read_serial_log
from verified_images.stages.cleanup import close_sessions, remove_or_raise
from verified_images.stages.eviction import check_not_evicted, telling_eviction
from verified_images.stages.ladder import at_rung, climb, rung_of
from verified_images.stages.layers import Layer, Layers, let_in
from verified_images.stages.machine import Door, Guest, Machine, log_in
from verified_images.stages.network_parts import make_machine_network, network_ids
from verified_images.stages.security import machine_encryption
from verified_images.stages.together import both
from verified_images.templates.model import reveal
from verified_images.waiting import UNLIMITED, Deadline, pause, wait_for

if TYPE_CHECKING:
    from verified_images.cloud.operations import Operation
    from verified_images.stages.context import BuildContext
    from verified_images.stages.ladder import Fallen, Rung
    from verified_images.stages.preflight import BuildPlan
    from verified_images.templates.provisioners import Provisioner


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The build VM with every provisioner applied.

    ``fallen`` are the rungs that could not be had before the plan's; the first ``done_before`` of the provisioners were
    run by the builds of a layer.
    """

    plan: BuildPlan
    machine: Machine
    fallen: Fallen = ()
    done_before: int = 0

    @property
    def source_version(self) -> str:
        """The exact version of the source image that the machine was booted from."""
        return self.plan.source.version


def provision(context: BuildContext, plan: BuildPlan) -> Provisioned:
    """Boot the build VM in a resource group of its own and run the provisioners in order.

    Where the plan's rung cannot be had, what it has left half made is removed and the next plan is tried.

    Raises:
        CloudError: Azure refused something.
        LadderError: none of the template's sizes, zones and locations could be had.
        MachineError: the machine did not come up.
        ProvisionerError: a provisioner failed.
    """
    create_temporary_group(context)
    plans = {rung_of(context, each): each for each in (plan, *plan.others)}
    provisioned, fallen = climb(
        f"virtual machine '{context.run.names.virtual_machine}'",
        tuple(plans),
        lambda rung: _provision_at(at_rung(context, rung), plans[rung]),
        functools.partial(_clear, context),
        context.output.step,
    )
    return replace(provisioned, fallen=fallen)


def _provision_at(context: BuildContext, plan: BuildPlan) -> Provisioned:
    layers = Layers(context, plan)
    network = functools.partial(make_machine_network, context, plan)
    private_address, layer = both(network, functools.partial(_make_source, context, plan, layers))
    booting = begin_boot(context, plan, layer)
    # The machine lets us in long before Azure calls it provisioned.
    log_in_early = functools.partial(log_into_build_machine, context, private_address, booting, layer)
    done = layer.done if layer else 0
    with telling_eviction(context):
        machine, _ = both(log_in_early, booting.result)
        apply_provisioners(context, machine, layers, done=done)
    return Provisioned(plan, machine, done_before=done)


def _clear(context: BuildContext, failed: Rung, following: Rung) -> None:
    """Remove what a failed rung has left; what the machine was to be made from is used again in the same location."""
    close_sessions(context)
    kept = [context.place.group_id]
    if failed.location == following.location:
        kept += [*network_ids(context), _source_image_id(context)]
    left = context.undo.newest_first()
    remove_or_raise(context, [each for each in left if not any(same_id(each.id, one) for one in kept)])


def apply_provisioners(context: BuildContext, machine: Machine, layers: Layers, *, done: int = 0) -> None:
    """Run the provisioners that are not ``done``, and the template's error-cleanup-provisioner if one fails."""
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
        keep_layer = functools.partial(layers.keep, machine.session)
        run_provisioners(template.provisioners, on_machine, done=done, after_each=keep_layer)
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


def _make_source(context: BuildContext, plan: BuildPlan, layers: Layers) -> Layer | None:
    """Create what the machine is booted from, if it is not there: the disk of a layer, or the image of a VHD."""
    if layer := layers.make_disk():
        return layer
    if plan.source.vhd and not context.undo.is_registered(_source_image_id(context)):
        context.undo.register("image", _source_image_id(context))
        name, generation = context.run.names.source_image, plan.source.generation
        create_image_from_blob(context.arm, context.place, name, plan.source.vhd, generation=generation)
    return None


def _source_image_id(context: BuildContext) -> str:
    return context.place.compute_id("images", context.run.names.source_image)


def begin_boot(context: BuildContext, plan: BuildPlan, layer: Layer | None) -> Operation[object]:
    """Begin to create the build VM from the pinned source, or from the disk that was made of a layer."""
    arm, place, names = context.arm, context.place, context.run.names
    for disk in (names.os_disk, *(each.name for each in data_disks(context))):
        context.undo.register("disk", place.compute_id("disks", disk))
    context.undo.register("virtual machine", place.compute_id("virtualMachines", names.virtual_machine))
    spec = _machine_spec(context, plan)
    if layer:
        spec = replace(spec, os_disk_id=place.compute_id("disks", names.os_disk), custom_data=None)
    return begin_machine(arm, place, spec)


def log_into_build_machine(
    context: BuildContext, private_address: str, booting: Operation[object], layer: Layer | None = None
) -> Machine:
    """Wait until the build VM is up and return it with a session into it; it may be still ``booting`` for Azure."""
    arm, place, builder = context.arm, context.place, context.template.builder
    name = context.run.names.virtual_machine
    pause(builder.pause_before_connecting)
    guest = Guest(
        id=place.compute_id("virtualMachines", name),
        name=name,
        read_serial_log=functools.partial(fetch_serial_log, arm, place.group, name),
        run_command=functools.partial(run_command, arm, place.group, name),
        check=functools.partial(check_not_evicted, context) if builder.spot else None,
    )
    host = read_public_address(arm, place, context.run.names.public_ip) if builder.public_ip else private_address
    _wait_for_sign_of_life(context, guest, booting, is_known=layer is not None)
    door = Door(host, builder.ssh_port, builder.username, context.key)
    deadline = Deadline(f"a session to '{name}'", builder.ssh_timeout)
    host_keys = let_in(context, guest, deadline) if layer else ()
    session = log_in(context, guest, door, deadline, host_keys=host_keys)
    return Machine(guest.id, name, session.ask("hostname").stdout.decode().strip(), private_address, session)


def _wait_for_sign_of_life(context: BuildContext, guest: Guest, booting: Operation[object], *, is_known: bool) -> None:
    """Wait until there is a point in trying to log in: the guest has told its host keys, or Azure is done with it.

    One that ``is_known``, from a layer, may have no new keys to tell of.
    """

    def look(_deadline: Deadline) -> bool | None:
        if booting.done or is_known:
            return booting.done or None
        try:
            return bool(read_serial_log(guest.read_serial_log())) or None
        except CloudError:
            return None  # there may be no log yet

    wait_for(
        look, Deadline(f"a sign of life of '{guest.name}'", UNLIMITED), every=context.arm.connection.polling_interval
    )


def _machine_spec(context: BuildContext, plan: BuildPlan) -> MachineSpec:
    builder, names = context.template.builder, context.run.names
    rung = rung_of(context, plan)
    source_image = {"id": _source_image_id(context)}
    return MachineSpec(
        name=names.virtual_machine,
        size=rung.vm_size,
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
        zone=rung.zone,
        extras=_extras(context, plan),
    )


def data_disks(context: BuildContext) -> tuple[DataDisk, ...]:
    """Return the empty disks that the build VM has beside its OS disk."""
    builder, name = context.template.builder, context.run.names.os_disk
    luns = builder.data_disk_luns or range(len(builder.data_disk_sizes_gb))
    return tuple(
        DataDisk(f"{name}-data-{lun}", size, lun) for size, lun in zip(builder.data_disk_sizes_gb, luns, strict=True)
    )


def _extras(context: BuildContext, plan: BuildPlan) -> MachineExtras:
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
        security_encryption_type=machine_encryption(context.template, plan.security_type),
        keeps_os_disk=builder.keep_os_disk,
    )
