"""The ``salt-masterless`` provisioner's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from verified_images.templates.arguments import Path, Word
from verified_images.templates.base import wrong
from verified_images.templates.fields import Environment, FrozenDict, one_of
from verified_images.templates.provisioners import Provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator


class SaltMasterlessProvisioner(Provisioner):
    """Apply Salt states in the machine."""

    kind: ClassVar[str] = "salt-masterless"

    local_state_tree: Path
    """The folder of states beside the template."""
    local_pillar_roots: Path | None = None
    """The folder of pillars beside the template."""
    remote_state_tree: Path | None = None
    """Where the states are put in the machine; what was not there before is removed again."""
    remote_pillar_roots: Path | None = None
    """Where the pillars are put in the machine; what was not there before is removed again."""
    minion_config: Path | None = None
    """The minion's configuration beside the template; the states are then put into /srv/salt and /srv/pillar."""
    grains_file: Path | None = None
    """The grains beside the template."""
    custom_state: Word | None = None
    """The states to apply instead of the highstate."""
    skip_bootstrap: bool = False
    """Whether Salt is in the machine already."""
    bootstrap_script: Path | None = None
    """A script beside the template that installs Salt, instead of the one that the Salt project offers."""
    bootstrap_args: Word = ""
    """Arguments of that script, as one text that a shell reads."""
    salt_bin_dir: Path | None = None
    """The folder in the machine that salt-call is in, if the search path does not have it."""
    salt_call_args: Word = ""
    """More arguments of salt-call, as one text that a shell reads."""
    log_level: Literal["all", "garbage", "trace", "debug", "info", "warning", "error", "quiet"] = "info"
    """What salt-call tells of what it does."""
    no_exit_on_failure: bool = False
    """Whether to go on though a state failed."""
    disable_sudo: bool = False
    """Whether to run Salt as the user that is logged in rather than as root."""
    temp_config_dir: Path | None = None
    """The folder in the machine that everything is uploaded to; it is removed unless it was there before."""
    env: Environment = Field(default_factory=FrozenDict)
    """Environment variables of Salt; values may hold secrets."""
    expect_disconnect: bool = False
    """Whether the machine may be restarted by it, after which it runs again."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_formulas(cls, value: object) -> object:
        if isinstance(value, dict) and value.get("formulas"):
            raise wrong(
                "formulas: they are not fetched here, since what a branch holds changes; put them into local_state_tree"
            )
        return {name: item for name, item in value.items() if name != "formulas"} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.minion_config is not None and (self.remote_state_tree or self.remote_pillar_roots):
            raise wrong("'remote_state_tree' and 'remote_pillar_roots' have no effect beside 'minion_config'")
        if self.skip_bootstrap and self.bootstrap_script is not None:
            one_of(self, "bootstrap_script", "skip_bootstrap")
        return self

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what is uploaded."""
        for name in ("local_state_tree", "local_pillar_roots", "minion_config", "grains_file", "bootstrap_script"):
            if getattr(self, name) is not None:
                yield (name,), getattr(self, name)
