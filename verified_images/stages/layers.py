"""Layers: the build VM's disk after each provisioner, kept for later builds that begin with the same.

A layer is a snapshot in a resource group of its own, under the key of everything that went into it. It carries the tags
of a run that is nothing else, so that it is found, expires and is reaped like whatever a run has left.
"""

from __future__ import annotations

import functools
import shlex
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from verified_images.cloud.groups import create_group, group_exists
from verified_images.cloud.ids import resource_id
from verified_images.cloud.operations import is_provisioned
from verified_images.cloud.snapshots import (
    begin_disk_of_snapshot,
    begin_snapshot,
    delete_snapshot,
    find_snapshot,
    list_snapshots,
)
from verified_images.cloud.tagged import set_tag
from verified_images.errors import CloudError, ConflictError, DeadlineError, MachineError
from verified_images.layer_keys import layer_keys
from verified_images.naming import EXPIRY_TAG, format_time, new_run
from verified_images.ssh.host_keys import read_host_keys
from verified_images.stages.security import ALONE
from verified_images.stages.together import together
from verified_images.waiting import UNLIMITED, Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verified_images.ssh.session import Session
    from verified_images.stages.context import BuildContext
    from verified_images.stages.machine import Guest
    from verified_images.stages.preflight import BuildPlan

GROUP = "vi-layers"
KEY_TAG, USED_TAG = "vi-layer", "vi-used"
LIFETIME = timedelta(days=7)
"""How long a layer is good for: what provisioners fetch from the network changes meanwhile."""
MOST = 32
"""How many layers there are at most; the one that has not been used for longest goes."""

_RECONNECT_WITHIN = 300.0
_SYNC_SECONDS = 300.0
_LET_IN = """\
set -e
home=$(getent passwd {user} | cut -d: -f6)
umask 077
mkdir -p "$home/.ssh"
printf '%s\\n' {key} >"$home/.ssh/authorized_keys"
chown -R {user}: "$home/.ssh"
cat /etc/ssh/ssh_host_*_key.pub"""


@dataclass(frozen=True, slots=True)
class Layer:
    """A disk as it was when so many provisioners were ``done``: ``id`` is the snapshot's."""

    id: str
    done: int


