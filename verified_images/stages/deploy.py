"""Deploy: boot a scale set from the candidate image, behind a load balancer, and wait until it serves."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from verified_images.cloud.compute import Login
from verified_images.cloud.ids import same_id
from verified_images.cloud.load_balancers import BACKEND_POOL, SSH_POOL, read_private_frontend
from verified_images.cloud.network import read_public_address
from verified_images.cloud.scale_sets import ScaleSetSpec, create_scale_set, delete_scale_set
from verified_images.errors import UnreachableError
from verified_images.stages.cleanup import remove_or_raise
from verified_images.stages.ladder import at_rung, climb, rung_of, smoke_rungs
from verified_images.stages.machine import Door, Guest, log_in
from verified_images.stages.network_parts import make_scale_set_network, subnet_of
from verified_images.stages.scale_set import Frontend, Instance, ScaleSet, instances_of
from verified_images.stages.security import CONFIDENTIAL, machine_encryption
from verified_images.stages.together import together
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from verified_images.cloud.instances import Instances, InstanceState
    from verified_images.stages.capture import CapturedImage
    from verified_images.stages.context import BuildContext
    from verified_images.stages.http_probe import HttpResponse
    from verified_images.stages.ladder import Rung

SMOKE_USER = "verifier"
"""The instances' user: another than the build's, so that what the build left behind can be told from it."""


def deploy(context: BuildContext, captured: CapturedImage) -> ScaleSet:
    """Deploy the scale set and return it once every instance is provisioned, logged into, booted and serving.

    Raises:
        CloudError: Azure refused something.
        MachineError: an instance did not come up.
        LadderError: none of the template's sizes and zones could be had.
        DeadlineError: it took longer than the template's ``smoke.timeout``.
    """
    context = at_rung(context, captured.plan.rung)
    names, smoke = context.run.names, context.template.smoke
    if captured.scale_set_network is None:
        make_scale_set_network(context, captured.plan)
    else:
        captured.scale_set_network.result()
    rung, fallen = climb(
        f"scale set '{names.scale_set}'",
        captured.plan.smoke or smoke_rungs(context.template, rung_of(context, captured.plan)),
        functools.partial(_create_scale_set, context, captured),
        lambda _failed, _following: _remove_scale_set(context),
        context.output.step,
    )
    deadline = Deadline(f"scale set '{names.scale_set}' ready", smoke.timeout)
    instances = _log_into_instances(context, _wait_for_instances(context, deadline), deadline)
    frontend = Frontend(_frontend_address(context), smoke.port) if smoke.port else None
    scale_set = ScaleSet(
        id=_scale_set_id(context),
        name=names.scale_set,
        image_id=captured.id,
        instances=tuple(instances),
        frontend=frontend,
        reach=context.arm.connection.reach,
        rung=rung,
        fallen=fallen,
    )
    if smoke.port:
        _wait_for_service(context, scale_set, deadline)
    return scale_set


def _create_scale_set(context: BuildContext, captured: CapturedImage, rung: Rung) -> Rung:
    scale_set_id = _scale_set_id(context)
    context.undo.register("scale set", scale_set_id, functools.partial(delete_scale_set, context.arm, scale_set_id))
    create_scale_set(context.arm, context.place, _spec(context, captured, rung))
    return rung


def _remove_scale_set(context: BuildContext) -> None:
    """Remove what a failed rung has left: the scale set, and all that its instances had."""
    scale_set_id = _scale_set_id(context)
    remove_or_raise(context, [each for each in context.undo.newest_first() if same_id(each.id, scale_set_id)])


def _scale_set_id(context: BuildContext) -> str:
    return context.place.compute_id("virtualMachineScaleSets", context.run.names.scale_set)


def _spec(context: BuildContext, captured: CapturedImage, rung: Rung) -> ScaleSetSpec:
    place, names, template = context.place, context.run.names, context.template
    balancer_id = place.network_id("loadBalancers", names.load_balancer)
    flexible = template.smoke.orchestration == "flexible"
    return ScaleSetSpec(
        name=names.scale_set,
        size=rung.vm_size,
        instances=template.smoke.instances,
        image_id=captured.id,
        login=None if _is_specialized(context) else Login(SMOKE_USER, context.smoke_key.public),
        computer_name_prefix=names.computer_name_prefix,
        os_disk_type=template.builder.os_disk_type,
        interface_name=names.scale_set_nic,
        subnet_id=subnet_of(context, captured.plan),
        security_group_id=place.network_id("networkSecurityGroups", names.scale_set_nsg),
        backend_pool_id=f"{balancer_id}/backendAddressPools/{BACKEND_POOL}",
        ssh_pool_id=None if flexible else f"{balancer_id}/inboundNatPools/{SSH_POOL}",
        security_type=captured.plan.security_type,
        purchase_plan=captured.plan.source.purchase_plan,
        zone=rung.zone,
        security_encryption_type=machine_encryption(template, captured.plan.security_type),
        disk_encryption_set=template.builder.disk_encryption_set
        if captured.plan.security_type == CONFIDENTIAL
        else None,
    )


def _is_specialized(context: BuildContext) -> bool:
    gallery = context.template.image.gallery
    return gallery is not None and gallery.specialized


def _wait_for_instances(context: BuildContext, deadline: Deadline) -> Sequence[InstanceState]:
    wanted, instances = context.template.smoke.instances, instances_of(context)

    def look(deadline: Deadline) -> Sequence[InstanceState] | None:
        states = instances.read_states()
        deadline.saw("; ".join(map(str, states)) or "no instances")
        return states if len(states) == wanted and all(state.is_ready for state in states) else None

    return wait_for(look, deadline, every=context.arm.connection.polling_interval)


def _log_into_instances(
    context: BuildContext, states: Sequence[InstanceState], deadline: Deadline
) -> Sequence[Instance]:
    instances = instances_of(context)
    ports = _wait_for_ssh_ports(context, instances, states, deadline)
    addresses = instances.read_private_addresses()
    host = _frontend_address(context)
    # A specialized image has the users and keys of the machine that it was made from, and gets no others.
    user = (
        (context.template.builder.username, context.key)
        if _is_specialized(context)
        else (SMOKE_USER, context.smoke_key)
    )

    def log_into(index: int, state: InstanceState) -> Instance:
        door = Door(host, ports[state.number], *user)
        session = log_in(context, _guest(instances, state), door, deadline)
        host_name = session.ask("hostname").stdout.decode(errors="replace").strip()
        return Instance(
            id=state.id,
            name=state.name,
            host_name=host_name,
            private_address=addresses[state.number],
            session=session,
            index=index,
            port=context.template.smoke.port,
        )

    return together([functools.partial(log_into, index, state) for index, state in enumerate(states)])


def _wait_for_ssh_ports(
    context: BuildContext, instances: Instances, states: Sequence[InstanceState], deadline: Deadline
) -> Mapping[str, int]:
    """Return the load balancer's port of each instance; ARM may list it somewhat later than the instance."""

    def look(deadline: Deadline) -> Mapping[str, int] | None:
        ports = instances.read_ssh_ports()
        missing = [state.name for state in states if state.number not in ports]
        deadline.saw(f"no SSH port for {', '.join(missing)}")
        return None if missing else ports

    return wait_for(look, deadline, every=context.arm.connection.polling_interval)


