"""The keys of the provisioners for Windows, which is loaded so that old templates are understood, and never built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, model_validator

from verified_images.templates.fields import Environment, FrozenDict, Seconds, Text, Texts, one_of
from verified_images.templates.provisioners import Provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator

_ExitCodes = Annotated[tuple[int, ...], Field(min_length=1)]


class _Scripts(Provisioner):
    """What the provisioners have that run scripts."""

    kind: ClassVar[str] = "windows-shell"

    inline: Texts | None = None
    """Commands that run one after the other as one script."""
    script: str | None = None
    """A script beside the template."""
    scripts: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """Scripts beside the template, run in this order."""
    env: Environment = Field(default_factory=FrozenDict)
    """Environment variables of the commands; values may hold secrets."""
    valid_exit_codes: _ExitCodes = (0,)
    """The exit codes that mean success."""
    execute_command: str | None = None
    """The command that runs a script."""
    remote_path: str | None = None
    """Where the script is put."""
    start_retry_timeout: Seconds = 300.0
    """How long the machine may take until a script starts."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_of(self, "inline", "script", "scripts")
        return self

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the scripts."""
        if self.script is not None:
            yield ("script",), self.script
        for place, script in enumerate(self.scripts or ()):
            yield ("scripts", place), script


class WindowsShellProvisioner(_Scripts):
    """Run commands or scripts of cmd in a Windows machine."""


class PowershellProvisioner(_Scripts):
    """Run commands or scripts of PowerShell in a Windows machine."""

    kind: ClassVar[str] = "powershell"

    elevated_user: str | None = None
    """The user that a scheduled task runs the script as."""
    elevated_password: Text | None = None
    """The password of that user."""
    elevated_execute_command: str | None = None
    """The command that runs a script as that user."""
    execution_policy: str = "bypass"
    """The execution policy."""
    debug_mode: Annotated[int, Field(ge=0, le=2)] = 0
    """The level of Set-PSDebug."""
    pause_after: Seconds = 0.0
    """How long to wait after it ended."""
    remote_env_var_path: str | None = None
    """Where the variables are put."""
    skip_clean: bool = False
    """Whether the script stays where it was put."""
    use_pwsh: bool = False
    """Whether to run it with pwsh."""


class WindowsRestartProvisioner(Provisioner):
    """Restart a Windows machine and wait until it is back."""

    kind: ClassVar[str] = "windows-restart"

    restart_command: str | None = None
    """The command that restarts the machine."""
    restart_check_command: str | None = None
    """The command that tells whether the machine is back."""
    restart_timeout: Seconds = 300.0
    """How long the machine may take until it is back."""
    check_registry: bool = False
    """Whether to wait until the registry tells of no pending restart."""
    registry_keys: tuple[str, ...] = ()
    """The keys that tell of one."""


class WindowsUpdateProvisioner(Provisioner):
    """Install the updates of a Windows machine."""

    kind: ClassVar[str] = "windows-update"

    search_criteria: str | None = None
    """Which updates to look for."""
    filters: tuple[str, ...] = ()
    """Which updates to take of those that were found."""
    update_limit: Annotated[int, Field(ge=1)] | None = None
    """How many updates to install at once."""
    restart_timeout: Seconds = 14400.0
    """How long the machine may take until it is back."""
