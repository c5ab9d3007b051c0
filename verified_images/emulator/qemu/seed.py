"""The seed disc from which cloud-init in a guest learns what Azure's provisioning agent would be told.

cloud-init's NoCloud data source (cloud-init documentation, "NoCloud") reads it. As on Azure the custom data is the
user data and the administrator is cloud-init's *default user*, so that custom data may add users of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.emulator.hypervisor import HypervisorError

if TYPE_CHECKING:
    from verified_images.emulator.hypervisor import ProvisioningData

_SECTOR = 512
_SMALLEST = 1 << 20

# The agent deletes the user that this file names when it is told to deprovision (azure/walinuxagent, ovfenv.py).
_OVF_ENV = """<?xml version="1.0" encoding="utf-8"?>
<ns0:Environment xmlns="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1"
 xmlns:ns1="http://schemas.microsoft.com/windowsazure"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<ns1:ProvisioningSection><ns1:Version>1.0</ns1:Version>
<ns1:LinuxProvisioningConfigurationSet xsi:type="LinuxProvisioningConfigurationSet">
<ns1:ConfigurationSetType>LinuxProvisioningConfiguration</ns1:ConfigurationSetType>
<ns1:HostName>{host_name}</ns1:HostName>
<ns1:UserName>{username}</ns1:UserName>
<ns1:DisableSshPasswordAuthentication>{keys_only}</ns1:DisableSshPasswordAuthentication>
</ns1:LinuxProvisioningConfigurationSet></ns1:ProvisioningSection>
<ns1:PlatformSettingsSection><ns1:Version>1.0</ns1:Version><ns1:PlatformSettings>
<ns1:KmsServerHostname>kms.core.windows.net</ns1:KmsServerHostname>
<ns1:ProvisionGuestAgent>true</ns1:ProvisionGuestAgent>
</ns1:PlatformSettings></ns1:PlatformSettingsSection>
</ns0:Environment>
"""
_WRITE_OVF_ENV = """#!/bin/sh
umask 077
mkdir -p /var/lib/waagent
cat >/var/lib/waagent/ovf-env.xml <<'END'
{ovf_env}END
"""


def seed_files(provisioning: ProvisioningData) -> dict[str, bytes]:
    """Give the files of the seed disc; a password is in them as a hash only."""
    return {
        "meta-data": _dump(
            {
                "instance-id": provisioning.instance_id,
                "local-hostname": provisioning.host_name,
                "public-keys": list(provisioning.ssh_keys),
            }
        ),
        # By name, so that a disk that is attached to another machine finds its network there.
        "network-config": _dump({"version": 2, "ethernets": {"eth0": {"dhcp4": True}}}),
        "user-data": provisioning.custom_data or provisioning.user_data or b"",
        "vendor-data": b"#cloud-config-archive\n" + _dump(_vendor_parts(provisioning)),
    }


def write_seed(path: Path, provisioning: ProvisioningData) -> None:
    """Write the seed disc, readable by its owner alone.

    Raises:
        HypervisorError: a program that makes it is missing or failed.
    """
    files = seed_files(provisioning)
    size = _SMALLEST + 2 * sum(len(content) for content in files.values())
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
        file.truncate(size // _SECTOR * _SECTOR)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        _run(["mformat", "-i", str(path), "-v", "CIDATA", "-T", str(size // _SECTOR), "::"])
        _run(["mcopy", "-i", str(path), *(str(Path(folder) / name) for name in files), "::"])


def _vendor_parts(provisioning: ProvisioningData) -> list[dict[str, str]]:
    user: dict[str, object] = {"name": provisioning.username}
    if provisioning.password is not None:
        user |= {"lock_passwd": False, "passwd": _hash_password(provisioning.password)}
    has_password = provisioning.password is not None
    config = {"system_info": {"default_user": user}, "ssh_pwauth": has_password}
    ovf_env = _OVF_ENV.format(
        host_name=escape(provisioning.host_name),
        username=escape(provisioning.username),
        keys_only=str(not has_password).lower(),
    )
    return [
        {"type": "text/cloud-config", "content": json.dumps(config)},
        {"type": "text/x-shellscript", "content": _WRITE_OVF_ENV.format(ovf_env=ovf_env)},
    ]


def _dump(value: object) -> bytes:
    return json.dumps(value).encode()  # JSON is YAML, and quotes everything


def _hash_password(password: str) -> str:
    return _run(["openssl", "passwd", "-6", "-stdin"], stdin=password).strip()


def _run(command: list[str], *, stdin: str = "") -> str:
    packages = {"mformat": "mtools", "mcopy": "mtools", "openssl": "openssl"}
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, process_group=0)
    except FileNotFoundError as error:
        raise HypervisorError(
            f"the seed disc needs {command[0]}; install with: apt-get install {packages[command[0]]}"
        ) from error
    if done.returncode:
        raise HypervisorError(f"the seed disc could not be made: {command[0]}: {done.stderr.strip()}")
    return done.stdout
