"""How far a build goes, where it begins, and what stays of it: what the command line says of that, for one spec."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.stages import Stage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from pytest_plugin.options import Settings
    from pytest_plugin.specs import Spec
    from verified_images.journal import Record


@dataclass(frozen=True, slots=True)
class Course:
    """The course of one build.

    ``record`` is the earlier run that is gone on with, from ``start``. Nothing is done after ``stop_after``, for the
    reason ``stop_reason``. ``keep`` and ``keep_on_failure`` say for how long what there is stays, where it does;
    With ``gated`` an image that is published already is not built again; with ``layers`` the machine begins with the
    disk of an earlier run, if one has begun with the same provisioners;
    ``tested`` are the digests of tests that passed in the earlier run, by node id.
    """

    record: Record | None = None
    start: Stage | None = None
    stop_after: Stage | None = None
    stop_reason: str = ""
    keep: timedelta | None = None
    keep_on_failure: timedelta | None = None
    reuse: bool = False
    gated: bool = False
    layers: bool = False
    tested: Mapping[str, str] = field(default_factory=dict)

    def closed_by(self, stage: Stage) -> str:
        """Say why a stage is not to be done, or nothing."""
        if self.stop_after is None or stage is Stage.CLEANUP or stage.rank <= self.stop_after.rank:
            return ""
        return self.stop_reason

    def was_done_before(self, stage: Stage) -> str:
        """Say which earlier run has done a stage that is not done again, or nothing."""
        if self.record is None or self.start is None:
            return ""
        first = Stage.PROVISION if self.start is Stage.CAPTURE else self.start
        return f"run {self.record.run.id} has done it" if stage.rank < first.rank else ""


def plot_course(spec: Spec, settings: Settings, *, publishes: bool) -> Course:
    """Plot the course of a spec's build; ``publishes`` tells whether its image may be published, if all goes well.

    Raises:
        pytest.UsageError: there is no earlier run to go on with, or not from there.
    """
    stop_after, reason = settings.stop_after, f"--vi-stop-after={settings.stop_after} was given"
    start, record = settings.start, None
    if settings.reuse:
        start, stop_after, reason = Stage.CAPTURE, Stage.PROVISION, "--vi-reuse tests the kept machine, and no more"
    elif settings.keep is not None and stop_after is None and start is None:
        stop_after, reason = Stage.PROVISION, "--vi-keep keeps the machine, which a capture would end"
    if start is not None:
        record = _find_record(spec, settings, start)
    tested = record.notes.get("tests", {}) if record is not None and start is not Stage.CAPTURE else {}
    return Course(
        record,
        start,
        stop_after,
        reason,
        settings.keep,
        settings.keep_on_failure,
        reuse=settings.reuse,
        gated=settings.changed_since is not None,
        tested=tested,
        layers=_with_layers(settings, publishes=publishes and stop_after in {None, Stage.PUBLISH}),
    )


def _with_layers(settings: Settings, *, publishes: bool) -> bool:
    """Say whether the machine may begin with what earlier runs have left."""
    if settings.layers is not None:
        return settings.layers
    return settings.cloud == "local" and not publishes


def _find_record(spec: Spec, settings: Settings, start: Stage) -> Record:
    from pytest_plugin.leftovers import read_records  # noqa: PLC0415 - only runs that go on with an earlier one

    option = "--vi-reuse" if settings.reuse else f"--vi-from={start}"
    own = [record for record in read_records(settings) if record.run.spec == spec.name and _is_of(record, spec)]
    usable = [record for record in own if not _lacks(record, start)]
    if usable:
        return _unchanged(max(usable, key=lambda record: record.run.created), spec, option, settings)
    if own:
        newest = max(own, key=lambda record: record.run.created)
        raise pytest.UsageError(
            f"{option}: run {newest.run.id} of {spec.name} cannot be gone on with: {_lacks(newest, start)}"
        )
    raise pytest.UsageError(
        f"{option}: no run has left anything of {spec.name} here; --vi-keep and --vi-keep-on-failure leave it"
    )


def _is_of(record: Record, spec: Spec) -> bool:
    return bool(record.notes.get("inputs", {}).get("template") == str(spec.file))


def _lacks(record: Record, start: Stage) -> str:
    """Say what a run has not left that is needed, or nothing."""
    from verified_images.journal import KEPT  # noqa: PLC0415 - only runs that go on with an earlier one

    noted = record.notes
    needed: dict[str, bool] = {"it is still going on": not record.active}
    if start is Stage.CAPTURE:
        needed |= {
            "its machine was captured; --vi-from=deploy goes on with the candidate image": "captured" not in noted,
            "its provisioners were not all done": "provisioned" in noted,
            "its machine was not kept (--vi-keep, --vi-keep-on-failure), so that there is no key to it": bool(
                noted.get(KEPT, {}).get("machine")
            ),
        }
    else:
        needed["it has captured no image"] = "captured" in noted
        needed["it has deployed no scale set"] = start is not Stage.PUBLISH or "deployed" in noted
    return next((what for what, is_so in needed.items() if not is_so), "")


def _unchanged(record: Record, spec: Spec, option: str, settings: Settings) -> Record:
    """Look whether the machine is what the template makes today; ``--vi-reuse`` publishes nothing, and need not."""
    from pytest_plugin.fingerprints import image_fingerprint  # noqa: PLC0415 - only runs that go on with an earlier one

    if settings.reuse:
        return record
    if settings.publish and not settings.layers and record.notes.get("provisioned", {}).get("done_before"):
        raise pytest.UsageError(
            f"{option}: the machine of run {record.run.id} began with a layer that another run had left, and nothing "
            "is published of such a one unasked: build anew, or give --vi-layers or --vi-no-publish"
        )
    if record.notes["inputs"]["image"] != image_fingerprint(spec):
        raise pytest.UsageError(
            f"{option}: the template of {spec.name}, or a file that its provisioners use, has changed since run "
            f"{record.run.id}; what that run left is not what would be published: build anew"
        )
    return record
