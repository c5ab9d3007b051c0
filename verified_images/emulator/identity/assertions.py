"""Client assertions: signed by a registered certificate, or by an issuer whose word is taken (workload identity).

Source: Microsoft identity platform, "certificate credentials" and "workload identity federation".
"""

from __future__ import annotations

import base64
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from verified_images.emulator.identity.refusals import EntraError

if TYPE_CHECKING:
    from verified_images.emulator.identity.applications import Application, FederatedCredential

_ALGORITHMS = ["RS256", "PS256", "ES256"]
_FETCH_SECONDS = 10
_LEEWAY = 5


def check_assertion(application: Application, assertion: str, audiences: set[str]) -> None:
    """Check that an assertion stands for an application; ``audiences`` are the names of the token service.

    Raises:
        EntraError: it does not.
    """
    try:
        header = jwt.get_unverified_header(assertion)
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.InvalidTokenError as error:
        raise EntraError(
            "invalid_client", 50027, f"JWT token is invalid or malformed. {str(error).rstrip('.')}."
        ) from error
    if claims.get("iss") == application.client_id:
        key = _certificate_key(application, header)
        _verify(assertion, key, audiences, application.client_id)
    else:
        credential = _find_credential(application, claims)
        _verify(assertion, _issuer_key(credential, header), set(credential.audiences), credential.subject)


def _verify(assertion: str, key: Any, audiences: set[str], subject: str) -> None:  # noqa: ANN401 - a public key
    try:
        claims = jwt.decode(
            assertion, key, _ALGORITHMS, audience=sorted(audiences), leeway=_LEEWAY, options={"require": ["exp", "aud"]}
        )
    except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError) as error:
        raise EntraError("invalid_client", 700024, "Client assertion is not within its valid time range.") from error
    except jwt.InvalidAudienceError as error:
        raise EntraError(
            "invalid_client", 700023, "Client assertion audience claim does not match Realm issuer."
        ) from error
    except jwt.InvalidTokenError as error:
        raise EntraError(
            "invalid_client",
            700027,
            "The certificate with identifier used to sign the client assertion is not registered on application. "
            f"[Reason - The key was found, but use of the key to verify the signature failed: {error}.]",
        ) from error
    if claims.get("sub") != subject:
        raise EntraError("invalid_client", 700021, "Client assertion application identifier doesn't match 'client_id'.")


def _certificate_key(application: Application, header: dict[str, Any]) -> Any:  # noqa: ANN401 - a public key
    """Give the public key of the certificate that an assertion names by its thumbprint."""
    named = {str(header.get(name, "")).rstrip("=") for name in ("x5t", "x5t#S256", "kid")} - {""}
    for pem in application.certificates:
        certificate = x509.load_pem_x509_certificate(pem.encode())
        for algorithm in (hashes.SHA1(), hashes.SHA256()):  # noqa: S303 - a name, not a proof
            digest = certificate.fingerprint(algorithm)
            if named & {_encode(digest), digest.hex().upper(), digest.hex()}:
                return certificate.public_key()
    raise EntraError(
        "invalid_client",
        700027,
        "The certificate with identifier used to sign the client assertion is not registered on application. [Reason - "
        f"The key was not found., Thumbprint of key used by client: '{', '.join(sorted(named))}']",
    )


def _encode(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _find_credential(application: Application, claims: dict[str, Any]) -> FederatedCredential:
    """Give the credential that an assertion is for, or refuse in Entra's words: issuer, subject, then audience."""
    audience = claims.get("aud")
    given = set(audience) if isinstance(audience, list) else {str(audience)}
    found = list(application.federated)
    for number, noun, value, fits in (
        (700211, "issuer", claims.get("iss"), lambda each: each.issuer == claims.get("iss")),
        (700213, "subject", claims.get("sub"), lambda each: each.subject == claims.get("sub")),
        (700212, "audience", ", ".join(sorted(given)), lambda each: bool(given & set(each.audiences))),
    ):
        found = [each for each in found if fits(each)]
        if not found:
            raise EntraError(
                "invalid_client",
                number,
                f"No matching federated identity record found for presented assertion {noun} '{value}'. Check your "
                "federated identity credential Subject, Audience and Issuer against the presented assertion.",
            )
    return found[0]


def _issuer_key(credential: FederatedCredential, header: dict[str, Any]) -> Any:  # noqa: ANN401 - a public key
    keys = credential.keys or _fetch_keys(credential.issuer)
    name = header.get("kid")
    try:
        published = jwt.PyJWKSet.from_dict(dict(keys)).keys
    except (jwt.PyJWKSetError, KeyError, TypeError, AttributeError) as error:
        raise _unreadable(credential.issuer, str(error)) from error
    chosen = [key for key in published if name is None or key.key_id in {name, None}]
    if not chosen:
        raise _unreadable(credential.issuer, f"there is no key '{name}'")
    return chosen[0].key


def _fetch_keys(issuer: str) -> dict[str, Any]:
    try:
        discovered = _fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        return _fetch(str(discovered["jwks_uri"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unreadable(issuer, str(error)) from error


def _fetch(url: str) -> dict[str, Any]:
    if not url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
        raise ValueError(f"'{url}' is not an https address")
    with urllib.request.urlopen(url, timeout=_FETCH_SECONDS) as answer:  # noqa: S310 - checked above
        content: dict[str, Any] = json.load(answer)
    return content


def _unreadable(issuer: str, why: str) -> EntraError:
    return EntraError(
        "invalid_request",
        50166,
        f"Request to External OIDC endpoint failed: the keys of the issuer '{issuer}' cannot be used: "
        f"{why.rstrip('.')}.",
    )
