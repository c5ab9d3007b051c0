"""The ``file`` provisioner: files and folders to the machine, or from it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from verified_images.provisioners.attempt import Attempt
    from verified_images.templates.file import FileProvisioner


def copy_files(provisioner: FileProvisioner, attempt: Attempt) -> None:
    """Copy what the provisioner names.

    Raises:
        CommandError: the machine could not read or write.
        OSError: a file here could not be read or written.
        ConnectionLostError, DeadlineError: as for Session.run.
    """
    if provisioner.direction == "download":
        _download(provisioner, attempt)
    elif provisioner.content is not None:
        attempt.context.session.upload_bytes(
            reveal(provisioner.content).encode(),
            provisioner.destination,
            sudo=provisioner.sudo,
            owner=provisioner.owner,
            group=provisioner.group,
            mode=provisioner.mode,
            timeout=attempt.remaining,
        )
    else:
        _upload(provisioner, attempt)


def _upload(provisioner: FileProvisioner, attempt: Attempt) -> None:
    attempt.context.session.upload(
        [attempt.context.path(source) for source in _sources(provisioner)],
        _destination(provisioner),
        sudo=provisioner.sudo,
        owner=provisioner.owner,
        group=provisioner.group,
        mode=provisioner.mode,
        timeout=attempt.remaining,
    )


def _download(provisioner: FileProvisioner, attempt: Attempt) -> None:
    context = attempt.context
    local = context.path(_destination(provisioner))
    for source in _sources(provisioner):
        left_out = context.session.download(source, local, sudo=provisioner.sudo, timeout=attempt.remaining)
        if left_out:
            context.step(f"not downloaded, since they are devices or lead elsewhere: {', '.join(left_out)}")


def _sources(provisioner: FileProvisioner) -> tuple[str, ...]:
    if provisioner.sources is not None:
        return provisioner.sources
    return () if provisioner.source is None else (provisioner.source,)


def _destination(provisioner: FileProvisioner) -> str:
    """Return the destination; that of ``sources`` is a folder also when there is but one of them."""
    if provisioner.sources is not None and not provisioner.destination.endswith("/"):
        return provisioner.destination + "/"
    return provisioner.destination
