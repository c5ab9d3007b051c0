"""Specs that have a secret in every channel that a template offers, and show it wherever they can."""

from __future__ import annotations

import json
import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.faults.sessions import Sessions

NAMES = (
    *("token", "password", "inline", "script", "file", "local", "local_env", "extra", "vault", "fact", "facter"),
    *("custom", "user", "sas", "plain_sas", "principal", "admin", "after", "quoted"),
)
"""The names of the secrets: each goes through a channel of its own."""

# What runs while a secret is around writes the process list of its machine to a file.
_SCAN = "cat /proc/[0-9]*/cmdline | tr '\\0' ' ' "
_SHOW = 'echo "$SHOWN"; printf %s "$SHOWN" | base64 -w0; echo; echo "$SHOWN" >&2'
_TOOL = '#!/bin/sh\necho "$@"; env\nfor each; do case $each in @*) cat "${each#@}";; esac; done\n'
_DEBIAN = {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2"}
_BLOB = "https://account.blob.core.windows.net/vhds/base.vhd?sv=2024-01-01&sr=b&sp=r&sig="

_PLACES = ("quiet", "loud", "broken", "masked", "plain", "layered")

QUIET = """\
def test_machine(host):
    assert host.run("true").rc == 0

def test_instance(instance, host):
    assert host.run("true").rc == 0
"""
LOUD = """\
import logging
import os
import sys

TOKEN = os.environ["MATRIX_TOKEN"]

def test_prints(host, record_property):
    print("printed", TOKEN)
    print("printed", TOKEN, file=sys.stderr)
    logging.getLogger("of a test").error("logged %s", TOKEN)
    record_property("recorded", TOKEN)
    assert host.run("echo %s; false", TOKEN).rc == 0

def test_compares(host):
    assert host.run("echo %s", TOKEN).stdout == "nothing"

def test_raises(host):
    raise ValueError(TOKEN)
"""


def make_secrets() -> dict[str, str]:
    """Make a value for each; that of ``quoted`` has whatever programs quote."""
    made = {name: f"{name}-{secrets.token_hex(12)}" for name in NAMES}
    return made | {"quoted": f'it\'s "q" & <{secrets.token_hex(12)}> $x \\ %/+'}


def plant(sessions: Sessions, values: Mapping[str, str]) -> None:
    """Write the specs, and the file of variables."""
    (sessions.folder / "values.json").write_text(json.dumps({name: values[name] for name in values if name != "token"}))
    tool = sessions.folder / "ansible-playbook"
    tool.write_text(f"{_TOOL}{_SCAN}>>{sessions.folder}/seen-here\n")
    tool.chmod(0o755)
    _add(sessions, "quiet", QUIET, _DEBIAN, _provisioners(sessions.folder, tool))
    _add(sessions, "loud", LOUD, _DEBIAN, [_shell("echo {{ var.token }}")])
    _add(sessions, "broken", QUIET, _DEBIAN, [_shell(_SHOW, "exit 7", SHOWN="{{ var.quoted }}")])
    _add(sessions, "masked", QUIET, {"uri": f"{_BLOB}{{{{ var.sas }}}}"}, [])
    _add(sessions, "plain", QUIET, {"uri": f"{_BLOB}{values['plain_sas']}"}, [])
    left = [_shell("true"), _shell("echo {{ var.script }} >~/left"), _shell("rm ~/left")]
    _add(sessions, "layered", QUIET, _DEBIAN, left, told="nothing")
    _add_packer(sessions.folder, values)


def _add(  # noqa: PLR0913 - the parts of a spec
    sessions: Sessions,
    name: str,
    tests: str,
    source: Mapping[str, str],
    provisioners: Sequence[Any],
    *,
    told: str = "{{ var.user }}",
) -> None:
    template = {
        "variables": {each: {"secret": True} for each in NAMES if each != "token"}
        | {"token": {"env": "MATRIX_TOKEN", "secret": True}},
        "builder": {
            "source": source,
            "vm_size": "Standard_B2s",
            "location": "westeurope",
            "custom_data": f"#!/bin/sh\necho {told.replace('user', 'custom')} >/dev/console\n",
            "user_data": told,
        },
        "provisioners": provisioners,
        "image": {
            "gallery": {
                "resource_group": "images",
                "gallery": "golden",
                "definition": "web",
                "version": f"2.0.{_PLACES.index(name)}",
            }
        },
        "smoke": {"instances": 1, "timeout": "5m"},
        "post_processors": [{"shell_local": {"inline": [_SHOW], "env": {"SHOWN": "{{ var.after }}"}}}],
    }
    sessions.add(name, json.dumps(template, indent=1), tests)
    for file in ("play.yml", "site.pp"):
        (sessions.folder / "specs" / name / file).write_text("---\n")


def _provisioners(folder: Path, tool: Path) -> list[dict[str, Any]]:
    there = "/var/tmp/seen"  # noqa: S108 - in the machine, whose one user it is
    seen = f"{_SCAN} >>{there}"
    puppet = "printf '%s\\n' '#!/bin/sh' 'env; cat /proc/[0-9]*/cmdline >>/var/tmp/seen' >/usr/local/bin/puppet"
    return [
        _shell("echo {{ var.inline }} {{ var.token }}", seen),
        {"shell": {"inline": [_SHOW, seen], "env": {"SHOWN": "{{ var.password }}"}, "sudo": True}},
        {"shell": {"inline": [_SHOW, seen], "env": {"SHOWN": "{{ var.quoted }}"}}},
        {"shell": {"inline": [_SHOW], "env": {"SHOWN": "{{ var.script }}"}, "execute_command": "sudo -E sh {path}"}},
        {"file": {"content": "{{ var.file }}", "destination": "/srv/file", "sudo": True}},
        {"shell-local": {"inline": ["echo {{ var.local }}", _SHOW, f"{_SCAN} >>{folder}/seen-here"],
                         "env": {"SHOWN": "{{ var.local_env }}"}}},
        {"ansible": {"playbook_file": "play.yml", "command": str(tool),
                     "extra_arguments": ["--extra-vars", "password={{ var.extra }}"],
                     "ansible_env_vars": ["ANSIBLE_VAULT_PASSWORD={{ var.vault }}"]}},
        {"shell": {"inline": [puppet, "chmod 755 /usr/local/bin/puppet"], "sudo": True}},
        {"puppet-masterless": {"manifest_file": "site.pp", "facter": {"fact": "{{ var.fact }}"},
                               "env": {"SHOWN": "{{ var.facter }}"}}},
        {"file": {"source": there, "destination": f"{folder}/seen-there", "direction": "download"}},
        {"shell": {"inline": ["rm -f /srv/file /var/tmp/seen /usr/local/bin/puppet"], "sudo": True}},
    ]  # fmt: skip


def _shell(*lines: str, **environment: str) -> dict[str, Any]:
    return {"shell": {"inline": list(lines), "env": environment}}


def _add_packer(folder: Path, values: Mapping[str, str]) -> None:
    template = {
        "variables": {"admin": values["admin"]},
        "sensitive-variables": ["admin"],
        "builders": [
            {
                "type": "azure-arm",
                "client_id": "somebody",
                "client_secret": values["principal"],
                "ssh_password": values["principal"],
                "subscription_id": "some",
                "os_type": "Linux",
                "image_publisher": "Debian",
                "image_offer": "debian-12",
                "image_sku": "12-gen2",
                "location": "westeurope",
                "vm_size": "Standard_B2s",
                "managed_image_name": "packer",
                "managed_image_resource_group_name": "images",
            }
        ],
        "provisioners": [
            {
                "type": "shell",
                "environment_vars": ["SHOWN={{user `admin`}}"],
                "inline": [_SHOW, "echo {{user `admin`}}"],
            }
        ],
    }
    spec = folder / "specs" / "packer"
    spec.mkdir(parents=True)
    (spec / "packer.json").write_text(json.dumps(template))
    (spec / "test_all.py").write_text(QUIET)
