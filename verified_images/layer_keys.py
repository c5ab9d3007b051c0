"""What a machine's disk depends on after each provisioner, as a key: the same key stands for the same disk.

Everything counts that goes into it, in order: the exact source, the builder's settings, each provisioner's settings and
the files that it uses. What only the network gives, such as later versions of packages, does not: layers do not live
long. Nor is there a disk with a secret among them: what is kept would show it for days.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from verified_images.inputs import describe_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from verified_images.templates.model import Template
    from verified_images.templates.provisioners import Provisioner

_FORMAT = "1"
# What does something here, or depends on what is there: whoever begins behind it would have left that out.
_ELSEWHERE = frozenset({"shell-local", "breakpoint", "puppet-server", "chef-client"})
# These use the files that they name, and no other; a playbook may include anything near it.
_NAMES_ALL_FILES = frozenset({"shell", "file", "sleep"})
_NOT_THE_GUESTS = ("allowed_inbound_ip_addresses", "tags", "ssh_timeout", "operation_timeout", "public_ip")
_NOT_PROVISIONED = ("test_*.py", "*_test.py", "conftest.py", "*.pyc", "template.yaml", "template.yml", "template.json")


def layer_keys(template: Template, source: Mapping[str, Any]) -> Iterator[str]:
    """Yield the key, 64 hexadecimal digits, of the disk as it is after each provisioner.

    ``source`` tells of the exact image that the machine is booted from. The keys end before the first provisioner that
    does something elsewhere than on the machine, or is given a secret, and so may leave it there.
    """
    secrets = [secret.get_secret_value() for secret in template.secrets]
    builder = {key: value for key, value in template.builder.model_dump().items() if key not in _NOT_THE_GUESTS}
    if _holds(builder, secrets):
        return
    key = _digest([_FORMAT, _plain(builder), _plain(source)])
    for provisioner in template.provisioners:
        values = provisioner.model_dump()
        if _acts_elsewhere(provisioner) or _holds(values, secrets):
            return
        files = describe_files(sorted(_files(template, provisioner)), template.file.parent)
        key = _digest([key, provisioner.kind, _plain(values), *files])
        yield key


def _acts_elsewhere(provisioner: Provisioner) -> bool:
    values: Any = provisioner
    if provisioner.kind == "file":
        return bool(values.direction == "download" or values.generated)
    return provisioner.kind in _ELSEWHERE


def _holds(value: object, secrets: Sequence[str]) -> bool:
    """Tell whether a value, or one within it, is secret or has one of the secrets in it."""
    match value:
        case Mapping():
            return any(_holds(each, secrets) for each in (*value, *value.values()))
        case list() | tuple() | set() | frozenset():
            return any(_holds(each, secrets) for each in value)
        case SecretStr():
            return True
    return any(secret in str(value) for secret in secrets)


def _files(template: Template, provisioner: Provisioner) -> set[Path]:
    folder = template.file.parent
    named = {folder / name for _, name in provisioner.named_files()}
    if provisioner.kind in _NAMES_ALL_FILES:
        return named
    near = {folder, *(path.parent for path in named)}
    return named | {file for each in near for file in each.rglob("*") if _may_be_used(file)}


def _may_be_used(file: Path) -> bool:
    return file.is_file() and not any(file.match(pattern) for pattern in _NOT_PROVISIONED)


def _plain(value: object) -> str:
    """Return a value as text, secrets too: it is only ever made a digest of."""
    return json.dumps(value, sort_keys=True, default=_reveal)


def _reveal(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _digest(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
