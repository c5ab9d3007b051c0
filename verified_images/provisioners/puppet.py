"""The ``puppet-masterless`` and ``puppet-server`` provisioners."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.provisioners.command import MachineCommand, converge, fill_in, run_command
from verified_images.provisioners.staging import Staging
from verified_images.ssh.quoting import quote_text, quote_words
from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from verified_images.provisioners.attempt import Attempt
    from verified_images.templates.puppet import PuppetMasterlessProvisioner, PuppetServerProvisioner

_ALL_EXIT_CODES = tuple(range(256))
_PACKAGE = "/opt/puppetlabs/bin"  # where Puppet's own packages put it, which sudo does not look in


def apply_manifests(provisioner: PuppetMasterlessProvisioner, attempt: Attempt) -> None:
    """Upload the manifests with what they need and apply them, again after a restart of the machine.

    Raises:
        AttemptError: Puppet failed, or is not installed in the machine.
        DeadlineError: the provisioner's time is up.
        CommandError, OSError: something could not be uploaded.
    """

    def apply(staging: Staging) -> bool:
        words = _upload_manifests(provisioner, staging)
        folder = provisioner.working_directory or staging.path
        words |= {"working_dir": quote_text(folder), "extra_arguments": quote_words(provisioner.extra_arguments)}
        return _run(provisioner, attempt, words, _apply_command(words))

    _converge(provisioner, attempt, apply)


def run_agent(provisioner: PuppetServerProvisioner, attempt: Attempt) -> None:
    """Run Puppet's agent once against its server, again after a restart of the machine.

    Raises:
        AttemptError: Puppet failed, or is not installed in the machine.
        DeadlineError: the provisioner's time is up.
        CommandError, OSError: something could not be uploaded.
    """

    def run(staging: Staging) -> bool:
        cert, key = provisioner.client_cert_path, provisioner.client_private_key_path
        words = {
            "working_dir": quote_text(provisioner.working_dir or staging.path),
            "puppet_server": quote_text(provisioner.puppet_server),
            "puppet_node": "" if provisioner.puppet_node is None else quote_text(provisioner.puppet_node),
            "client_cert_path": "" if cert is None else quote_text(staging.put(cert, "certs")),
            "client_private_key_path": "" if key is None else quote_text(staging.put(key, "private_keys")),
            "extra_arguments": quote_words(provisioner.extra_arguments),
            "options": provisioner.options or "",
        }
        return _run(provisioner, attempt, words, _agent_command(words))

    _converge(provisioner, attempt, run)


def _converge(
    provisioner: PuppetMasterlessProvisioner | PuppetServerProvisioner,
    attempt: Attempt,
    action: Callable[[Staging], bool],
) -> None:
    def once() -> bool:
        keep = not provisioner.clean_staging_directory
        with Staging(attempt, provisioner.staging_directory, sudo=not provisioner.prevent_sudo, keep=keep) as staging:
            return action(staging)

    converge(once)


def _upload_manifests(provisioner: PuppetMasterlessProvisioner, staging: Staging) -> dict[str, str]:
    modules = [staging.put(path, f"modules-{number}") for number, path in enumerate(provisioner.module_paths)]
    hiera, manifests = provisioner.hiera_config_path, provisioner.manifest_dir
    folder = "manifests"
    manifest_dir = "" if manifests is None else staging.put(manifests, folder)
    file = staging.put(provisioner.manifest_file, f"{folder}/{Path(provisioner.manifest_file).name}")
    return {
        "module_path": quote_text(":".join(modules)) if modules else "",
        "hiera_config_path": "" if hiera is None else quote_text(staging.put(hiera, "hiera.yaml")),
        "manifest_dir": quote_text(manifest_dir) if manifest_dir else "",
        "manifest_file": quote_text(file),
    }


def _apply_command(words: Mapping[str, str]) -> str:
    options = _options(words, modulepath="module_path", hiera_config="hiera_config_path")
    where, more, file = words["working_dir"], words["extra_arguments"], words["manifest_file"]
    return f"cd {where} && puppet apply --detailed-exitcodes{options} {more} {file}"


def _agent_command(words: Mapping[str, str]) -> str:
    options = _options(
        words,
        server="puppet_server",
        certname="puppet_node",
        certdir="client_cert_path",
        privatekeydir="client_private_key_path",
    )
    agent = f"puppet agent --onetime --no-daemonize --detailed-exitcodes{options}"
    return f"cd {words['working_dir']} && {agent} {words['options']} {words['extra_arguments']}"


def _options(words: Mapping[str, str], **names: str) -> str:
    return "".join(f" --{option}={words[name]}" for option, name in names.items() if words[name])


def _run(
    provisioner: PuppetMasterlessProvisioner | PuppetServerProvisioner,
    attempt: Attempt,
    words: dict[str, str],
    command: str,
) -> bool:
    own = provisioner.execute_command
    bin_dir = provisioner.puppet_bin_dir
    words["puppet_bin_dir"] = "" if bin_dir is None else quote_text(bin_dir)
    path = f'export PATH={quote_text(bin_dir) + ":" if bin_dir else ""}"$PATH":{_PACKAGE}; '
    facts = {"packer_build_name": attempt.context.run.spec, "packer_builder_type": "azure-arm"} | {
        name: reveal(value) for name, value in provisioner.facter.items()
    }
    return run_command(
        attempt,
        MachineCommand(
            name="puppet",
            text=path + (command if own is None else fill_in(own, words)),
            sudo=not provisioner.prevent_sudo,
            # Facts come as variables, since a command line would show them.
            env={f"FACTER_{name}": value for name, value in facts.items()}
            | {name: reveal(value) for name, value in provisioner.env.items()},
            valid_exit_codes=_ALL_EXIT_CODES if provisioner.ignore_exit_codes else provisioner.valid_exit_codes,
            expect_disconnect=provisioner.expect_disconnect,
        ),
    )
