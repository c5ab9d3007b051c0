"""What Packer's provisioners other than shell and file say in another way than the model does."""

from __future__ import annotations

import json
import platform
import re
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from verified_images.templates.fields import reveal
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.execute_command import PATH, VARS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.templates.packer.findings import Findings, Section
    from verified_images.templates.problems import KeyPath

_CONNECTION = "Ansible reaches the machine as the build does, with its key and its pinned host keys"
_WINDOWS = "only machines with Linux are built"
_EXPORTED = "variables are exported before a script runs, so that none stands on a command line"
_WINDOWS_OPTIONS = dict.fromkeys(("guest_os_type", "elevated_user", "elevated_password"), _WINDOWS)
_IGNORED: Mapping[str, Mapping[str, str]] = {
    "ansible": {
        **dict.fromkeys(
            (
                "ansible_proxy_host", "ansible_proxy_key_type", "ansible_winrm_use_http", "local_port", "sftp_command",
                "ssh_authorized_key_file", "ssh_host_key_file", "use_proxy", "use_sftp",
            ),
            _CONNECTION,
        ),
        "inventory_file_template": "the machine is added to the inventory in any case",
        "keep_inventory_file": "the inventory leads nowhere when the build has ended",
        "skip_version_check": "no version is refused",
    },
    "chef-client": _WINDOWS_OPTIONS,
    "powershell": dict.fromkeys(("binary", "elevated_env_var_format", "env_var_format"), _WINDOWS),
    "chef-solo": _WINDOWS_OPTIONS,
    "puppet-masterless": _WINDOWS_OPTIONS,
    "puppet-server": _WINDOWS_OPTIONS,
    "salt-masterless": _WINDOWS_OPTIONS,
    "shell-local": {
        "env_var_format": _EXPORTED,
        "tempfile_extension": "scripts are run by their first line, not by their name",
        "use_env_var_file": _EXPORTED,
        "use_linux_pathing": _WINDOWS,
    },
    "windows-shell": dict.fromkeys(("binary", "env_var_format"), _WINDOWS),
}  # fmt: skip
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "puppet-server": {"staging_dir": "staging_directory", "working_directory": "working_dir"},
}
WINDOWS_KINDS = ("powershell", "windows-restart", "windows-shell", "windows-update")
"""The provisioners that are for Windows alone."""
_SYSTEMS = ("darwin", "freebsd", "linux", "openbsd", "solaris", "windows")
_MARK = "\x01"
_SUDO = re.compile(r"\{\{-?\s*if\s+\.Sudo\s*-?\}\}.*?\{\{-?\s*end\s*-?\}\}")
_NAMES = (
    "Args", "ClientCertPath", "ClientPrivateKeyPath", "ConfigPath", "ExtraArguments", "HieraConfigPath", "JsonPath",
    "ManifestDir", "ManifestFile", "ModulePath", "Options", "PuppetBinDir", "PuppetNode", "PuppetServer", "Version",
    "WorkingDir",
)  # fmt: skip

FIELDS = {name: f"{_MARK}{{{re.sub(r'(?<!^)(?=[A-Z])', '_', name).lower()}}}{_MARK}" for name in _NAMES} | {
    "FacterVars": "",
    "Sudo": "",
    "Script": PATH,
}
"""The fields that the commands of these provisioners may use, and what stands for them."""


def without_sudo(command: str) -> str:
    """Return a command without what it says when it is to become root, since it is run as root anyway."""
    return _SUDO.sub("", command)


def translate(kind: str, section: Section, findings: Findings) -> dict[str, Any]:
    """Return the options as the model has them, without those that have no effect here, which is noted."""
    data: dict[str, Any] = {}
    for name, value in section.data.items():
        if (kind, name) == ("shell-local", "only_on"):  # which is_for_here reads
            continue
        if value == "":
            findings.empty((*section.path, name))
        reason = _IGNORED.get(kind, {}).get(name)
        if reason is None:
            own = _RENAMED.get(kind, {}).get(name, name)
            data[own] = _plain(value) if name.endswith("command") else value
        elif value not in (None, "", False, "false", [], {}):
            findings.warn((*section.path, name), f"this has no effect: {reason}")
    if kind == "shell-local":
        _read_interpreter(data)
    if kind == "sleep":
        data.setdefault("duration", "0s")
    if "json_string" in data:
        _read_attributes(data, (*section.path, "json_string"), findings)
    # An empty value is one that is not given.
    return {name: value for name, value in data.items() if value not in ("", [], {})}


def _plain(value: Any) -> Any:  # noqa: ANN401 - what templates hold
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, SecretStr):
        return SecretStr(_plain(reveal(value)))
    if not isinstance(value, str):
        return value
    return value.replace(VARS, "").replace(PATH, "{path}").replace(_MARK, "")


def _read_interpreter(data: dict[str, Any]) -> None:
    """Say by execute_command alone what runs the commands; the usual one is what runs them anyway."""
    shebang = data.pop("inline_shebang", None)
    command = data.get("execute_command")
    words = [word.strip() for word in command] if isinstance(command, list) and all(map(_is_text, command)) else None
    if words in (["/bin/sh", "-c", "{path}"], ["sh", "-c", "{path}"]):
        data.pop("execute_command")
        command = None
    if command is None and isinstance(shebang, str) and shebang and (data.get("inline") or data.get("command")):
        data["execute_command"] = [*shebang.removeprefix("#!").split(), "{path}"]


def _read_attributes(data: dict[str, Any], path: KeyPath, findings: Findings) -> None:
    """Put the attributes that ``json_string`` holds, as HCL needs it, where ``json`` has them; Packer lets it win."""
    given = data.pop("json_string")
    if not given:
        return
    try:
        attributes = json.loads(reveal(given))
    except (TypeError, ValueError, RecursionError):
        attributes = None
    if isinstance(attributes, dict):
        data["json"] = _hidden(attributes) if isinstance(given, SecretStr) else attributes
    else:
        findings.error(path, "a JSON object is needed here, as text")


def _hidden(value: Any) -> Any:  # noqa: ANN401 - what templates hold
    match value:
        case dict():
            return {name: _hidden(item) for name, item in value.items()}
        case list():
            return [_hidden(item) for item in value]
        case str():
            return SecretStr(value)
    return value


def is_for_here(only_on: object, path: KeyPath, findings: Findings) -> bool:
    """Tell whether commands are meant for the system that the run is on; if not, that is noted."""
    names = [only_on] if isinstance(only_on, str) else only_on
    if not names or not isinstance(names, list) or platform.system().lower() in names:
        return True
    for name in names:
        if name not in _SYSTEMS:
            findings.error((*path, "only_on"), f"there is no system '{name}'{did_you_mean(str(name), _SYSTEMS)}")
            return False
    findings.warn((*path, "only_on"), f"this is left out: it is for {', '.join(map(str, names))}")
    return False


def _is_text(value: object) -> bool:
    return isinstance(value, str)
