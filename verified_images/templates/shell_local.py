"""The ``shell-local`` provisioner's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from verified_images.templates.arguments import ExitCodes, Path, Words
from verified_images.templates.fields import Environment, FrozenDict, Texts, one_of
from verified_images.templates.provisioners import Provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator


class ShellLocalProvisioner(Provisioner):
    """Run commands or scripts here, where the run is, not on the machine."""

    kind: ClassVar[str] = "shell-local"

    inline: Texts | None = None
    """Commands that run one after the other as one script, which ends at the first that fails."""
    command: Texts | None = None
    """The same as inline, by the name that old templates use."""
    script: Path | None = None
    """A script beside the template."""
    scripts: Annotated[tuple[Path, ...], Field(min_length=1)] | None = None
    """Scripts beside the template, run in this order."""
    env: Environment = Field(default_factory=FrozenDict)
    """Environment variables of the commands; values may hold secrets."""
    execute_command: Words = ()
    """The program that runs a script and its arguments; {path} in one stands for the script's path."""
    valid_exit_codes: ExitCodes = (0,)
    """The exit codes that mean success."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_of(self, "inline", "command", "script", "scripts")
        return self

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the scripts."""
        if self.script is not None:
            yield ("script",), self.script
        for place, script in enumerate(self.scripts or ()):
            yield ("scripts", place), script
