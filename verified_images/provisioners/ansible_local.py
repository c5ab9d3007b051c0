"""The ``ansible-local`` provisioner: playbooks that are uploaded and run in the machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.provisioners import extra_vars
from verified_images.provisioners.ansible import required_kinds
from verified_images.provisioners.command import MachineCommand, converge, run_command
from verified_images.provisioners.staging import Staging
from verified_images.ssh.quoting import quote_text, quote_words
from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from verified_images.provisioners.attempt import Attempt
    from verified_images.templates.ansible import AnsibleLocalProvisioner

_LOCAL_HOST = "127.0.0.1"


def run_playbooks_in_machine(provisioner: AnsibleLocalProvisioner, attempt: Attempt) -> None:
    """Upload the playbooks with what they need and run them, again from the start after a restart of the machine.

    Raises:
        AttemptError: Ansible failed, or is not installed in the machine.
        DeadlineError: the provisioner's time is up.
        CommandError, OSError: something could not be uploaded.
    """
    converge(lambda: _run(provisioner, attempt))


def _run(provisioner: AnsibleLocalProvisioner, attempt: Attempt) -> bool:
    keep = not provisioner.clean_staging_directory
    with Staging(attempt, provisioner.staging_directory, sudo=provisioner.sudo, keep=keep) as staging:
        _upload(provisioner, staging)
        if _install_requirements(provisioner, attempt, staging):
            return True
        inventory = _inventory(provisioner, staging)
        stored: list[str] = []

        def store(text: str) -> str:
            stored.append(staging.write(text, f"secret-{len(stored) + 1}"))
            return stored[-1]

        words = ["-c", "local", "-i", inventory, "-e", extra_vars.build_variables(attempt.context.run)]
        words += extra_vars.arguments(provisioner.extra_arguments, store)
        return any(
            _run_command(
                provisioner, attempt, staging, f"{provisioner.command} {quote_words([*words, playbook])}", playbook
            )
            for playbook in _playbooks(provisioner, attempt, staging)
        )


def _upload(provisioner: AnsibleLocalProvisioner, staging: Staging) -> None:
    if provisioner.playbook_dir is not None:
        staging.put(provisioner.playbook_dir.rstrip("/"), ".")
    for paths, folder in (
        (provisioner.playbook_paths, "playbooks"),
        (provisioner.role_paths, "roles"),
        (provisioner.collection_paths, "collections"),
    ):
        for path in paths:
            staging.put_in(path, folder)
    for variables, name in ((provisioner.group_vars, "group_vars"), (provisioner.host_vars, "host_vars")):
        if variables is not None:
            staging.put(variables, name)


def _playbooks(provisioner: AnsibleLocalProvisioner, attempt: Attempt, staging: Staging) -> list[str]:
    """Return where the playbooks are in the machine; those that came with a folder are there already."""
    found = []
    for name in provisioner.playbooks:
        inside = None
        if provisioner.playbook_dir is not None:
            folder = Path(attempt.context.path(provisioner.playbook_dir)).absolute()
            candidates = (folder / name, Path(attempt.context.path(name)).absolute())
            inside = next((file for file in candidates if file.is_file() and file.is_relative_to(folder)), None)
            found.append(
                staging.put(name, Path(name).name) if inside is None else f"{staging.path}/{inside.relative_to(folder)}"
            )
        else:
            found.append(staging.put(name, Path(name).name))
    return found


def _inventory(provisioner: AnsibleLocalProvisioner, staging: Staging) -> str:
    if provisioner.inventory_file is not None:
        return staging.put(provisioner.inventory_file, Path(provisioner.inventory_file).name)
    groups = "".join(f"[{group}]\n{_LOCAL_HOST}\n" for group in provisioner.inventory_groups)
    return staging.write(groups or f"{_LOCAL_HOST}\n", "vi-inventory")


def _install_requirements(provisioner: AnsibleLocalProvisioner, attempt: Attempt, staging: Staging) -> bool:
    if provisioner.galaxy_file is None:
        return False
    file = staging.put(provisioner.galaxy_file, Path(provisioner.galaxy_file).name)
    for what in required_kinds(Path(attempt.context.path(provisioner.galaxy_file))):
        given = provisioner.galaxy_roles_path if what == "role" else provisioner.galaxy_collections_path
        target = given or f"{staging.path}/{'roles' if what == 'role' else 'collections'}"
        force = ["--force"] if provisioner.galaxy_force_install else []
        words = quote_words([what, "install", "-r", file, "-p", target, *force])
        if _run_command(provisioner, attempt, staging, f"{provisioner.galaxy_command} {words}", "ansible-galaxy"):
            return True
    return False


def _run_command(
    provisioner: AnsibleLocalProvisioner, attempt: Attempt, staging: Staging, command: str, name: str
) -> bool:
    return run_command(
        attempt,
        MachineCommand(
            name=Path(name).name,
            text=f"cd {quote_text(staging.path)} && {command}",
            sudo=provisioner.sudo,
            env=_environment(provisioner, staging),
            valid_exit_codes=provisioner.valid_exit_codes,
            expect_disconnect=provisioner.expect_disconnect,
        ),
    )


def _environment(provisioner: AnsibleLocalProvisioner, staging: Staging) -> dict[str, str]:
    roles = [f"{staging.path}/roles", *_given(provisioner.galaxy_roles_path)]
    collections = [f"{staging.path}/collections", *_given(provisioner.galaxy_collections_path)]
    return {
        "LC_ALL": "C.UTF-8",  # Ansible refuses any other encoding
        "PYTHONUNBUFFERED": "1",
        "ANSIBLE_ROLES_PATH": ":".join([*roles, "/etc/ansible/roles"]),
        "ANSIBLE_COLLECTIONS_PATH": ":".join([*collections, "/usr/share/ansible/collections"]),
        "ANSIBLE_LOCAL_TEMP": f"{staging.path}/work",
        "ANSIBLE_REMOTE_TEMP": f"{staging.path}/work",
        "ANSIBLE_HOME": f"{staging.path}/home",
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
    } | {name: reveal(value) for name, value in provisioner.env.items()}


def _given(path: str | None) -> list[str]:
    return [] if path is None else [path]
