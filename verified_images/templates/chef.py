"""The keys of the provisioners for Chef, or Cinc: without a server, or with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, WithJsonSchema, model_validator

from verified_images.templates.arguments import ExitCodes, Path, Paths, Word, Words
from verified_images.templates.base import wrong
from verified_images.templates.fields import Environment, FrozenDict
from verified_images.templates.provisioners import Provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator

Attributes = Annotated[
    Mapping[str, Any], AfterValidator(FrozenDict), WithJsonSchema({"type": "object", "additionalProperties": True})
]
"""A node's attributes; texts in it may be secrets."""


class _Chef(Provisioner):
    """What both have in common."""

    product: Literal["chef", "cinc"] = "chef"
    """Whose client it is: Chef's, or the free distribution of it."""
    run_list: Words = ()
    """What the machine is to be: recipe[...] and role[...]."""
    json_attributes: Attributes = Field(default_factory=FrozenDict, alias="json")
    """The machine's attributes; texts in it may hold secrets."""
    chef_environment: Word | None = None
    """The environment."""
    encrypted_data_bag_secret_path: Path | None = None
    """The key of encrypted data bags, beside the template."""
    config_template: Path | None = None
    """A configuration beside the template instead of our own; fields such as {{.CookbookPaths}} are filled in."""
    chef_license: Word | None = None
    """Whether Chef's licence is accepted: accept-silent unless an install_command is given."""
    install_command: Word | None = None
    """The command that installs the client, run as root unless prevent_sudo is set; {sudo} in it is empty."""
    skip_install: bool = False
    """Whether the client is in the machine already."""
    version: Word | None = None
    """The version to install where there is none."""
    execute_command: Word | None = None
    """The command that runs the client; {config_path} and {json_path} in it stand for its files, {sudo} is empty."""
    prevent_sudo: bool = False
    """Whether to run it as the user that is logged in rather than as root."""
    staging_directory: Path | None = None
    """The folder in the machine that everything is uploaded to; it is removed unless it was there before."""
    env: Environment = Field(default_factory=FrozenDict)
    """Environment variables of the client; values may hold secrets."""
    valid_exit_codes: ExitCodes = (0,)
    """The exit codes that mean success."""
    expect_disconnect: bool = False
    """Whether the machine may be restarted by it, after which it runs again."""

    @property
    def accepted_license(self) -> str | None:
        """What is said about Chef's licence."""
        if self.chef_license is None and not self.skip_install and self.install_command is None:
            return "accept-silent"
        return self.chef_license

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what is uploaded."""
        for name in ("encrypted_data_bag_secret_path", "config_template"):
            if getattr(self, name) is not None:
                yield (name,), getattr(self, name)


class ChefSoloProvisioner(_Chef):
    """Run chef-solo in the machine with cookbooks of one's own."""

    kind: ClassVar[str] = "chef-solo"

    cookbook_paths: Paths = ()
    """Folders of cookbooks beside the template."""
    remote_cookbook_paths: Paths = ()
    """Folders of cookbooks that are in the machine already."""
    roles_path: Path | None = None
    """The folder of roles beside the template."""
    environments_path: Path | None = None
    """The folder of environments beside the template."""
    data_bags_path: Path | None = None
    """The folder of data bags beside the template."""

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what is uploaded."""
        yield from super().named_files()
        for name in ("roles_path", "environments_path", "data_bags_path"):
            if getattr(self, name) is not None:
                yield (name,), getattr(self, name)
        for place, path in enumerate(self.cookbook_paths):
            yield ("cookbook_paths", place), path


class ChefClientProvisioner(_Chef):
    """Run chef-client in the machine against a Chef server."""

    kind: ClassVar[str] = "chef-client"

    server_url: Word
    """The server's address."""
    node_name: Word | None = None
    """The machine's name at the server; without it, one of this run."""
    client_key: Path | None = None
    """The machine's key in the machine; without it, one that is made there and removed."""
    validation_client_name: Word | None = None
    """The client that may register the machine."""
    validation_key_path: Path | None = None
    """The key of that client beside the template."""
    policy_name: Word | None = None
    """The policy, instead of a run list."""
    policy_group: Word | None = None
    """The policy's group."""
    ssl_verify_mode: Literal["verify_peer", "verify_none"] | None = None
    """Whether the server's certificate is checked."""
    trusted_certs_dir: Path | None = None
    """The folder in the machine with certificates to trust."""
    rubygems_url: Word | None = None
    """Where gems that cookbooks need are from, instead of the usual place."""
    knife_command: Word | None = None
    """The command that runs knife; {args} in it stands for its arguments, {sudo} is empty."""
    skip_clean_client: bool = False
    """Whether the client stays at the server."""
    skip_clean_node: bool = False
    """Whether the node stays at the server."""
    skip_clean_staging_directory: bool = False
    """Whether what was uploaded stays in the machine."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.policy_name is None) != (self.policy_group is None):
            raise wrong("'policy_name' and 'policy_group' go together")
        if self.policy_name is not None and self.run_list:
            raise wrong("'run_list' has no effect beside 'policy_name'")
        return self

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield what is uploaded."""
        yield from super().named_files()
        if self.validation_key_path is not None:
            yield ("validation_key_path",), self.validation_key_path