class Layers:
    """The layers that one build may begin with and may leave; none where the build is to be without."""

    def __init__(self, context: BuildContext, plan: BuildPlan) -> None:
        self._context = context
        self._plan = plan
        self._keys = self._current_keys()

    def find(self) -> Layer | None:
        """Return the layer that saves most, or None; those that have expired, of whatever template, are removed."""
        asked: list[Callable[[], Layer | None]] = [
            functools.partial(self._look, number, key) for number, key in enumerate(self._keys, 1)
        ]
        found = [layer for layer in together([*asked, self._remove_expired] if asked else []) if layer is not None]
        return found[-1] if found else None

    def make_disk(self) -> Layer | None:
        """Make the machine's disk from the layer that saves most, and return that; None: there is none."""
        context, name = self._context, self._context.run.names.os_disk
        layer = self.find()
        if layer is None:
            return None
        context.output.step(f"beginning with what was kept after provisioner {layer.done}")
        context.undo.register("disk", context.place.compute_id("disks", name))
        disk_type = context.template.builder.os_disk_type
        zone = self._plan.rung.zone if self._plan.rung else None
        begin_disk_of_snapshot(context.arm, context.place, name, layer.id, disk_type=disk_type, zone=zone).result()
        self._note_use(layer)
        return layer

    def keep(self, session: Session, done: int) -> None:
        """Keep the disk as it is now, after so many provisioners; a layer that cannot be kept fails no build."""
        # A file that was changed while its provisioner ran is not the one that the key was made of.
        if done > len(self._keys) or self._current_keys()[:done] != self._keys[:done]:
            return
        try:
            if not session.alive:
                session.reconnect(_RECONNECT_WITHIN)
            session.run("sync", sudo=True, timeout=_SYNC_SECONDS)
            self._make(self._keys[done - 1])
            self._make_room()
        except (CloudError, MachineError, DeadlineError) as error:
            Deadline("the end of the provisioners", UNLIMITED).check()  # the stage's own time is another matter
            self._context.output.step(f"no layer is kept after provisioner {done}: {error}")

    def _current_keys(self) -> tuple[str, ...]:
        builder = self._context.template.builder
        # Of data disks there is no layer, and a firmware's state lies outside of the OS disk.
        if not self._context.layers or builder.data_disk_sizes_gb or self._plan.security_type in ALONE:
            return ()
        source = self._plan.source
        vhd = f"{source.vhd} {source.generation}" if source.vhd else None
        described = {"reference": dict(source.reference), "vhd": vhd, "location": self._context.place.location}
        return tuple(layer_keys(self._context.template, described))

    def _id(self, key: str) -> str:
        return resource_id(self._context.place.subscription, GROUP, "Microsoft.Compute/snapshots", _name(key))

    def _look(self, number: int, key: str) -> Layer | None:
        try:
            found: Any = find_snapshot(self._context.arm, self._id(key))
        except CloudError as error:
            self._context.output.step(f"no layer is looked for: {error}")
            return None
        if found is None or (found.get("tags") or {}).get(KEY_TAG) != key or not is_provisioned(found):
            return None
        if _has_expired(found):
            self._remove(self._id(key))
            return None
        return Layer(self._id(key), number)

    def _remove_expired(self) -> None:
        try:
            layers = _list_layers(self._context)
        except CloudError:
            return  # it is told where a layer is looked for
        for layer in filter(_has_expired, layers):
            self._remove(str(layer["id"]))

    def _remove(self, layer_id: str) -> None:
        try:
            delete_snapshot(self._context.arm, layer_id)
        except CloudError as error:
            self._context.output.step(f"a layer that has expired is left for the next build to remove: {error}")

    def _note_use(self, layer: Layer) -> None:
        try:
            set_tag(self._context.arm, layer.id, USED_TAG, format_time(datetime.now(UTC)))
        except CloudError as error:
            self._context.output.step(f"{error}; the layer may be taken for one that nobody uses")

    def _make(self, key: str) -> None:
        context = self._context
        arm, run = context.arm, new_run(context.run.spec, owner=context.run.owner, lifetime=LIFETIME)
        if self._look(0, key):
            return  # another build has been quicker
        if not group_exists(arm, GROUP):
            create_group(arm, GROUP, context.place.location, {})
        tags = {**run.tags, KEY_TAG: key, USED_TAG: format_time(run.created)}
        place = replace(context.place, group=GROUP, tags=tags)
        disk = context.place.compute_id("disks", context.run.names.os_disk)
        context.undo.register("snapshot", self._id(key), functools.partial(delete_snapshot, arm, self._id(key)))
        try:
            begin_snapshot(arm, place, _name(key), disk, incremental=True).result()
        except ConflictError as conflict:
            context.output.step(f"{conflict}; another build is keeping the same layer")
        context.undo.keep(self._id(key))

    def _make_room(self) -> None:
        arm = self._context.arm
        layers = _list_layers(self._context)
        layers.sort(key=lambda each: str(each["tags"].get(USED_TAG)), reverse=True)
        for layer in layers[MOST:]:
            delete_snapshot(arm, str(layer["id"]))


def _list_layers(context: BuildContext) -> list[Mapping[str, Any]]:
    if not group_exists(context.arm, GROUP):
        return []
    return [each for each in list_snapshots(context.arm, GROUP) if KEY_TAG in (each.get("tags") or {})]


def _has_expired(layer: Mapping[str, Any]) -> bool:
    return str(layer["tags"].get(EXPIRY_TAG)) <= format_time(datetime.now(UTC))


def let_in(context: BuildContext, guest: Guest, deadline: Deadline) -> tuple[str, ...]:
    """Let the run's key into a machine whose disk is another build's, by its agent, and return its host keys.

    Raises:
        DeadlineError: the agent did not answer in time.
    """
    script = _LET_IN.format(user=shlex.quote(context.template.builder.username), key=shlex.quote(context.key.public))

    def look(deadline: Deadline) -> tuple[str, ...] | None:
        try:
            told = guest.run_command(script.splitlines())
        except CloudError as error:
            deadline.saw(str(error))
            return None
        deadline.saw(told)
        return tuple(map(str, read_host_keys(told))) or None

    return wait_for(look, deadline, every=max(1.0, context.arm.connection.polling_interval))


def _name(key: str) -> str:
    return f"layer-{key[:40]}"
