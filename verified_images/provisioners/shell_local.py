"""The ``shell-local`` provisioner: commands and scripts here, where the run is."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.provisioners.attempt import AttemptError
from verified_images.provisioners.process import run_here
from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.provisioners.attempt import Attempt
    from verified_images.templates.shell_local import ShellLocalProvisioner

_SHELL = ("/bin/sh", "-e")


def run_scripts_here(provisioner: ShellLocalProvisioner, attempt: Attempt) -> None:
    """Run the provisioner's commands or scripts in the template's folder, one after the other.

    Raises:
        AttemptError: one ended with an exit code that was not expected, or cannot be run.
        DeadlineError: the provisioner's time is up.
    """
    with tempfile.TemporaryDirectory(prefix="vi-") as folder:
        for name, script in _scripts(provisioner, attempt, Path(folder)):
            code = run_here(
                attempt, _command(provisioner, script), _environment(provisioner, attempt), attempt.context.folder
            )
            if code not in provisioner.valid_exit_codes:
                raise AttemptError(f" with exit code {code} of {name!r}", code)


def _scripts(provisioner: ShellLocalProvisioner, attempt: Attempt, folder: Path) -> Iterator[tuple[str, Path]]:
    lines = provisioner.inline or provisioner.command
    if lines is not None:
        # In a file, since the process list shows what stands on a command line.
        script = folder / "inline"
        script.touch(mode=0o700)
        script.write_text("".join(reveal(line) + "\n" for line in lines), "utf-8", "surrogateescape")
        yield "inline", script
    for name in provisioner.scripts or (() if provisioner.script is None else (provisioner.script,)):
        yield name, attempt.context.folder.absolute() / name


def _command(provisioner: ShellLocalProvisioner, script: Path) -> list[str]:
    if provisioner.execute_command:
        return [word.replace("{path}", str(script)) for word in provisioner.execute_command]
    with script.open("rb") as file:
        own = file.read(2) == b"#!"
    if own and script.stat().st_mode & stat.S_IXUSR and os.access(script, os.X_OK):
        return [str(script)]
    return [*_SHELL, str(script)]


def _environment(provisioner: ShellLocalProvisioner, attempt: Attempt) -> dict[str, str]:
    known = {"PACKER_BUILD_NAME": attempt.context.run.spec, "PACKER_BUILDER_TYPE": "azure-arm"}
    return known | {name: reveal(value) for name, value in provisioner.env.items()}
