"""The ``shell`` provisioner: commands and scripts on the machine, each in one round trip."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from verified_images.errors import DeadlineError, MachineError
from verified_images.provisioners.command import MachineCommand, run_command
from verified_images.ssh.quoting import print_bytes
from verified_images.templates.model import reveal
from verified_images.waiting import pause

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from verified_images.provisioners.attempt import Attempt
    from verified_images.templates.shell import ShellProvisioner

_INLINE = "#!/bin/sh -e\n"  # as Packer's inline_shebang
# The first in which a file can be made and executed.
_FOLDERS = '/tmp /var/tmp "$HOME"'  # noqa: S108 - the file in it is made with a random name and noclobber
_NO_FOLDER = 125
_CLEANED_WITHIN = 30.0

# The file must be one that the kernel executes, since its first line may name any interpreter. It is made with
# noclobber, so that nobody else's link in /tmp is followed, and removed whatever ends the script.
_RUN = """\
vi_write() {{ {write}; }}
for vi_d in {folders}; do
  vi_f=$vi_d/{name}
  {before}
  (umask 077; set -C; vi_write >"$vi_f" && chmod {mode} "$vi_f") 2>/dev/null && [ -x "$vi_f" ] && break
  {remove}
  vi_f=
done
[ -n "$vi_f" ] || {{ echo "no folder allows to make and execute a file:" {folders} >&2; exit {no_folder}; }}
trap 'rm -f -- "$vi_f"' EXIT
trap 'exit 129' HUP
trap 'exit 143' TERM
{command}
"""
_RUN_IT = '"$vi_f"'
_REMOVE_IT = 'rm -f -- "$vi_f" 2>/dev/null'


@dataclass(frozen=True, slots=True)
class _Script:
    """A script: its name in messages and what is in it."""

    name: str
    content: bytes


def run_scripts(provisioner: ShellProvisioner, attempt: Attempt) -> None:
    """Run the provisioner's commands or scripts, one after the other.

    Raises:
        AttemptError: one ended with an exit code that was not expected, or lost the connection.
        DeadlineError: the provisioner's time is up.
        OSError: a script cannot be read.
    """
    for number, script in enumerate(_scripts(provisioner, attempt.context.folder), 1):
        _run_script(provisioner, script, attempt, f"vi-{attempt.context.run.id}-{provisioner.index}-{number}")
    pause(provisioner.pause_after)


def _scripts(provisioner: ShellProvisioner, folder: Path) -> Iterator[_Script]:
    if provisioner.inline is not None:
        lines = "".join(reveal(line) + "\n" for line in provisioner.inline)
        yield _Script("inline", _with_unix_lines((_INLINE + lines).encode("utf-8", "surrogateescape")))
    names = provisioner.scripts or (() if provisioner.script is None else (provisioner.script,))
    for name in names:
        yield _Script(name, _with_unix_lines((folder / name).read_bytes()))


def _with_unix_lines(content: bytes) -> bytes:
    """Return the script with the line ends that interpreters want; one that carries binary data stays as it is."""
    return content if b"\0" in content else content.replace(b"\r\n", b"\n")


def _run_script(provisioner: ShellProvisioner, script: _Script, attempt: Attempt, name: str) -> None:
    command = MachineCommand(
        name=script.name,
        text=_command(provisioner, script, name, again=attempt.tried > 0),
        sudo=provisioner.sudo,
        env=_environment(provisioner, attempt),
        valid_exit_codes=provisioner.valid_exit_codes,
        expect_disconnect=provisioner.expect_disconnect,
    )
    try:
        restarted = run_command(attempt, command)
    except DeadlineError:
        _remove(provisioner, name, attempt)
        raise
    if restarted:
        _remove(provisioner, name, attempt)


def _command(provisioner: ShellProvisioner, script: _Script, name: str, *, again: bool) -> str:
    own = provisioner.execute_command
    return _RUN.format(
        write=print_bytes(script.content),
        folders=_FOLDERS,
        remove=_REMOVE_IT,
        name=name,
        # A try that lost its connection could not remove its file.
        before=_REMOVE_IT if again else ":",
        # Who runs it with an execute_command may be another user.
        mode="0700" if own is None else "0755",
        no_folder=_NO_FOLDER,
        command=_RUN_IT if own is None else own.replace("{path}", _RUN_IT),
    )


def _environment(provisioner: ShellProvisioner, attempt: Attempt) -> Mapping[str, str]:
    # Scripts that were written for Packer ask for these.
    known = {"PACKER_BUILD_NAME": attempt.context.run.spec, "PACKER_BUILDER_TYPE": "azure-arm"}
    return known | {name: reveal(value) for name, value in provisioner.env.items()}


def _remove(provisioner: ShellProvisioner, name: str, attempt: Attempt) -> None:
    """Remove a script that could not remove itself: it may hold secrets, which must not get into the image."""
    with contextlib.suppress(MachineError, DeadlineError):
        attempt.context.session.ask(
            f'for vi_d in {_FOLDERS}; do rm -f -- "$vi_d/{name}"; done',
            sudo=provisioner.sudo,
            timeout=_CLEANED_WITHIN,
        )
