"""A provisioner's folder on the machine: what a tool needs there, removed when it is done so that no image holds it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Self

from verified_images.errors import DeadlineError, MachineError
from verified_images.provisioners.attempt import AttemptError
from verified_images.ssh.quoting import quote_text

if TYPE_CHECKING:
    from types import TracebackType

    from verified_images.provisioners.attempt import Attempt

_CLEANED_WITHIN = 60.0  # seconds
_REFUSED = 125
# Made anew each time: what is there already is from a try that could not clean up.
_MAKE_OWN = "umask 077 && rm -rf -- {path} && mkdir -- {path}"
_MAKE_GIVEN = """\
if [ -d {path} ] && ! [ -e {path}/{mark} ]; then [ -w {path} ] || exit {refused}; exit 0; fi
umask 077 && mkdir -p -- {path} && : >{path}/{mark}
"""
_REMOVE_GIVEN = "if [ -e {path}/{mark} ]; then rm -rf -- {path}; fi"


class Staging:
    """A folder that only its owner can read: root with ``sudo``, else the user that is logged in.

    ``wanted`` is where the template wants it; a folder that was there before stays, with what was put into it.
    """

    def __init__(self, attempt: Attempt, wanted: str | None = None, *, sudo: bool, keep: bool = False) -> None:
        self._attempt = attempt
        self._session = attempt.context.session
        self._sudo = sudo
        self._keep = keep
        self._wanted = wanted is not None
        own = f"/tmp/vi-{attempt.context.run.id}-{attempt.provisioner.index}-{attempt.provisioner.kind}"  # noqa: S108
        self.path = own if wanted is None else wanted.rstrip("/") or "/"
        self._words = {
            "path": quote_text(self.path),
            "mark": f".vi-{attempt.context.run.id}-{attempt.provisioner.index}",
            "refused": _REFUSED,
        }

    def __enter__(self) -> Self:
        make = (_MAKE_GIVEN if self._wanted else _MAKE_OWN).format(**self._words)
        result = self._session.ask(make, sudo=self._sudo, timeout=self._attempt.remaining)
        if result.exit_code:
            reason = result.stderr.decode("utf-8", "replace").strip() or "nobody may write there"
            raise AttemptError(f": the folder '{self.path}' cannot be made on the machine: {reason}", result.exit_code)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._keep:
            return
        remove = (_REMOVE_GIVEN if self._wanted else "rm -rf -- {path}").format(**self._words)
        # What a failed provisioner leaves gets into no image; a folder that stays after one that passed would.
        failing = (MachineError, DeadlineError) if error is not None else ()
        with contextlib.suppress(*failing):
            # The tool may have become root by itself and left what only root can remove.
            if self._session.ask(remove, sudo=self._sudo, timeout=_CLEANED_WITHIN).exit_code and not self._sudo:
                self._session.ask(remove, sudo=True, timeout=_CLEANED_WITHIN)

    def put(self, local: str, name: str) -> str:
        """Upload a file or folder of the template's under ``name``; return where it is then."""
        source = self._attempt.context.path(local)
        target = f"{self.path}/{name}"
        if Path(source).is_dir():
            source, target = f"{source.rstrip('/')}/", f"{target}/"
        self._session.upload(source, target, sudo=self._sudo, timeout=self._attempt.remaining)
        return target.rstrip("/")

    def put_in(self, local: str, folder: str) -> str:
        """Upload a file or folder into ``folder``, under its own name; return where it is then."""
        return self.put(local, f"{folder}/{Path(self._attempt.context.path(local)).name}")

    def write(self, text: str, name: str) -> str:
        """Write a file that only the owner can read; return where it is."""
        path = f"{self.path}/{name}"
        self._session.upload_bytes(
            text.encode("utf-8", "surrogateescape"),
            path,
            sudo=self._sudo,
            mode=0o600,
            timeout=self._attempt.remaining,
        )
        return path
