"""What the platform hands to a guest at boot, as the tar that ``rootfs/usr/lib/stand-in/boot`` unpacks."""

from __future__ import annotations

import base64
import io
import tarfile
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

if TYPE_CHECKING:
    from verified_images.emulator.hypervisor import ProvisioningData

# The form of the file on the provisioning disc of an Azure VM. The agent keeps it without the password.
_OVF = """<?xml version="1.0" encoding="utf-8"?>
<ns0:Environment xmlns:ns0="http://schemas.dmtf.org/ovf/environment/1"\
 xmlns:ns1="http://schemas.microsoft.com/windowsazure">
  <ns1:ProvisioningSection>
    <ns1:Version>1.0</ns1:Version>
    <ns1:LinuxProvisioningConfigurationSet>
      <ns1:ConfigurationSetType>LinuxProvisioningConfiguration</ns1:ConfigurationSetType>
      <ns1:UserName>{username}</ns1:UserName>
      <ns1:HostName>{host_name}</ns1:HostName>
      <ns1:DisableSshPasswordAuthentication>{no_password}</ns1:DisableSshPasswordAuthentication>
      <ns1:CustomData>{custom_data}</ns1:CustomData>
    </ns1:LinuxProvisioningConfigurationSet>
  </ns1:ProvisioningSection>
</ns0:Environment>
"""


def provisioning_archive(data: ProvisioningData | None) -> bytes:
    """Give the tar for a guest's boot; an empty one for a specialized disk.

    Host keys are made here, as nothing in the guest can, and taken by cloud-init if it wants new ones.
    """
    files = {} if data is None else _files(data)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o600
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _files(data: ProvisioningData) -> dict[str, bytes]:
    files = {
        "instance-id": data.instance_id.encode(),
        "host-name": f"{data.host_name}\n".encode(),
        "username": data.username.encode(),
        "authorized_keys": "".join(f"{key.strip()}\n" for key in data.ssh_keys).encode(),
        # cloud-init turns to the user data of the metadata service where there is no custom data.
        "user-data": data.custom_data or data.user_data or b"",
        "ovf-env.xml": _ovf(data).encode(),
    }
    if data.password is not None:
        files["password"] = data.password.encode()
    keys: dict[str, Ed25519PrivateKey | EllipticCurvePrivateKey] = {
        "ed25519": Ed25519PrivateKey.generate(),
        "ecdsa": generate_private_key(SECP256R1()),
    }
    for kind, key in keys.items():
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        name = f"ssh_host_{kind}_key"
        files[name] = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        files[f"{name}.pub"] = public + f" root@{data.host_name}\n".encode()
    return files


def _ovf(data: ProvisioningData) -> str:
    return _OVF.format(
        username=escape(data.username),
        host_name=escape(data.host_name),
        no_password=str(data.password is None).lower(),
        custom_data=base64.b64encode(data.custom_data or b"").decode(),
    )
