"""HCL's functions that need a library of cryptography, which is loaded only where one of them is used."""

from __future__ import annotations

import base64
import binascii
import string

from verified_images.templates.packer.hcl.values import HclError

_LEAST_COST, _MOST_COST = 4, 14
"""The costs that bcrypt knows begin with 4; beyond 14 one hash takes seconds."""
_LONGEST_PASSWORD = 72
_BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "+/"
_AS_BCRYPT = str.maketrans(_BASE64, "./" + _BASE64[:-2])


def hash_with_bcrypt(text: str, cost: int, salt: bytes) -> str:
    """Return the hash of a password, with a salt of 16 bytes; HclError for what bcrypt does not take."""
    import bcrypt  # noqa: PLC0415 - only this function needs it

    if not _LEAST_COST <= cost <= _MOST_COST:
        raise HclError(f"a cost from {_LEAST_COST} to {_MOST_COST} is needed, not {cost}")
    if len(text.encode()) > _LONGEST_PASSWORD or "\0" in text:
        raise HclError(f"a password of at most {_LONGEST_PASSWORD} bytes is needed, without NUL characters")
    encoded = base64.b64encode(salt).decode().translate(_AS_BCRYPT)[:22]
    return bcrypt.hashpw(text.encode(), f"$2a${cost:02}${encoded}".encode()).decode()


def decrypt_with_rsa(text: str, key: str) -> str:
    """Return what is encrypted in Base64 for a private key in PEM, with the padding of PKCS #1 v1.5."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - only this function needs it
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415 - the same
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - the same

    try:
        private = load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, rsa.RSAPrivateKey):
        raise HclError("a private key of RSA in PEM, without a passphrase, is needed")
    try:
        return private.decrypt(base64.b64decode(text, validate=True), padding.PKCS1v15()).decode()
    except (binascii.Error, ValueError):
        raise HclError("the text cannot be decrypted with this key") from None
