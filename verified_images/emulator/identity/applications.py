"""Applications (service principals) and how they prove who they are: secrets, certificates, federated credentials."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from pydantic import BaseModel, ConfigDict, ValidationError

from verified_images.emulator.authorization.role_assignments import assign_role

if TYPE_CHECKING:
    from verified_images.emulator.cloud import Cloud

_COLLECTION = "applications"


class ApplicationError(ValueError):
    """An application cannot be made as asked for; the text says why."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FederatedCredential(_Model):
    """Whose assertions stand for an application: ``issuer``, ``subject`` and audiences as the assertion has them.

    ``keys`` is the issuer's JSON Web Key Set; without it the keys are fetched where the issuer's discovery says.
    """

    issuer: str
    subject: str
    audiences: tuple[str, ...] = ("api://AzureADTokenExchange",)
    keys: dict[str, Any] | None = None


class KeptSecret(_Model):
    """A secret's salted digest; ``ends`` is when it stops to be good, empty for never."""

    salt: str
    digest: str
    ends: str = ""


class Application(_Model):
    """An application and what proves that somebody is it; ``certificates`` are PEM texts."""

    client_id: str
    object_id: str
    name: str = ""
    secrets: tuple[KeptSecret, ...] = ()
    certificates: tuple[str, ...] = ()
    federated: tuple[FederatedCredential, ...] = ()


class RoleOnScope(_Model):
    """A role, by the name or id of its definition, on a scope: an id, or empty for the subscription."""

    role: str
    scope: str = ""


class NewApplication(_Model):
    """What an application is made of; ``secret_seconds`` is how long its secret is good (None: for ever)."""

    name: str
    roles: tuple[RoleOnScope, ...] = ()
    certificates: tuple[str, ...] = ()
    federated: tuple[FederatedCredential, ...] = ()
    secret_seconds: float | None = None


def read_application(content: object) -> NewApplication:
    """Give the application that a JSON object asks for.

    Raises:
        ApplicationError: naming the field that is missing, unknown or wrong.
    """
    try:
        return NewApplication.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the application"
        raise ApplicationError(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}") from error


def make_application(cloud: Cloud, wanted: NewApplication) -> tuple[Application, str]:
    """Make an application with roles and give it with its secret, which is told only now.

    Raises:
        ApplicationError: a certificate cannot be read.
        ArmError: 404: there is no such role.
    """
    for pem in wanted.certificates:
        thumbprint(pem)
    secret = secrets.token_urlsafe(30)
    ends = datetime.now(UTC) + timedelta(seconds=wanted.secret_seconds) if wanted.secret_seconds is not None else None
    application = Application(
        client_id=str(uuid.uuid4()),
        object_id=str(uuid.uuid4()),
        name=wanted.name,
        secrets=(_keep(secret, ends),),
        certificates=wanted.certificates,
        federated=wanted.federated,
    )
    subscription = f"/subscriptions/{cloud.account.subscription_id}"
    for each in wanted.roles:
        assign_role(cloud, application.object_id, each.role, each.scope or subscription)
    cloud.records.put(_COLLECTION, application.client_id, application.model_dump(mode="json"))
    return application, secret


def remove_application(cloud: Cloud, client_id: str) -> bool:
    """Remove an application and tell whether there was one; its tokens stay good until they expire."""
    return cloud.records.remove(_COLLECTION, client_id) is not None


def list_applications(cloud: Cloud) -> list[Application]:
    """Give the applications, the installation's own first."""
    others = [Application.model_validate(record) for record in cloud.records.select(_COLLECTION)]
    return [_own(cloud), *(each for each in others if each.client_id != cloud.account.client_id)]


def find_application(cloud: Cloud, client_id: str) -> Application | None:
    """Give an application, or None."""
    wanted = client_id.lower()
    return next((each for each in list_applications(cloud) if each.client_id.lower() == wanted), None)


def has_secret(application: Application, secret: str, *, expired: bool = False) -> bool:
    """Tell whether a secret is one of the application's that lives (or, with ``expired``, one that does not)."""
    now = datetime.now(UTC).isoformat()
    return any(
        hmac.compare_digest(_digest(secret, kept.salt), kept.digest)
        and (bool(kept.ends) and kept.ends <= now) is expired
        for kept in application.secrets
    )


def thumbprint(pem: str) -> str:
    """Give a certificate's SHA-1 thumbprint in upper-case hexadecimal digits, as Entra names certificates.

    Raises:
        ApplicationError: the text is no certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise ApplicationError(f"the certificate cannot be read as PEM: {error}") from error
    return certificate.fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - a name, not a proof


def _own(cloud: Cloud) -> Application:
    account = cloud.account
    return Application(
        client_id=account.client_id,
        object_id=account.object_id,
        name="verified-images local",
        secrets=(_keep(account.client_secret, None, salt=""),),
    )


def _keep(secret: str, ends: datetime | None, salt: str | None = None) -> KeptSecret:
    salt = secrets.token_hex(16) if salt is None else salt
    return KeptSecret(salt=salt, digest=_digest(secret, salt), ends=ends.isoformat() if ends else "")


def _digest(secret: str, salt: str) -> str:
    return hashlib.sha256(f"{salt}:{secret}".encode()).hexdigest()
