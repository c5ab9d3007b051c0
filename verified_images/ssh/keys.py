"""The key pair that one run logs in with: made for the run, its private half in memory only."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from paramiko.pkey import UnknownKeyType

from verified_images.errors import VerifiedImagesError

if TYPE_CHECKING:
    from pathlib import Path

KeyType = Literal["ed25519", "rsa"]
_RSA_BITS = 3072  # NIST SP 800-57: 128 bits of security, as ed25519 gives


@dataclass(frozen=True, slots=True)
class RunKey:
    """A key pair: ``public`` is the line for authorized_keys, ``private`` never leaves the memory unasked."""

    private: paramiko.PKey = field(repr=False)
    public: str
    _text: str = field(repr=False)

    def write(self, path: Path) -> None:
        """Write the private key in OpenSSH's format to ``path``, readable by its owner only; replaces the file."""
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(self._text)


def read_run_key(path: Path) -> RunKey:
    """Return the key pair that ``RunKey.write`` wrote.

    Raises:
        VerifiedImagesError: there is none, or it is no private key.
    """
    try:
        text = path.read_text("ascii")
        private = paramiko.PKey.from_path(path)
    except (OSError, ValueError, paramiko.SSHException, UnknownKeyType) as error:
        raise VerifiedImagesError(f"the private key '{path}' of the kept machine cannot be read: {error}") from error
    return RunKey(private, f"{private.get_name()} {private.get_base64()} verified-images", text)


def new_run_key(comment: str = "verified-images", key_type: KeyType = "ed25519") -> RunKey:
    """Make a key pair: ed25519, or RSA (3072 bits, signing with SHA-2) where Azure or the image asks for RSA."""
    made: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    loader: type[paramiko.Ed25519Key | paramiko.RSAKey]
    if key_type == "ed25519":
        made, loader = ed25519.Ed25519PrivateKey.generate(), paramiko.Ed25519Key
    else:
        made, loader = rsa.generate_private_key(public_exponent=65537, key_size=_RSA_BITS), paramiko.RSAKey
    text = made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.OpenSSH,
        serialization.NoEncryption(),
    ).decode("ascii")
    private = loader.from_private_key(io.StringIO(text))
    return RunKey(private, f"{private.get_name()} {private.get_base64()} {comment}", text)
