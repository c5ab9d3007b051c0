"""SSH public keys kept as resources. Source: Azure OpenAPI, ComputeRP."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from verified_images.emulator.arm_errors import invalid_parameter
from verified_images.emulator.compute import api_versions
from verified_images.emulator.compute.settled_kind import SettledKind
from verified_images.emulator.lifecycle import Style
from verified_images.emulator.routing import Route
from verified_images.emulator.store import Resource
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

TYPE = "Microsoft.Compute/sshPublicKeys"
_BITS = 3072
_KEY = re.compile(r"(ssh-rsa|ssh-ed25519) [A-Za-z0-9+/=]{40,}( .*)?")


class SshPublicKeys(SettledKind):
    """Microsoft.Compute/sshPublicKeys."""

    type: ClassVar[str] = TYPE
    style: ClassVar[Style] = Style(None, created=(201, "Succeeded"), updated=(200, "Succeeded"))
    noun: ClassVar[str] = "SSH public key"
    api_versions: ClassVar[tuple[str, ...]] = api_versions.MACHINES

    def more_routes(self) -> Iterator[Route]:
        """Give the route of the call that makes a pair of keys."""
        yield Route("POST", self.collection_pattern() + "/{name}/generateKeyPair", self._generate)

    def complete(self, cloud: Cloud, request: Request, body: dict[str, Any], existing: Resource | None) -> Resource:
        """Check the key, if there is one yet."""
        del cloud
        properties = dict(body.get("properties") or {})
        key = properties.get("publicKey") or (existing.properties.get("publicKey") if existing else None)
        if key is not None:
            if not _KEY.fullmatch(str(key).strip()):
                raise invalid_parameter("publicKey", "The value of parameter publicKey is invalid.")
            properties["publicKey"] = key
        return Resource(request.id, {**body, "properties": properties})

    def _generate(self, cloud: Cloud, request: Request) -> Answer:
        kind = str(request.json().get("encryptionType") or "RSA") if request.content.strip() else "RSA"
        if kind.lower() not in {"rsa", "ed25519"}:
            raise invalid_parameter("encryptionType", "The value of parameter encryptionType is invalid.")
        self.find(cloud, request.id)
        private, public = _make_pair(kind.lower())
        with cloud.store.changing(request.id) as found:
            if found:
                found.properties["publicKey"] = public
        return Answer(200, {"privateKey": private, "publicKey": public, "id": str(request.id)})


def _make_pair(kind: str) -> tuple[str, str]:
    key: RSAPrivateKey | Ed25519PrivateKey
    if kind == "ed25519":
        key, form = Ed25519PrivateKey.generate(), PrivateFormat.OpenSSH
    else:
        key, form = generate_private_key(65537, _BITS), PrivateFormat.TraditionalOpenSSL
    private = key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return private, f"{public} generated-by-azure"
