"""The keys of the provisioners for Ansible: run from here, or in the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Self

from pydantic import Field, SecretStr, model_validator

from verified_images.templates.arguments import ExitCodes, Path, Paths, Word, Words
from verified_images.templates.base import wrong
from verified_images.templates.fields import Environment, FrozenDict, Text, one_of
from verified_images.templates.provisioners import Provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator

EXTRA_VARS = ("-e", "--extra-vars")
"""The options whose value may hold secrets: they are handed over in a file."""


class _Playbooks(Provisioner):
    """What both have in common."""

    extra_arguments: tuple[Text, ...] = ()
    """Arguments of ansible-playbook; variables after --extra-vars may hold secrets."""
    env: Environment = Field(default_factory=FrozenDict)
    """Environment variables of Ansible; values may hold secrets."""
    galaxy_file: Path | None = None
    """A requirements file beside the template, whose roles and collections are installed first."""
    galaxy_command: Word = "ansible-galaxy"
    """The program that installs them."""
    galaxy_force_install: bool = False
    """Whether to install again what is there."""
    valid_exit_codes: ExitCodes = (0,)
    """The exit codes that mean success."""

    @model_validator(mode="after")
    def _keep_secrets_off_the_command_line(self) -> Self:
        before: Text = ""
        for argument in self.extra_arguments:
            if isinstance(argument, SecretStr) and before not in EXTRA_VARS:
                flag = argument.get_secret_value().partition("=")[0]
                if flag not in EXTRA_VARS:
                    raise wrong(
                        "extra_arguments: a secret would stand on a command line here, where every process can read "
                        "it; only the value of --extra-vars may hold one"
                    )
            before = argument
        return self


class AnsibleProvisioner(_Playbooks):
    """Run an Ansible playbook from here on the machine."""

    kind: ClassVar[str] = "ansible"

    playbook_file: Path
    """The playbook beside the template."""
    command: Word = "ansible-playbook"
    """The program that runs it."""
    ansible_env_vars: tuple[Text, ...] = ()
    """More environment variables of Ansible, each as NAME=VALUE."""
    host_alias: Word = "default"
    """The machine's name in the inventory."""
    groups: Words = ()
    """The groups that it belongs to."""
    empty_groups: Words = ()
    """Groups without a member."""
    user: Word | None = None
    """The name that ansible_user gives; the login is that of the build in any case."""
    become: bool = False
    """Whether tasks run as root."""
    inventory_file: Path | None = None
    """An inventory beside the template, which is read before the machine is added."""
    inventory_directory: Path | None = None
    """A folder of inventories beside the template, which is read before the machine is added."""
    roles_path: Path | None = None
    """Where roles are installed and looked for."""
    collections_path: Path | None = None
    """Where collections are installed and looked for."""
    galaxy_force_with_deps: bool = False
    """Whether to install again what is there, and what it needs."""
    vault_password_file: Path | None = None
    """The file, or program, that has the password of the vault."""
    vault_password: Text | None = None
    """The password of the vault."""
    ansible_ssh_extra_args: Words = ()
    """More arguments of ssh."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.vault_password is not None and self.vault_password_file is not None:
            one_of(self, "vault_password", "vault_password_file")
        for variable in self.ansible_env_vars:
            text = variable.get_secret_value() if isinstance(variable, SecretStr) else variable
            if "=" not in text.lstrip("="):
                raise wrong("ansible_env_vars: NAME=VALUE is needed")
        return self

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield the playbook and what goes with it."""
        yield ("playbook_file",), self.playbook_file
        for name in ("galaxy_file", "inventory_file", "inventory_directory", "vault_password_file"):
            if getattr(self, name) is not None:
                yield (name,), getattr(self, name)


class AnsibleLocalProvisioner(_Playbooks):
    """Run Ansible playbooks in the machine, where Ansible must be installed already."""

    kind: ClassVar[str] = "ansible-local"

    playbook_file: Path | None = None
    """A playbook beside the template, or in playbook_dir."""
    playbook_files: Annotated[Paths, Field(min_length=1)] | None = None
    """Playbooks beside the template, or in playbook_dir, run in this order."""
    playbook_dir: Path | None = None
    """A folder that is uploaded, with the playbooks and all that they need."""
    playbook_paths: Paths = ()
    """More files and folders, put into the folder playbooks beside the playbook."""
    role_paths: Paths = ()
    """Roles beside the template, each a folder."""
    collection_paths: Paths = ()
    """Collections beside the template, each a folder of namespaces."""
    group_vars: Path | None = None
    """A folder with the variables of groups."""
    host_vars: Path | None = None
    """A folder with the variables of hosts."""
    inventory_file: Path | None = None
    """An inventory; without one the machine is 127.0.0.1."""
    inventory_groups: Words = ()
    """The groups that the machine belongs to where no inventory is given."""
    command: Word = "ansible-playbook"
    """The command that runs a playbook, which may begin with environment variables."""
    galaxy_roles_path: Path | None = None
    """Where roles are installed in the machine."""
    galaxy_collections_path: Path | None = None
    """Where collections are installed in the machine."""
    staging_directory: Path | None = None
    """The folder in the machine that everything is uploaded to; it is removed unless it was there before."""
    clean_staging_directory: bool = True
    """Whether to remove that folder."""
    sudo: bool = False
    """Whether to run Ansible as root."""
    expect_disconnect: bool = False
    """Whether the machine may be restarted by it, after which it runs again."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        one_of(self, "playbook_file", "playbook_files")
        if self.inventory_groups and self.inventory_file is not None:
            raise wrong("'inventory_groups' has no effect beside 'inventory_file'; name the groups there")
        return self

    @property
    def playbooks(self) -> tuple[str, ...]:
        """The playbooks in their order."""
        return self.playbook_files or (() if self.playbook_file is None else (self.playbook_file,))

    def named_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield everything that is uploaded; playbooks in the folder playbook_dir may be named from there."""
        for name in ("playbook_dir", "group_vars", "host_vars", "inventory_file", "galaxy_file"):
            if getattr(self, name) is not None:
                yield (name,), getattr(self, name)
        if self.playbook_dir is None and self.playbook_file is not None:
            yield ("playbook_file",), self.playbook_file
        lists = ("playbook_paths", "role_paths", "collection_paths")
        for name in lists if self.playbook_dir is not None else ("playbook_files", *lists):
            for place, path in enumerate(getattr(self, name) or ()):
                yield (name, place), path
