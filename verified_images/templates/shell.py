"""The ``shell`` provisioner's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from verified_images.templates.base import wrong
from verified_images.templates.fields import Environment, FrozenDict, Seconds, Texts, one_of
from verified_images.templates.provisioners import Provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator


class ShellProvisioner(Provisioner):
    """Run commands or scripts in the machine."""

    kind: ClassVar[str] = "shell"

    inline: Texts | None = None
    """Commands that run one after the other as one script, which ends at the first that fails."""
    script: str | None = None
    """A script beside the template."""
    scripts: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Scripts beside the template, run in this order."""
    env: Environment = Field(default_factory=FrozenDict)
    """Environment variables of the commands; values may hold secrets."""
    sudo: bool = False
    """Whether to run as root."""
    execute_command: str | None = None
    """The command that runs a script; {path} in it stands for the script's path in the machine."""
    valid_exit_codes: Annotated[tuple[Annotated[int, Field(ge=0, le=255)], ...], Field(min_length=1)] = (0,)
    """The exit codes that mean success."""
    expect_disconnect: bool = False
    """Whether the connection may break, as it does when the machine is told to restart."""
    pause_after: Seconds = 0.0
    """How long to wait after it ended."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_of(self, "inline", "script", "scripts")
        if self.execute_command is not None and "{path}" not in self.execute_command:
            raise wrong("execute_command must hold {path}, which stands for the script's path in the machine")
        return self

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the scripts."""
        if self.script is not None:
            yield ("script",), self.script
        for place, script in enumerate(self.scripts or ()):
            yield ("scripts", place), script
