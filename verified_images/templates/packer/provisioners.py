"""The provisioners of a Packer template, made into those of the model."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr, ValidationError

from verified_images.templates.fields import reveal
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.execute_command import PATH, SecretOnCommandLineError, read_command
from verified_images.templates.packer.files import mistake_about_file, resolve
from verified_images.templates.packer.findings import Section
from verified_images.templates.packer.tool_options import WINDOWS_KINDS, is_for_here, translate
from verified_images.templates.packer.values import Kind, Option, Options, read_options
from verified_images.templates.problems import validation_problems
from verified_images.templates.provisioners import provisioner_kinds, read_provisioner

if TYPE_CHECKING:
    from collections.abc import Mapping

    from verified_images.templates.packer.files import Folders
    from verified_images.templates.packer.findings import Findings
    from verified_images.templates.problems import KeyPath
    from verified_images.templates.provisioners import Provisioner

_PLACED = "scripts are put where the machine lets them run, and removed again whatever happens"
_EXPORTED = "variables are exported before a script runs, so that none stands on a command line"
COMMON = {
    "pause_before": Option(Kind.DURATION, to="pause_before"),
    "max_retries": Option(Kind.INT, to="max_retries"),
    "timeout": Option(Kind.DURATION, to="timeout"),
    "continue_on_error": Option(
        Kind.BOOL,
        ignored="an image that was not provisioned in full is not published, so that a failure ends the build",
    ),
}
_SHELL = {
    "inline": Option(Kind.SECRETS, to="inline"),
    "script": Option(Kind.TEXT, to="script"),
    "scripts": Option(Kind.TEXTS, to="scripts"),
    "valid_exit_codes": Option(Kind.INTS, to="valid_exit_codes"),
    "expect_disconnect": Option(Kind.BOOL, to="expect_disconnect"),
    "pause_after": Option(Kind.DURATION, to="pause_after"),
    "environment_vars": Option(Kind.SECRETS),
    "env": Option(Kind.SECRET_MAP),
    "execute_command": Option(Kind.SECRET),
    "inline_shebang": Option(Kind.TEXT),
    "env_var_format": Option(Kind.TEXT, ignored=_EXPORTED),
    "use_env_var_file": Option(Kind.BOOL, ignored=_EXPORTED),
    "remote_folder": Option(Kind.TEXT, ignored=_PLACED),
    "remote_file": Option(Kind.TEXT, ignored=_PLACED),
    "remote_path": Option(Kind.TEXT, ignored=_PLACED),
    "skip_clean": Option(Kind.BOOL, ignored=_PLACED),
    "binary": Option(Kind.BOOL, ignored="scripts that hold binary data are recognised"),
    "start_retry_timeout": Option(Kind.DURATION, ignored="a machine that restarts is waited for until it is back"),
    **COMMON,
}
_FILE = {
    "source": Option(Kind.TEXT, to="source"),
    "sources": Option(Kind.TEXTS, to="sources"),
    "content": Option(Kind.SECRET, to="content"),
    "destination": Option(Kind.TEXT, to="destination"),
    "direction": Option(Kind.TEXT, to="direction"),
    "generated": Option(Kind.BOOL, to="generated"),
    **COMMON,
}
_LARGEST_EXIT_CODE = 255
_DEFAULT_SHEBANG = "/bin/sh -e"
# Plugins of Packer's own and of others that templates use; not all of them exist here.
_KNOWN = (
    "ansible", "ansible-local", "azure-dtlartifact", "breakpoint", "chef-client", "chef-solo", "converge", "file",
    "hcp-sbom", "powershell", "puppet-masterless", "puppet-server", "salt-masterless", "shell", "shell-local", "sleep",
    "windows-restart", "windows-shell", "windows-update",
)  # fmt: skip

_CHECKING = ("cnspec", "goss", "inspec", "testinfra")


class Entry(NamedTuple):
    """A provisioner of the template: its type and its rendered options; fields such as {{.Path}} are marks."""

    type: str
    section: Section


def map_provisioner(entry: Entry, folders: Folders, findings: Findings) -> Provisioner | None:
    """Return the provisioner, or None if it is wrong or not needed here, which is then noted."""
    if entry.type not in provisioner_kinds():
        _note_unknown(entry, findings)
        return None
    match entry.type:
        case "shell":
            data = _shell(read_options(entry.section, _SHELL, findings, "the shell provisioner"), findings)
        case "file":
            options = read_options(entry.section, _FILE, findings, "the file provisioner")
            data = _plain(options, _FILE)
            if {"source", "sources"} <= data.keys():  # which Packer puts together
                data["sources"] = [*data["sources"], data.pop("source")]
        case "shell-local" if not is_for_here(entry.section.data.get("only_on"), entry.section.path, findings):
            return None
        case _:
            section = Section(translate(entry.type, entry.section, findings), entry.section.path)
            data = _others(section, findings)
    if data is None or findings.is_spoilt(entry.section.path):
        return None
    if entry.type not in WINDOWS_KINDS:
        _leave_out_exit_codes(data, (*entry.section.path, "valid_exit_codes"), findings)
    return _check(entry, data, folders, findings)


def _leave_out_exit_codes(data: dict[str, Any], path: KeyPath, findings: Findings) -> None:
    """Leave out exit codes that only programs of Windows have."""
    codes = data.get("valid_exit_codes")
    listed = codes if isinstance(codes, list) else [codes]
    possible = [code for code in listed if not isinstance(code, int) or code <= _LARGEST_EXIT_CODE]
    if possible and len(possible) < len(listed):
        findings.warn(path, f"exit codes beyond {_LARGEST_EXIT_CODE} are left out: no program of Linux ends with them")
        data["valid_exit_codes"] = possible


def _check(entry: Entry, data: dict[str, Any], folders: Folders, findings: Findings) -> Provisioner | None:
    path = entry.section.path
    told = findings.holds_spoilt(path)
    try:
        provisioner = read_provisioner({entry.type: data})
        for keys, name in provisioner.named_files():
            found = resolve(folders, name)
            if (mistake := mistake_about_file(folders, name)) is not None:
                findings.error((*path, *keys), mistake)
            elif found != name:
                _put(data, keys, found)
        return read_provisioner({entry.type: data})
    except ValidationError as error:
        for key_path, message in validation_problems(error, {entry.type: data}):
            if any(findings.is_spoilt((*path, key)) for key in entry.section.data):
                continue
            # What seems to be missing may be there, with a mistake that has been told.
            if told and (message == "this key is required" or message.startswith("exactly one of ")):
                continue
            if message == "this key is required":
                findings.requires(path, str(key_path[-1]))
            else:
                findings.error((*path, *key_path[1:]), message)
        return None


def _put(data: Any, keys: KeyPath, value: str) -> None:  # noqa: ANN401 - what templates hold
    for key in keys[:-1]:
        data = data[key]
    data[keys[-1]] = value


def _plain(options: Options, table: Mapping[str, Option]) -> dict[str, Any]:
    return {table[name].to: value for name, value in options if table[name].to}


def _shell(options: Options, findings: Findings) -> dict[str, Any] | None:
    data = _plain(options, _SHELL)
    if not _leave_out_deprovision(data, (*options.path, "inline"), findings):
        return None
    environment = _environment(options, findings)
    if environment:
        data["env"] = environment
    _add_command(data, options, environment, findings)
    return data


def _environment(options: Options, findings: Findings) -> dict[str, SecretStr | str]:
    found: dict[str, SecretStr | str] = dict(options.get("env") or {})
    for place, text in enumerate(options.get("environment_vars") or ()):
        name, sign, value = reveal(text).partition("=")
        if not name or not sign:
            findings.error((*options.path, "environment_vars", place), "NAME=VALUE is needed here")
        else:
            found[name] = SecretStr(value) if isinstance(text, SecretStr) else value
    return found


def _add_command(
    data: dict[str, Any], options: Options, environment: Mapping[str, SecretStr | str], findings: Findings
) -> None:
    """Put together how scripts are run: the command, and the shebang of commands that are given in the template."""
    text = options.get("execute_command")
    path = (*options.path, "execute_command")
    if text is not None and PATH not in reveal(text):
        findings.error(path, "'{{.Path}}' is needed in it, which stands for the script's path in the machine")
        return
    if text is not None:
        try:
            command = read_command(reveal(text), environment)
        except SecretOnCommandLineError:
            findings.error(
                path,
                "this would put a sensitive variable on a command line, where every process can read it; "
                "use 'sudo -E {{.Path}}', which hands the variables on unseen",
            )
            return
        if command.kept and isinstance(text, SecretStr):
            findings.warn(path, "a sensitive value is used here: who can see the machine's processes can read it")
        data["sudo"] = command.sudo
        if command.command is not None:
            data["execute_command"] = command.command
    shebang = _shebang(options, data.get("inline"))
    if shebang is not None and "execute_command" not in data:
        data["execute_command"] = f"{shebang} {{path}}"


def _shebang(options: Options, inline: list[SecretStr | str] | None) -> str | None:
    """Return the program that the commands are written for, unless it is the one that is taken anyway."""
    if not inline:
        return None
    first = reveal(inline[0]).partition("\n")[0]
    shebang = options.get("inline_shebang") or (first[2:] if first.startswith("#!") else None)
    shebang = None if shebang is None else shebang.removeprefix("#!").strip()
    return None if shebang in {None, "", _DEFAULT_SHEBANG} else shebang


_AGENT = re.compile(r"(?:sudo\s+(?:-\S+\s+)*)?(?:/usr/(?:local/)?s?bin/)?waagent(?:\s+-{1,2}\S+)*")
_HARMLESS = re.compile(
    r"(?:sudo\s+(?:-\S+\s+)*)?(?:"
    r"export\s+HIST(?:FILE)?SIZE=\S*|unset\s+HISTFILE|history\s+-c(?:w)?|sync|sleep\s+\d+|set\s+[-+]\w+(?:\s+pipefail)?|true"
    r"|rm\s+-\w+\s+(?:~|/root|\$HOME)/\.bash_history|rm\s+-\w+\s+/var/log/waagent\.log|echo(?:\s.*)?"
    r"|cloud-init\s+clean(?:\s+-\S+)*|#.*|"
    r")"
)


def _leave_out_deprovision(data: dict[str, Any], path: KeyPath, findings: Findings) -> bool:
    """Leave out the commands at the end that do nothing but deprovision; False if there are no others."""
    lines: list[SecretStr | str] = data.get("inline") or []
    kept = len(lines)
    while kept and _does_nothing_else(reveal(lines[kept - 1])):
        kept -= 1
    if any("-deprovision" in reveal(line) for line in lines[kept:]):
        what = "the last of these commands are" if kept else "this step is"
        reason = "the machine is deprovisioned in any case, after its tests and before the capture"
        findings.warn(path, f"{what} left out: {reason}")
        if not kept:
            return False
        data["inline"] = lines = lines[:kept]
    if any("-deprovision" in reveal(line) for line in lines):
        findings.warn(
            path,
            "this step deprovisions the machine, among other things; take that out, since it is done in any case, "
            "after the tests, and the tests need the user that it removes",
        )
    return True


def _does_nothing_else(line: str) -> bool:
    """Tell whether commands only deprovision, or do what goes with it and has no effect on an image otherwise."""
    commands = [command.strip() for command in re.split(r"&&|;|\n", line)]
    return all(_AGENT.fullmatch(command) or _HARMLESS.fullmatch(command) for command in commands)


def _others(section: Section, findings: Findings) -> dict[str, Any]:
    """Return the options of a provisioner whose model has Packer's names."""
    common = {name: value for name, value in section.data.items() if name in COMMON}
    data = _plain(read_options(Section(common, section.path), COMMON, findings, "a provisioner"), COMMON)
    for name, value in section.data.items():
        if name not in COMMON and value is not None and not findings.is_spoilt((*section.path, name)):
            data[name] = value
    if isinstance(variables := data.pop("environment_vars", None), list):
        table = {"environment_vars": Option(Kind.SECRETS), "env": Option(Kind.SECRET_MAP)}
        given = {"environment_vars": variables, "env": data.get("env")}
        options = read_options(Section(given, section.path), table, findings, "a provisioner")
        data["env"] = _environment(options, findings)
    return data


def _note_unknown(entry: Entry, findings: Findings) -> None:
    if entry.type in _CHECKING:
        findings.warn(
            entry.section.path,
            f"the provisioner '{entry.type}' is left out: it only looks at the machine; say what it looks for in tests",
        )
    elif entry.type in _KNOWN:
        findings.error(entry.section.path, f"the provisioner '{entry.type}' of Packer is not supported here")
    else:
        hint = did_you_mean(entry.type, provisioner_kinds())
        findings.error(entry.section.path, f"there is no provisioner '{entry.type}'{hint}")
