"""The ``shell-local`` post-processor: commands and scripts here, in the template's folder, that know of the image."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.post_processors.artifact import BUILDER_TYPE
from verified_images.provisioners.attempt import AttemptError
from verified_images.provisioners.process import run_here
from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.post_processors.artifact import Artifact
    from verified_images.templates.model import ShellLocal
    from verified_images.waiting import Deadline


def run_here_after(shell: ShellLocal, artifact: Artifact) -> None:
    """Run the commands or scripts one after the other.

    Beside Packer's variables they find the image's ARM ids in VI_IMAGE_IDS, with spaces between them.

    Raises:
        AttemptError: one ended with an exit code that was not expected, or cannot be run.
    """
    folder = artifact.file.parent.absolute()
    environment = {
        "PACKER_BUILD_NAME": artifact.name,
        "PACKER_BUILDER_TYPE": BUILDER_TYPE,
        "PACKER_RUN_UUID": artifact.run_uuid,
        "VI_IMAGE_IDS": " ".join(artifact.ids),
        **{name: reveal(value) for name, value in shell.env.items()},
    }
    with tempfile.TemporaryDirectory(prefix="vi-") as temporary:
        for name, script in _scripts(shell, folder, Path(temporary)):
            watcher = _Watcher(artifact)
            try:
                code = run_here(watcher, [*shell.interpreter, str(script)], environment, folder)
            finally:
                watcher.finish()
            if code not in shell.valid_exit_codes:
                raise AttemptError(f" with exit code {code} of {name!r}", code)


class _Watcher:
    """Shows what a program prints, without secrets; it may take as long as it likes."""

    deadline: Deadline | None = None

    def __init__(self, artifact: Artifact) -> None:
        self._output = artifact.output
        self._masked = artifact.masker.stream()

    def show(self, text: str) -> None:
        """Pass live output on."""
        self._pass_on(self._masked.feed(text))

    def finish(self) -> None:
        """Pass on what was held back since it might have become a secret."""
        self._pass_on(self._masked.flush())

    def _pass_on(self, text: str) -> None:
        if text:
            self._output(text)


def _scripts(shell: ShellLocal, folder: Path, temporary: Path) -> Iterator[tuple[str, Path]]:
    if shell.inline is not None:
        # In a file, since the process list shows what stands on a command line.
        script = temporary / "inline"
        script.touch(mode=0o700)
        script.write_text("".join(reveal(line) + "\n" for line in shell.inline), "utf-8", "surrogateescape")
        yield "inline", script
    for name in shell.scripts or (() if shell.script is None else (shell.script,)):
        yield name, folder / name
