"""The token service of a local Azure, called without an SDK, and what proves who a client is."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from verified_images.emulator import LocalCloud

SCOPE = "https://management.azure.com/.default"
BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Entra:
    cloud: LocalCloud

    def get(self, path: str) -> requests.Response:
        url = f"{self.cloud.endpoint}/{path}"
        return requests.get(url, verify=str(self.cloud.ca_bundle), timeout=10)

    def ask(self, path: str = "oauth2/v2.0/token", tenant: str = "", **form: str) -> requests.Response:
        """Ask for a token as the installation's own application unless the form says otherwise; "" leaves out."""
        account = self.cloud.account
        fields = {
            "grant_type": "client_credentials",
            "client_id": account.client_id,
            "client_secret": account.client_secret,
            ("scope" if "v2.0" in path else "resource"): SCOPE if "v2.0" in path else "https://management.azure.com/",
            **form,
        }
        body = {key: value for key, value in fields.items() if value}
        url = f"{self.cloud.endpoint}/{tenant or account.tenant_id}/{path}"
        return requests.post(url, data=body, verify=str(self.cloud.ca_bundle), timeout=10)

    def ask_by_assertion(self, client: str, assertion: str) -> requests.Response:
        return self.ask(client_id=client, client_secret="", client_assertion=assertion, client_assertion_type=BEARER)

    def call(
        self,
        token: str,
        path: str = "/resourceGroups",
        method: str = "GET",
        body: Any = None,  # noqa: ANN401 - JSON
    ) -> requests.Response:
        url = f"{self.cloud.endpoint}/subscriptions/{self.cloud.account.subscription_id}{path}?api-version=2024-07-01"
        headers = {"Authorization": f"Bearer {token}"}
        return requests.request(method, url, headers=headers, json=body, verify=str(self.cloud.ca_bundle), timeout=10)


@dataclass
class Signer:
    """A key with a certificate, which signs assertions."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls) -> Signer:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "builder")])
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
        return cls(key, builder.not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256()))

    @property
    def certificate_pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_and_certificate(self) -> bytes:
        key = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return key + self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_set(self) -> dict[str, Any]:
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return {"keys": [{**public, "kid": "k", "use": "sig"}]}

    def sign(self, *, lifetime: int = 300, **claims: Any) -> str:  # noqa: ANN401 - JSON
        now = int(time.time())
        digest = self.certificate.fingerprint(hashes.SHA1())  # noqa: S303 - a name
        thumbprint = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        content = {"iat": now - 600, "nbf": now - 600, "exp": now + lifetime, **claims}
        return jwt.encode(content, self.key, "RS256", headers={"x5t": thumbprint, "kid": "k"})
