"""The keys of the provisioners for Puppet: with manifests of one's own, or those of a server."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from verified_images.templates.arguments import ExitCodes, Path, Paths, Word, Words
from verified_images.templates.fields import Environment, FrozenDict
from verified_images.templates.provisioners import Provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Puppet(Provisioner):
    """What both have in common."""

    facter: Environment = Field(default_factory=FrozenDict)
    """Facts for the manifests; values may hold secrets."""
    env: Environment = Field(default_factory=FrozenDict)
    """Environment variables of Puppet; values may hold secrets."""
    extra_arguments: Words = ()
    """More arguments of Puppet."""
    puppet_bin_dir: Path | None = None
    """The folder in the machine that Puppet is in, if its package's own and the search path do not have it."""
    prevent_sudo: bool = False
    """Whether to run Puppet as the user that is logged in rather than as root."""
    ignore_exit_codes: bool = False
    """Whether to go on whatever Puppet says."""
    valid_exit_codes: ExitCodes = (0, 2)
    """The exit codes that mean success; Puppet's 2 says that something was changed."""
    staging_directory: Path | None = None
    """The folder in the machine that everything is uploaded to; it is removed unless it was there before."""
    clean_staging_directory: bool = True
    """Whether to remove that folder."""
    expect_disconnect: bool = False
    """Whether the machine may be restarted by it, after which it runs again."""


class PuppetMasterlessProvisioner(_Puppet):
    """Apply Puppet manifests in the machine, where Puppet must be installed already."""

    kind: ClassVar[str] = "puppet-masterless"

    manifest_file: Path
    """The manifest, or a folder of manifests, beside the template."""
    manifest_dir: Path | None = None
    """A folder beside the template that is uploaded too, for manifests that name files in it."""
    module_paths: Paths = ()
    """Folders of modules beside the template."""
    hiera_config_path: Path | None = None
    """The configuration of Hiera beside the template."""
    working_directory: Path | None = None
    """The folder in the machine that Puppet is run in; without it, the one that everything is uploaded to."""
    execute_command: Word | None = None
    """The command that runs Puppet; {working_dir}, {module_path}, {hiera_config_path}, {manifest_dir}, {manifest_file},
    {puppet_bin_dir} and {extra_arguments} in it stand for what they say."""

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what is uploaded."""
        for name in ("manifest_file", "manifest_dir", "hiera_config_path"):
            if getattr(self, name) is not None:
                yield (name,), getattr(self, name)
        for place, path in enumerate(self.module_paths):
            yield ("module_paths", place), path


class PuppetServerProvisioner(_Puppet):
    """Run Puppet's agent once in the machine, where it must be installed already."""

    kind: ClassVar[str] = "puppet-server"

    puppet_server: Word = "puppet"
    """The server's host name."""
    puppet_node: Word | None = None
    """The machine's name in its certificate."""
    client_cert_path: Path | None = None
    """A folder beside the template with the machine's certificate."""
    client_private_key_path: Path | None = None
    """A folder beside the template with the machine's private key."""
    options: Word | None = None
    """More arguments of Puppet, as one text that a shell reads."""
    working_dir: Path | None = None
    """The folder in the machine that Puppet is run in; without it, the one that everything is uploaded to."""
    execute_command: Word | None = None
    """The command that runs Puppet; {working_dir}, {puppet_server}, {puppet_node}, {client_cert_path},
    {client_private_key_path}, {puppet_bin_dir}, {options} and {extra_arguments} in it stand for what they say."""

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what is uploaded."""
        for name in ("client_cert_path", "client_private_key_path"):
            if getattr(self, name) is not None:
                yield (name,), getattr(self, name)
