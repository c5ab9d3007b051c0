"""The ``chef-solo`` and ``chef-client`` provisioners, for Chef or Cinc."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from verified_images.errors import DeadlineError, MachineError
from verified_images.provisioners.attempt import AttemptError
from verified_images.provisioners.command import MachineCommand, converge, fill_in, run_command
from verified_images.provisioners.downloading import download_and_run
from verified_images.provisioners.staging import Staging
from verified_images.ssh.quoting import quote_text, quote_words
from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from verified_images.provisioners.attempt import Attempt
    from verified_images.templates.chef import ChefClientProvisioner, ChefSoloProvisioner

_INSTALLERS = {"chef": "https://omnitruck.chef.io/install.sh", "cinc": "https://omnitruck.cinc.sh/install.sh"}
_SYMBOLS = ("ssl_verify_mode", "log_level")
_FIELD = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}")


def run_chef_solo(provisioner: ChefSoloProvisioner, attempt: Attempt) -> None:
    """Upload the cookbooks with what they need and run the client, again after a restart of the machine.

    Raises:
        AttemptError: it could not be installed, or failed.
        DeadlineError: the provisioner's time is up.
        CommandError, OSError: something could not be uploaded.
    """

    def once() -> bool:
        with Staging(attempt, provisioner.staging_directory, sudo=not provisioner.prevent_sudo) as staging:
            cookbooks = [
                staging.put(path, f"cookbooks-{number}") for number, path in enumerate(provisioner.cookbook_paths)
            ]
            settings: dict[str, object] = {"cookbook_path": [*provisioner.remote_cookbook_paths, *cookbooks]}
            for setting, path in (
                ("role_path", provisioner.roles_path),
                ("data_bag_path", provisioner.data_bags_path),
                ("environment_path", provisioner.environments_path),
            ):
                if path is not None:
                    settings[setting] = staging.put(path, setting.removesuffix("_path"))
            return _Client(provisioner, attempt, staging, f"{provisioner.product}-solo").run(settings)

    converge(once)


def run_chef_client(provisioner: ChefClientProvisioner, attempt: Attempt) -> None:
    """Run the client against its server, and remove the machine from the server again.

    Raises:
        AttemptError: it could not be installed, or failed, or the server kept the machine.
        DeadlineError: the provisioner's time is up.
        CommandError, OSError: something could not be uploaded.
    """

    def once() -> bool:
        keep = provisioner.skip_clean_staging_directory
        with Staging(attempt, provisioner.staging_directory, sudo=not provisioner.prevent_sudo, keep=keep) as staging:
            client = _Client(provisioner, attempt, staging, f"{provisioner.product}-client")
            settings = _client_settings(provisioner, attempt, staging)
            try:
                restarted = client.run(settings)
            except BaseException:
                with contextlib.suppress(AttemptError, MachineError, DeadlineError):
                    _leave_server(provisioner, client, settings)
                raise
            _leave_server(provisioner, client, settings)
            return restarted

    converge(once)


def _client_settings(provisioner: ChefClientProvisioner, attempt: Attempt, staging: Staging) -> dict[str, object]:
    key = provisioner.validation_key_path
    settings: dict[str, object] = {
        "chef_server_url": provisioner.server_url,
        "node_name": provisioner.node_name or f"packer-{attempt.context.run.id}",
        "client_key": provisioner.client_key or f"{staging.path}/client.pem",
        "validation_client_name": provisioner.validation_client_name,
        "validation_key": None if key is None else staging.put(key, "validation.pem"),
        "policy_name": provisioner.policy_name,
        "policy_group": provisioner.policy_group,
        "ssl_verify_mode": provisioner.ssl_verify_mode,
        "trusted_certs_dir": provisioner.trusted_certs_dir,
        "rubygems_url": provisioner.rubygems_url,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _leave_server(provisioner: ChefClientProvisioner, client: _Client, settings: Mapping[str, object]) -> None:
    for what, skipped in (("node", provisioner.skip_clean_node), ("client", provisioner.skip_clean_client)):
        if not skipped:
            client.run_knife([what, "delete", str(settings["node_name"]), "--yes"], provisioner.knife_command)


class _Client:
    """One run of the client ``program``, with its files in ``staging``."""

    def __init__(
        self,
        provisioner: ChefSoloProvisioner | ChefClientProvisioner,
        attempt: Attempt,
        staging: Staging,
        program: str,
    ) -> None:
        self._provisioner = provisioner
        self._attempt = attempt
        self._staging = staging
        self._program = program

    def run(self, settings: Mapping[str, object]) -> bool:
        """Install the client if it is to be and run it; return whether the machine was restarted."""
        provisioner = self._provisioner
        if not provisioner.skip_install and self._install():
            return True
        attributes = _revealed(dict(provisioner.json_attributes))
        if provisioner.run_list:
            attributes["run_list"] = list(provisioner.run_list)
        words = {
            "config_path": quote_text(self._write_configuration(settings)),
            "json_path": quote_text(self._staging.write(json.dumps(attributes), "attributes.json")),
            "sudo": "",
        }
        command = provisioner.execute_command or f"{self._program} --no-color -c {{config_path}} -j {{json_path}}"
        return self._run(self._program, fill_in(command, words), tuple(provisioner.valid_exit_codes))

    def run_knife(self, words: list[str], own: str | None) -> None:
        """Run knife with the client's configuration."""
        arguments = quote_words([*words, "-c", f"{self._staging.path}/config.rb"])
        self._run(f"knife {words[0]}", fill_in(own or "knife {args}", {"args": arguments, "sudo": ""}), (0,))

    def _install(self) -> bool:
        own, version = self._provisioner.install_command, self._provisioner.version
        if own is not None:
            return self._run("install_command", fill_in(own, {"sudo": "", "version": version or ""}), (0,))
        words = quote_words(("-v", version)) if version else ""
        file = f"{self._staging.path}/install.sh"
        installer = download_and_run(_INSTALLERS[self._provisioner.product], file, words)
        return self._run("install.sh", f"command -v {self._program} >/dev/null && exit 0\n{installer}", (0,))

    def _write_configuration(self, settings: Mapping[str, object]) -> str:
        provisioner = self._provisioner
        secret = provisioner.encrypted_data_bag_secret_path
        common = {
            "chef_license": provisioner.accepted_license if provisioner.product == "chef" else None,
            "environment": provisioner.chef_environment,
            "encrypted_data_bag_secret": None if secret is None else self._staging.put(secret, "data_bag_secret"),
        }
        known = {**settings, **{name: value for name, value in common.items() if value is not None}}
        if provisioner.config_template is not None:
            template = Path(self._attempt.context.path(provisioner.config_template)).read_text("utf-8")
            return self._staging.write(_filled(template, known), "config.rb")
        # What the client remembers goes with the folder, so that none of it gets into the image.
        own = {name: f"{self._staging.path}/{name}" for name in ("file_cache_path", "file_backup_path", "node_path")}
        lines = [f"{name} {_ruby(name, value)}\n" for name, value in (own | known).items()]
        return self._staging.write("".join(lines), "config.rb")

    def _run(self, name: str, text: str, accepted: tuple[int, ...]) -> bool:
        command = MachineCommand(
            name=name,
            text=text,
            sudo=not self._provisioner.prevent_sudo,
            env={name: reveal(value) for name, value in self._provisioner.env.items()},
            valid_exit_codes=accepted,
            expect_disconnect=self._provisioner.expect_disconnect,
        )
        return run_command(self._attempt, command)