def _guest(instances: Instances, state: InstanceState) -> Guest:
    return Guest(
        id=state.id,
        name=state.name,
        read_serial_log=functools.partial(instances.fetch_log, state.number),
        run_command=functools.partial(instances.run_command, state.number),
    )


def _wait_for_service(context: BuildContext, scale_set: ScaleSet, deadline: Deadline) -> None:
    """Wait until each instance answers by itself, then until the load balancer does."""
    path = context.template.smoke.path
    together(
        [
            functools.partial(_wait_for_answer, instance.name, functools.partial(instance.get, path), deadline)
            for instance in scale_set.instances
        ]
    )
    _wait_for_answer("the load balancer", functools.partial(scale_set.get, path), deadline)


def _wait_for_answer(who: str, get: Callable[[], HttpResponse], deadline: Deadline) -> None:
    def look(_deadline: Deadline) -> HttpResponse | None:
        try:
            return get()
        except UnreachableError as error:
            patience.saw(str(error))
            return None

    # A deadline of its own, since several threads wait at once and each has seen something else.
    patience = Deadline(f"an HTTP answer of {who}", deadline.remaining)
    wait_for(look, patience, every=1.0)


def _frontend_address(context: BuildContext) -> str:
    names = context.run.names
    if not context.template.builder.public_ip:
        return read_private_frontend(context.arm, context.place, names.load_balancer)
    return read_public_address(context.arm, context.place, names.load_balancer_public_ip)
