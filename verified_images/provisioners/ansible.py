"""The ``ansible`` provisioner: a playbook that runs here and works on the machine through OpenSSH's client.

Ansible gets a port of its own that leads to the machine as our connection does, the run's key in a file that exists
as long as the play, and no other host keys than those that Azure told of.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from verified_images.errors import DeadlineError, MachineError
from verified_images.provisioners import extra_vars
from verified_images.provisioners.attempt import AttemptError
from verified_images.provisioners.process import run_here
from verified_images.provisioners.reboot import come_back
from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.provisioners.attempt import Attempt
    from verified_images.ssh.openssh_client import OpenSSHAccess
    from verified_images.templates.ansible import AnsibleProvisioner

_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it is made with a random name, for its owner only
_ANSWER_WITHIN = 20.0  # seconds


def run_playbook(provisioner: AnsibleProvisioner, attempt: Attempt) -> None:
    """Run the playbook, and install what it requires before.

    Raises:
        AttemptError: Ansible is not installed here, or failed.
        DeadlineError: the provisioner's time is up.
    """
    with _private_folder() as folder:
        play = _Play(provisioner, attempt, folder)
        play.install_requirements()
        with attempt.context.session.lend_openssh_access(folder) as access:
            try:
                play.run(access)
            finally:
                _find_again(attempt, play.remote_folder)


class _Play:
    """One run of Ansible, with its files in ``folder``."""

    def __init__(self, provisioner: AnsibleProvisioner, attempt: Attempt, folder: Path) -> None:
        self._provisioner = provisioner
        self._attempt = attempt
        self._folder = folder
        self._stored = 0
        self.remote_folder = f"/tmp/vi-{attempt.context.run.id}-{provisioner.index}-ansible"  # noqa: S108

    def install_requirements(self) -> None:
        """Install the roles and collections of the requirements file."""
        provisioner, context = self._provisioner, self._attempt.context
        if provisioner.galaxy_file is None:
            return
        file = context.path(provisioner.galaxy_file)
        for what in required_kinds(Path(file)):
            command = [*self._program(provisioner.galaxy_command), what, "install", "-r", file]
            target = provisioner.roles_path if what == "role" else provisioner.collections_path
            if target is not None:
                command += ["-p", context.path(target)]
            if provisioner.galaxy_force_with_deps:
                command.append("--force-with-deps")
            elif provisioner.galaxy_force_install:
                command.append("--force")
            self._run(command, (0,))

    def run(self, access: OpenSSHAccess) -> None:
        """Run the playbook."""
        provisioner, context = self._provisioner, self._attempt.context
        command = self._program(provisioner.command)
        for inventory in (provisioner.inventory_file, provisioner.inventory_directory):
            if inventory is not None:
                command += ["-i", context.path(inventory)]
        command += ["-i", str(self._inventory(access))]
        command += ["-e", extra_vars.build_variables(context.run)]
        if provisioner.vault_password_file is not None:
            command += ["--vault-password-file", context.path(provisioner.vault_password_file)]
        if provisioner.vault_password is not None:
            command += ["--vault-password-file", self._store(reveal(provisioner.vault_password))]
        if provisioner.become:
            command.append("--become")
        command += extra_vars.arguments(provisioner.extra_arguments, self._store)
        self._run([*command, context.path(provisioner.playbook_file)], provisioner.valid_exit_codes)

    def _run(self, command: list[str], accepted: tuple[int, ...]) -> None:
        code = run_here(self._attempt, command, self._environment(), self._attempt.context.folder.absolute())
        if code not in accepted:
            raise AttemptError(f" with exit code {code} of {Path(command[0]).name!r}", code)

    def _program(self, command: str) -> list[str]:
        first, *rest = shlex.split(command)
        # The environment that this program runs in is not always the one of the caller's shell.
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
        here = self._attempt.context.folder / first
        found = str(here.absolute()) if "/" in first and here.is_file() else shutil.which(first, path=path)
        if found is None:
            raise AttemptError(f": '{first}' is not installed here; pip install 'verified-images[ansible]'")
        return [found, *rest]

    def _environment(self) -> dict[str, str]:
        provisioner, context = self._provisioner, self._attempt.context
        paths = {"ANSIBLE_ROLES_PATH": provisioner.roles_path, "ANSIBLE_COLLECTIONS_PATH": provisioner.collections_path}
        given = [reveal(variable).partition("=") for variable in provisioner.ansible_env_vars]
        return {
            "LC_ALL": "C.UTF-8",  # Ansible refuses any other encoding
            "PYTHONUNBUFFERED": "1",
            "ANSIBLE_LOCAL_TEMP": str(self._folder / "tmp"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._folder / "cp"),
            "ANSIBLE_PIPELINING": "True",  # modules need not be files on the machine
            "ANSIBLE_RETRY_FILES_ENABLED": "False",
            **{name: context.path(path) for name, path in paths.items() if path is not None},
            **{name: value for name, _, value in given},
            **{name: reveal(value) for name, value in provisioner.env.items()},
        }

    def _inventory(self, access: OpenSSHAccess) -> Path:
        provisioner = self._provisioner
        options = ["-C", "-o", "ControlMaster=auto", "-o", "ControlPersist=60s", "-o", f"User={access.username}"]
        variables: dict[str, object] = {
            "ansible_connection": "ssh",
            "ansible_host": access.host,
            "ansible_port": access.port,
            "ansible_user": provisioner.user or access.username,
            # OpenSSH takes the first value that it sees, and these come first.
            "ansible_ssh_args": shlex.join([*options, *access.options]),
            "ansible_remote_tmp": self.remote_folder,
        }
        if provisioner.ansible_ssh_extra_args:
            variables["ansible_ssh_extra_args"] = " ".join(provisioner.ansible_ssh_extra_args)
        member: dict[str, object] = {"hosts": {provisioner.host_alias: {}}}
        empty: dict[str, object] = {}
        groups = dict.fromkeys(provisioner.empty_groups, empty) | dict.fromkeys(provisioner.groups, member)
        groups.pop("all", None)
        file = self._folder / "machine.yml"
        file.write_text(json.dumps({"all": {"hosts": {provisioner.host_alias: variables}, "children": groups}}))
        return file

    def _store(self, text: str) -> str:
        """Write a secret to a file of its own."""
        self._stored += 1
        file = self._folder / f"secret-{self._stored}"
        file.touch(mode=0o600)
        file.write_text(text)
        return str(file)


def required_kinds(file: Path) -> tuple[str, ...]:
    """Return what a requirements file asks for: roles, collections, or both.

    Raises:
        AttemptError: it cannot be read.
    """
    try:
        content = YAML(typ="safe").load(file.read_text("utf-8"))
    except (OSError, ValueError, YAMLError) as error:
        raise AttemptError(f": '{file}' is not a requirements file: {error}") from error
    if isinstance(content, list):
        return ("role",)
    found = content if isinstance(content, dict) else {}
    return tuple(kind for kind, key in (("role", "roles"), ("collection", "collections")) if found.get(key))


@contextlib.contextmanager
def _private_folder() -> Iterator[Path]:
    """Make a folder that only its owner can read, in memory where that can be, and remove it at the end."""
    parent = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    with tempfile.TemporaryDirectory(prefix="vi-", dir=parent, ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _find_again(attempt: Attempt, remote_folder: str) -> None:
    """Connect again if the play has restarted the machine, and remove what Ansible left on it."""
    session = attempt.context.session
    clean = f"rm -rf -- {remote_folder}"
    try:
        session.run(clean, sudo=True, timeout=_ANSWER_WITHIN)
    except (MachineError, DeadlineError):
        come_back(session, "", attempt)
        session.run(clean, sudo=True, timeout=_ANSWER_WITHIN)