# The fields that Packer's documentation names, and the settings that they give.
_FIELDS = {
    "CookbookPaths": "cookbook_path",
    "RolesPath": "role_path",
    "DataBagsPath": "data_bag_path",
    "EnvironmentsPath": "environment_path",
    "EncryptedDataBagSecretPath": "encrypted_data_bag_secret",
    "ChefEnvironment": "environment",
    "ChefLicense": "chef_license",
    "ServerUrl": "chef_server_url",
    "NodeName": "node_name",
    "ClientKey": "client_key",
    "ValidationClientName": "validation_client_name",
    "ValidationKeyPath": "validation_key",
    "PolicyName": "policy_name",
    "PolicyGroup": "policy_group",
    "SslVerifyMode": "ssl_verify_mode",
    "TrustedCertsDir": "trusted_certs_dir",
    "RubygemsURL": "rubygems_url",
}


def _filled(template: str, settings: Mapping[str, object]) -> str:
    def fill(match: re.Match[str]) -> str:
        name = match[1].removeprefix(".")
        if name not in _FIELDS or not match[1].startswith("."):
            fields = ", ".join(f"{{{{.{field}}}}}" for field in _FIELDS)
            raise AttemptError(f": the config_template uses '{match[0]}', but only these are filled in: {fields}")
        value = settings.get(_FIELDS[name], "")
        return ",".join(json.dumps(item) for item in value) if isinstance(value, list) else str(value)

    return _FIELD.sub(fill, template)


def _ruby(name: str, value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_ruby(name, item) for item in value)}]"
    if name in _SYMBOLS:
        return f":{value}"
    return json.dumps(value).replace("#", "\\#")


def _revealed(value: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, Mapping):
        return {name: _revealed(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_revealed(item) for item in value]
    return reveal(value) if isinstance(value, SecretStr | str) else value
