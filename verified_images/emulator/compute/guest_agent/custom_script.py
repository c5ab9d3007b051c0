"""What extensions do in a guest: the custom script, and the resets of VM access. Source: their public documentation."""

from __future__ import annotations

import base64
import binascii
import gzip
import shlex
from typing import TYPE_CHECKING, Any

from verified_images.emulator.compute.guest_agent.guest_scripts import GuestScript, end_of
from verified_images.emulator.hypervisor import CommandOutcome, HypervisorError

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.store import Resource

_SECONDS = 90 * 60
_INVALID = "Enable failed: failed to get configuration: invalid configuration: "


class HandlerError(Exception):
    """A handler failed in the guest; the text is what it reports."""


def run_custom_script(
    cloud: Cloud, machine: Resource, settings: dict[str, Any], protected: dict[str, Any], number: int
) -> str:
    """Run the command or script of the settings and give what the handler reports.

    Raises:
        HandlerError: the settings make no sense, or the command failed.
    """
    text = _text_of(settings, protected)
    files = [str(each) for each in protected.get("fileUris") or settings.get("fileUris") or []]
    fetching = "".join(_fetching(address, place) for place, address in enumerate(files))
    script = GuestScript(f"custom-script/download/{number}", fetching + text if fetching else text)
    outcome = _run(cloud, machine, script.wrapped())
    output = f"\n[stdout]\n{end_of(outcome.stdout)}\n[stderr]\n{end_of(outcome.stderr)}"
    if outcome.exit_code:
        raise HandlerError(
            f"Enable failed: failed to execute command: command terminated with exit status={outcome.exit_code}{output}"
        )
    return f"Enable succeeded: {output}"


def _text_of(settings: dict[str, Any], protected: dict[str, Any]) -> str:
    given = {}
    for key in ("commandToExecute", "script"):
        if settings.get(key) and protected.get(key):
            raise HandlerError(
                f"{_INVALID}'{key}' was specified both in public and protected settings; it must be specified only once"
            )
        if value := settings.get(key) or protected.get(key):
            given[key] = str(value)
    if not given:
        raise HandlerError(f"{_INVALID}either 'commandToExecute' or 'script' must be specified")
    if len(given) > 1:
        raise HandlerError(
            f"{_INVALID}'commandToExecute' and 'script' were both specified, but only one is valid at a time"
        )
    return given["commandToExecute"] if "commandToExecute" in given else _decode(given["script"])


def _decode(text: str) -> str:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise HandlerError(f"{_INVALID}'script' failed to decode: {error}") from error
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    return content.decode(errors="replace")


def _fetching(address: str, place: int) -> str:
    quoted, name = shlex.quote(address), shlex.quote(address.partition("?")[0].rsplit("/", 1)[-1])
    failed = shlex.quote(f"failed to download file[{place}]")
    return (
        f"{{ curl -fsSL {quoted} -o {name} 2>/dev/null || wget -q {quoted} -O {name}; }} && chmod 755 {name} || "
        f"{{ echo {failed} >&2; exit 1; }}\n"
    )


def reset_access(cloud: Cloud, machine: Resource, protected: dict[str, Any]) -> str:
    """Make or remove a user, or give one a new password or key, as VMAccessForLinux does.

    Raises:
        HandlerError: it could not be done.
    """
    lines = ["set -e"]
    if unwanted := protected.get("remove_user"):
        lines.append(f"userdel -r {shlex.quote(str(unwanted))}")
    if username := protected.get("username"):
        lines += _user_lines(shlex.quote(str(username)), protected)
    outcome = _run(cloud, machine, "\n".join(lines) + "\n")
    if outcome.exit_code:
        raise HandlerError(f"Enable failed: {end_of(outcome.stderr).strip()}")
    return "Enable succeeded."


def _user_lines(user: str, protected: dict[str, Any]) -> list[str]:
    lines = [f"id {user} >/dev/null 2>&1 || useradd -m -s /bin/bash {user}"]
    if password := protected.get("password"):
        lines.append(f"chpasswd <<'END'\n{protected['username']}:{password}\nEND")
    if key := protected.get("ssh_key"):
        folder = f"$(getent passwd {user} | cut -d: -f6)/.ssh"
        lines += [
            f'folder="{folder}"',
            'mkdir -p "$folder" && chmod 700 "$folder"',
            f"cat >>\"$folder/authorized_keys\" <<'END'\n{str(key).strip()}\nEND",
            f'chmod 600 "$folder/authorized_keys" && chown -R {user} "$folder"',
        ]
    return lines


def _run(cloud: Cloud, machine: Resource, text: str) -> CommandOutcome:
    try:
        return cloud.hypervisor.run_command(machine.hidden["guest"], text, _SECONDS)
    except HypervisorError as error:
        raise HandlerError(f"Enable failed: {error}") from error
