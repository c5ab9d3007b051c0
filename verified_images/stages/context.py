"""What every stage of a build works with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from verified_images.cloud.operations import OPERATION_SECONDS, Arm
from verified_images.cloud.place import Place
from verified_images.masking import Masker
from verified_images.ssh.keys import new_run_key
from verified_images.stages.output import MaskedOutput
from verified_images.stages.undo import UndoStack
from verified_images.templates.model import rungs_of

if TYPE_CHECKING:
    from verified_images.cloud.connection import CloudConnection
    from verified_images.journal import Journal
    from verified_images.naming import Run
    from verified_images.ssh.keys import RunKey
    from verified_images.ssh.session import Session
    from verified_images.stages.output import Output
    from verified_images.templates.model import Template


@dataclass(frozen=True, slots=True)
class BuildContext:
    """One build: what is to be built, where, with which key, and what has to be undone.

    ``place`` is the temporary resource group or the one that the template names, ``key`` the build VM's key and
    ``smoke_key`` the instances'. ``sessions`` grow as machines come up; clean-up closes them. ``layers`` tells whether
    the machine may be booted from its disk as another build has left it, and leaves its own to others.
    """

    template: Template
    run: Run
    arm: Arm
    place: Place
    undo: UndoStack
    output: Output
    masker: Masker
    key: RunKey
    smoke_key: RunKey
    layers: bool = False
    sessions: list[Session] = field(default_factory=list)

    @property
    def owns_group(self) -> bool:
        """Whether the resource group is the build's own, so that it goes with all that is in it."""
        return self.template.builder.resource_group is None


def open_context(  # noqa: PLR0913 - what a build is made of
    template: Template,
    connection: CloudConnection,
    run: Run,
    *,
    journal: Journal,
    output: Output,
    key: RunKey | None = None,
    layers: bool = False,
) -> BuildContext:
    """Return the context of a build; nothing is created and nothing asked yet.

    ``key`` is that of the build VM of an earlier run, which is gone on with; a new build makes its own.
    """
    masker = Masker(secret.get_secret_value() for secret in template.secrets)
    masked = MaskedOutput(output, masker)
    subscription, names = connection.subscription_id, run.names
    return BuildContext(
        template=template,
        run=run,
        arm=Arm(connection, masked.tell, template.builder.operation_timeout or OPERATION_SECONDS),
        place=Place(
            subscription,
            template.builder.resource_group or names.resource_group,
            rungs_of(template.builder.location)[0],
            {**template.builder.tags, **run.tags},
        ),
        undo=UndoStack(journal),
        output=masked,
        masker=masker,
        key=key or new_run_key(f"verified-images-{run.id}"),
        smoke_key=new_run_key(f"verified-images-{run.id}-smoke"),
        layers=layers,
    )
